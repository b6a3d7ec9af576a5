package collector_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"aliyun_vulscan_exporter/internal/simulator"
)

// uuid is the UUID of server web-n.
func uuid(n int) string { return fmt.Sprintf("5d55af3c-35f3-4d4d-8ccc-8c5443b%05d", n) }

// simulated is an account of the simulator that yamlAccount has the keys of.
func simulated(name string) simulator.Account {
	return simulator.Account{Name: name, AccessKeyID: "LTAI" + name + "keyid", AccessKeySecret: name + "-secret-of-the-key"}
}

// yamlAccount is one account of a configuration; more are settings, a line each, and servers are as
// serverYAML writes them.
func yamlAccount(name, more string, servers ...string) string {
	a := simulated(name)
	var b strings.Builder
	fmt.Fprintf(&b, "- name: %s\n  endpoint: http://127.0.0.1:1\n  types: [cve]\n  task_ids: [task-a]\n", name)
	fmt.Fprintf(&b, "  credentials: {access_key_id: %s, access_key_secret: %s}\n", a.AccessKeyID, a.AccessKeySecret)
	for line := range strings.Lines(more) {
		fmt.Fprintf(&b, "  %s\n", strings.TrimSuffix(line, "\n"))
	}
	fmt.Fprintf(&b, "  servers: [%s]\n", strings.Join(servers, ", "))
	text := b.String()
	if strings.Contains(more, "types:") {
		text = strings.Replace(text, "  types: [cve]\n", "", 1)
	}
	return text
}

// yamlOf is a configuration of accounts.
func yamlOf(accounts ...string) string { return "accounts:\n" + strings.Join(accounts, "") }

// serverYAML is server web-n; more are further keys, as in "types: [cve]".
func serverYAML(n int, more ...string) string {
	keys := append([]string{"uuid: " + uuid(n), fmt.Sprintf("name: web-%d", n)}, more...)
	return "{" + strings.Join(keys, ", ") + "}"
}

// serversYAML are servers web-1 to web-n.
func serversYAML(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = serverYAML(i + 1)
	}
	return list
}

// reply is one answer of Security Center.
type reply struct {
	status int // 0: 200
	header string
	body   string
}

// script answers the calls about some servers, by UUID, with what a test has set. Calls about other
// servers go to the simulator.
type script struct {
	mu      sync.Mutex
	replies map[string]reply
}

func newScript() *script { return &script{replies: make(map[string]reply)} }

func (s *script) set(server int, r reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[uuid(server)] = r
}

// says sets a server's answer to some subtasks, written as for the function subtasks.
func (s *script) says(server int, list ...string) { s.set(server, reply{body: subtasks(list...)}) }

func (s *script) fails(server, status int, code string) {
	s.set(server, reply{status: status, body: fmt.Sprintf(`{"RequestId":"R","Code":%q,"Message":"m"}`, code)})
}

func (s *script) intercept(w http.ResponseWriter, r *simulator.Request) bool {
	s.mu.Lock()
	answer, known := s.replies[r.UUID]
	s.mu.Unlock()
	if known {
		answer.write(w)
	}
	return known
}

func (r reply) write(w http.ResponseWriter) {
	if name, value, found := strings.Cut(r.header, ": "); found {
		w.Header().Set(name, value)
	}
	if r.status != 0 {
		w.WriteHeader(r.status)
	}
	_, _ = w.Write([]byte(r.body)) // the caller may have gone
}

