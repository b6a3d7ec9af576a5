package collector_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// largeFleet is a store that knows a fleet which nobody polls: what is known of it changes when a
// benchmark says so.
type largeFleet struct {
	*collector.Collector
	store   *scan.Store
	account *scan.Account
	entries []*scan.Entry
	policy  scan.CodePolicy
	random  *rand.Rand
}

// newLargeFleet makes a fleet of servers with four subtasks each. A tenth of them fails; one in
// fifty subtasks that change does otherwise than before.
func newLargeFleet(servers int) *largeFleet {
	f := &largeFleet{random: rand.New(rand.NewPCG(1, 2)), store: scan.NewStore()}
	f.Collector = collector.New(f.store, scan.NewClock(time.Now))
	types := []string{"cve", "sys", "cms", "sca"}
	c := &config.Account{Name: "production", RequestsPerSecond: 10, Concurrency: 8, Settings: config.Settings{
		PollInterval: 30 * time.Second, SettledInterval: 10 * time.Minute, StallAfter: 30 * time.Minute, StaleAfter: time.Hour, Series: config.SeriesAll,
	}}
	f.policy = scan.CodePolicy{
		Codes: scan.NewLabelSet(200), Types: scan.NewLabelSet(20, types...),
		TaskStart: func(string) scan.Instant { return 0 }, Bounded: func(sas.Anomaly) {},
	}
	f.account = scan.NewAccount(c)
	task := []string{"ad8afca3914a5fff4636e67f18e259c7"}
	for i := range servers {
		target := &scan.Target{Server: config.Server{
			UUID: fmt.Sprintf("5d55af3c-35f3-4d4d-8ccc-%012x", i), Name: fmt.Sprintf("web-%d", i+1), TaskIDs: task, Types: types,
		}}
		f.entries = append(f.entries, &scan.Entry{Record: f.answered(i, &scan.Record{Target: target, Total: -1})})
	}
	f.account.Arrange(f.entries, nil)
	f.account.Update(func(s *scan.AccountStatus) { s.Types = types })
	f.store.Replace(&scan.Content{Accounts: []*scan.Account{f.account}})
	return f
}

// change has so many servers answer anew.
func (f *largeFleet) change(servers int) {
	for range servers {
		f.answer(f.random.IntN(len(f.entries)))
	}
}

// changeAll has every server change until its history is full.
func (f *largeFleet) changeAll() {
	for i, e := range f.entries {
		for len(e.Record.Changes) < 20 {
			f.answer(i)
		}
	}
}

func (f *largeFleet) uuid(i int) string { return f.entries[i].Record.Target.UUID }

func (f *largeFleet) answer(i int) {
	f.account.Publish(f.entries[i], f.answered(i, f.entries[i].Record))
}

// answered returns what is known of server i after another answer.
func (f *largeFleet) answered(i int, before *scan.Record) *scan.Record {
	a := &sas.Answer{RequestID: "R", TotalCount: 4}
	for k, typ := range before.Target.Types {
		s := sas.Subtask{TaskID: "ad8afca3914a5fff4636e67f18e259c" + string("0123456789abcdef"[i%16]), Type: typ, Status: float64(f.random.IntN(5))}
		if fails := (i*4+k)%10 == 0; fails != (f.random.IntN(50) == 0) {
			s.Code = "push_command_failed"
		}
		a.Subtasks = append(a.Subtasks, s)
	}
	next, _ := before.Next([]scan.CallResult{{Answer: a}}, &f.policy, scan.InstantOf(time.Now()))
	return next
}
