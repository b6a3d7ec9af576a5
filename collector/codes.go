package collector

import (
	"sync"

	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// maxCodes bounds the distinct codes of an account that become labels.
	maxCodes = 200
	// otherCode is the label of all codes beyond that.
	otherCode = "other"
)

// codeLabels gives codes as labels, bounded in number: a service that invents
// a code for every answer must not fill Prometheus with series.
type codeLabels struct {
	mu    sync.Mutex
	known map[string]struct{}
}

// newCodeLabels knows the results of calls that are no codes of the API's, so
// that no flood of codes can hide a timeout.
func newCodeLabels() *codeLabels {
	c := &codeLabels{known: make(map[string]struct{})}
	for _, result := range ownResults() {
		c.known[result] = struct{}{}
	}
	return c
}

func ownResults() []string {
	return []string{sas.ResultOK, sas.ResultTimeout, sas.ResultConnection, sas.ResultCanceled, sas.ResultResponse, sas.ResultCredentials}
}

// label gives the code's label.
func (c *codeLabels) label(code string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.known[code]; known {
		return code
	}
	if len(c.known) >= maxCodes+len(ownResults()) {
		return otherCode
	}
	c.known[code] = struct{}{}
	return code
}