// subtasks is the body of an answer; each one is "task/type/status" or "task/type/status/code".
func subtasks(list ...string) string {
	type entry struct{ Type, Status, Code string }
	type task struct {
		TaskID         string  `json:"TaskId"`
		TaskStatusList []entry `json:"TaskStatusList"`
	}
	tasks := []task{}
	for _, text := range list {
		part := append(strings.SplitN(text, "/", 4), "")
		tasks = append(tasks, task{part[0], []entry{{part[1], part[2], part[3]}}})
	}
	body, err := json.Marshal(map[string]any{"RequestId": "R", "TotalCount": len(list), "TaskStatuses": tasks})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// labelled is a sample of account main; labels come sorted, account first.
func labelled(name, labels string, value any) string {
	return fmt.Sprintf("%s_%s{account=\"main\"%s} %v\n", namespace, name, labels, value)
}

func statusIs(server int, task, typ string, value any) string {
	return labelled("subtask_status", fmt.Sprintf(`,server="web-%d",task_id="%s",type="%s",uuid="%s"`, server, task, typ, uuid(server)), value)
}

// changedAt is of web-1 and type cve.
func changedAt(task string, value float64) string {
	return labelled("subtask_last_change_timestamp_seconds", fmt.Sprintf(`,server="web-1",task_id="%s",type="cve",uuid="%s"`, task, uuid(1)), value)
}

func errorIs(server int, task, typ, code string) string {
	return labelled("subtask_error", fmt.Sprintf(`,code="%s",server="web-%d",task_id="%s",type="%s",uuid="%s"`, code, server, task, typ, uuid(server)), 1)
}

// errorsAre is of web-1.
func errorsAre(typ, code string, value any) string {
	return labelled("subtask_errors_total", fmt.Sprintf(`,code="%s",server="web-1",type="%s",uuid="%s"`, code, typ, uuid(1)), value)
}

func upIs(server int, value any) string {
	return labelled("server_up", fmt.Sprintf(`,server="web-%d",uuid="%s"`, server, uuid(server)), value)
}

// wants compares the exposition of some families, without their namespace, with text; the lines of
// HELP and TYPE need not be given.
func (w *world) wants(families, text string) {
	w.t.Helper()
	if err := differs(w, families, text); err != nil {
		w.t.Errorf("%s\n%v", families, err)
	}
}

func differs(g prometheus.Gatherer, families, text string) error {
	found, err := g.Gather()
	if err != nil {
		return err
	}
	var headers strings.Builder
	var names []string
	for name := range strings.FieldsSeq(families) {
		names = append(names, namespace+"_"+name)
	}
	bodies := make(map[string]string)
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, "{")
		bodies[name] += line
	}
	for _, f := range found {
		body, wanted := bodies[f.GetName()]
		if !wanted {
			continue
		}
		fmt.Fprintf(&headers, "# HELP %s %s\n# TYPE %s %s\n%s", f.GetName(), f.GetHelp(), f.GetName(), strings.ToLower(f.GetType().String()), body)
		delete(bodies, f.GetName())
	}
	for name, body := range bodies { // not published at all
		fmt.Fprintf(&headers, "# TYPE %s gauge\n%s", name, body)
	}
	return testutil.GatherAndCompare(g, strings.NewReader(headers.String()), names...)
}

// value sums the samples of a metric that have some labels, each as "type=cve"; of a histogram, the
// number of observations.
func (w *world) value(name string, labels ...string) (sum float64) {
	w.t.Helper()
	found, err := w.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range found {
		if f.GetName() != namespace+"_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			if hasLabels(m, labels) {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func hasLabels(m *dto.Metric, labels []string) bool {
	has := make(map[string]bool)
	for _, l := range m.GetLabel() {
		has[l.GetName()+"="+l.GetValue()] = true
	}
	return !slices.ContainsFunc(labels, func(l string) bool { return !has[l] })
}

// counted returns the samples of a counter above 0, by the value of a label.
func (w *world) counted(name, label string) map[string]float64 {
	w.t.Helper()
	counts := w.counts(name, label)
	maps.DeleteFunc(counts, func(_ string, n float64) bool { return n == 0 })
	return counts
}

// counts sums the samples of a counter or gauge by the value of a label.
func (w *world) counts(name, label string) map[string]float64 {
	w.t.Helper()
	found, err := w.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	counts := make(map[string]float64)
	for _, f := range found {
		if f.GetName() != namespace+"_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label {
					counts[l.GetValue()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
	}
	return counts
}

// wantEqual compares two values by their printed form.
func wantEqual(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}
