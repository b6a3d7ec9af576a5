package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/internal/processtest"
)

// exampleServer starts a Prometheus with the files of docs/examples/, hurried. The exporters take
// the places of the example's targets.
func exampleServer(t *testing.T, folder, alertmanager string, exporters ...*processtest.Process) *server {
	t.Helper()
	source, dir := filepath.Join("../docs/examples", folder), t.TempDir()
	text := read(t, filepath.Join(source, "prometheus.yml"))
	for i, e := range exporters {
		text = strings.Replace(text, fmt.Sprintf("localhost:%d", 10877+i), strings.TrimPrefix(e.URL, "http://"), 1)
	}
	text = strings.Replace(text, "localhost:9093", alertmanager, 1)
	if strings.Contains(text, "localhost:") {
		t.Fatalf("not every target is one of ours:\n%s", text)
	}
	text = regexp.MustCompile(`(?m)^(  \w+_(?:interval|timeout)): \w+$`).ReplaceAllString(text, "${1}: 1s")
	rules := regexp.MustCompile(`(?m)^(\s+)for: \w+$`).ReplaceAllString(read(t, filepath.Join(source, "rules.yml")), "${1}for: 5s")
	write(t, filepath.Join(dir, "rules.yml"), rules)
	address := freeAddress(t)
	p := start(t, address, "/-/ready", program(t, versions[1].binary),
		"--config.file="+write(t, filepath.Join(dir, "prometheus.yml"), text),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	return &server{Process: p, t: t}
}

// This is the README's first alert.
func TestTheExampleForFewServersAlertsOfAFailedScan(t *testing.T) {
	manager, address := alertmanager(t)
	s := exampleServer(t, "20-servers", address, exporter(t, "--demo"))
	a := fires(t, s, manager, "VulnerabilityScanFailed", map[string]string{"account": "production", "type": "cve", "code": "push_command_failed"})
	if want := "cve scan of " + a.Labels["server"] + " failed: push_command_failed"; a.Annotations["summary"] != want {
		t.Errorf("summary %q, want %q", a.Annotations["summary"], want)
	}
}

func TestTheExampleForManyServersAlertsOfSharesOfScans(t *testing.T) {
	manager, address := alertmanager(t)
	s := exampleServer(t, "100000-servers", address, exporter(t, "--demo", "--total-shards=2", "--shard=0"), exporter(t, "--demo", "--total-shards=2", "--shard=1"))
	fires(t, s, manager, "VulnerabilityScansFail", map[string]string{"account": "production", "code": "push_command_failed"})
	s.value("count(task:aliyun_vulscan_server_scans_ended:ratio)", above(0))
	if states, err := s.alertStates("VulnerabilityScanShardMissing", nil); err != nil || len(states) > 0 {
		t.Errorf("no shard is missing: %v %v", states, err)
	}
}
