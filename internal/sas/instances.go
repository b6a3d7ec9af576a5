package sas

import (
	"cmp"
	"context"
	"regexp"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
)

// ActionInstances is the operation that lists the account's servers.
const ActionInstances = "DescribeCloudCenterInstances"

// uuidShape matches all UUIDs in Alibaba's documentation. Some have a prefix.
var uuidShape = regexp.MustCompile(`^(?i:(inet-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// InstanceQuery asks for one page of the account's servers.
type InstanceQuery struct {
	// Number is the page's, from 1. With 0, pages go by token, as Alibaba's documentation
	// recommends.
	Number int
	// Token is the last page's NextToken, empty for the first page.
	Token string
	// Size is how many entries the page may have. The largest is not documented; Alibaba's example
	// is 100.
	Size int
}

// Instance is a server. Its texts are valid UTF-8 of at most 128 bytes, and empty where the service
// did not say; only UUID never is.
type Instance struct {
	UUID string // as the service writes it, maybe with the prefix "inet-"
	// InstanceID is such as i-m5e...
	InstanceID string
	Name       string
	// Region is the ID of the server's region.
	Region string
	// IP is the private address, else the public one.
	IP string
	OS string // such as linux or windows
	// Online says whether the agent reports to Security Center now.
	Online bool
}

// instancesRequest is the operation's request, by Alibaba's published model of the operation; only
// the parameters used. The SDK's own lacks the tokens.
type instancesRequest struct {
	*requests.RpcRequest
	MachineTypes string           `position:"Query" name:"MachineTypes"`
	CurrentPage  requests.Integer `position:"Query" name:"CurrentPage"`
	PageSize     requests.Integer `position:"Query" name:"PageSize"`
	UseNextToken string           `position:"Query" name:"UseNextToken"`
	NextToken    string           `position:"Query" name:"NextToken"`
	Member       string           `position:"Query" name:"ResourceDirectoryAccountId"`
}

// instanceList is the field of the answer that holds the servers.
const instanceList = "Instances"

// Instances calls DescribeCloudCenterInstances once. The error, if any, is an *Error.
func (c *Client) Instances(ctx context.Context, q InstanceQuery) (*Page[Instance], error) {
	r := &instancesRequest{
		RpcRequest:   &requests.RpcRequest{},
		MachineTypes: "ecs", // servers, by Alibaba's published model
		PageSize:     requests.NewInteger(q.Size),
		Member:       c.options.ResourceDirectoryAccountID,
	}
	if q.Number > 0 {
		r.CurrentPage = requests.NewInteger(q.Number)
	} else {
		r.UseNextToken, r.NextToken = "true", q.Token
	}
	r.InitWithApiInfo(product, version, ActionInstances, "sas", "openAPI")
	// The SDK adds the account's region to a request that has none. Here that is the name of a
	// filter, which might leave out all other regions; Alibaba's v2 SDKs send none.
	r.QueryParams["RegionId"] = ""
	return askPage(ctx, c, r, instanceList, anomalyCounter.instance)
}

func (t anomalyCounter) instance(o object) (i Instance, id string) {
	i = Instance{
		UUID: t.text(o["Uuid"]), InstanceID: t.text(o["InstanceId"]),
		Name:   t.text(o["InstanceName"]),
		Region: cmp.Or(t.text(o["RegionId"]), t.text(o["Region"])),
		IP:     cmp.Or(t.text(o["IntranetIp"]), t.text(o["Ip"]), t.text(o["InternetIp"])),
		OS:     t.text(o["Os"]),
		Online: strings.EqualFold(t.text(o["ClientStatus"]), "online"),
	}
	switch {
	case i.UUID == "":
		t.count(MissingID)
	case !uuidShape.MatchString(i.UUID):
		t.count(InvalidID)
	default:
		id = UUIDKey(i.UUID)
	}
	return i, id
}
