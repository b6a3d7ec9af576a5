package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/capture"
	"aliyun_vulscan_exporter/internal/simulator"
)

// exporter starts the exporter and gives its URL once everything was polled.
func exporter(t *testing.T, args ...string) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	var out capture.Buffer
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), environment(t, "EXPORTER"), append([]string{"--web.listen-address=" + address, "--log.level=warn"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the exporter ended: %v\n%s", err, out.String())
		}
	})
	url := "http://" + address
	until(t, "everything was polled", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/-/ready", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return url
}

// hostile would run a script, turn the text around or break out of where it
// stands, if it were not shown as text.
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
