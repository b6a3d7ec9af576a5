package simulator

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Options says what a Simulator serves and how.
type Options struct {
	// Clock tells the time for timestamps, quotas and the scans' progress; default time.Now.
	Clock func() time.Time
	// Latency is added to every answer; it ends early when the caller goes away.
	Latency time.Duration
	// Accounts are told apart by AccessKeyID; of equal ones the first counts.
	Accounts []Account
	// Intercept, if set, sees every call that passed authentication, quota and permission, before
	// it is answered. True means that it has answered itself: this is how tests and the demo
	// produce faults and odd answers.
	Intercept func(w http.ResponseWriter, r *Request) bool
	// Observe, if set, is told of every call once its answer is settled. It is called from the
	// goroutines that serve the calls.
	Observe func(Call)
}

// Request is a call that passed authentication, quota and permission.
type Request struct {
	Account string // name of the account
	Action  string
	Time    time.Time     // the simulator's clock at arrival
	Params  url.Values    // query and form merged, common parameters included
	HTTP    *http.Request // its body has been read already
	TaskIDs []string      // parameters TaskIds.N in the order of N
	Types   []string      // parameters Types.N in the order of N
	UUID    string        // parameter Uuid
	Member  string        // parameter ResourceDirectoryAccountId

	failed string // error code given through Fail
	reply  *reply
}

// Fail answers the call with an error of the gateway's shape, and lets Observe know the code. It is
// meant for Options.Intercept.
func (r *Request) Fail(w http.ResponseWriter, status int, code, message string) {
	r.failed = code
	r.reply.fail(w, &apiError{status: status, code: code, message: message})
}

// Call is what Observe learns of a call.
type Call struct {
	Time        time.Time // arrival, by the simulator's clock
	Account     string    // name; empty if the caller was not authenticated
	Action      string
	Code        string // error code of the answer; empty: no error
	Intercepted bool   // Options.Intercept answered
	Abandoned   bool   // the caller went away while Latency passed
}

// Simulator answers as Security Center does. It is an http.Handler.
type Simulator struct {
	clock     func() time.Time
	latency   time.Duration
	accounts  map[string]*account // by AccessKeyID
	intercept func(http.ResponseWriter, *Request) bool
	observe   func(Call)
	nonces    *nonceMemory
	answered  atomic.Uint64 // numbers the request IDs
}

// New returns a Simulator. A fleet without a Start starts now.
func New(o Options) *Simulator {
	s := &Simulator{
		clock:     o.Clock,
		latency:   o.Latency,
		accounts:  make(map[string]*account, len(o.Accounts)),
		intercept: o.Intercept,
		observe:   o.Observe,
		nonces:    newNonceMemory(),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	for _, a := range o.Accounts {
		if a.Fleet.Start.IsZero() {
			a.Fleet.Start = s.clock()
		}
		a.Members = maps.Clone(a.Members)
		for id, f := range a.Members {
			if f.Start.IsZero() {
				f.Start = s.clock()
				a.Members[id] = f
			}
		}
		if _, taken := s.accounts[a.AccessKeyID]; !taken {
			s.accounts[a.AccessKeyID] = newAccount(a)
		}
	}
	return s
}

// ServeHTTP judges the call at its arrival, lets Latency pass and answers.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	in, rejected := readIncoming(w, hr)
	call := Call{Time: s.clock(), Action: in.action}
	re := &reply{requestID: requestID(s.answered.Add(1)), host: in.host, xml: in.xml, date: call.Time}

	var from *account
	if rejected == nil {
		from, rejected = s.admit(in, call.Time)
	}
	if from != nil {
		call.Account = from.Name
	}
	switch {
	case !wait(hr.Context(), s.latency):
		call.Abandoned = true
	case rejected != nil:
		call.Code = rejected.code
		re.fail(w, rejected)
	default:
		s.respond(w, re, from, in, &call)
	}
	if s.observe != nil {
		s.observe(call)
	}
}

// admit decides whether the call may be answered at all. The account is returned with the error
// where the caller is known.
func (s *Simulator) admit(in *incoming, now time.Time) (*account, *apiError) {
	if err := in.check(); err != nil {
		return nil, err
	}
	from, err := s.authenticate(in, now)
	if err != nil {
		return nil, err
	}
	if err := from.spend(now); err != nil {
		return from, err
	}
	return from, from.permit(in.action)
}

func (s *Simulator) respond(w http.ResponseWriter, re *reply, from *account, in *incoming, call *Call) {
	r := &Request{
		Account: from.Name, Action: in.action, Time: call.Time, Params: in.params, HTTP: in.request,
		TaskIDs: list(in.params, "TaskIds"), Types: list(in.params, "Types"), UUID: in.params.Get("Uuid"),
		Member: in.params.Get("ResourceDirectoryAccountId"),
		reply:  re,
	}
	if s.intercept != nil && s.intercept(w, r) {
		call.Intercepted, call.Code = true, r.failed
		return
	}
	fleet, err := from.fleet(r.Member)
	var body any
	if err == nil {
		body, err = operation(r.Action)(fleet, r, re.requestID)
	}
	if err != nil {
		call.Code = err.code
		re.fail(w, err)
		return
	}
	re.send(w, http.StatusOK, body)
}

// operation returns what answers an action, nil for an unknown one.
func operation(action string) func(Fleet, *Request, string) (any, *apiError) {
	switch action {
	case "DescribeVulCheckTaskStatusDetail":
		return describeStatusDetail
	case "DescribeOnceTask":
		return describeOnceTask
	case "DescribeCloudCenterInstances":
		return describeInstances
	}
	return nil
}

// wait waits for d. It returns false if the caller goes away first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
