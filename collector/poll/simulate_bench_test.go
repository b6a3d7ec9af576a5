package poll

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// BenchmarkSimulation follows scans of large fleets on fake time, with all of this package and of
// discovery at work, by the lists of the tasks' servers and without them. How fleet and service
// behave is said at simulatedScan. What is reported are minutes from the end of a failed scan until
// its error code, and until server_scan_status, is published.
func BenchmarkSimulation(b *testing.B) {
	for _, of := range []struct {
		name    string
		servers int
		rate    float64
	}{
		{"small", 2_000, 10},
		{"servers=100000,rate=10", 100_000, 10},
		{"servers=100000,rate=50", 100_000, 50},
		{"servers=100000,rate=200", 100_000, 200},
	} {
		b.Run(of.name, func(b *testing.B) {
			for b.Loop() {
				inFakeTime(b, func(*testing.T) {
					service := newSimulatedService(of.servers, of.rate)
					task := service.begin(1)
					empty := heapInUse()
					s := simulate(service, simulatedAccount(service, true))
					defer s.poller.Close()
					first := s.follow(task)
					first.code.report(b, "code")
					first.scan.report(b, "scan-status")
					b.ReportMetric(first.used, "quota-used")
					share, stale := s.rest(task)
					b.ReportMetric(share, "quota-at-rest")
					b.ReportMetric(float64(stale), "stale-at-rest")
					b.ReportMetric(float64(heapInUse()-empty)/float64(4*of.servers), "bytes/subtask")
					next := s.follow(service.begin(2))
					next.code.report(b, "next-code")
					next.scan.report(b, "next-scan-status")
					_, tooMany := service.made()
					b.ReportMetric(float64(tooMany), "calls-too-many")
				})
				inFakeTime(b, func(*testing.T) {
					service := newSimulatedService(of.servers, of.rate)
					s := simulate(service, simulatedAccount(service, false))
					defer s.poller.Close()
					s.follow(service.begin(1)).code.report(b, "code-without-lists")
				})
			}
		})
	}
}

// inFakeTime runs f in a bubble of fake time. Only tests have one.
func inFakeTime(b *testing.B, f func(*testing.T)) {
	b.Helper()
	all := func(string, string) (bool, error) { return true, nil }
	if !testing.RunTests(all, []testing.InternalTest{{Name: b.Name(), F: func(t *testing.T) { synctest.Test(t, f) }}}) {
		b.Fatal("see above")
	}
}

type simulation struct {
	service *simulatedService
	store   *scan.Store
	clock   *scan.Clock
	poller  *Poller
}

// simulate starts an exporter on a fleet.
func simulate(service *simulatedService, account config.Account) *simulation {
	s := &simulation{service: service, store: scan.NewStore(), clock: scan.NewClock(time.Now)}
	s.poller = New(Options{
		Store: s.store, Clock: s.clock, Events: noEvents{}, Logger: log.NewNopLogger(),
		Connect: func(config.Account, func(string, string, time.Duration)) API { return s.service },
	})
	s.poller.Apply(&config.Config{Accounts: []config.Account{account}})
	return s
}

// simulatedAccount is an account of all servers, with the default configuration but for max_age, so
// that the scan is still followed after days at rest.
func simulatedAccount(s *simulatedService, lists bool) config.Account {
	account := config.Account{
		Name: "production", RequestsPerSecond: s.rate, Concurrency: max(8, int(s.rate/5)), Types: simulatedTypes,
		Settings: config.Settings{
			PollInterval: 30 * time.Second, SettledInterval: 10 * time.Minute, StaleAfter: time.Hour, StallAfter: 30 * time.Minute,
			Timeout: 10 * time.Second, Series: config.SeriesAll,
		},
		Discovery: config.Discovery{Tasks: &config.TaskDiscovery{
			RefreshInterval: time.Minute, MaxAge: 10 * 24 * time.Hour, MaxTasks: 5, ServerScans: lists, ServerScansInterval: 2 * time.Minute,
		}},
	}
	for i, uuid := range s.uuids {
		account.Servers = append(account.Servers, config.Server{UUID: strings.Clone(uuid), Name: "web-" + strconv.Itoa(i), Types: simulatedTypes})
	}
	return account
}

// stale counts the servers whose values are too old to be published.
func (s *simulation) stale() (servers int) {
	now := scan.InstantOf(s.clock.Now())
	for _, g := range s.account().Groups() {
		for v := range g.Load().Views(now, 0) {
			if v.Stale() {
				servers++
			}
		}
	}
	return servers
}

func (s *simulation) account() *scan.Account { return s.store.Load().Accounts[0] }

// rest waits until a task has ended and no server waits to be polled, and then for longer than any
// server waits for its next poll. It returns which share of the quota the last day of that took,
// and at how many of its quarters of an hour how many servers' values were too old.
func (s *simulation) rest(task *simulatedScan) (share float64, stale int) {
	time.Sleep(time.Until(task.begin.Add(task.last + 3*time.Hour)))
	config := s.account().Status().Config
	interval := guidedInterval(len(s.service.uuids), config.RequestsPerSecond, config.Settings)
	before := 0
	for left := interval + 24*time.Hour; left > 0; left -= 15 * time.Minute {
		time.Sleep(15 * time.Minute)
		stale += s.stale()
		if left > 24*time.Hour {
			before, _ = s.service.made()
		}
	}
	calls, _ := s.service.made()
	return float64(calls-before) / (24 * 3600 * s.service.rate), stale
}

// simulated is what a simulated scan has taken to be followed.
type simulated struct {
	code, scan delays  // from the failures until the codes, and the states of the scans, were published
	used       float64 // share of the quota that was used in seconds in which a server waited
}

// follow follows a scan until the error codes of all failures are published.
func (s *simulation) follow(of *simulatedScan) simulated {
	busy, calls := 0, 0
	before, _ := s.service.made()
	for second := 1; ; second++ {
		time.Sleep(time.Second)
		made, _ := s.service.made()
		if s.account().Status().Lag(time.Now()) >= time.Second {
			busy++
			calls += made - before
		}
		before = made
		if second%600 != 0 {
			continue
		}
		if f := s.published(of); len(f.code) == s.service.failures() {
			f.used = float64(calls) / float64(busy) / s.service.rate
			return f
		}
	}
}

// published returns what is published of the failures by now.
func (s *simulation) published(of *simulatedScan) (f simulated) {
	server := 0 // records are in the order of the configuration
	for _, g := range s.account().Groups() {
		for _, r := range g.Load().List() {
			end := of.begin.Add(of.end[server])
			server++
			for _, t := range r.Subtasks {
				if t.TaskID == of.root && t.Code != "" {
					f.code = append(f.code, t.Changed.Time().Sub(end))
				}
			}
			for _, t := range r.ServerScans {
				if t.TaskID == of.root && t.Status == sas.ScanFailed {
					f.scan = append(f.scan, t.Since.Time().Sub(end))
				}
			}
		}
	}
	return f
}

type delays []time.Duration

func (d delays) report(b *testing.B, what string) {
	slices.Sort(d)
	b.ReportMetric(d[len(d)/2].Minutes(), what+"-p50-min")
	b.ReportMetric(d[len(d)*95/100].Minutes(), what+"-p95-min")
}

// heapInUse is the size of all that is reachable.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
