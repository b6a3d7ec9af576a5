package collector_test

import (
	"runtime"
	"testing"

	"aliyun_vulscan_exporter/collector"
)

// BenchmarkMemory says what the exporter holds for each of 400,000 subtasks:
// the configuration of 100,000 servers, their records, their places in the
// schedule. Rendered text is counted apart, for the two forms that are used, and
// so are the last changes of servers, when each has as many as are kept.
func BenchmarkMemory(b *testing.B) {
	const servers, subtasks = 100_000, 400_000
	for b.Loop() {
		empty := heap()
		fleet := collector.NewLargeFleet(servers)
		known := heap()
		fleet.Families(collector.Form{Deflated: true, OpenMetrics: true})
		zipped := heap()
		fleet.Families(collector.Form{})
		plain := heap()
		settled := collector.NewLargeFleet(servers)
		young := heap()
		settled.ChangeAll()
		old := heap()
		b.ReportMetric(float64(known-empty)/subtasks, "bytes/subtask")
		b.ReportMetric(float64(zipped-known)/subtasks, "gzip-text-bytes/subtask")
		b.ReportMetric(float64(plain-zipped)/subtasks, "plain-text-bytes/subtask")
		b.ReportMetric(float64(old-young)/subtasks, "history-bytes/subtask")
		runtime.KeepAlive(fleet)
		runtime.KeepAlive(settled)
	}
}

// heap is the size of all that is reachable.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
