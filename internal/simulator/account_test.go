package simulator

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestQuotaLetsItsRateThrough(t *testing.T) {
	clock := newFakeClock()
	a := testAccount()
	a.RequestsPerSecond = 5
	c := newCaller(clock, a)
	good := 0
	for range 100 { // 10 s of 10 calls a second
		w := c.call(list1, nil)
		if w.Code == 200 {
			good++
		} else {
			wantError(t, w, 400, "Throttling.User")
			if w.Header().Get("x-acs-retry-after") != "" {
				t.Fatal("hints without ThrottleHints")
			}
		}
		clock.Advance(100 * time.Millisecond)
	}
	if good < 50 || good > 55 { // the burst comes on top
		t.Errorf("%d of 100 calls let through, want 50 to 55", good)
	}
}

func TestThrottleHintsTellTheWait(t *testing.T) {
	clock := newFakeClock()
	a := testAccount()
	a.RequestsPerSecond, a.ThrottleHints = 0.5, true
	c := newCaller(clock, a)
	if w := c.call(list1, nil); w.Code != 200 {
		t.Fatalf("the burst is one call at least: %s", w.Body)
	}
	w := c.call(list1, nil)
	wantError(t, w, 400, "Throttling.User")
	if got, want := w.Header().Get("x-ratelimit-user-api"), "Limit:1,Remain:0,TimeLeft:2001,Reset:2001"; got != want {
		t.Errorf("x-ratelimit-user-api %q, want %q", got, want)
	}
	if got := w.Header().Get("x-acs-retry-after"); got != "2001" {
		t.Errorf("x-acs-retry-after %q, want 2001", got)
	}
	clock.Advance(2001 * time.Millisecond)
	if w := c.call(list1, nil); w.Code != 200 {
		t.Errorf("after the wait: %s", w.Body)
	}
}

func TestAccountsHaveQuotasOfTheirOwn(t *testing.T) {
	clock := newFakeClock()
	one, two := testAccount(), testAccount()
	one.RequestsPerSecond = 1
	two.Name, two.AccessKeyID = "two", "other"
	c := newCaller(clock, one)
	c.Simulator = New(Options{Clock: clock.Now, Accounts: []Account{one, two}})
	c.call(list1, nil)
	wantError(t, c.call(list1, nil), 400, "Throttling.User")
	c.keyID = "other"
	if w := c.call(list1, nil); w.Code != 200 {
		t.Errorf("HTTP %d: %s", w.Code, w.Body)
	}
}

func TestDeniedActions(t *testing.T) {
	for given, want := range map[string]string{"": "NoPermission", "Forbidden.RAM": "Forbidden.RAM"} {
		t.Run(want, func(t *testing.T) {
			a := testAccount()
			a.DeniedActions, a.DeniedCode = []string{list1}, given
			c := newCaller(newFakeClock(), a)
			w := c.call(list1, nil)
			wantError(t, w, 403, want)
			if !strings.Contains(w.Body.String(), `"AuthAction":"yundun-sas:DescribeCloudCenterInstances"`) {
				t.Errorf("no AccessDeniedDetail in %s", w.Body)
			}
			if w := c.status(a.Fleet.uuid(0), []string{"cve"}, "task-a"); w.Code != 200 {
				t.Errorf("another action: %s", w.Body)
			}
		})
	}
}

func TestInterceptAndObserve(t *testing.T) {
	clock := newFakeClock()
	a := testAccount()
	var seen *Request
	var calls []Call
	c := newCaller(clock, a)
	c.Simulator = New(Options{
		Clock: clock.Now, Accounts: []Account{a},
		Observe: func(call Call) { calls = append(calls, call) },
		Intercept: func(w http.ResponseWriter, r *Request) bool {
			seen = r
			if r.UUID == a.Fleet.uuid(1) {
				r.Fail(w, 500, "ServerError", "ServerError")
				return true
			}
			return false
		},
	})
	wantError(t, c.status(a.Fleet.uuid(1), []string{"cve", "sca"}, "task-b", "task-a"), 500, "ServerError")
	if seen.Account != "main" || seen.Action != "DescribeVulCheckTaskStatusDetail" || !seen.Time.Equal(epoch) ||
		!slices.Equal(seen.TaskIDs, []string{"task-b", "task-a"}) || !slices.Equal(seen.Types, []string{"cve", "sca"}) {
		t.Errorf("intercepted %+v", seen)
	}
	c.call(list1, nil)
	wantError(t, c.status("bad", []string{"cve"}, "task-a"), 400, "IllegalParam")
	c.secret = "wrong"
	c.call(list1, nil)
	want := []Call{
		{Time: epoch, Account: "main", Action: seen.Action, Code: "ServerError", Intercepted: true},
		{Time: epoch, Account: "main", Action: list1},
		{Time: epoch, Account: "main", Action: seen.Action, Code: "IllegalParam"},
		{Time: epoch, Action: list1, Code: "SignatureDoesNotMatch"},
	}
	if !slices.Equal(calls, want) {
		t.Errorf("observed %+v, want %+v", calls, want)
	}
}

func TestLatencyEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []Call
		s := New(Options{Latency: time.Minute, Observe: func(c Call) { calls = append(calls, c) }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		for _, ctx := range []context.Context{ctx, t.Context()} {
			s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/?Format=JSON", nil))
		}
		if took := time.Since(begin); took != time.Minute+time.Second {
			t.Errorf("took %v", took)
		}
		if len(calls) != 2 || !calls[0].Abandoned || calls[1].Abandoned || calls[1].Code != "MissingAction" {
			t.Errorf("observed %+v", calls)
		}
	})
}

func TestCallsMayOverlap(t *testing.T) {
	clock := newFakeClock()
	a := testAccount()
	a.RequestsPerSecond = 100
	shared := newCaller(clock, a)
	var group sync.WaitGroup
	for i := range 8 {
		own := *shared
		own.sent = 1000 * i // nonces of its own
		group.Go(func() {
			for range 10 {
				if w := own.status(a.Fleet.uuid(i), []string{"cve", "sca"}, "task-a"); w.Code != http.StatusOK {
					t.Errorf("HTTP %d: %s", w.Code, w.Body)
				}
			}
		})
	}
	group.Wait()
}
