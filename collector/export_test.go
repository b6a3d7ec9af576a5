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

	renderer *textRenderer
}

// NewLargeFleet makes a fleet of servers with four subtasks each. A tenth of
// them fails; one in fifty subtasks that change does otherwise than before.
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

// Change has so many servers answer anew, and says which.
func (f *LargeFleet) Change(servers int) (which []int) {
	for range servers {
		i := f.random.IntN(len(f.account.servers))
		f.answer(i)
		which = append(which, i)
	}
	return which
}

// ChangeAll has every server change until its history is full.
func (f *LargeFleet) ChangeAll() {
	for i, s := range f.account.servers {
		for len(s.record.changes) < maxChanges {
			f.answer(i)
		}
	}
}

// UUID gives a server's.
func (f *LargeFleet) UUID(i int) string { return f.account.servers[i].record.server.UUID }

// Texts gives the text of every server, by UUID and family, and the families'
// headers.
func (f *LargeFleet) Texts() (texts map[string][][]byte, headers []string) {
	texts = make(map[string][][]byte)
	for _, of := range families(nil) {
		headers = append(headers, of.header(false))
	}
	for i := range f.account.servers {
		texts[f.UUID(i)] = f.TextOf(i)
	}
	return texts, headers
}

// TextOf renders one server.
func (f *LargeFleet) TextOf(i int) [][]byte {
	if f.renderer == nil {
		f.renderer = newTextRenderer(f.account, Form{}, nil)
	}
	made, _ := f.renderer.render([]*record{f.account.servers[i].record}, time.Now(), nil, false)
	return made.text[:]
}

func (f *LargeFleet) answer(i int) {
	s := f.account.servers[i]
	a := &sas.Answer{RequestID: "R", TotalCount: 4}
	for k, typ := range s.record.server.Types {
		st := sas.Subtask{TaskID: "ad8afca3914a5fff4636e67f18e259c" + string("0123456789abcdef"[i%16]), Type: typ, Status: float64(f.random.IntN(5))}
		if fails := (i*4+k)%10 == 0; fails != (f.random.IntN(50) == 0) {
			st.Code = "push_command_failed"
		}
		a.Subtasks = append(a.Subtasks, st)
	}
	next, _ := s.record.answered([]outcome{{answer: a}}, f.account.interpretation(), time.Now())
	f.account.mu.Lock()
	defer f.account.mu.Unlock()
	f.account.publish(s, next)
}
