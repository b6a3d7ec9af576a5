package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The two service centres of Security Center, by the public network and from inside a VPC. Every
// region belongs to one.
const (
	centreChina            = "tds.cn-shanghai.aliyuncs.com"
	centreInternational    = "tds.ap-southeast-1.aliyuncs.com"
	vpcCentreChina         = "tds.vpc-proxy.aliyuncs.com"
	vpcCentreInternational = "tds-intl.vpc-proxy.aliyuncs.com"
	vpcSydney              = "tds-vpc.ap-southeast-2.aliyuncs.com" // the one region with a VPC endpoint of its own
)

// knownRegions are the regions that Alibaba publishes, finance and government clouds included.
var knownRegions = strings.Fields(`
	cn-beijing cn-beijing-finance-1 cn-beijing-finance-pop cn-chengdu cn-edge-1 cn-fuzhou cn-guangzhou cn-hangzhou
	cn-hangzhou-finance cn-heyuan cn-heyuan-acdr-1 cn-hongkong cn-hongkong-finance-pop cn-huhehaote cn-nanjing
	cn-north-2-gov-1 cn-beijing-gov-1 cn-qingdao cn-qingdao-acdr-ut-1 cn-shanghai cn-shanghai-finance-1
	cn-shanghai-mybk cn-shenzhen cn-shenzhen-finance-1
	cn-wuhan cn-wuhan-lr cn-wulanchabu cn-zhangbei cn-zhangjiakou cn-zhengzhou-jva cn-zhongwei cn-fujian
	ap-northeast-1 ap-northeast-2 ap-northeast-2-pop ap-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3
	ap-southeast-5 ap-southeast-6 ap-southeast-7
	eu-central-1 eu-west-1 eu-west-1-oxs me-central-1 me-east-1 na-south-1 rus-west-1-pop
	us-east-1 us-southeast-1 us-west-1`)

var regionShape = regexp.MustCompile(`^[a-z]{2,}(-[a-z0-9]+)+$`)

// regionEndpoint returns the endpoint of the service centre that a region belongs to: China with
// its finance and government clouds, or Singapore for the rest of the world.
func regionEndpoint(region string, vpc bool) Endpoint {
	china := strings.HasPrefix(region, "cn-") || strings.Contains(region, "-finance") || strings.Contains(region, "-gov")
	host := centreInternational
	switch {
	case china && vpc:
		host = vpcCentreChina
	case china:
		host = centreChina
	case region == "ap-southeast-2" && vpc:
		host = vpcSydney
	case vpc:
		host = vpcCentreInternational
	}
	return Endpoint{Scheme: "https", Host: host}
}

// warnOfRegion warns of a region that Alibaba has not published, and says what follows from it.
func (d *decoder) warnOfRegion(v value, region, consequence string) {
	if slices.Contains(knownRegions, region) {
		return
	}
	hint := ""
	if near, similar := nearestByLetters(region, knownRegions, 3); similar {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	d.warn(v, "%s is no region that this exporter knows%s; %s", quote(region), hint, consequence)
}

// checkRegion accepts whatever could be a region, now or later.
func checkRegion(text string) error {
	if regionShape.MatchString(text) {
		return nil
	}
	hint := "want such as cn-hangzhou"
	if near, similar := nearestByLetters(strings.ToLower(text), knownRegions, 3); similar {
		hint = "did you mean " + near + "?"
	}
	return fmt.Errorf("not a region: %s (%s)", quote(text), hint)
}
