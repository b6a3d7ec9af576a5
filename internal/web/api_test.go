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
	h, list := watched(t, 3)
	documented := examples(t)
	if len(documented) != 2 {
		t.Fatalf("%d examples in docs/api.md", len(documented))
	}
	for i, answer := range [][]byte{
		get(h, "/api/v1/status").Body.Bytes(),
		get(h, "/api/v1/status/server?"+url.Values{"account": {"main"}, "uuid": {list[1].UUID}}.Encode()).Body.Bytes(),
	} {
		for key := range decoded(t, answer) {
			if !documented[i][key] {
				t.Errorf("%s is not documented", key)
			}
		}
	}
	found := decoded(t, get(h, "/api/v1/status").Body.Bytes())
	for key := range documented[0] {
		if !found[key] && !strings.HasPrefix(key, ".accounts[].last_error") {
			t.Errorf("%s is documented and absent", key)
		}
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
