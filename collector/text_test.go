package collector

import (
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/gzipjoin"
	"aliyun_vulscan_exporter/internal/simulator"
)

func allForms() []Form { return []Form{{}, {OpenMetrics: true}, {Deflated: true}, {true, true}} }

// rendered is what Families gives, as the text that a client reads.
func rendered(t testing.TB, c *Collector, form Form) string {
	t.Helper()
	families, release := c.Families(form)
	defer release()
	return textOf(t, families, form)
}

func textOf(t testing.TB, families []Family, form Form) string {
	t.Helper()
	var b bytes.Buffer
	if !form.Deflated {
		for _, f := range families {
			b.WriteString(f.Header())
			for lines := range f.Text {
				b.Write(lines)
			}
		}
		return b.String()
	}
	joined := gzipjoin.NewWriter(&b)
	deflater := gzipjoin.NewDeflater()
	for _, f := range families {
		_ = joined.Write(deflater.Deflate(nil, []byte(f.Header()))[0])
		for piece := range f.Deflated {
			_ = joined.Write(piece)
		}
	}
	_ = joined.Close()
	r, err := gzip.NewReader(&b)
	if err != nil {
		t.Error(err)
		return ""
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// promhttpText is what promhttp makes of Fleet.
func promhttpText(t testing.TB, c *Collector, form Form) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c.Fleet())
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	if form.OpenMetrics {
		r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("promhttp: %d %s", w.Code, w.Body)
	}
	return strings.TrimSuffix(w.Body.String(), "# EOF\n")
}

// inOrder sorts the samples of each family: promhttp has them by label values,
// Families by server.
func inOrder(text string) string {
	var b strings.Builder
	for i, family := range strings.Split(text, "# HELP ") {
		if i == 0 {
			continue
		}
		lines := slices.Collect(strings.Lines(family))
		slices.Sort(lines[2:]) // after HELP and TYPE
		b.WriteString("# HELP " + strings.Join(lines, ""))
	}
	return b.String()
}

func compareWithPromhttp(t testing.TB, c *Collector) {
	t.Helper()
	for _, form := range allForms() {
		got, want := inOrder(rendered(t, c, form)), inOrder(promhttpText(t, c, form))
		if got == want {
			continue
		}
		g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
		for i := range min(len(g), len(w)) {
			if g[i] != w[i] {
				t.Fatalf("%+v, line %d:\n%s\npromhttp:\n%s", form, i+1, g[i], w[i])
			}
		}
		t.Fatalf("%+v: %d lines, promhttp %d", form, len(g), len(w))
	}
}

// At every moment of a fleet's life: scans move, fail, stall, servers answer
// badly, values become stale, the configuration changes.
func TestRenderedTextIsWhatPromhttpMakesOfTheSameData(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var broken atomic.Bool
		failing := func(w http.ResponseWriter, _ *simulator.Request) bool {
			if broken.Load() {
				w.WriteHeader(http.StatusInternalServerError)
			}
			return broken.Load()
		}
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 1, Size: 70, TaskIDs: []string{"task-a"}, ScanDuration: time.Minute, ScanPeriod: 5 * time.Minute, FailRatio: 0.3, StallRatio: 0.1}
		var servers []string
		for _, s := range a.Fleet.Servers() {
			servers = append(servers, "{uuid: "+s.UUID+", name: "+s.Name+", labels: {team: a}}")
		}
		const settings = "types: [cve, sys, cms, sca]\nsettled_interval: 1m\npoll_interval: 5s\nstall_after: 2m\nstale_after: 3m"
		w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: failing}, yamlOf(yamlAccount("main", settings, servers...)))
		seen := map[string]bool{}
		step := func(every time.Duration, times int) {
			for range times {
				pass(every)
				compareWithPromhttp(t, w.collector)
				seen[rendered(t, w.collector, Form{})] = true
			}
		}
		step(7*time.Second, 20)
		broken.Store(true)
		step(40*time.Second, 6) // stale after three minutes
		broken.Store(false)
		step(30*time.Second, 4)
		w.apply(yamlOf(yamlAccount("main", settings+"\nseries: open", servers[:20]...), yamlAccount("other", "", "{uuid: "+uuid(1)+`, name: 'a "name" \ of its own', labels: {color: red}}`)))
		step(time.Second, 3)
		w.apply(yamlOf(yamlAccount("main", settings+"\nseries: open", servers[:20]...)))
		step(time.Second, 3)
		if len(seen) < 30 {
			t.Errorf("only %d different texts in 36 scrapes", len(seen))
		}
	})
}

