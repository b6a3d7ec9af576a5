package poll

import (
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
)

// BenchmarkSchedule takes the next server of 100,000 and puts it back.
func BenchmarkSchedule(b *testing.B) {
	now := now0.Time()
	var q queue
	for i := range 100_000 {
		r := recordOf(float64(i%5), 4)
		q.push(&server{due: now.Add(time.Duration(i) * time.Millisecond), latest: r}, rankOf(r, someSettings, now0))
	}
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		s := q.pop(now)
		s.due = now.Add(nextPoll(s.latest, 0, someSettings, 0, scan.InstantOf(now)))
		q.push(s, rankOf(s.latest, someSettings, scan.InstantOf(now)))
	}
}
