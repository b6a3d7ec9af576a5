package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"aliyun_vulscan_exporter/internal/processtest"
	"aliyun_vulscan_exporter/internal/simulator"
)

// notification is what Alertmanager sends to a webhook.
type notification struct {
	Status string
	Alerts []struct {
		Status string
		Labels map[string]string
	}
}

// inbox collects notifications.
type inbox struct {
	mu  sync.Mutex
	all []notification
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n notification
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all = append(i.all, n)
}

// subjects returns status and alert of every notification, in their order.
func (i *inbox) subjects() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []string
	for _, n := range i.all {
		names := map[string]bool{}
		for _, a := range n.Alerts {
			names[strings.TrimPrefix(a.Labels["alertname"], "AliyunVulscan")] = true
		}
		for name := range names {
			out = append(out, n.Status+" "+name)
		}
	}
	return out
}

// shippedAlertmanager starts Alertmanager with the shipped configuration. Only its receivers and
// its times are others.
func shippedAlertmanager(t *testing.T) (manager *processtest.Process, address string, got *inbox) {
	t.Helper()
	got = &inbox{}
	hook := httptest.NewServer(got)
	t.Cleanup(hook.Close)
	receiver := fmt.Sprintf("working-hours\n    webhook_configs: [{url: %q}]\n", hook.URL)
	config := strings.NewReplacer("- name: working-hours\n", "- name: "+receiver, "- name: on-call\n", "- name: "+strings.Replace(receiver, "working-hours", "on-call", 1),
		"group_wait: 1m", "group_wait: 1s", "group_interval: 15m", "group_interval: 2s").Replace(read(t, "../deploy/prometheus/alertmanager.yml"))
	dir := t.TempDir()
	address = freeAddress(t)
	manager = start(t, address, "/-/ready", program(t, "ALERTMANAGER"), "--config.file="+write(t, filepath.Join(dir, "alertmanager.yml"), config),
		"--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=", "--log.level=warn")
	return manager, address, got
}

// suppressed counts the alerts that Alertmanager keeps to itself.
func suppressed(manager *processtest.Process) (count int, err error) {
	body, err := get(manager.URL + "/api/v2/alerts?active=false&inhibited=true")
	if err != nil {
		return 0, err
	}
	var all []received
	err = json.Unmarshal(body, &all)
	return len(all), err
}

// following starts an exporter that follows a simulated account.
func following(t *testing.T, fleet simulator.Fleet, taskIDs string, intercept func(http.ResponseWriter, *simulator.Request) bool) *processtest.Process {
	t.Helper()
	account := simulator.Account{Name: "main", AccessKeyID: "LTAI5tEndToEndTest00001", AccessKeySecret: "end-to-end-secret", Fleet: fleet}
	center, err := simulator.Start(t.Context(), simulator.Options{Accounts: []simulator.Account{account}, Intercept: intercept})
	if err != nil {
		t.Fatal(err)
	}
	return exporter(t, "--config.file="+write(t, filepath.Join(t.TempDir(), "vulscan.yml"), fmt.Sprintf(`global: {poll_interval: 1s, settled_interval: 1s, stall_after: 20s}
accounts:
  - name: main
    endpoint: %s
    credentials: {access_key_id: %s, access_key_secret: %s}
    requests_per_second: 50
    types: [cve, sys]
    task_ids: [%s]
    discovery: {servers: {online_only: false, refresh_interval: 1m}}
`, center.URL, account.AccessKeyID, account.AccessKeySecret, taskIDs)))
}

// firing counts the alerts of a name that fire at Prometheus.
func (s *server) firing(name string) (count float64, err error) {
	found, err := s.query(fmt.Sprintf(`count(ALERTS{alertstate="firing",alertname="AliyunVulscan%s"}) or vector(0)`, name))
	if err != nil || len(found) != 1 {
		return 0, err
	}
	return found[0].number(), nil
}

