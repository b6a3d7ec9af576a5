//go:build soak

package processtest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

const (
	soakEach   = 1000 // servers of each of the two accounts
	soakReload = 20 * time.Second
	soakReport = time.Minute
)

// soak is a long life of an exporter: a Security Center whose faults are random, and an exporter of
// two accounts that is reloaded and scraped all the time.
type soak struct {
	t        *testing.T
	p        *Process
	dir      string
	center   *center
	accounts []simulator.Account
	faults   faults
	frozen   atomic.Pointer[time.Time] // when the service's clock was stopped; nil: it runs
	memory   []usage

	reloads, scrapes int
}

// TestSoak runs for SOAK, such as 30m.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil {
		t.Fatal("SOAK has to say how long:", err)
	}
	s := newSoak(t)
	s.live(length)
	s.faults.off.Store(true)
	now := s.clock()
	s.frozen.Store(&now)
	s.configure(0)
	s.p.Signal(syscall.SIGHUP)
	s.compare(now)
	s.flat(length)
	s.p.Stop()
}

func newSoak(t *testing.T) *soak {
	start := time.Now()
	listed, found := testAccount(simulator.Fleet{
		Seed: 21, Start: start, Size: soakEach, TaskIDs: []string{testTask}, ScanDuration: time.Minute, ScanPeriod: 4 * time.Minute,
		FailRatio: 0.1, StallRatio: 0.01, OfflineRatio: 0.02,
	}), testAccount(simulator.Fleet{
		Seed: 22, Start: start.Add(-2 * time.Minute), Size: soakEach, TaskEvery: 3 * time.Minute, ScanDuration: time.Minute, ScanTimeout: 150 * time.Second,
		FailRatio: 0.1, StallRatio: 0.01, OfflineRatio: 0.02, DropRatio: 0.05,
	})
	listed.Name, found.Name, found.AccessKeyID = "listed", "found", "LTAI5tSoakFoundAccount01"
	s := &soak{t: t, dir: t.TempDir(), accounts: []simulator.Account{listed, found}}
	s.faults.start = start
	s.center = newCenter(t, simulator.New(simulator.Options{
		Accounts: s.accounts, Clock: s.clock, Latency: 5 * time.Millisecond, Intercept: s.faults.intercept,
	}))
	s.configure(0)
	s.p = Serve(t, "--config.file="+filepath.Join(s.dir, "vulscan.yml"), "--state.file="+filepath.Join(s.dir, "state"))
	return s
}

// clock is the service's.
func (s *soak) clock() time.Time {
	if at := s.frozen.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// configure writes the n-th configuration: servers come and go, labels, quotas and accounts change,
// and every fifth one cannot be meant. That of 0 is plain.
func (s *soak) configure(n int) {
	servers := s.accounts[0].Fleet.Servers()
	first := n * 37 % 500
	last := first + n%4*50
	listed := append(append([]simulator.Server{}, servers[:first]...), servers[last:]...)
	text := configuration(
		accountFile{name: "listed", endpoint: s.center.url, servers: listed[:10], more: fmt.Sprintf(
			"    concurrency: %d\n    poll_interval: 5s\n    settled_interval: 10s\n    server_files: [list.yml]\n", 8+n%3*8)},
		accountFile{name: "found", endpoint: s.center.url, credentials: inlineKeys(s.accounts[1].AccessKeyID, testSecret), more: soakDiscovery},
	)
	text = strings.ReplaceAll(text, "requests_per_second: 100", "requests_per_second: 400")
	if n%6 == 5 {
		text += "  - name: another\n    region: cn-hangzhou\n    discovery: {servers: {}}\n    task_ids: [t]\n"
	}
	if n%5 == 4 {
		text += "    typos: [cve]\n"
	}
	writeFile(s.t, filepath.Join(s.dir, "list.yml"), serverList(listed[10:], ""))
	writeFile(s.t, filepath.Join(s.dir, "vulscan.yml"), text)
}

// soakDiscovery finds what the second account has.
const soakDiscovery = `    poll_interval: 5s
    settled_interval: 20s
    stale_after: 2m
    discovery:
      tasks: {refresh_interval: 5s, max_age: 1h, max_tasks: 2, server_scans_interval: 10s}
      servers: {refresh_interval: 20s}
`

// live scrapes every second and reloads, for so long.
func (s *soak) live(length time.Duration) {
	start := time.Now()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	reload, report := start.Add(soakReload), start.Add(soakReport)
	for now := start; now.Sub(start) < length; {
		select {
		case now = <-ticker.C:
		case <-s.p.Ended:
			s.t.Fatalf("it ended:\n%s", tail(s.p.Stderr.String()))
		}
		s.scrapeAll(now.Sub(start))
		if now.After(reload) {
			reload = now.Add(soakReload)
			s.reloads++
			s.configure(s.reloads)
			s.p.Signal(syscall.SIGHUP)
		}
		if now.After(report) {
			report = now.Add(soakReport)
			s.t.Logf("%v: %v; %d scrapes, %d reloads, %d calls, of which %d failed on purpose", now.Sub(start).Round(time.Second),
				s.memory[len(s.memory)-1], s.scrapes, s.reloads, s.center.calls(), s.faults.made.Load())
		}
	}
}

// scrapeAll reads every format, plain and compressed, and every page.
func (s *soak) scrapeAll(age time.Duration) {
	for _, accept := range []string{"text/plain", "application/openmetrics-text;version=1.0.0", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"} {
		for _, encoding := range []string{"identity", "gzip"} {
			a := s.p.Request(http.MethodGet, "/metrics", "Accept", accept, "Accept-Encoding", encoding)
			s.scrapes++
			body := whole(s.t, a)
			if accept == "text/plain" && encoding == "identity" {
				s.memory = append(s.memory, usageOf(s.t, age, body))
			}
		}
	}
	for _, path := range []string{"/status", "/api/v1/status", "/sd", "/config"} {
		if a := s.p.Get(path); a.Status != http.StatusOK {
			s.t.Errorf("%s: %d %.200s", path, a.Status, a.Body)
		}
	}
}
