package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aliyun_vulscan_exporter/deploy/prometheus/rules"
	"aliyun_vulscan_exporter/internal/processtest"
	"aliyun_vulscan_exporter/internal/simulator"
)

// alertsWith returns the path of the shipped alerts with other settings.
func alertsWith(t *testing.T, settings map[string]any) []string {
	t.Helper()
	files, err := rules.Render(settings)
	if err != nil {
		t.Fatal(err)
	}
	return []string{write(t, filepath.Join(t.TempDir(), "alerts.yml"), files["alerts.yml"])}
}

// alertmanager starts one that notifies nobody.
func alertmanager(t *testing.T) (p *processtest.Process, address string) {
	t.Helper()
	dir := t.TempDir()
	address = freeAddress(t)
	config := write(t, filepath.Join(dir, "alertmanager.yml"), "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
	return start(t, address, "/-/ready", program(t, "ALERTMANAGER"), "--config.file="+config, "--storage.path="+dir,
		"--web.listen-address="+address, "--cluster.listen-address=", "--log.level=warn"), address
}

// alertStates returns the states that an alert with these labels has at Prometheus.
func (s *server) alertStates(name string, labels map[string]string) (map[string]bool, error) {
	var data struct {
		Alerts []struct {
			Labels map[string]string
			State  string
		}
	}
	err := s.api("alerts", url.Values{}, &data)
	states := map[string]bool{}
	for _, a := range data.Alerts {
		if a.Labels["alertname"] == name && contains(a.Labels, labels) {
			states[a.State] = true
		}
	}
	return states, err
}

func contains(all, some map[string]string) bool {
	both := maps.Clone(all)
	maps.Copy(both, some)
	return maps.Equal(both, all)
}

// received is an alert at Alertmanager.
type received struct {
	Labels, Annotations map[string]string
	EndsAt              time.Time
	Status              struct{ State string }
}

// arrived returns an active alert with these labels from Alertmanager.
func arrived(manager *processtest.Process, name string, labels map[string]string) (*received, error) {
	body, err := get(manager.URL + "/api/v2/alerts?active=true")
	if err != nil {
		return nil, err
	}
	var all []received
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	for _, a := range all {
		if a.Labels["alertname"] == name && contains(a.Labels, labels) && a.Status.State == "active" {
			return &a, nil
		}
	}
	return nil, fmt.Errorf("%s %v is not among %d alerts", name, labels, len(all))
}

// fires follows an alert from pending to firing, and into Alertmanager.
func fires(t *testing.T, s *server, manager *processtest.Process, name string, labels map[string]string) *received {
	t.Helper()
	for _, state := range []string{"pending", "firing"} {
		processtest.Until(t, name+" is "+state, func() error {
			states, err := s.alertStates(name, labels)
			if err == nil && !states[state] {
				err = fmt.Errorf("states %v", states)
			}
			return err
		})
	}
	var alert *received
	processtest.Until(t, name+" is at Alertmanager", func() (err error) {
		alert, err = arrived(manager, name, labels)
		return err
	})
	return alert
}

func TestAFailedScanReachesAlertmanager(t *testing.T) {
	manager, address := alertmanager(t)
	s := prometheus(t, versions[0], exporter(t, "--demo"), alertsWith(t, map[string]any{"scanFailedFor": "5s"}), address)
	a := fires(t, s, manager, "AliyunVulscanScanFailed", map[string]string{
		"account": "production", "task_id": "16190385", "type": "cve", "code": "push_command_failed", "severity": "warning",
	})
	server := a.Labels["server"]
	if server == "" || a.Labels["uuid"] == "" {
		t.Errorf("the alert does not name the server: %v", a.Labels)
	}
	if want := "The cve scan of " + server + " failed: push_command_failed"; a.Annotations["summary"] != want {
		t.Errorf("summary %q, want %q", a.Annotations["summary"], want)
	}
	if want := "docs/runbooks.md#aliyunvulscanscanfailed"; a.Annotations["runbook_url"] != want {
		t.Errorf("runbook_url %q, want %q", a.Annotations["runbook_url"], want)
	}
}

// A configuration that cannot be loaded, and then can: the oldest Prometheus sees the alert come
// and go.
func TestAFailedReloadFiresAndIsResolved(t *testing.T) {
	account := simulator.Account{
		Name: "main", AccessKeyID: "LTAI5tEndToEndTest00001", AccessKeySecret: "end-to-end-secret",
		Fleet: simulator.Fleet{Size: 3, TaskIDs: []string{"16190385"}},
	}
	center, err := simulator.Start(t.Context(), simulator.Options{Accounts: []simulator.Account{account}})
	if err != nil {
		t.Fatal(err)
	}
	good := fmt.Sprintf(`accounts:
  - name: main
    endpoint: %s
    credentials: {access_key_id: %s, access_key_secret: %s}
    task_ids: ["16190385"]
    discovery: {servers: {online_only: false}}
`, center.URL, account.AccessKeyID, account.AccessKeySecret)
	config := write(t, filepath.Join(t.TempDir(), "vulscan.yml"), good)
	e := exporter(t, "--config.file="+config)
	manager, address := alertmanager(t)
	s := prometheus(t, versions[1], e, alertsWith(t, map[string]any{"reloadFailedFor": "5s", "keepFiringFor": "1s"}), address)
	s.value("aliyun_vulscan_exporter_config_last_reload_successful", is(1))

	write(t, config, strings.Replace(good, "accounts:", "acounts:", 1))
	e.Signal(syscall.SIGHUP)
	a := fires(t, s, manager, "AliyunVulscanReloadFailed", map[string]string{"job": "aliyun_vulscan"})
	if !strings.Contains(a.Annotations["summary"], strings.TrimPrefix(e.URL, "http://")) {
		t.Errorf("the summary does not name the exporter: %q", a.Annotations["summary"])
	}

	write(t, config, good)
	e.Signal(syscall.SIGHUP)
	processtest.Until(t, "the alert is resolved", func() error {
		if found, err := arrived(manager, "AliyunVulscanReloadFailed", nil); err == nil {
			return fmt.Errorf("active until %s", found.EndsAt)
		}
		states, err := s.alertStates("AliyunVulscanReloadFailed", nil)
		if err == nil && len(states) > 0 {
			err = fmt.Errorf("at Prometheus: %v", states)
		}
		return err
	})
}
