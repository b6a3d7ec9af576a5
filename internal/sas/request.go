package sas

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
)

// Product and version of the API, as every request names them.
const (
	product = "Sas"
	version = "2018-12-03"
)

// ActionVulCheckTaskStatusDetail is the operation that tells what the scan subtasks of one server
// are doing.
const ActionVulCheckTaskStatusDetail = "DescribeVulCheckTaskStatusDetail"

// vulCheckTaskStatusDetailRequest is the operation's request. The SDK's services/sas package lacks
// it; names and positions are from Alibaba's published model of the operation.
type vulCheckTaskStatusDetailRequest struct {
	*requests.RpcRequest
	TaskIDs *[]string `position:"Query" name:"TaskIds" type:"Repeated"`
	Types   *[]string `position:"Query" name:"Types" type:"Repeated"`
	UUID    string    `position:"Query" name:"Uuid"`
	Member  string    `position:"Query" name:"ResourceDirectoryAccountId"`
}

// newVulCheckTaskStatusDetailRequest makes a request for one call. SDK requests are changed by
// signing, so none is ever used twice. member is Options.ResourceDirectoryAccountID.
func newVulCheckTaskStatusDetailRequest(q Query, member string) requests.AcsRequest {
	r := &vulCheckTaskStatusDetailRequest{
		RpcRequest: &requests.RpcRequest{},
		TaskIDs:    &q.TaskIDs,
		Types:      &q.Types,
		UUID:       q.UUID,
		Member:     member,
	}
	r.InitWithApiInfo(product, version, ActionVulCheckTaskStatusDetail, "sas", "openAPI")
	return r
}

// signedWith is a credentials provider that returns one set of credentials, so that the SDK never
// fetches any while it signs.
type signedWith struct{ *credentials.Credentials }

// GetCredentials implements credentials.CredentialsProvider.
func (s signedWith) GetCredentials() (*credentials.Credentials, error) { return s.Credentials, nil }

// GetProviderName implements credentials.CredentialsProvider.
func (s signedWith) GetProviderName() string { return s.ProviderName }

// sign has the SDK sign a request and returns it as one for net/http. The request's URL holds the
// signature and the security token: it must not reach a log or an error.
func (c *Client) sign(ctx context.Context, request requests.AcsRequest, cc *credentials.Credentials) (hr *http.Request, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the SDK panicked while it signed the request (%T)", p)
		}
	}()
	request.SetScheme(c.options.Scheme)
	request.SetDomain(c.options.Host)
	if err := requests.InitParams(request); err != nil {
		return nil, fmt.Errorf("the SDK could not take the request's parameters (%T)", err)
	}
	if err := auth.Sign(request, nil, c.options.Region, signedWith{cc}); err != nil {
		return nil, fmt.Errorf("the SDK could not sign the request (%T)", err)
	}
	hr, err = http.NewRequestWithContext(ctx, requests.POST, request.BuildUrl(), http.NoBody)
	if err != nil {
		return nil, errors.New("the signed request has no valid URL: check endpoint")
	}
	// Keys are set as the SDK writes them, in lower case, not canonically.
	for key, value := range request.GetHeaders() {
		hr.Header[key] = []string{value}
	}
	hr.Header["x-sdk-core-version"] = []string{sdk.Version}
	hr.Header.Set("User-Agent", c.userAgent)
	return hr, nil
}
