package simulator

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// exampleParams are those of the worked examples, which were made with the SDK.
func exampleParams(uuid string) url.Values {
	return url.Values{
		"TaskIds.1": {"16190385"}, "TaskIds.2": {"ad8afca3914a5fff4636e67f18e259c7"},
		"Types.1": {"cve"}, "Types.2": {"sca"}, "Uuid": {uuid},
	}
}

func TestSignRPCAgreesWithTheSDK(t *testing.T) {
	const plain = "POST&%2F&AccessKeyId%3Dtestid%26Action%3DDescribeVulCheckTaskStatusDetail%26Format%3DJSON" +
		"%26RegionId%3Dcn-shanghai%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D0123456789abcdef0123456789abcdef" +
		"%26SignatureType%3D%26SignatureVersion%3D1.0%26TaskIds.1%3D16190385%26TaskIds.2%3Dad8afca3914a5fff4636e67f18e259c7" +
		"%26Timestamp%3D2026-01-01T00%253A00%253A00Z%26Types.1%3Dcve%26Types.2%3Dsca" +
		"%26Uuid%3D5d55af3c-35f3-4d4d-8ccc-8c5443b00001%26Version%3D2018-12-03"
	const plainUUID = "5d55af3c-35f3-4d4d-8ccc-8c5443b00001"
	tests := map[string]struct{ uuid, stringToSign, signature string }{
		"plain": {plainUUID, plain, "R9bS7pHwJSATNEcqq5If5sk+DnE="},
		"encoding probe": {
			"inet-a*b ~c/é+1",
			strings.Replace(plain, plainUUID, "inet-a%252Ab%2520~c%252F%25C3%25A9%252B1", 1),
			"BM52LJZoHELCX1vx0IJScHmJKTQ=",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			params := exampleParams(tt.uuid)
			for name, value := range map[string]string{
				"AccessKeyId": testKeyID, "Action": "DescribeVulCheckTaskStatusDetail", "Format": "JSON",
				"RegionId": "cn-shanghai", "SignatureMethod": "HMAC-SHA1", "SignatureType": "",
				"SignatureNonce": "0123456789abcdef0123456789abcdef", "SignatureVersion": "1.0",
				"Timestamp": "2026-01-01T00:00:00Z", "Version": "2018-12-03", "Signature": "not signed",
			} {
				params.Set(name, value)
			}
			text, signature := SignRPC("POST", params, testSecret)
			if text != tt.stringToSign {
				t.Errorf("StringToSign\n got %s\nwant %s", text, tt.stringToSign)
			}
			if signature != tt.signature {
				t.Errorf("signature %s, want %s", signature, tt.signature)
			}
		})
	}
}

func TestSignACS3AgreesWithTheSDK(t *testing.T) {
	header := http.Header{}
	for name, value := range map[string]string{
		"Host": "tds.aliyuncs.com", "x-acs-action": "DescribeVulCheckTaskStatusDetail", "x-acs-version": "2018-12-03",
		"x-acs-date": "2026-01-01T00:00:00Z", "x-acs-signature-nonce": "0123456789abcdef0123456789abcdef",
		"x-acs-content-sha256": hexSHA256(nil),
	} {
		header.Set(name, value)
	}
	text, signature := SignACS3(ACS3Input{
		Method: "POST", Path: "/", Query: exampleParams("5d55af3c-35f3-4d4d-8ccc-8c5443b00001"), Header: header,
		SignedHeaders: strings.Split("host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version", ";"),
	}, testSecret)
	if want := "ACS3-HMAC-SHA256\n56be01c94e933ff7fad661d0ffb5e79a5f495729826ed70e6fc196b0e3f6ebc2"; text != want {
		t.Errorf("StringToSign %q, want %q", text, want)
	}
	if want := "ad9fb91b4332ad1d5cd2a51830c7aebe665d8acd5b742d83ebeaa69d4a090a4c"; signature != want {
		t.Errorf("signature %s, want %s", signature, want)
	}
}
