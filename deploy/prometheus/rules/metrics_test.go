package rules_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// Names in rules, their tests and runbooks are those of docs/metrics.md, which another test
// compares with the program.
func TestRulesUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(aliyun_vulscan_[a-z_]+)` \\| (gauge|counter|histogram) \\|").FindAllStringSubmatch(content(t, "../../../docs/metrics.md"), -1) {
		kinds[m[1]] = m[2]
	}
	for _, r := range parsed(t, rendered(t, nil)["recording.yml"]) {
		kinds[r.Record] = "record"
	}
	paths := []string{"../../../docs/runbooks.md", "../../../docs/scaling.md"}
	for _, pattern := range []string{"../*.yml", "../tests/*.yml", "../tests/native/*.yml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files: %v", pattern, len(found), err)
		}
		paths = append(paths, found...)
	}
	name := regexp.MustCompile(`[a-z_]+:aliyun_vulscan_[a-z_]+:\w+|\baliyun_vulscan_[a-z_]+`)
	suffix := regexp.MustCompile(`_(bucket|count|sum)$`)
	// Names of files, programs and groups, not of metrics.
	other := []string{"aliyun_vulscan_exporter", "aliyun_vulscan_scans", "aliyun_vulscan_polling", "aliyun_vulscan_recording", "aliyun_vulscan_subtask_"}
	for _, path := range paths {
		for _, found := range name.FindAllString(content(t, path), -1) {
			if kinds[found] == "" && kinds[suffix.ReplaceAllString(found, "")] != "histogram" && !slices.Contains(other, found) {
				t.Errorf("%s: there is no metric %s", path, found)
			}
		}
	}
}
