package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The two service centres of Security Center; every region belongs to one.
const (
	centreChina         = "tds.cn-shanghai.aliyuncs.com"
	centreInternational = "tds.ap-southeast-1.aliyuncs.com"
)

// knownRegions are the regions that Alibaba publishes, finance and government clouds included.
var knownRegions = strings.Fields(`
	cn-beijing cn-beijing-finance-1 cn-beijing-finance-pop cn-chengdu cn-edge-1 cn-fuzhou cn-guangzhou cn-hangzhou
	cn-hangzhou-finance cn-heyuan cn-heyuan-acdr-1 cn-hongkong cn-hongkong-finance-pop cn-huhehaote cn-nanjing
	cn-north-2-gov-1 cn-beijing-gov-1 cn-qingdao cn-shanghai cn-shanghai-finance-1 cn-shenzhen cn-shenzhen-finance-1
	cn-wuhan cn-wuhan-lr cn-wulanchabu cn-zhangbei cn-zhangjiakou cn-zhengzhou-jva cn-zhongwei cn-fujian
	ap-northeast-1 ap-northeast-2 ap-northeast-2-pop ap-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3
	ap-southeast-5 ap-southeast-6 ap-southeast-7
	eu-central-1 eu-west-1 eu-west-1-oxs me-central-1 me-east-1 na-south-1 rus-west-1-pop
	us-east-1 us-southeast-1 us-west-1`)

var regionShape = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// regionEndpoint returns the endpoint of the service centre that a known region belongs to.
func regionEndpoint(region string) (Endpoint, error) {
	if !slices.Contains(knownRegions, region) {
		hint := ""
		if near, distance := nearest(strings.ToLower(region), knownRegions); distance <= 3 {
			hint = fmt.Sprintf(" (did you mean %s?)", near)
		}
		return Endpoint{}, fmt.Errorf("unknown region %s%s; if it exists, set endpoint as well", quote(region), hint)
	}
	if strings.HasPrefix(region, "cn-") {
		return Endpoint{Scheme: "https", Host: centreChina}, nil
	}
	return Endpoint{Scheme: "https", Host: centreInternational}, nil
}

// checkRegionShape accepts whatever could be a region, now or later.
func checkRegionShape(text string) error {
	if !regionShape.MatchString(text) {
		return fmt.Errorf("not a region: %s (want such as cn-hangzhou)", quote(text))
	}
	return nil
}
