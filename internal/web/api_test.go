package web_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// keysOf gives the paths of all keys of decoded JSON, lists' as "[]".
func keysOf(value any, path string, into map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			into[path+"."+key] = true
			keysOf(inner, path+"."+key, into)
		}
	case []any:
		for _, inner := range v {
			keysOf(inner, path+"[]", into)
		}
	}
}

// examples gives the JSON examples of docs/api.md, in their order.
func examples(t *testing.T) []map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]bool
	for _, m := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1) {
		all = append(all, decoded(t, m[1]))
	}
	return all
}

func decoded(t *testing.T, text []byte) map[string]bool {
	t.Helper()
	var value any
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	keys := map[string]bool{}
	keysOf(value, "", keys)
	return keys
}

func TestJSONIsAsDocumented(t *testing.T) {
	t.Parallel()
	polled, list := watched(t, 3)
	documented := examples(t)
	if len(documented) != 2 {
		t.Fatalf("%d examples in docs/api.md", len(documented))
	}
	server := func(uuid string) string {
		return "/api/v1/status/server?" + url.Values{"account": {"main"}, "uuid": {uuid}}.Encode()
	}
	made := knowing(t)
	for i, answers := range [][]map[string]bool{
		{decoded(t, get(polled, "/api/v1/status").Body.Bytes()), decoded(t, get(made, "/api/v1/status").Body.Bytes())},
		{decoded(t, get(polled, server(list[1].UUID)).Body.Bytes()), decoded(t, get(made, server(uuid1)).Body.Bytes())},
	} {
		found := map[string]bool{}
		for _, answer := range answers {
			maps.Copy(found, answer)
		}
		for key := range found {
			if !documented[i][key] {
				t.Errorf("%s is not documented", key)
			}
		}
		for key := range documented[i] {
			if !found[key] && !strings.HasPrefix(key, ".changes[]") && key != ".labels.team" {
				t.Errorf("%s is documented and absent", key)
			}
		}
	}
}

func TestJSONHasTasksAndWhatBecameOfServersScans(t *testing.T) {
	t.Parallel()
	h := knowing(t)
	var all struct {
		Accounts []struct {
			IDs   string
			Tasks []struct {
				TaskID     string  `json:"task_id"`
				ListReadAt *string `json:"list_read_at"`
				ListError  string  `json:"list_error"`
				Progress   *float64
				Start      *string
				Ended      bool
				Servers    map[string]int
			}
			TasksLeftOut int `json:"tasks_left_out"`
			Types        []struct{ Succeeded, Failing, Superseded int }
		}
	}
	if err := json.Unmarshal(get(h, "/api/v1/status").Body.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Accounts) != 2 || len(all.Accounts[0].Tasks) != 3 || all.Accounts[1].Tasks == nil {
		t.Fatalf("%+v", all)
	}
	main := all.Accounts[0]
	if main.IDs != "root" || main.TasksLeftOut != 2 || main.Types[1].Succeeded != 2 || main.Types[1].Superseded != 2 || main.Types[0].Failing != 1 {
		t.Errorf("%+v", main)
	}
	running, unread, ended := main.Tasks[0], main.Tasks[1], main.Tasks[2]
	want := map[string]int{"not_started": 11, "started": 22, "completed": 33, "failed": 4, "timed_out": 5, "unknown": 0}
	if running.TaskID != rootTask || !maps.Equal(running.Servers, want) || running.ListReadAt == nil || running.ListError != "" || *running.Progress != 0.4 {
		t.Errorf("one that runs: %+v", running)
	}
	if unread.Servers != nil || unread.ListReadAt != nil || !strings.HasPrefix(unread.ListError, "NoPermission") || unread.Progress != nil || unread.Start != nil {
		t.Errorf("one whose list was never read: %+v", unread)
	}
	if !ended.Ended || ended.Servers["unknown"] != 6 || ended.ListError == "" {
		t.Errorf("one that has ended: %+v", ended)
	}
	var one struct {
		AgentOnline *bool `json:"agent_online"`
		ServerScans []struct {
			TaskID     string `json:"task_id"`
			StatusName string `json:"status_name"`
		} `json:"server_scans"`
		Scans []struct{ Superseded bool }
	}
	if err := json.Unmarshal(get(h, "/api/v1/status/server?account=main&uuid="+uuid1).Body.Bytes(), &one); err != nil {
		t.Fatal(err)
	}
	if one.AgentOnline == nil || *one.AgentOnline || len(one.ServerScans) != 1 || one.ServerScans[0].StatusName != "timed_out" || !one.Scans[2].Superseded || one.Scans[0].Superseded {
		t.Errorf("a server: %+v", one)
	}
}

func TestJSONHasWhatThePageHas(t *testing.T) {
	t.Parallel()
	h, list := watched(t, 120)
	var answer struct {
		Troubled, Servers struct {
			Total, Page, Limit int
			Items              []struct{ UUID, Code, State string }
		}
	}
	got := get(h, "/api/v1/status?limit=100&page=2")
	if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil || got.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%v: %s", err, got.Body)
	}
	if answer.Servers.Total != 120 || len(answer.Servers.Items) != 20 || answer.Servers.Page != 2 || answer.Servers.Limit != 100 {
		t.Errorf("servers: %+v", answer.Servers)
	}
	if answer.Troubled.Total != 1 || len(answer.Troubled.Items) != 1 || answer.Troubled.Items[0].Code != hostile {
		t.Errorf("troubled: %+v", answer.Troubled)
	}
	none := get(h, "/api/v1/status?search=nothing+like+it")
	if !strings.Contains(none.Body.String(), `"items":[]`) || strings.Contains(none.Body.String(), "null,\"total") {
		t.Errorf("empty lists: %s", none.Body)
	}
	var unknown map[string]string
	missing := get(h, "/api/v1/status/server?account=main&uuid="+list[0].UUID[1:])
	if err := json.Unmarshal(missing.Body.Bytes(), &unknown); err != nil || missing.Code != http.StatusNotFound || !reflect.DeepEqual(slices.Sorted(maps.Keys(unknown)), []string{"error"}) {
		t.Errorf("%d %s %v", missing.Code, missing.Body, err)
	}
}
