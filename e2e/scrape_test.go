package e2e

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/internal/processtest"
)

func TestPrometheusScrapesTheDemo(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			demo := exporter(t, "--demo")
			s := prometheus(t, v, demo, shippedRules(t), "")
			s.value("up", is(1))
			s.value("count(aliyun_vulscan_server_up)", is(25))
			s.value("sum(aliyun_vulscan_subtasks)", above(50))
			s.value("sum(aliyun_vulscan_subtask_errors_total)", above(2))
			s.value("sum(aliyun_vulscan_subtasks_stalled)", above(0))
			s.value(`count(aliyun_vulscan_task_info{account="staging"})`, above(0))
			s.value("sum(aliyun_vulscan_scan_duration_seconds_count)", above(0))
			if v.native {
				s.value("histogram_count(sum(aliyun_vulscan_scan_duration_seconds))", above(0))
				s.value("histogram_quantile(0.95, sum(rate(aliyun_vulscan_api_request_duration_seconds[1m])))", above(0))
			}
			everyFamilyIsStored(t, s, demo)
			everyRuleWorks(t, s)
			s.value("sum(scrape_samples_scraped) == sum(scrape_samples_post_metric_relabeling)", above(100))
			s.value("sum(prometheus_target_scrapes_sample_duplicate_timestamp_total) or vector(0)", is(0))
		})
	}
}

// everyFamilyIsStored compares the exporter's own text with what Prometheus has.
func everyFamilyIsStored(t *testing.T, s *server, demo *processtest.Process) {
	t.Helper()
	text, err := get(demo.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	families := regexp.MustCompile(`(?m)^# TYPE (aliyun_vulscan_\w+) (\w+)$`).FindAllStringSubmatch(string(text), -1)
	if len(families) < 25 {
		t.Errorf("only %d families", len(families))
	}
	for _, f := range families {
		name := f[1]
		if f[2] == "histogram" {
			name += "_count"
		}
		own := regexp.MustCompile(`(?m)^`+name+`[{ ]`).FindAllString(string(text), -1)
		processtest.Until(t, name+" is stored", func() error {
			found, err := s.query("count(" + name + ")")
			if err == nil && (len(found) != 1 || found[0].number() == 0) {
				err = fmt.Errorf("not stored; the exporter has %d", len(own))
			}
			return err
		})
		if strings.HasPrefix(name, "aliyun_vulscan_server_") { // the number of servers does not change
			s.value("count("+name+")", is(float64(len(own))))
		}
	}
}

// everyRuleWorks waits until all rules have been evaluated without an error.
func everyRuleWorks(t *testing.T, s *server) {
	t.Helper()
	processtest.Until(t, "every rule is evaluated", func() error {
		var data struct {
			Groups []struct {
				Name  string
				Rules []struct{ Name, Health, LastError string }
			}
		}
		if err := s.api("rules", url.Values{}, &data); err != nil {
			return err
		}
		rules := 0
		for _, g := range data.Groups {
			for _, r := range g.Rules {
				rules++
				if r.Health != "ok" {
					return fmt.Errorf("%s: %s %s", r.Name, r.Health, r.LastError)
				}
			}
		}
		if rules < 15 {
			return fmt.Errorf("only %d rules", rules)
		}
		return nil
	})
}