// An account is refused while its 40 servers are being scanned. Each of them fails, all data grows
// old, polls fall behind: one notification says so.
func TestARefusedAccountIsOneNotification(t *testing.T) {
	var refused atomic.Bool
	e := following(t, simulator.Fleet{Size: 40, TaskIDs: []string{"16190385"}}, `"16190385"`, func(w http.ResponseWriter, r *simulator.Request) bool {
		if refused.Load() {
			r.Fail(w, http.StatusForbidden, "Forbidden.RAM", "User not authorized to operate on the specified resource.")
		}
		return refused.Load()
	})
	manager, address, got := shippedAlertmanager(t)
	// As shipped, but in a tenth of the time: probes come every 30 seconds.
	s := prometheus(t, versions[0], e, alertsWith(t, map[string]any{
		"accountRefusedRange": "40s", "accountRefusedFor": "2s", "noCredentialsRange": "40s", "noCredentialsFor": "50s",
		"manyServersNotPolledFor": "55s", "serverNotPolledFor": "60s", "scanStalledFor": "1s",
		"dataStaleSeconds": 55, "dataStaleFor": "5s", "pollLagSeconds": 55, "pollLagFor": "5s", "discoveryStaleSeconds": 120,
	}), address)
	s.value(`aliyun_vulscan_servers{state="ok"}`, is(40))
	refused.Store(true)

	processtest.Until(t, "the account is refused, and all its servers are down", func() error {
		for name, want := range map[string]float64{"AccountRefused": 1, "ServerNotPolled": 40, "ManyServersNotPolled": 1, "DataStale": 1, "ScanStalled": 0} {
			n, err := s.firing(name)
			if err != nil {
				return err
			}
			if n != want {
				return fmt.Errorf("%s: %v, not %v, fire", name, n, want)
			}
		}
		return nil
	})
	processtest.Until(t, "Alertmanager knows of all of them", func() error {
		n, err := suppressed(manager)
		if err == nil && n < 42 {
			err = fmt.Errorf("%d alerts are suppressed", n)
		}
		return err
	})
	if subjects := got.subjects(); !slices.Equal(subjects, []string{"firing AccountRefused"}) {
		t.Errorf("notifications: %q", subjects)
	}
}

// The old task stays with its code; a newer one has scanned the server.
func TestARescanClearsScanFailed(t *testing.T) {
	var rescanned atomic.Bool
	e := following(t, simulator.Fleet{Size: 1}, `"16190385", "16190386"`, func(w http.ResponseWriter, r *simulator.Request) bool {
		if r.Action != "DescribeVulCheckTaskStatusDetail" {
			return false
		}
		newer := ""
		if rescanned.Load() {
			newer = `,{"TaskId":"16190386","TaskStatusList":[{"Type":"cve","Status":"4","Code":""}]}`
		}
		_, _ = fmt.Fprintf(w, `{"RequestId":"7E0618A9-D5EF-4220-9471-C42B5E92719F","TotalCount":2,"TaskStatuses":[
			{"TaskId":"16190385","TaskStatusList":[{"Type":"cve","Status":"4","Code":"push_command_failed"}]}%s]}`, newer)
		return true
	})
	manager, address, got := shippedAlertmanager(t)
	s := prometheus(t, versions[1], e, alertsWith(t, map[string]any{"scanFailedFor": "2s", "keepFiringFor": "2s"}), address)
	fires(t, s, manager, "AliyunVulscanScanFailed", map[string]string{"task_id": "16190385", "code": "push_command_failed"})
	rescanned.Store(true)
	processtest.Until(t, "the notification is resolved", func() error {
		if subjects := got.subjects(); !slices.Equal(subjects, []string{"firing ScanFailed", "resolved ScanFailed"}) {
			return fmt.Errorf("notifications: %q", subjects)
		}
		return nil
	})
	s.value(`aliyun_vulscan_subtask_status{task_id="16190385"}`, is(4))
}
