package collector

import (
	"fmt"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
)

// BenchmarkAnswered applies an answer to what is known of a server.
func BenchmarkAnswered(b *testing.B) {
	for _, subtasks := range []int{4, 200} {
		b.Run(fmt.Sprintf("subtasks=%d", subtasks), func(b *testing.B) {
			r := &record{server: &target{}, total: -1}
			in := interpretation{label: func(code string) string { return code }}
			answer := benchAnswer(subtasks)
			b.ReportAllocs()
			for b.Loop() {
				r, _ = r.answered([]outcome{{answer: answer}}, in, time.Now())
			}
			if len(r.subtasks) != subtasks {
				b.Fatalf("%d subtasks", len(r.subtasks))
			}
		})
	}
}

// BenchmarkSchedule takes the next server of 100,000 and puts it back.
func BenchmarkSchedule(b *testing.B) {
	now := time.Now()
	var q queue
	for i := range 100_000 {
		r := recordOf(float64(i%5), 4)
		q.push(&server{due: now.Add(time.Duration(i) * time.Millisecond), record: r}, urgent(r, someSettings, now))
	}
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		s, _ := q.pop(now)
		s.due = now.Add(nextPoll(s.record, 0, someSettings, 0, now))
		q.push(s, urgent(s.record, someSettings, now))
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
