package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/internal/processtest"
)

func TestVictoriaMetricsScrapesTheDemo(t *testing.T) {
	demo := exporter(t, "--demo")
	dir := t.TempDir()
	config := write(t, filepath.Join(dir, "scrape.yml"), fmt.Sprintf(`scrape_configs:
  - job_name: aliyun_vulscan
    scrape_interval: 1s
    static_configs: [{targets: [%q]}]
`, strings.TrimPrefix(demo.URL, "http://")))
	address := freeAddress(t)
	victoria := start(t, address, "/health", program(t, "VICTORIA_METRICS"), "-httpListenAddr="+address,
		"-promscrape.config="+config, "-storageDataPath="+filepath.Join(dir, "data"), "-retentionPeriod=1d", "-loggerLevel=WARN",
		"-search.latencyOffset=0s")
	s := &server{Process: victoria, t: t}
	s.value("count(aliyun_vulscan_server_up)", is(25))
	s.value("sum(aliyun_vulscan_server_up)", above(20))
	s.value(`count(aliyun_vulscan_subtask_status{task_id="16190385"} == 4)`, is(1))
	s.value("sum(aliyun_vulscan_subtasks)", above(50))
	// Every subtask has a status and a time of last change.
	processtest.Until(t, "statuses and changes agree", func() error {
		found, err := s.query("count(aliyun_vulscan_subtask_status) == count(aliyun_vulscan_subtask_last_change_timestamp_seconds)")
		if err == nil && (len(found) != 1 || found[0].number() < 50) {
			err = fmt.Errorf("%v", found)
		}
		return err
	})
	everyFamilyIsStored(t, s, demo)
}
