package simulator

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestStartServesUntilTheContextEnds(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	clock := newFakeClock()
	a := testAccount()
	running, err := Start(ctx, Options{Clock: clock.Now, Accounts: []Account{a}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(running.URL, "http://127.0.0.1:") {
		t.Errorf("URL %s", running.URL)
	}
	query := newCaller(clock, a).sign(http.MethodGet, list1, url.Values{})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(running.URL + "/?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("HTTP %d, %v", resp.StatusCode, err)
	}
	cancel()
	if err := running.Wait(); err != nil {
		t.Error(err)
	}
}

func TestStartAfterTheEndServesNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	running, err := Start(ctx, Options{})
	if err != nil {
		return
	}
	if err := running.Wait(); err != nil {
		t.Error(err)
	}
}
