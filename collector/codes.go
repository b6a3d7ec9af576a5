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
	known map[string]codeNumber
	texts []string // by number
	own   int      // how many are known from the start
}

// codeNumber stands for a code's label where thousands of them are kept. 0 is
// that of no code.
type codeNumber uint8

// newCodeLabels knows the results of calls that are no codes of the API's, so
// that no flood of codes can hide a timeout.
func newCodeLabels() *codeLabels {
	c := &codeLabels{known: make(map[string]codeNumber)}
	for _, text := range append([]string{"", otherCode}, ownResults()...) {
		c.add(text)
	}
	c.own = len(c.texts)
	return c
}

// add takes note of a label. It is called with c.mu held, or alone.
func (c *codeLabels) add(text string) {
	c.known[text] = codeNumber(len(c.texts))
	c.texts = append(c.texts, text)
}

// number gives a label's number.
func (c *codeLabels) number(label string) codeNumber {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[label]
}

// text gives a number's label.
func (c *codeLabels) text(n codeNumber) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.texts[n]
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
	if len(c.texts) >= maxCodes+c.own {
		return otherCode
	}
	c.add(code)
	return code
}
