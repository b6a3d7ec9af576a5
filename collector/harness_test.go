package collector_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/goleak"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/expose"
	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/capture"
	"aliyun_vulscan_exporter/internal/memnet"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is a log that tests read.
type lines struct{ capture.Buffer }

// severe returns the lines above level debug.
func (l *lines) severe() []string {
	var found []string
	for line := range strings.Lines(l.String()) {
		if !strings.Contains(line, "level=debug") {
			found = append(found, line)
		}
	}
	return found
}

// world is a Collector, the Security Center that it polls by HTTP, and what passed between them.
type world struct {
	t         *testing.T
	store     *scan.Store
	clock     *scan.Clock
	poller    *poll.Poller
	collector *collector.Collector
	handler   http.Handler // of the exposition
	log       *lines

	mu    sync.Mutex
	calls []simulator.Call
	// asked are the calls that passed authentication, quota and permission.
	asked []*simulator.Request
}

// startWorld serves a simulator in memory and polls it as the configuration says. It ends with the
// test.
func startWorld(t *testing.T, o simulator.Options, text string) *world {
	t.Helper()
	w := prepareWorld(t, o, false)
	w.apply(text)
	return w
}

// prepareWorld makes a world without a configuration.
func prepareWorld(t *testing.T, o simulator.Options, once bool) *world {
	t.Helper()
	return prepareWorldWith(t, o, poll.Options{Once: once})
}

// prepareWorldWith is prepareWorld with options of the Collector; those that make the world are
// filled in.
func prepareWorldWith(t *testing.T, o simulator.Options, options poll.Options) *world {
	t.Helper()
	w := &world{t: t, log: &lines{}, store: scan.NewStore(), clock: options.Clock}
	if w.clock == nil {
		w.clock = scan.NewClock(time.Now)
	}
	network := memnet.New()
	server := &http.Server{Handler: w.simulate(o)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(network)
	}()
	options.Connect = connecting(network.Dial)
	options.Logger = level.NewFilter(log.NewLogfmtLogger(log.NewSyncWriter(w.log)), level.AllowDebug())
	w.collector = collector.New(w.store, w.clock)
	options.Store, options.Clock, options.Events = w.store, w.clock, w.collector.Events
	w.poller = poll.New(options)
	events := prometheus.NewPedanticRegistry()
	events.MustRegister(w.collector)
	w.handler = expose.Handler(expose.Options{Scrape: w.collector.Scrape, Others: events, Failed: func(err error) { t.Error(err) }})
	t.Cleanup(func() {
		w.poller.Close()
		_ = server.Close()
		<-served
	})
	return w
}

// simulate makes a simulator that writes down what it sees.
func (w *world) simulate(o simulator.Options) http.Handler {
	if o.Accounts == nil {
		o.Accounts = []simulator.Account{simulated("main")}
	}
	answer := o.Intercept
	o.Intercept = func(rw http.ResponseWriter, r *simulator.Request) bool {
		w.mu.Lock()
		w.asked = append(w.asked, r)
		w.mu.Unlock()
		return answer != nil && answer(rw, r)
	}
	o.Observe = func(c simulator.Call) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls = append(w.calls, c)
	}
	return simulator.New(o)
}

// connecting makes real clients that dial as told; nil: as usual.
func connecting(dial func(context.Context, string, string) (net.Conn, error)) func(config.Account, func(string, string, time.Duration)) poll.API {
	return func(a config.Account, observe func(string, string, time.Duration)) poll.API {
		return sas.NewClient(sas.Options{
			Account: a.Name, Scheme: a.Endpoint.Scheme, Host: a.Endpoint.Host, Region: a.Region,
			Credentials: sas.CredentialOptions{Keys: keysOf(a.Credentials)},
			Timeout:     a.Timeout, Connections: a.Concurrency, Product: "test/1", Dial: dial, Observe: observe,
		})
	}
}

// keysOf reads the keys that a configuration holds itself.
func keysOf(c config.Credentials) func() (id, secret, token string, err error) {
	return func() (id, secret, token string, err error) {
		return string(c.AccessKeyID.Value), string(c.AccessKeySecret.Value), string(c.SecurityToken.Value), nil
	}
}

// apply makes YAML text the running configuration.
func (w *world) apply(text string) {
	w.t.Helper()
	w.poller.Apply(parsed(w.t, text))
}

func parsed(t testing.TB, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.yml", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return cfg
}

// observed returns the calls so far, in the order of their answers.
func (w *world) observed() []simulator.Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]simulator.Call(nil), w.calls...)
}

// questionsOf returns what was asked about a server so far.
func (w *world) questionsOf(uuid string) []*simulator.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []*simulator.Request
	for _, r := range w.asked {
		if r.UUID == uuid {
			found = append(found, r)
		}
	}
	return found
}

// Gather implements prometheus.Gatherer: it returns everything published, as a scraper that asks
// for protobuf reads it.
func (w *world) Gather() ([]*dto.MetricFamily, error) {
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	decoder := expfmt.NewDecoder(answer.Body, expfmt.NewFormat(expfmt.TypeProtoDelim))
	var found []*dto.MetricFamily
	for {
		f := &dto.MetricFamily{}
		switch err := decoder.Decode(f); {
		case errors.Is(err, io.EOF):
			return found, nil
		case err != nil:
			return nil, err
		}
		slices.SortFunc(f.Metric, func(a, b *dto.Metric) int { return strings.Compare(labelsOf(a), labelsOf(b)) })
		found = append(found, f)
	}
}

// labelsOf returns the labels as they sort in client_golang.
func labelsOf(m *dto.Metric) string {
	var b strings.Builder
	for _, l := range m.GetLabel() {
		b.WriteString(l.GetValue() + "\x00")
	}
	return b.String()
}

// namespace begins the names of all metrics.
const namespace = "aliyun_vulscan"

// exposition is everything published, as text.
func (w *world) exposition() string {
	w.t.Helper()
	found, err := w.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range found {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			w.t.Fatal(err)
		}
	}
	return b.String()
}

// inBubble runs a test in a bubble of its own, where time is fake.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// pass lets fake time pass, and everything that is due in it happen.
func pass(d time.Duration) {
	synctest.Wait()
	time.Sleep(d)
	synctest.Wait()
}

// summary is how an account fares, in short.
type summary struct {
	Account                                           string
	OK, Failing, Pending, Waiting, Unread, Incomplete int
	Refused                                           bool
}

func (w *world) summaries() (list []summary) {
	for _, a := range w.collector.Now().Accounts {
		if a.Refused { // it is not polled
			a.Waiting, a.Unread = 0, 0
		}
		list = append(list, summary{a.Name, a.OK, a.Failing, a.Pending, a.Waiting, a.Unread, len(a.DiscoveryProblems), a.Refused})
	}
	return list
}
