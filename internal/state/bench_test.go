package state

import (
	"path/filepath"
	"testing"
)

const (
	benchServers = 100_000
	benchBatch   = 200
)

// full makes a state file of benchServers servers with 4 subtasks each.
func full(b *testing.B) (path string, batch []Entry) {
	b.Helper()
	path, batch = filepath.Join(b.TempDir(), "state.db"), fleet("production", benchServers)
	s := open(b, path, newWitness())
	for i := 0; i < len(batch); i += 5000 {
		save(b, s, batch[i:i+5000]...)
	}
	shut(b, s)
	return path, batch
}

func BenchmarkOpen(b *testing.B) {
	path, _ := full(b)
	for b.Loop() {
		shut(b, open(b, path, newWitness()))
	}
}

func BenchmarkSave(b *testing.B) {
	path, batch := full(b)
	s := open(b, path, newWitness())
	i := 0
	for b.Loop() {
		save(b, s, batch[i:i+benchBatch]...) // servers that lie far from each other in the file
		i = (i + benchBatch) % benchServers
	}
}

func BenchmarkRestore(b *testing.B) {
	path, _ := full(b)
	s := open(b, path, newWitness())
	for b.Loop() {
		if servers, err := s.Restore("production"); err != nil || len(servers) != benchServers {
			b.Fatal(len(servers), err)
		}
	}
}

func BenchmarkSweep(b *testing.B) {
	path, _ := full(b)
	s := open(b, path, newWitness())
	for b.Loop() {
		if _, err := s.Sweep(func(Key) bool { return true }, at(0)); err != nil {
			b.Fatal(err)
		}
	}
}
