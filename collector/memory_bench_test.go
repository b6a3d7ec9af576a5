package collector_test

import (
	"runtime"
	"testing"

	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/collector/expose"
)

// BenchmarkMemory says what the exporter holds for each of 400,000 subtasks: the targets of 100,000
// servers and their records. What is encoded for scrapes is counted apart, for each encoding, and
// so are the last changes of servers, when each has as many as are held.
func BenchmarkMemory(b *testing.B) {
	const servers, subtasks = 100_000, 400_000
	for b.Loop() {
		report := func(what string, before uint64) uint64 {
			now := heap()
			b.ReportMetric(float64(now-before)/subtasks, what+"-bytes/subtask")
			return now
		}
		empty := heap()
		fleet := newLargeFleet(servers)
		held := report("known", empty)
		for _, of := range []struct {
			name     string
			encoding expose.Encoding
		}{
			{"gzip-text", expose.Encoding{Format: expfmt.TypeOpenMetrics, Gzip: true}},
			{"gzip-protobuf", expose.Encoding{Format: expfmt.TypeProtoDelim, Gzip: true}},
			{"plain-text", expose.Encoding{Format: expfmt.TypeTextPlain}},
		} {
			fleet.Scrape(of.encoding)
			held = report(of.name, held)
		}
		settled := newLargeFleet(servers)
		held = heap()
		settled.changeAll()
		report("history", held)
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
