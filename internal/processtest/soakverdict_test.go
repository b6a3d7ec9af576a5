//go:build soak

package processtest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// usage is what the process takes at an age.
type usage struct {
	age                    time.Duration
	resident, heap         float64 // MiB
	goroutines, files, all int     // all: series
}

func (u usage) String() string {
	return fmt.Sprintf("%.1f MiB resident, %.1f MiB of heap, %d goroutines, %d files, %d series", u.resident, u.heap, u.goroutines, u.files, u.all)
}

var usageLine = regexp.MustCompile(`(?m)^(process_resident_memory_bytes|go_memstats_heap_alloc_bytes|go_goroutines|process_open_fds) (\S+)$`)

func usageOf(t *testing.T, age time.Duration, text string) usage {
	u := usage{age: age, all: strings.Count(text, "\n") - strings.Count(text, "\n#")}
	for _, m := range usageLine.FindAllStringSubmatch(text, -1) {
		value, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		switch m[1] {
		case "process_resident_memory_bytes":
			u.resident = value / (1 << 20)
		case "go_memstats_heap_alloc_bytes":
			u.heap = value / (1 << 20)
		case "go_goroutines":
			u.goroutines = int(value)
		default:
			u.files = int(value)
		}
	}
	return u
}

// whole returns the body of an exposition, which has to be complete.
func whole(t *testing.T, a Answer) string {
	t.Helper()
	body := a.Body
	if a.Header.Get("Content-Encoding") == "gzip" {
		r, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var plain bytes.Buffer
		if _, err := io.Copy(&plain, r); err != nil {
			t.Fatal(err)
		}
		body = plain.String()
	}
	kind := a.Header.Get("Content-Type")
	if a.Status != http.StatusOK || !strings.Contains(body, "aliyun_vulscan_subtask_status") || strings.HasPrefix(kind, "application/openmetrics") && !strings.HasSuffix(body, "# EOF\n") {
		t.Errorf("an exposition as %s: %d, %d bytes", kind, a.Status, len(body))
	}
	return body
}

// flat compares the memory of the last third with that of the middle third of what follows the
// first ten minutes (or a third, if the life is shorter).
func (s *soak) flat(length time.Duration) {
	s.t.Helper()
	warm := min(10*time.Minute, length/3)
	half := warm + (length-warm)/2
	var before, after usage
	for _, u := range s.memory {
		into := &before
		switch {
		case u.age < warm:
			continue
		case u.age >= half:
			into = &after
		}
		into.resident, into.heap = max(into.resident, u.resident), max(into.heap, u.heap)
		into.goroutines, into.files, into.all = max(into.goroutines, u.goroutines), max(into.files, u.files), max(into.all, u.all)
	}
	s.t.Logf("most from %v to %v: %v", warm, half, before)
	s.t.Logf("most from %v to %v: %v", half, length, after)
	if after.resident > 1.1*before.resident || after.goroutines > 2*before.goroutines || after.files > 2*before.files {
		s.t.Error("it grows")
	}
}

// compare waits until all that is published is what the service has at a time.
func (s *soak) compare(now time.Time) {
	s.t.Helper()
	deadline := time.After(8 * time.Minute) // failed servers wait for up to five
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	report := time.NewTicker(soakReport)
	defer report.Stop()
	for {
		checked, err := s.differences(now)
		if err == nil {
			s.t.Logf("%d values are the service's own, %v after its clock stopped", checked, time.Since(now).Round(time.Second))
			return
		}
		select {
		case <-ticker.C:
		case <-report.C:
			s.t.Logf("still: %v", err)
		case <-deadline:
			s.t.Errorf("at last: %v", err)
			return
		}
	}
}

// differences says what of a scrape is not as the service has it, and how many values were
// compared.
func (s *soak) differences(now time.Time) (checked int, err error) {
	all := s.p.Scrape()
	want := Samples{}
	for _, account := range s.accounts {
		tasks := account.Fleet.Tasks(now)
		for i, server := range account.Fleet.Servers() {
			if account.Name == "found" && !account.Fleet.Online(i, now) {
				continue // watched only while a task scans it
			}
			want[fmt.Sprintf("aliyun_vulscan_server_up{account=%q, server=%q, uuid=%q}", account.Name, server.Name, server.UUID)] = 1
			for n, task := range tasks[:min(2, len(tasks))] {
				for series, value := range service(account, server, task.ID, now) {
					if n == 0 || !strings.Contains(series, "_error{") { // a newer scan answers an older one's error
						want[series] = value
					}
				}
			}
		}
	}
	published := 0
	for metric := range map[string]bool{"aliyun_vulscan_subtask_status": true, "aliyun_vulscan_subtask_error": true} {
		for series := range all.Of(metric) {
			published++
			account, uuid, task := label(series, "account"), label(series, "uuid"), label(series, "task_id")
			for _, a := range s.accounts {
				if a.Name != account {
					continue
				}
				value, known := service(a, simulator.Server{UUID: uuid, Name: label(series, "server")}, task, now)[series]
				if !known {
					value = -1 // what the service does not have must not be there
				}
				want[series] = value
			}
		}
	}
	want["aliyun_vulscan_subtasks"] = float64(len(all.Of("aliyun_vulscan_subtask_status")))
	all["aliyun_vulscan_subtasks"] = all.Of("aliyun_vulscan_subtasks").Sum()
	want[reloadSuccessful] = 1
	var wrong []error
	for series, value := range want {
		if got, there := all[series]; !there || got != value {
			wrong = append(wrong, fmt.Errorf("%s is %v (%v), want %v", series, got, there, value))
		}
	}
	if published < 3*soakEach {
		wrong = append(wrong, fmt.Errorf("%d values of subtasks are published", published))
	}
	if len(wrong) > 5 {
		wrong = append(wrong[:5], fmt.Errorf("and %d more", len(wrong)-5))
	}
	return len(want), errors.Join(wrong...)
}

// label returns the value of a series' label.
func label(series, name string) string {
	_, rest, _ := strings.Cut(series, name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// service returns what the service has of a server's scan by a task, as the exporter has to publish
// it.
func service(a simulator.Account, server simulator.Server, task string, now time.Time) Samples {
	out := Samples{}
	for _, st := range a.Fleet.Subtasks(server.UUID, []string{task}, []string{"cve", "sys", "cms", "sca"}, now) {
		labels := fmt.Sprintf("server=%q, task_id=%q, type=%q, uuid=%q}", server.Name, task, st.Type, server.UUID)
		value, _ := strconv.ParseFloat(st.Status, 64) // the simulator's are numbers
		out[fmt.Sprintf("aliyun_vulscan_subtask_status{account=%q, %s", a.Name, labels)] = value
		if st.Code != "" {
			out[fmt.Sprintf("aliyun_vulscan_subtask_error{account=%q, code=%q, %s", a.Name, st.Code, labels)] = 1
		}
	}
	return out
}
