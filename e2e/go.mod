module aliyun_vulscan_exporter/e2e

go 1.26.0

require aliyun_vulscan_exporter v0.0.0

require golang.org/x/time v0.16.0 // indirect

replace aliyun_vulscan_exporter => ../
