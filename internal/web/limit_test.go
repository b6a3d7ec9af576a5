package web_test

import (
	"net/http"
	"sync"
	"testing"

	"aliyun_vulscan_exporter/collector"
)

func TestListsOfTargetsBeyondTheLimitAreAnswered503(t *testing.T) {
	t.Parallel()
	const limit = 4
	arrived, release := make(chan struct{}), make(chan struct{})
	o := options()
	o.Targets = func() []collector.Target {
		arrived <- struct{}{}
		<-release
		return nil
	}
	h := handler(t, o)
	var all sync.WaitGroup
	for range limit {
		all.Go(func() {
			if got := get(h, "/sd"); got.Code != http.StatusOK {
				t.Errorf("within the limit: %d", got.Code)
			}
		})
		<-arrived
	}
	if got := get(h, "/sd"); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
		t.Errorf("beyond the limit: %d", got.Code)
	}
	if got := get(h, "/-/healthy"); got.Code != http.StatusOK {
		t.Errorf("other paths are limited as well: %d", got.Code)
	}
	close(release)
	all.Wait()
	go func() { <-arrived }()
	if got := get(h, "/sd"); got.Code != http.StatusOK {
		t.Errorf("afterwards: %d", got.Code)
	}
}

func TestAServersStatusNeedsBothParameters(t *testing.T) {
	t.Parallel()
	h := handler(t, options())
	for query, want := range map[string]int{"": 400, "?account=a": 400, "?uuid=u": 400, "?account=&uuid=u": 400, "?account=a&uuid=u": 404} {
		got := get(h, "/api/v1/status/server"+query)
		if got.Code != want || got.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%q: %d %s", query, got.Code, got.Body)
		}
	}
}
