package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/internal/processtest"
	"aliyun_vulscan_exporter/internal/simulator"
)

// exporter starts the exporter and returns its URL once everything was polled.
func exporter(t *testing.T, args ...string) string {
	t.Helper()
	p := processtest.Serve(t, args...)
	t.Cleanup(p.Stop)
	p.UntilReady()
	return p.URL
}

// hostile would run a script, turn the text around or break out of where it stands, if it were not
// shown as text.
const hostile = "<script>window.owned=1</script><img src=x onerror=\"window.owned=2\">\"'>\u202egnp.exe</bdi>"

// hostileExporter polls one server whose name, task and code are hostile.
func hostileExporter(t *testing.T) (url, uuid string) {
	t.Helper()
	account := simulator.Account{
		Name: "main", AccessKeyID: "LTAI5tBrowserTest0000001", AccessKeySecret: "browser-test-secret",
		Fleet: simulator.Fleet{Size: 1, TaskIDs: []string{"16190385"}},
	}
	center, err := simulator.Start(t.Context(), simulator.Options{Accounts: []simulator.Account{account}, Intercept: func(w http.ResponseWriter, _ *simulator.Request) bool {
		_ = json.NewEncoder(w).Encode(map[string]any{"RequestId": "R", "TotalCount": 1, "TaskStatuses": []any{map[string]any{
			"TaskId": hostile, "TaskStatusList": []any{map[string]any{"Type": "cve", "Status": "1", "Code": hostile}},
		}}})
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	uuid = account.Fleet.Servers()[0].UUID
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("accounts:\n  - name: %s\n    endpoint: %s\n    task_ids: [\"16190385\"]\n    credentials: {access_key_id: %s, access_key_secret: %s}\n    servers: [{uuid: %s, name: %s, labels: {team: %s}}]\n",
		quoted, center.URL, account.AccessKeyID, account.AccessKeySecret, uuid, quoted, quoted)
	path := filepath.Join(t.TempDir(), "vulscan.yml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "\u202e", "\\u202e")), 0o600); err != nil {
		t.Fatal(err)
	}
	return exporter(t, "--config.file="+path), uuid
}
