package expose_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/collector/expose"
)

const (
	acceptText        = "text/plain;version=0.0.4"
	acceptOpenMetrics = "application/openmetrics-text;version=1.0.0"
	acceptProtobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

// metric is one metric of a test's source.
type metric struct {
	family  int
	values  []string
	value   float64
	created time.Time
}

// place is a group of a test's source: its content is replaced as a whole.
type place struct{ content atomic.Pointer[content] }

type content struct {
	metrics []metric
	until   time.Time
}

// source is a source that tests write by hand.
type source struct {
	mu        sync.Mutex
	places    []*place
	collected int
	asOf      time.Time // of the last collection
	loading   func()    // if not nil, called before a place is loaded
	total     func(sums []int, emit expose.Emit)
}

func (s *source) Groups() []*place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.places)
}

func (s *source) Load(p *place) *content {
	if s.loading != nil {
		s.loading()
	}
	return p.content.Load()
}

func (s *source) Collect(c *content, now time.Time, emit expose.Emit) (int, time.Time) {
	s.mu.Lock()
	s.collected, s.asOf = s.collected+1, now
	s.mu.Unlock()
	for _, m := range c.metrics {
		emit(m.family, m.values, m.value, m.created)
	}
	return len(c.metrics), c.until
}

func (s *source) Total(sums []int, _ time.Time, emit expose.Emit) {
	if s.total != nil {
		s.total(sums, emit)
	}
}

// put makes metrics the content of place i.
func (s *source) put(i int, metrics ...metric) { s.putUntil(i, time.Time{}, metrics...) }

func (s *source) putUntil(i int, until time.Time, metrics ...metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.places) <= i {
		p := &place{}
		p.content.Store(&content{})
		s.places = append(s.places, p)
	}
	s.places[i].content.Store(&content{metrics, until})
}

func (s *source) collections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.collected
	s.collected = 0
	return n
}

// rig is an engine with a source, and a clock that tests set.
type rig struct {
	t        testing.TB
	families []expose.Family
	source   *source
	now      time.Time
	others   *prometheus.Registry
	handler  http.Handler
}

func newRig(t testing.TB, families ...expose.Family) *rig {
	t.Helper()
	r := &rig{t: t, families: families, source: &source{}, now: time.Unix(1e9, 0), others: prometheus.NewRegistry()}
	e, err := expose.NewEngine(families, r.source, func() time.Time { return r.now })
	if err != nil {
		t.Fatal(err)
	}
	r.handler = expose.Handler(expose.Options{Scrape: e.Scrape, Others: r.others, Failed: func(err error) { t.Error(err) }})
	return r
}

func family(name string, labels ...string) expose.Family {
	f := expose.Family{Name: name, Help: "Help of " + name + `, with a "quote", a \ and a` + "\nline."}
	if strings.HasSuffix(name, "_total") {
		f.Counter = true
	}
	for i, l := range labels {
		f.Labels = append(f.Labels, expose.Label{Name: l, From: i})
	}
	return f
}

// Describe and Collect make the oracle: the same metrics by client_golang.
func (r *rig) Describe(chan<- *prometheus.Desc) {}

func (r *rig) Collect(ch chan<- prometheus.Metric) {
	for _, p := range r.source.Groups() {
		for _, m := range p.content.Load().metrics {
			f := r.families[m.family]
			var names, values []string
			for _, l := range f.Labels {
				names, values = append(names, l.Name), append(values, m.values[l.From])
			}
			desc, typ := prometheus.NewDesc(f.Name, f.Help, names, nil), prometheus.GaugeValue
			if f.Counter {
				typ = prometheus.CounterValue
			}
			if m.created.IsZero() || !f.Counter {
				ch <- prometheus.MustNewConstMetric(desc, typ, m.value, values...)
			} else {
				ch <- prometheus.MustNewConstMetricWithCreatedTimestamp(desc, typ, m.value, m.created, values...)
			}
		}
	}
}

