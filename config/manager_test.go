package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const mainText = "accounts: [{name: a, region: cn-hangzhou, task_ids: [t], server_files: ['servers/*.yml']}]"

// fixture is a Manager over a folder of its own.
type fixture struct {
	*Manager
	t       *testing.T
	dir     string
	log     strings.Builder
	applied []*Config
	refuse  error // apply's answer
	reg     *prometheus.Registry
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t, dir: t.TempDir(), reg: prometheus.NewPedanticRegistry()}
	f.write("main.yml", mainText)
	f.write("servers/web.yml", "- uuid: "+uuid1)
	c, err := Load(filepath.Join(f.dir, "main.yml"))
	if err != nil {
		t.Fatal(err)
	}
	apply := func(c *Config) error {
		if f.refuse == nil {
			f.applied = append(f.applied, c)
		}
		return f.refuse
	}
	f.Manager = NewManager(filepath.Join(f.dir, "main.yml"), c, apply, log.NewLogfmtLogger(&f.log), f.reg)
	f.log.Reset()
	return f
}

func (f *fixture) write(name, text string) { write(f.t, filepath.Join(f.dir, name), text) }

// expect checks what runs, the gauge, and the number of log lines since the last call.
func (f *fixture) expect(servers, applied int, successful string, lines int) {
	f.t.Helper()
	f.loading.Lock() // the watching goroutine writes the log under it
	defer f.loading.Unlock()
	if got := len(f.Current().Accounts[0].Servers); got != servers {
		f.t.Errorf("%d servers, want %d", got, servers)
	}
	if len(f.applied) != applied {
		f.t.Errorf("applied %d times, want %d", len(f.applied), applied)
	}
	want := `# HELP aliyun_vulscan_exporter_config_last_reload_successful 1 if the last load of the configuration succeeded. ` +
		`0: an edit is not in effect and the configuration before it still runs; the log says why, and --config.check lists all that is wrong.
# TYPE aliyun_vulscan_exporter_config_last_reload_successful gauge
aliyun_vulscan_exporter_config_last_reload_successful ` + successful + "\n"
	if err := testutil.GatherAndCompare(f.reg, strings.NewReader(want), "aliyun_vulscan_exporter_config_last_reload_successful"); err != nil {
		f.t.Error(err)
	}
	if got := strings.Count(f.log.String(), "\n"); got != lines {
		f.t.Errorf("%d log lines, want %d:\n%s", got, lines, f.log.String())
	}
	f.log.Reset()
}

func TestReloadIsAllOrNothing(t *testing.T) {
	f := newFixture(t)
	f.expect(1, 0, "1", 0)

	f.write("main.yml", mainText+" oops")
	if err := f.Reload(); err == nil {
		t.Error("a broken main file loads")
	}
	f.expect(1, 0, "0", 1)

	f.write("main.yml", "accounts: [{name: b, region: cn-hangzhou, task_ids: [t], servers: [{uuid: "+uuid1+"}, {uuid: "+uuid2+"}]}]")
	if err := f.Reload(); err != nil {
		t.Error(err)
	}
	f.expect(2, 1, "1", 1)

	f.refuse = errors.New("refused")
	f.write("main.yml", mainText)
	if err := f.Reload(); !errors.Is(err, f.refuse) {
		t.Errorf("got %v", err)
	}
	f.expect(2, 1, "0", 1)

	if err := os.Remove(filepath.Join(f.dir, "main.yml")); err != nil {
		t.Fatal(err)
	}
	if err := f.Reload(); err == nil {
		t.Error("an absent main file loads")
	}
	f.expect(2, 1, "0", 1)
}

func TestGaugesLintAndTimestampIsSetAtStart(t *testing.T) {
	f := newFixture(t)
	if problems, err := testutil.GatherAndLint(f.reg); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	if age := float64(time.Now().Unix()) - testutil.ToFloat64(f.loadedAt); age > 60 {
		t.Errorf("loaded %v s ago", age)
	}
}

func TestReloadOfTheDemoAppliesItAgain(t *testing.T) {
	c := parse(t, "accounts: [{name: demo, endpoint: localhost, discovery: {tasks: , servers: }}]")
	applied := 0
	m := NewManager("", c, func(*Config) error { applied++; return nil }, log.NewNopLogger(), prometheus.NewRegistry())
	if err := m.Reload(); err != nil || applied != 1 || m.Current().Accounts[0].Name != "demo" {
		t.Errorf("applied %d times: %v", applied, err)
	}
}

func TestServerFilesAreWatched(t *testing.T) {
	f := newFixture(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.Run(ctx, nil, time.Second)
		}()
		tick := func() {
			<-time.After(1001 * time.Millisecond) // fake time: a tick, and what follows of it
			synctest.Wait()
		}

		tick()
		f.expect(1, 0, "1", 0)

		f.write("main.yml", "accounts: []") // edited, not reloaded: it must not be loaded with the server files
		f.write("servers/db.yml", "- uuid: "+uuid2)
		tick()
		f.expect(2, 1, "1", 1)

		f.write("servers/db.yml", "- uuid: broken")
		tick()
		f.expect(2, 1, "0", 1)
		tick()
		f.expect(2, 1, "0", 0) // not tried, nor logged, again

		if err := os.Remove(filepath.Join(f.dir, "servers/db.yml")); err != nil {
			t.Fatal(err)
		}
		tick()
		f.expect(1, 2, "1", 1)

		if err := f.Reload(); err == nil {
			t.Error("the broken main file loads")
		}
		f.expect(1, 2, "0", 1)
		f.write("servers/db.yml", "- uuid: "+uuid2)
		tick()
		f.expect(2, 3, "0", 1) // loaded, but the main file is broken still

		cancel()
		<-done
	})
}

func TestEverySignalCausesAReload(t *testing.T) {
	f := newFixture(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		hangup := make(chan os.Signal, 1)
		hangup <- syscall.SIGHUP // one that came while the exporter started
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.Run(ctx, hangup, time.Second)
		}()
		synctest.Wait()
		f.expect(1, 1, "1", 1)

		f.write("main.yml", "accounts: 7")
		hangup <- syscall.SIGHUP
		synctest.Wait()
		f.expect(1, 1, "0", 1)

		f.write("main.yml", mainText)
		hangup <- syscall.SIGHUP
		synctest.Wait()
		f.expect(1, 2, "1", 1)

		cancel()
		<-done
	})
}

func TestSwappedSymlinkIsAChange(t *testing.T) {
	f := newFixture(t)
	f.write("v1/list", "- uuid: "+uuid1)
	f.write("v2/list", "- uuid: "+strings.Replace(uuid1, "1", "2", 1))
	stamp := time.Unix(1e9, 0)
	for _, v := range []string{"v1", "v2"} {
		if err := os.Chtimes(filepath.Join(f.dir, v, "list"), stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(f.dir, "servers/web.yml")
	for _, v := range []string{"v1", "v2"} {
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(f.dir, v, "list"), link); err != nil {
			t.Fatal(err)
		}
		f.checkServerFiles()
	}
	f.expect(1, 2, "1", 2)
}

func TestConcurrentReloads(t *testing.T) {
	f := newFixture(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 10 {
				switch i % 3 {
				case 0:
					_ = f.Reload()
				case 1:
					f.checkServerFiles()
				}
				if len(f.Current().Accounts) != 1 {
					t.Error("half a configuration")
				}
			}
		})
	}
	group.Wait()
}
