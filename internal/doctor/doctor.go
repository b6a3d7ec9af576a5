// Package doctor checks accounts live, as --doctor does: endpoint, clock, credentials, permissions
// and a real poll, a line each with what to do next. It judges nothing about the configuration
// file, which has been loaded before.
package doctor

import (
	"context"
	"fmt"
	"io"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// API is what the checks need of an account's Security Center; *sas.Client implements it.
type API interface {
	Reach(ctx context.Context) (*sas.Reached, error)
	VulCheckTaskStatusDetail(ctx context.Context, q sas.Query) (*sas.Answer, error)
	OnceTasks(ctx context.Context, q sas.TaskQuery) (*sas.Page[sas.Task], error)
	ServerScans(ctx context.Context, q sas.ServerScanQuery) (*sas.Page[sas.ServerScan], error)
	Instances(ctx context.Context, q sas.InstanceQuery) (*sas.Page[sas.Instance], error)
	// Member returns the member account that is asked about; empty: none.
	Member() string
	Close()
}

// Verdicts, as they begin a line.
const (
	fine    = "ok"
	warning = "warn"
	broken  = "FAIL"
)

// Run examines one account after the other, prints what it finds to out, and tells whether
// everything works. connect makes the client of an account.
func Run(ctx context.Context, cfg *config.Config, connect func(config.Account) API, out io.Writer) bool {
	healthy := true
	for _, text := range cfg.Warnings() {
		fmt.Fprintf(out, "%-5s configuration: %s\n", warning, text)
	}
	for _, a := range cfg.Accounts {
		fmt.Fprintf(out, "account %s at %s\n", a.Name, a.Endpoint)
		api := connect(a)
		e := &examination{account: a, api: api, out: out, healthy: true}
		e.run(ctx)
		api.Close()
		e.printPolicy()
		healthy = healthy && e.healthy
	}
	if !healthy {
		fmt.Fprintln(out, "not everything works: each line that begins with FAIL says what to do next")
		return false
	}
	fmt.Fprintln(out, "everything works")
	return true
}

// examination is that of one account.
type examination struct {
	account config.Account
	api     API
	out     io.Writer
	healthy bool

	accepted bool     // the credentials were, which has been printed
	granted  []string // actions of which the permission has been printed
	calledAt time.Time

	instances []sas.Instance // that were listed, watched or not
}

// say prints a line. Failures and warnings come with what to do next.
func (e *examination) say(verdict, subject, text, next string) {
	if verdict == broken {
		e.healthy = false
	}
	if next != "" {
		text += ". Next: " + next
	}
	fmt.Fprintf(e.out, "  %-5s %s: %s\n", verdict, subject, text)
}

// run makes all checks in order. It stops at a failure that makes the others pointless.
func (e *examination) run(ctx context.Context) {
	if !e.reach(ctx) {
		return
	}
	targets, tasks, ok := e.discover(ctx)
	if !ok {
		return
	}
	leaves := e.listScans(ctx, tasks)
	if !e.poll(ctx, leaves.addTo(targets)) {
		return
	}
	if member := e.api.Member(); member != "" {
		e.say(fine, "member account", member+" can be read", "")
	}
	e.compareIDs(ctx, leaves)
}

// Limits of the clock: the service refuses a call whose signature is more than maxSkew off. A clock
// that is half a minute off is not synchronized.
const (
	maxSkew     = 15 * time.Minute
	notableSkew = 30 * time.Second
)

// reach examines the endpoint and the clock.
func (e *examination) reach(ctx context.Context) bool {
	reached, err := e.api.Reach(ctx)
	if err != nil {
		e.say(broken, "endpoint", err.Error(), e.wayThere(err))
		return false
	}
	e.say(fine, "endpoint", "Alibaba Cloud's gateway answers in "+reached.Took.Round(time.Millisecond).String(), "")
	if !reached.Dated {
		e.say(warning, "clock", "the answer carries no date to compare with", "look at this machine's time yourself; it may be 15 minutes off at most")
		return true
	}
	skew, direction := reached.Skew.Abs().Round(time.Second), "ahead of"
	if reached.Skew < 0 {
		direction = "behind"
	}
	off := fmt.Sprintf("this machine's clock is %s %s the service's", skew, direction)
	switch {
	case reached.Skew.Abs() > maxSkew:
		e.say(broken, "clock", off+", and calls signed more than 15 minutes off are refused", setClock)
		return false
	case reached.Skew.Abs() > notableSkew:
		e.say(warning, "clock", off, setClock)
	default:
		e.say(fine, "clock", off, "")
	}
	return true
}