func scrape(t testing.TB, h http.Handler, accept, encoding string) []byte {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", encoding)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	body := io.Reader(answer.Body)
	if gzipped := answer.Header().Get("Content-Encoding") == "gzip"; gzipped != (encoding == "gzip") {
		t.Errorf("%s was answered with %q", encoding, answer.Header().Get("Content-Encoding"))
	} else if gzipped {
		var err error
		if body, err = gzip.NewReader(body); err != nil {
			t.Fatal(err)
		}
	}
	all, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// readable returns what an exposition says, in the order of families and labels.
func readable(t testing.TB, body []byte, accept string) []string {
	t.Helper()
	text := string(body)
	if accept == acceptProtobuf {
		var b strings.Builder
		decoder := expfmt.NewDecoder(bytes.NewReader(body), expfmt.NewFormat(expfmt.TypeProtoDelim))
		for {
			f := &dto.MetricFamily{}
			err := decoder.Decode(f)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s %q %v\n", f.GetName(), f.GetHelp(), f.GetType())
			for _, m := range f.GetMetric() {
				fmt.Fprintln(&b, f.GetName(), m.Label, m.GetGauge(), m.GetCounter())
			}
		}
		text = b.String()
	}
	lines := strings.Split(strings.ReplaceAll(text, "  ", " "), "\n") // protobuf's text varies its spaces
	slices.Sort(lines)
	return lines
}

// compare wants every format, plain and deflated, to be what client_golang makes.
func (r *rig) compare() {
	r.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(r)
	oracle := promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true, EnableOpenMetricsTextCreatedSamples: true})
	for _, accept := range []string{acceptText, acceptOpenMetrics, acceptProtobuf} {
		want := readable(r.t, scrape(r.t, oracle, accept, "identity"), accept)
		for _, encoding := range []string{"identity", "gzip"} {
			if got := readable(r.t, scrape(r.t, r.handler, accept, encoding), accept); !slices.Equal(got, want) {
				r.t.Errorf("%s, %s: got\n%s\nclient_golang:\n%s", accept, encoding, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

func TestEveryFormatIsWhatClientGolangMakes(t *testing.T) {
	began := time.Unix(1_700_000_000, 123_456_789)
	r := newRig(t, family("b_total", "x", "a"), family("a"), family("c", "only"))
	r.source.put(0,
		metric{0, []string{"1", "2"}, 3, began}, metric{0, []string{"", "é"}, 0.25, time.Time{}}, metric{0, []string{"s", "s"}, 1e21, time.Unix(5, 0)},
		metric{1, nil, math.Inf(1), time.Time{}})
	var odd []metric
	for i, v := range []float64{0, math.Copysign(0, -1), 1, -1, 999, 1000, -17, 1.5, 1e-9, 123456789, 1e300, math.NaN(), math.Inf(-1), 4} {
		odd = append(odd, metric{2, []string{fmt.Sprintf("%d: \"quoted\" \\ and\na line", i)}, v, time.Time{}})
	}
	r.source.put(1, odd...)
	r.compare()
	for i, n := range []int{100, 127, 128, 1 << 14, 1 << 21} { // lengths take a byte more
		long := strings.Repeat("l", n)
		r.source.put(2+i, metric{0, []string{long, "s"}, 1, began}, metric{2, []string{long}, 1, time.Time{}})
	}
	r.compare()
	r.source.places = r.source.places[:2]
	r.source.put(0)
	r.compare() // families that have no metric are left out
}

func TestLabelsOfAnyLegalNamesAreWhatClientGolangMakes(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const first = "ABCXYZabcxyz_"
	const rest = first + "0189"
	name := func() string {
		b := []byte{first[random.IntN(len(first))]}
		for range random.IntN(4) {
			b = append(b, rest[random.IntN(len(rest))])
		}
		if strings.HasPrefix(string(b), "__") {
			return "l" + string(b)
		}
		return string(b)
	}
	for range 200 {
		names := map[string]bool{}
		for range random.IntN(7) {
			names[name()] = true
		}
		var labels, values []string
		for n := range names { // in any order
			labels, values = append(labels, n), append(values, string([]rune{rune('a' + random.IntN(200)), '"'}[:1+random.IntN(2)]))
		}
		r := newRig(t, family("some_total", labels...), family("other", labels...))
		r.source.put(0, metric{0, values, random.Float64() * 100, r.now}, metric{1, values, float64(random.IntN(5)), time.Time{}})
		r.compare()
	}
}

func TestFamiliesThatNoScraperTakesAreRefused(t *testing.T) {
	for name, families := range map[string][]expose.Family{
		"a label twice":        {family("m", "account", "x", "account")},
		"a family twice":       {family("m"), family("m")},
		"no metric name":       {family("a-b")},
		"no label name":        {family("m", "a-b")},
		"counter's name":       {{Name: "m", Counter: true}},
		"an empty label name":  {family("m", "")},
		"an empty metric name": {family("")},
	} {
		if _, err := expose.NewEngine(families, &source{}, time.Now); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// A scrape may have to wait before it comes to a group, which changes meanwhile: its content is
// then encoded as of a time when it was there.
func TestGroupsAreEncodedAsOfATimeWhenTheyWereSo(t *testing.T) {
	r := newRig(t, family("m"))
	r.source.put(0, metric{0, nil, 1, time.Time{}})
	r.source.loading = func() { r.now = r.now.Add(time.Second) }
	scrape(t, r.handler, acceptText, "gzip")
	if r.source.asOf.Before(r.now) {
		t.Errorf("encoded as of %v before it was loaded", r.now.Sub(r.source.asOf))
	}
}

func FuzzFormats(f *testing.F) {
	f.Add("value", "other \\ \" \n", 1.5, int64(17), byte(3))
	f.Add("", "é", math.Inf(1), int64(0), byte(0))
	f.Add("a", "b", math.Copysign(0, -1), int64(1_700_000_000_123_456_789), byte(255))
	f.Fuzz(func(t *testing.T, a, b string, value float64, created int64, shape byte) {
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?")
		if created < 0 {
			created = -(created + 1)
		}
		began := time.Unix(0, created)
		if created == 0 || math.IsNaN(value) || value < 0 {
			began = time.Time{}
		}
		r := newRig(t, family("g", "x", "a"), family("c_total", "b", "a"), family("none"))
		for i := range int(shape)%4 + 1 {
			one := fmt.Sprint(i, a)
			r.source.put(i, metric{0, []string{one, b}, value, time.Time{}}, metric{1, []string{b, one}, float64(i), began}, metric{0, []string{b + "x", one}, float64(shape), time.Time{}})
		}
		r.compare()
		r.source.put(0, metric{0, []string{b, a + "again"}, value + 1, time.Time{}})
		r.compare()
	})
}
