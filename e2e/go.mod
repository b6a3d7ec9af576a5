module aliyun_vulscan_exporter/e2e

go 1.26.0

require (
	aliyun_vulscan_exporter v0.0.0
	go.yaml.in/yaml/v3 v3.0.6
)

require golang.org/x/time v0.16.0 // indirect

replace aliyun_vulscan_exporter => ../
