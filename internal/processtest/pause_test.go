package processtest

import (
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// arrivals are the times at which calls arrived at a simulator.
type arrivals struct {
	mu    sync.Mutex
	times []time.Time
}

func (a *arrivals) observe(c simulator.Call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times = append(a.times, c.Time)
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.times)
}

// busiestSecond returns how many calls arrived in the second that saw most.
func (a *arrivals) busiestSecond() (calls int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := 0
	for i, at := range a.times {
		for at.Sub(a.times[first]) >= time.Second {
			first++
		}
		calls = max(calls, i-first+1)
	}
	return calls
}

// While a process is stopped, timers become due and calls time out. None of that may be made good
// at once when it goes on.
func TestStoppedProcessGoesOnWithinItsQuota(t *testing.T) {
	t.Parallel()
	const (
		quota       = 20
		concurrency = 4
		pause       = 3 * time.Second
	)
	fleet, seen := testFleet(4*quota), &arrivals{}
	fleet.FailRatio = 0 // unfinished subtasks would go before a server whose poll failed
	c := newCenter(t, simulator.New(simulator.Options{
		Accounts: []simulator.Account{testAccount(fleet)}, Latency: 30 * time.Millisecond, Observe: seen.observe,
	}))
	text := configuration(accountFile{name: "a", endpoint: c.url, servers: fleet.Servers(), more: "    concurrency: 4\n"})
	text = strings.NewReplacer("requests_per_second: 100", "requests_per_second: 20", "timeout: 5s", "timeout: 1s").Replace(text)
	p := Serve(t, "--config.file="+writeFile(t, t.TempDir()+"/vulscan.yml", text))
	p.UntilReady()
	p.Signal(syscall.SIGSTOP)
	p.Until("calls that were under way have arrived", func() bool {
		before := seen.count()
		<-time.After(time.Second)
		return seen.count() == before
	})
	stopped := seen.count()
	<-time.After(pause)
	// On a busy machine the service may come late to what was under way.
	if got := seen.count(); got > stopped+concurrency {
		t.Fatalf("%d calls came from a process that is stopped", got-stopped)
	}
	p.Signal(syscall.SIGCONT)
	p.Until("it has polled for some seconds more", func() bool { return seen.count() >= stopped+4*quota })
	// What had its turn before the process was stopped may arrive late.
	if got := seen.busiestSecond(); got > quota+concurrency {
		t.Errorf("one second saw %d calls, %d are allowed", got, quota)
	}
	p.Until("every server is up", func() bool { return p.Scrape().Of("aliyun_vulscan_server_up").Sum() == 4*quota })
	p.Stop()
}
