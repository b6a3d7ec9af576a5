package simulator

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"
)

type sdkRequest struct {
	*requests.RpcRequest
	TaskIds *[]string `position:"Query" name:"TaskIds" type:"Repeated"`
	Types   *[]string `position:"Query" name:"Types" type:"Repeated"`
	Uuid    string    `position:"Query" name:"Uuid"`
}

type sdkResponse struct {
	*responses.BaseResponse
	RequestId    string `json:"RequestId"`
	TotalCount   int    `json:"TotalCount"`
	TaskStatuses []struct {
		TaskId         string `json:"TaskId"`
		TaskStatusList []struct{ Type, Status, Code string }
	} `json:"TaskStatuses"`
}

// askBySDK makes one call as an application with the v1 SDK does.
func askBySDK(t *testing.T, url, secret, token, method string, f Fleet) (*sdkResponse, error) {
	t.Helper()
	var provider credentials.CredentialsProvider = credentials.NewStaticAKCredentialsProvider(testKeyID, secret)
	if token != "" {
		provider = credentials.NewStaticSTSCredentialsProvider(testKeyID, secret, token)
	}
	client, err := sdk.NewClientWithOptions("cn-shanghai", sdk.NewConfig(), provider)
	if err != nil {
		t.Fatal(err)
	}
	taskIDs, types := []string{"task-a", "", "a*b ~c/é+1", "task-b"}, []string{"cve", "sys", "cms", "sca"}
	r := &sdkRequest{RpcRequest: &requests.RpcRequest{}, TaskIds: &taskIDs, Types: &types, Uuid: f.uuid(15)}
	r.InitWithApiInfo("Sas", "2018-12-03", "DescribeVulCheckTaskStatusDetail", "sas", "openAPI")
	r.Method, r.Scheme, r.Domain = method, requests.HTTP, strings.TrimPrefix(url, "http://")
	out := &sdkResponse{BaseResponse: &responses.BaseResponse{}}
	return out, client.DoAction(r, out)
}

func TestTheSDKIsAnswered(t *testing.T) {
	tests := map[string]struct{ secret, token, method, code string }{
		"POST":             {secret: testSecret, method: "POST"},
		"GET":              {secret: testSecret, method: "GET"},
		"STS token":        {secret: testSecret, token: "CAIS/token+with=signs", method: "POST"},
		"wrong secret":     {secret: "wrong", method: "POST", code: "SignatureDoesNotMatch"},
		"STS wrong secret": {secret: "wrong", token: "t", method: "POST", code: "SignatureDoesNotMatch"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := testAccount()
			a.SecurityToken, a.Fleet.Start = tt.token, time.Now().Add(-time.Hour)
			server := httptest.NewServer(New(Options{Accounts: []Account{a}}))
			defer server.Close()
			got, err := askBySDK(t, server.URL, tt.secret, tt.token, tt.method, a.Fleet)
			if tt.code != "" {
				var se *sdkerrors.ServerError
				if !errors.As(err, &se) || se.ErrorCode() != tt.code || se.HttpStatus() != 400 || se.RequestId() == "" {
					t.Fatalf("got %v, want %s", err, tt.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.TotalCount != 6 || got.RequestId == "" || len(got.TaskStatuses) != 2 {
				t.Fatalf("got %+v", got)
			}
			for _, task := range got.TaskStatuses {
				if len(task.TaskStatusList) != 3 || task.TaskStatusList[0].Status != "4" {
					t.Errorf("got %+v", task)
				}
			}
		})
	}
}