func TestOnlyWhatChangedIsRendered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newScript()
		for i := range 40 {
			s.says(i+1, "t/cve/4")
		}
		w := startWorld(t, simulator.Options{Intercept: s.intercept}, yamlOf(yamlAccount("main", "settled_interval: 1h\nstale_after: 30m", serversYAML(40)...)))
		pass(10 * time.Second)
		chunks := func() []*chunkText {
			all, _, _ := w.collector.kept.current(Form{}, time.Now())
			return all[0][:40/chunkServers] // without the sums
		}
		first := chunks()
		pass(time.Minute)
		wantEqual(t, "chunks, nothing having changed", slices.Equal(chunks(), first), true)
		a := w.collector.accounts[0]
		a.mu.Lock()
		a.publish(a.servers[20], a.servers[20].record)
		a.mu.Unlock()
		second := chunks()
		for i := range second {
			wantEqual(t, "rendered anew", second[i] != first[i], i == 20/chunkServers)
		}
		pass(29 * time.Minute)
		for i, c := range chunks() {
			wantEqual(t, "rendered anew as stale", c != second[i], true)
			wantEqual(t, "subtasks left", string(c.text[subtaskStatus]), "")
		}
		stale := chunks()
		pass(5 * time.Minute)
		wantEqual(t, "chunks, stale for longer", slices.Equal(chunks(), stale), true)
	})
}

func TestTextThatNobodyAsksForIsForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := startWorld(t, simulator.Options{}, yamlOf(yamlAccount("main", "", serverYAML(1))))
		for _, form := range allForms() {
			w.collector.Families(form)
		}
		pass(unusedAfter)
		w.collector.Families(Form{})
		wantEqual(t, "forms kept", len(w.collector.kept.forms), 4)
		pass(time.Second)
		w.collector.Families(Form{})
		wantEqual(t, "forms kept", len(w.collector.kept.forms), 1)
		w.apply(yamlOf(yamlAccount("other", "", serverYAML(1))))
		wantEqual(t, "accounts kept", len(w.collector.kept.forms[Form{}].accounts), 0)
	})
}

// FuzzRenderedText compares what is rendered of any record with what promhttp
// makes of it.
func FuzzRenderedText(f *testing.F) {
	f.Add("web-1", "ad8afca3914a5fff4636e67f18e259c7", "cve", "push_command_failed", 4.0, int64(1764000000123), uint8(3), "red")
	f.Add(`a "b" \c`, "line\nbreak", "", `\`, -1.0, int64(0), uint8(0), `"`)
	f.Add("", "", "", "", math.NaN(), int64(-5), uint8(40), "")
	f.Add("x", "y", "z", "other", math.Inf(1), int64(math.MaxInt32), uint8(17), "\x00")
	f.Add("x", "y", "z", "c", 1e21, int64(999), uint8(255), "é")
	f.Fuzz(func(t *testing.T, name, taskID, typ, code string, status float64, ms int64, servers uint8, label string) {
		valid := func(s string) string { return strings.ToValidUTF8(s, "?") } // as the decoders see to it
		c := New(Options{Logger: log.NewNopLogger(), Connect: func(config.Account, func(string, string, time.Duration)) API { return idle{} }})
		cfg := parsed(t, yamlOf(yamlAccount("main", "stale_after: 0s", serversYAML(int(servers)%40+1)...)))
		a := newAccount(cfg.Accounts[0], nil, c.options, c.metrics, nil)
		at := time.UnixMilli(ms % (1 << 50))
		for i, s := range a.servers {
			r := *s.record
			r.server.Name, r.server.Labels = valid(name), map[string]string{"color": valid(label)}
			r.tried, r.lastSuccess, r.total = i%3 > 0, at, ms
			if i%2 == 0 {
				r.failure = "timeout"
			}
			r.subtasks = []subtask{
				{taskID: valid(taskID), typ: valid(typ), status: status, code: code, codeLabel: valid(code), changed: instantOf(at), statusSince: instantOf(at)},
				{taskID: valid(taskID) + "2", typ: valid(typ), status: float64(i), changed: instantOf(at) + 1},
			}
			r.errors = []errorCount{{typ: valid(typ), code: valid(code), count: float64(i) * 1e5, created: instantOf(at)}}
			a.publish(s, &r)
		}
		c.accounts, c.labelNames = []*account{a}, []string{"color"}
		c.kept.retain(c.accounts, c.labelNames)
		compareWithPromhttp(t, c)
	})
}
