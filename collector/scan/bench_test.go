package scan

import (
	"fmt"
	"testing"

	"aliyun_vulscan_exporter/internal/sas"
)

// BenchmarkNext makes the next record of an answer that says nothing new.
func BenchmarkNext(b *testing.B) {
	for _, subtasks := range []int{4, 200} {
		b.Run(fmt.Sprintf("subtasks=%d", subtasks), func(b *testing.B) {
			h, now := newHistory(), now0
			results := []CallResult{{Answer: benchAnswer(subtasks)}}
			r := h.Record
			b.ReportAllocs()
			for b.Loop() {
				now++
				r, _ = r.Next(results, &h.policy, now)
			}
			if len(r.Subtasks) != subtasks {
				b.Fatalf("%d subtasks", len(r.Subtasks))
			}
		})
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
