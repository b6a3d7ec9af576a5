package collector

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// idle is an API that is never called.
type idle struct{ API }

func (idle) Close() {}

// BenchmarkCollect renders 2,500 servers of four subtasks.
func BenchmarkCollect(b *testing.B) {
	const servers = 2500
	c := New(Options{Logger: log.NewNopLogger(), Connect: func(config.Account, func(string, string, time.Duration)) API { return idle{} }})
	cfg := parsed(b, yamlOf(yamlAccount("main", "", serversYAML(servers)...)))
	a := newAccount(cfg.Accounts[0], nil, c.options, c.metrics)
	for _, s := range a.servers {
		s.record, _ = s.record.answered([]outcome{{answer: benchAnswer(4)}}, a.interpretation(), time.Now())
	}
	c.accounts = []*account{a}
	b.ReportAllocs()
	for b.Loop() {
		ch := make(chan prometheus.Metric, 1024)
		go func() {
			defer close(ch)
			c.Collect(ch)
		}()
		n := 0
		for range ch {
			n++
		}
		if n < 2*4*servers {
			b.Fatalf("only %d samples", n)
		}
	}
}

// BenchmarkAnswered applies an answer of 200 subtasks to what is known of a server.
func BenchmarkAnswered(b *testing.B) {
	r := &record{total: -1}
	in := interpretation{label: func(code string) string { return code }}
	answer := benchAnswer(200)
	b.ReportAllocs()
	for b.Loop() {
		r, _ = r.answered([]outcome{{answer: answer}}, in, time.Now())
	}
	if len(r.subtasks) != 200 {
		b.Fatalf("%d subtasks", len(r.subtasks))
	}
}

// benchAnswer has every tenth subtask fail.
func benchAnswer(subtasks int) *sas.Answer {
	a := &sas.Answer{RequestID: "R", TotalCount: int64(subtasks)}
	for i := range subtasks {
		s := sas.Subtask{TaskID: fmt.Sprint("task-", i/4), Type: []string{"cve", "sys", "cms", "sca"}[i%4], Status: float64(i % 5)}
		if i%10 == 0 {
			s.Code = "push_command_failed"
		}
		a.Subtasks = append(a.Subtasks, s)
	}
	return a
}
