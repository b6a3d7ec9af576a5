package collector_test

import (
	"compress/gzip"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/expose"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/simulator"
)

// What scrapers ask for.
const (
	acceptText        = "text/plain;version=0.0.4"
	acceptOpenMetrics = "application/openmetrics-text;version=1.0.0"
	acceptProtobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

// scraped is the body of an answer, inflated.
func scraped(t testing.TB, h http.Handler, accept, encoding string) io.Reader {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", encoding)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	if answer.Header().Get("Content-Encoding") != "gzip" {
		return answer.Body
	}
	inflated, err := gzip.NewReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return inflated
}

// readable returns an exposition as lines in the order of names and labels. Of protobuf it is the
// text format of what was decoded, with creation times.
func readable(t testing.TB, body io.Reader, accept string) []string {
	t.Helper()
	var text strings.Builder
	if accept != acceptProtobuf {
		if _, err := io.Copy(&text, body); err != nil {
			t.Fatal(err)
		}
	} else {
		decoder := expfmt.NewDecoder(body, expfmt.NewFormat(expfmt.TypeProtoDelim))
		for {
			f := &dto.MetricFamily{}
			err := decoder.Decode(f)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString("# " + f.GetName() + " " + f.GetHelp() + " " + f.GetType().String() + "\n")
			for _, m := range f.GetMetric() {
				text.WriteString(f.GetName() + m.String() + "\n")
			}
		}
	}
	lines := strings.Split(strings.ReplaceAll(text.String(), "  ", " "), "\n") // String varies its spaces
	slices.Sort(lines)
	return lines
}

// compareWithPromhttp checks that every format, plain and compressed, has the same content as
// client_golang's encoding of the same data.
func compareWithPromhttp(t testing.TB, c *collector.Collector) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c.ConstMetrics())
	oracle := promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true, EnableOpenMetricsTextCreatedSamples: true})
	ours := expose.Handler(expose.Options{Scrape: c.Scrape, Others: prometheus.NewRegistry(), Failed: func(err error) { t.Error(err) }})
	for _, accept := range []string{acceptText, acceptOpenMetrics, acceptProtobuf} {
		want := readable(t, scraped(t, oracle, accept, "identity"), accept)
		for _, encoding := range []string{"identity", "gzip"} {
			got := readable(t, scraped(t, ours, accept, encoding), accept)
			if slices.Equal(got, want) {
				continue
			}
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("%s, %s: got\n%s\nclient_golang:\n%s", accept, encoding, got[i], want[i])
				}
			}
			t.Fatalf("%s, %s: %d lines, client_golang %d", accept, encoding, len(got), len(want))
		}
	}
}

// At every moment of a fleet's life: scans move, fail, stall, servers answer badly, values become
// stale, the configuration changes.
func TestEveryFormatSaysWhatClientGolangMakesOfTheSameData(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		var broken atomic.Bool
		failing := func(w http.ResponseWriter, _ *simulator.Request) bool {
			if broken.Load() {
				w.WriteHeader(http.StatusInternalServerError)
			}
			return broken.Load()
		}
		a := simulated("main")
		a.Fleet = simulator.Fleet{Seed: 1, Size: 40, TaskIDs: []string{"task-a"}, ScanDuration: time.Minute, ScanPeriod: 5 * time.Minute, FailRatio: 0.3, StallRatio: 0.1}
		var servers []string
		for _, s := range a.Fleet.Servers() {
			servers = append(servers, "{uuid: "+s.UUID+", name: "+s.Name+", labels: {team: a, Team: b}}")
		}
		const settings = "types: [cve, sys, cms, sca]\nsettled_interval: 1m\npoll_interval: 5s\nstall_after: 2m\nstale_after: 3m"
		w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: failing}, yamlOf(yamlAccount("main", settings, servers...)))
		seen := map[string]bool{}
		step := func(every time.Duration, times int) {
			for range times {
				pass(every)
				compareWithPromhttp(t, w.collector)
				seen[w.exposition()] = true
			}
		}
		step(13*time.Second, 10)
		broken.Store(true)
		step(80*time.Second, 3) // stale after three minutes
		broken.Store(false)
		step(30*time.Second, 3)
		w.apply(yamlOf(yamlAccount("main", settings+"\nseries: open", servers[:20]...), yamlAccount("other", "", "{uuid: "+uuid(1)+`, name: 'a "name" \ of its own', labels: {color: red}}`)))
		step(time.Second, 3)
		w.apply(yamlOf(yamlAccount("main", settings+"\nseries: open", servers[:20]...)))
		step(time.Second, 3)
		if len(seen) < 18 {
			t.Errorf("only %d different expositions in 22 scrapes", len(seen))
		}
	})
}

// FuzzRecords compares what every format says of any records with what client_golang makes of them.
func FuzzRecords(f *testing.F) {
	f.Add("web-1", "ad8afca3914a5fff4636e67f18e259c7", "cve", "push_command_failed", 4.0, int64(1764000000123), uint8(3), "red")
	f.Add(`a "b" \c`, "line\nbreak", "", `\`, -1.0, int64(0), uint8(0), `"`)
	f.Add("", "", "", "", math.NaN(), int64(-5), uint8(40), "")
	f.Add("x", "y", "z", "other", math.Inf(1), int64(math.MaxInt32), uint8(17), "\x00")
	f.Add("x", "y", "z", "c", 1e21, int64(999), uint8(255), "é")
	f.Fuzz(func(t *testing.T, name, taskID, typ, code string, status float64, ms int64, servers uint8, label string) {
		valid := func(s string) string { return strings.ToValidUTF8(s, "?") } // as the decoders see to it
		settings := config.Settings{StallAfter: time.Minute, Series: config.SeriesAll}
		account := scan.NewAccount(&config.Account{Name: "main", Settings: settings})
		at := scan.Instant(max(1, ms%(1<<40)))
		var entries []*scan.Entry
		for i := range int(servers)%40 + 1 {
			r := &scan.Record{
				Target: &scan.Target{Server: config.Server{UUID: uuid(i), Name: valid(name), Labels: map[string]string{"color": valid(label)}}},
				Polled: i%3 > 0, LastSuccess: at, Total: ms,
				Subtasks: []scan.Subtask{
					{TaskID: valid(taskID), Type: valid(typ), Status: status, Code: code, CodeLabel: valid(code), Changed: at, StatusSince: at},
					{TaskID: valid(taskID) + "2", Type: valid(typ), Status: float64(i), Changed: at + 1, StatusSince: at},
				},
				Errors: []scan.ErrorCount{{Type: valid(typ), Code: valid(code), Count: float64(i) * 1e5, Created: at}},
			}
			if i%2 == 0 {
				r.Failure = "timeout"
			}
			entries = append(entries, &scan.Entry{Record: r})
		}
		account.Arrange(entries, nil)
		store := scan.NewStore()
		store.Replace(&scan.Content{Accounts: []*scan.Account{account}, Labels: []string{"color"}})
		compareWithPromhttp(t, collector.New(store, scan.NewClock(time.Now)))
	})
}

func TestAnAccountWithoutServersHasItsSums(t *testing.T) {
	t.Parallel()
	fleet := newLargeFleet(0)
	compareWithPromhttp(t, fleet.Collector)
	body, err := io.ReadAll(scraped(t, exposition(t, fleet), acceptText, "gzip"))
	if err != nil || !strings.Contains(string(body), `_servers{account="production",state="ok"} 0`) {
		t.Errorf("no sums in %q, %v", body, err)
	}
}
