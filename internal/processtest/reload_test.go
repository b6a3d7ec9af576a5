package processtest

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"aliyun_vulscan_exporter/internal/simulator"
)

const reloadSuccessful = "aliyun_vulscan_exporter_config_last_reload_successful"

// untilWatched waits until exactly these servers are polled with success.
func (p *Process) untilWatched(names ...string) {
	p.t.Helper()
	p.Until(fmt.Sprint("watched are ", names), func() bool {
		up := p.Scrape().Of("aliyun_vulscan_server_up")
		for _, name := range names {
			if up.Of("aliyun_vulscan_server_up", fmt.Sprintf("server=%q", name)).Sum() != 1 {
				return false
			}
		}
		return len(up) == len(names)
	})
}

func namesOf(servers []simulator.Server) []string {
	var names []string
	for _, s := range servers {
		names = append(names, s.Name)
	}
	return names
}

func TestHangupReloadsAllOrNothing(t *testing.T) {
	t.Parallel()
	servers := testFleet(4).Servers()
	a := accountFile{name: "a", endpoint: simulated(t, testFleet(4)).url, servers: servers[:2]}
	path := configured(t, a)
	p := Serve(t, "--config.file="+path)
	p.untilWatched(namesOf(servers[:2])...)

	a.servers = servers[1:4]
	writeFile(t, path, configuration(a))
	p.Signal(syscall.SIGHUP)
	p.untilWatched(namesOf(servers[1:4])...)

	before, page := p.Scrape(), p.Get("/config").Body
	writeFile(t, path, configuration(a)+"    types: [virus]\n")
	p.Signal(syscall.SIGHUP)
	p.Until("the failure shows", func() bool { return p.Scrape()[reloadSuccessful] == 0 })
	after := p.Scrape()
	for _, metric := range []string{"aliyun_vulscan_server_info", "aliyun_vulscan_subtask_status", "aliyun_vulscan_subtask_last_change_timestamp_seconds"} {
		if !maps.Equal(before.Of(metric), after.Of(metric)) {
			t.Errorf("%s changed by a reload that failed", metric)
		}
	}
	if p.Get("/config").Body != page {
		t.Error("/config changed by a reload that failed")
	}
	if !strings.Contains(p.Stderr.String(), "types") {
		t.Error("the log does not say why")
	}

	writeFile(t, path, configuration(a))
	p.Signal(syscall.SIGHUP)
	p.Until("the success shows", func() bool { return p.Scrape()[reloadSuccessful] == 1 })
	p.untilWatched(namesOf(servers[1:4])...)
}

func TestReloadOverHTTPNeedsTheFlagAndTheSameSite(t *testing.T) {
	t.Parallel()
	servers := testFleet(2).Servers()
	a := accountFile{name: "a", endpoint: simulated(t, testFleet(2)).url, servers: servers[:1]}
	path := configured(t, a)
	p := Serve(t, "--config.file="+path, "--web.enable-lifecycle")
	p.untilWatched(servers[0].Name)

	a.servers = servers
	writeFile(t, path, configuration(a))
	for name, headers := range map[string][]string{
		"another origin":  {"Origin", "http://evil.example"},
		"another port":    {"Origin", "http://127.0.0.1:1"},
		"opaque origin":   {"Origin", "null"},
		"cross-site":      {"Sec-Fetch-Site", "cross-site"},
		"sibling of site": {"Sec-Fetch-Site", "same-site"},
		"rebound name":    {"Host", "rebound.example:1", "Origin", "http://rebound.example:1"},
		"rebound fetch":   {"Host", "rebound.example:1", "Sec-Fetch-Site", "same-origin"},
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			if got := p.Request(method, "/-/reload", headers...); got.Status != http.StatusForbidden {
				t.Errorf("%s, %s: %d %s", name, method, got.Status, got.Body)
			}
		}
	}
	if got := p.Request(http.MethodGet, "/-/reload"); got.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", got.Status)
	}
	if len(p.Scrape().Of("aliyun_vulscan_server_info")) != 1 {
		t.Error("a refused request reloads")
	}
	if got := p.Request(http.MethodPost, "/-/reload", "Origin", p.URL); got.Status != http.StatusOK {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	p.untilWatched(namesOf(servers)...)

	writeFile(t, path, "accounts: 7")
	got := p.Request(http.MethodPut, "/-/reload")
	if got.Status != http.StatusInternalServerError || !strings.Contains(got.Body, path+":1: accounts: ") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	p.untilWatched(namesOf(servers)...)

	writeFile(t, path, configuration(a))
	if got := p.Request(http.MethodPut, "/-/reload"); got.Status != http.StatusOK || p.Scrape()[reloadSuccessful] != 1 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

func TestServerFilesAreWatched(t *testing.T) {
	t.Parallel()
	servers := testFleet(3).Servers()
	a := accountFile{
		name: "a", endpoint: simulated(t, testFleet(3)).url, servers: servers[:1],
		more: "    server_files: [\"servers/*.yml\"]\n",
	}
	path := configured(t, a)
	folder := filepath.Join(filepath.Dir(path), "servers")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	p := Serve(t, "--config.file="+path)
	p.untilWatched(servers[0].Name)

	file := writeFile(t, filepath.Join(folder, "more.yml"), serverList(servers[1:], ""))
	p.untilWatched(namesOf(servers)...)
	writeFile(t, file, "- uuid: nonsense\n")
	p.Until("the failure shows", func() bool { return p.Scrape()[reloadSuccessful] == 0 })
	p.untilWatched(namesOf(servers)...)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	p.untilWatched(servers[0].Name)
	if p.Scrape()[reloadSuccessful] != 1 {
		t.Error("the mended files do not show")
	}
}

func TestKeysInFilesRotateWithoutAReload(t *testing.T) {
	t.Parallel()
	old, fresh := testAccount(testFleet(1)), testAccount(testFleet(1))
	old.Name, fresh.Name, fresh.AccessKeyID = "old", "fresh", "LTAI5tMainPackageTest0002"
	callers := make(chan simulator.Call, 1000)
	c := newCenter(t, simulator.New(simulator.Options{
		Accounts: []simulator.Account{old, fresh},
		Observe:  func(call simulator.Call) { callers <- call },
	}))
	dir := t.TempDir()
	id := writeFile(t, filepath.Join(dir, "id"), old.AccessKeyID+"\n")
	secret := writeFile(t, filepath.Join(dir, "secret"), testSecret)
	p := Serve(t, "--config.file="+configured(t, accountFile{
		name: "a", endpoint: c.url, servers: testFleet(1).Servers(),
		credentials: fmt.Sprintf("{access_key_id_file: %q, access_key_secret_file: %q}", id, secret),
	}))
	var seen []string
	untilCalledBy := func(name string) {
		p.Until("calls are made as "+name, func() bool {
			for len(callers) > 0 {
				call := <-callers
				seen = append(seen, call.Account+" "+call.Code)
			}
			return slices.Contains(seen, name+" ")
		})
	}
	untilCalledBy("old")
	loaded := p.Scrape()["aliyun_vulscan_exporter_config_last_reload_success_timestamp_seconds"]
	writeFile(t, id, fresh.AccessKeyID)
	untilCalledBy("fresh")
	if slices.ContainsFunc(seen, func(s string) bool { return s != "old " && s != "fresh " }) {
		t.Errorf("a call was refused: %v", seen)
	}
	if p.Scrape()["aliyun_vulscan_exporter_config_last_reload_success_timestamp_seconds"] != loaded {
		t.Error("it reloaded")
	}
}
