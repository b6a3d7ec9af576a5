package collector

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// idle is an API that is never called.
type idle struct{ API }

func (idle) Close() {}

// LargeFleet is a collector that knows a fleet and does not poll it: what is
// known of it changes when a benchmark says so.
type LargeFleet struct {
	*Collector
	account *account
	random  *rand.Rand
}

// NewLargeFleet makes a fleet of servers with four subtasks each, of which a
// tenth has failed.
func NewLargeFleet(servers int) *LargeFleet {
	f := &LargeFleet{random: rand.New(rand.NewPCG(1, 2))}
	f.Collector = New(Options{Logger: log.NewNopLogger(), Connect: func(config.Account, func(string, string, time.Duration)) API { return idle{} }})
	types := []string{"cve", "sys", "cms", "sca"}
	c := config.Account{Name: "production", RequestsPerSecond: 10, Concurrency: 8, Settings: config.Settings{
		PollInterval: 30 * time.Second, SettledInterval: 10 * time.Minute, StallAfter: 30 * time.Minute, StaleAfter: time.Hour, Series: config.SeriesAll,
	}}
	task := []string{"ad8afca3914a5fff4636e67f18e259c7"}
	for i := range servers {
		c.Servers = append(c.Servers, config.Server{
			UUID: fmt.Sprintf("5d55af3c-35f3-4d4d-8ccc-%012x", i), Name: fmt.Sprintf("web-%d", i+1), TaskIDs: task, Types: types,
		})
	}
	f.account = newAccount(c, nil, f.options, f.metrics, nil)
	f.accounts = []*account{f.account}
	f.kept.retain(f.accounts, nil)
	for i := range f.account.servers {
		f.answer(i)
	}
	return f
}

// Change has so many servers answer anew.
func (f *LargeFleet) Change(servers int) {
	for range servers {
		f.answer(f.random.IntN(len(f.account.servers)))
	}
}

func (f *LargeFleet) answer(i int) {
	s := f.account.servers[i]
	a := &sas.Answer{RequestID: "R", TotalCount: 4}
	for _, typ := range s.record.server.Types {
		st := sas.Subtask{TaskID: "ad8afca3914a5fff4636e67f18e259c" + string("0123456789abcdef"[i%16]), Type: typ, Status: float64(f.random.IntN(5))}
		if f.random.IntN(10) == 0 {
			st.Code = "push_command_failed"
		}
		a.Subtasks = append(a.Subtasks, st)
	}
	next, _ := s.record.answered([]outcome{{answer: a}}, f.account.interpretation(), time.Now())
	f.account.mu.Lock()
	defer f.account.mu.Unlock()
	f.account.publish(s, next)
}
