package expose_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/collector/expose"
)

func TestOnlyWhatChangedIsEncoded(t *testing.T) {
	r := newRig(t, family("m", "x"))
	for i := range 10 {
		r.source.put(i, metric{0, []string{strconv.Itoa(i)}, 1, time.Time{}})
	}
	want := func(what string, n int) {
		t.Helper()
		scrape(t, r.handler, acceptText, "gzip")
		if got := r.source.collections(); got != n {
			t.Errorf("%s: %d groups were encoded, want %d", what, got, n)
		}
	}
	want("at first", 10)
	want("nothing changed", 0)
	r.source.put(3, metric{0, []string{"3"}, 2, time.Time{}})
	want("one changed", 1)
	r.source.putUntil(4, r.now.Add(time.Minute), metric{0, []string{"4"}, 2, time.Time{}})
	want("one changed that goes out of date", 1)
	r.now = r.now.Add(time.Minute - 1)
	want("just before it does", 0)
	r.now = r.now.Add(1)
	want("once it has", 1)
	r.source.put(4, metric{0, []string{"4"}, 2, time.Time{}})
	want("it no longer does", 1)
	r.source.put(10, metric{0, []string{"10"}, 2, time.Time{}})
	want("one came", 1)
	r.source.places = slices.Delete(r.source.places, 2, 5)
	want("some went", 0)
	r.compare()
	r.source.collections()
	r.now = r.now.Add(11 * time.Minute)
	scrape(t, r.handler, acceptProtobuf, "gzip")
	r.source.collections()
	want("nobody had asked for this encoding in ten minutes", 8)
}

func TestTotalsAreThoseOfTheGroupsShown(t *testing.T) {
	r := newRig(t, family("m", "x"), family("all"))
	r.source.total = func(sums []int, emit expose.Emit) {
		all := 0
		for _, n := range sums {
			all += n
		}
		emit(1, nil, float64(all), time.Time{})
	}
	for i := range 5 {
		r.source.put(i, metric{0, []string{strconv.Itoa(i)}, 1, time.Time{}})
		if got := string(scrape(t, r.handler, acceptText, "identity")); !strings.Contains(got, fmt.Sprintf("\nall %d\n", i+1)) {
			t.Errorf("after %d groups:\n%s", i+1, got)
		}
	}
}

func TestOtherFamiliesStandAmongThemByName(t *testing.T) {
	r := newRig(t, family("b"), family("d"))
	r.source.put(0, metric{0, nil, 1, time.Time{}}, metric{1, nil, 1, time.Time{}})
	for _, name := range []string{"a", "c", "e"} {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: name})
		r.others.MustRegister(g)
	}
	for _, accept := range []string{acceptText, acceptOpenMetrics} {
		var names []string
		for line := range strings.Lines(string(scrape(t, r.handler, accept, "gzip"))) {
			if rest, found := strings.CutPrefix(line, "# TYPE "); found {
				names = append(names, rest[:1])
			}
		}
		if got := strings.Join(names, ""); got != "abcde" {
			t.Errorf("%s: families come as %s", accept, got)
		}
	}
	decoder := expfmt.NewDecoder(bytes.NewReader(scrape(t, r.handler, acceptProtobuf, "gzip")), expfmt.NewFormat(expfmt.TypeProtoDelim))
	var names []string
	for {
		f := &dto.MetricFamily{}
		if decoder.Decode(f) != nil {
			break
		}
		names = append(names, f.GetName())
	}
	if got := strings.Join(names, ""); got != "abcde" {
		t.Errorf("protobuf: families come as %s", got)
	}
	request := httptest.NewRequest(http.MethodGet, "/metrics?name[]=c&name[]=d", http.NoBody)
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, request)
	if got := answer.Body.String(); strings.Count(got, "# TYPE") != 2 || !strings.Contains(got, "\nc 0") || !strings.Contains(got, "\nd 1") {
		t.Errorf("of c and d: %s", got)
	}
}

// Scrapes read while groups change: each sees every group whole.
func TestScrapesAtTheSameTimeSeeWholeGroups(t *testing.T) {
	r := newRig(t, family("m", "x", "y"))
	put := func(i, version int) {
		var list []metric
		for k := range 20 {
			list = append(list, metric{0, []string{strconv.Itoa(i), strconv.Itoa(k)}, float64(version), time.Time{}})
		}
		r.source.put(i, list...)
	}
	for i := range 120 {
		put(i, 0)
	}
	stop := make(chan struct{})
	var changing, scraping sync.WaitGroup
	changing.Go(func() {
		for version := 1; ; version++ {
			select {
			case <-stop:
				return
			default:
				put(version%120, version)
			}
		}
	})
	for _, accept := range []string{acceptText, acceptText, acceptOpenMetrics} {
		for _, encoding := range []string{"gzip", "identity"} {
			scraping.Go(func() {
				for range 20 {
					seen := make(map[string]string)
					for line := range strings.Lines(string(scrape(t, r.handler, accept, encoding))) {
						if labels, value, found := strings.Cut(line, ",y="); found {
							_, value, _ = strings.Cut(value, " ")
							if before, twice := seen[labels]; twice && before != value {
								t.Errorf("%s has %s beside %s", labels, before, value)
							}
							seen[labels] = value
						}
					}
					if len(seen) != 120 {
						t.Errorf("%d of 120 groups", len(seen))
					}
				}
			})
		}
	}
	scraping.Wait()
	close(stop)
	changing.Wait()
}

func TestWhatAClientAccepts(t *testing.T) {
	r := newRig(t, family("m"))
	r.source.put(0, metric{0, nil, 1, time.Time{}})
	for _, tt := range []struct{ accept, encoding, contentType, contentEncoding string }{
		{"", "", "text/plain; version=0.0.4", ""},
		{"*/*", "gzip", "text/plain; version=0.0.4", "gzip"},
		{"text/plain;version=1.0.0", "deflate", "text/plain; version=1.0.0", ""},
		{acceptOpenMetrics, "gzip;q=0", "application/openmetrics-text; version=1.0.0", ""},
		{"application/openmetrics-text;version=0.0.1", "*", "application/openmetrics-text; version=0.0.1", "gzip"},
		{acceptProtobuf, "br, x-gzip", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited", "gzip"},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", "", "text/plain; version=0.0.4", ""},
		{"image/png", "gzip; q=0.5", "text/plain; version=0.0.4", "gzip"},
	} {
		request := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
		request.Header.Set("Accept", tt.accept)
		request.Header.Set("Accept-Encoding", tt.encoding)
		answer := httptest.NewRecorder()
		r.handler.ServeHTTP(answer, request)
		h := answer.Header()
		if !strings.HasPrefix(h.Get("Content-Type"), tt.contentType) || h.Get("Content-Encoding") != tt.contentEncoding {
			t.Errorf("%q, %q: answered as %q, %q", tt.accept, tt.encoding, h.Get("Content-Type"), h.Get("Content-Encoding"))
		}
		if got := h.Values("Vary"); !slices.Equal(got, []string{"Accept", "Accept-Encoding"}) {
			t.Errorf("Vary: %q", got)
		}
	}
}
