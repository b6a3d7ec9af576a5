package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/scan"
)

// plainText is what a piece of HTML shows, its white space made one space.
func plainText(html string) string {
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(html, " ")), " ")
}

// rowOf returns what the page shows in the row that holds a text.
func rowOf(t *testing.T, page, text string) string {
	t.Helper()
	for row := range strings.SplitSeq(page, "<tr>") {
		if strings.Contains(row, text) {
			return plainText(strings.Split(row, "</tr>")[0])
		}
	}
	t.Fatalf("no row has %s:\n%s", text, page)
	return ""
}

// cell is a table's cell: under which column it stands, and which it names.
type cell struct{ column, label string }

var (
	columnHead = regexp.MustCompile(`<th scope="col"[^>]*>([^<]*)</th>`)
	cellStart  = regexp.MustCompile(`<t([dh])\b([^>]*)>`)
	labelOf    = regexp.MustCompile(`data-label="([^"]*)"`)
)

// cellsOf reads the cells of all tables' bodies but the heads of rows.
func cellsOf(page string) []cell {
	var cells []cell
	for table := range strings.SplitSeq(page, "<table>") {
		head, body, found := strings.Cut(table, "<tbody>")
		if !found {
			continue
		}
		heads := columnHead.FindAllStringSubmatch(head, -1)
		for row := range strings.SplitSeq(body, "<tr>") {
			for column, m := range cellStart.FindAllStringSubmatch(row, -1) {
				if m[1] == "h" {
					continue
				}
				of := cell{column: heads[column][1]}
				if label := labelOf.FindStringSubmatch(m[2]); label != nil {
					of.label = label[1]
				}
				cells = append(cells, of)
			}
		}
	}
	return cells
}

// A narrow screen shows no heads of columns, so that cells name them.
func TestEveryCellNamesItsColumn(t *testing.T) {
	t.Parallel()
	polled, list := watched(t, 3)
	made, empty := knowing(t), handler(t, options())
	for _, c := range []struct {
		from  http.Handler
		path  string
		least int
	}{
		{polled, "/", 4},
		{polled, "/status", 50},
		{polled, "/status/server?account=main&uuid=" + list[0].UUID, 4},
		{made, "/status", 50},
		{made, "/status/server?account=main&uuid=" + uuid1, 18},
		{empty, "/", 1},
		{empty, "/status", 2},
	} {
		cells := cellsOf(get(c.from, c.path).Body.String())
		if len(cells) < c.least {
			t.Errorf("%s has %d cells", c.path, len(cells))
		}
		for _, found := range cells {
			if found.label != found.column || found.label == "" {
				t.Errorf("%s: a cell below %q is named %q", c.path, found.column, found.label)
			}
		}
	}
}

func TestFailedSubtasksAreNoSuccess(t *testing.T) {
	t.Parallel()
	page := get(knowing(t), "/status").Body.String()
	for typ, want := range map[string][]string{
		"cve": {`aria-label="of 2: 0 succeeded, 1 failed"`, `<rect class="s1" x="0.00" y="0" width="50.00"`, `<rect class="failed" x="50.00" y="0" width="50.00"`},
		"sca": {`aria-label="of 4: 2 succeeded, 0 failed"`, `<rect class="s4" x="0.00" y="0" width="50.00"`, `<rect class="answered" x="50.00" y="0" width="50.00"`},
	} {
		_, after, _ := strings.Cut(page, `<th scope="row"><bdi>`+typ+`</bdi></th>`)
		row, _, _ := strings.Cut(after, "</tr>")
		for _, piece := range want {
			if !strings.Contains(row, piece) {
				t.Errorf("%s: no %s in\n%s", typ, piece, row)
			}
		}
		if n := strings.Count(row, "<rect"); n != 2 {
			t.Errorf("%s: %d pieces", typ, n)
		}
	}
	_, servers, _ := strings.Cut(page, `id="servers"`)
	if got := rowOf(t, servers, "web-1"); got != "web-1 main ok 4 1 1 0 1 s ago" {
		t.Errorf("a server with a failed subtask: %s", got)
	}
}

func TestAServersPageSaysWhatANewerScanAnswered(t *testing.T) {
	t.Parallel()
	page := get(knowing(t), "/status/server?account=main&uuid="+uuid1).Body.String()
	for _, want := range []string{
		`<span class="box failed" aria-hidden="true"></span> complete (4)</td><td data-label="Code"><bdi class="bad">push_command_failed</bdi>`,
		`<span class="box s4" aria-hidden="true"></span> complete (4)</td><td data-label="Code"></td>`,
		`<span class="box answered" aria-hidden="true"></span> complete (4), answered by a newer scan</td><td data-label="Code"><bdi>agent_offline</bdi>`,
		`<span class="box answered" aria-hidden="true"></span> collecting (1), answered by a newer scan</td>`,
		`<dt>Agent</dt><dd><span class="bad">offline</span>`,
		`class="bad">timed out</td><td data-label="Since"><time`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
}

func TestTasksAreShownWithTheServersThatNeedSomebodyFirst(t *testing.T) {
	t.Parallel()
	page := get(knowing(t), "/status").Body.String()
	_, page, _ = strings.Cut(page, `id="tasks"`)
	page, _, _ = strings.Cut(page, "</section>")
	for id, want := range map[string]string{
		rootTask: `^\S+ main console PROCESSING 40% 1 h 0 min ago 4 failed , 5 timed out , 11 not started , 22 started , 33 completed 1 min 3\d s ago$`,
		"unread": `^unread main .* not known not known not known never; the last reading failed: NoPermission`,
		"ended":  `^ended main schedule SUCCESS 100% .* 0 failed , 0 timed out , .* 50 completed , 6 unknown 2 h 0 min ago; the last reading failed: it changed`,
	} {
		if got := rowOf(t, page, id); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: %s", id, got)
		}
	}
	if ended, running := strings.Index(page, ">ended<"), strings.Index(page, ">"+rootTask+"<"); ended < running {
		t.Error("a task that has ended stands before one that runs")
	}
	if !strings.Contains(page, "2 running tasks more are not followed") {
		t.Error("nothing is said of tasks that are left out")
	}
	if other := get(knowing(t), "/status?account=idle").Body.String(); strings.Contains(other, `id="tasks"`) {
		t.Error("another account's tasks are shown")
	}
}

func TestTasksThatRunStandBeforeThoseOfOtherAccountsThatHaveEnded(t *testing.T) {
	t.Parallel()
	ended, running := account("a", scan.Totals{OK: 1}, false), account("b", scan.Totals{OK: 1}, false)
	ended.Tasks = []collector.Task{{ID: "older", Status: "SUCCESS", Ended: true}}
	running.Tasks = []collector.Task{{ID: "newer", Status: "PROCESSING"}}
	o := options()
	o.Overview = func() *collector.Overview { return &collector.Overview{Accounts: all(ended, running)} }
	page := get(handler(t, o), "/status").Body.String()
	if older, newer := strings.Index(page, ">older<"), strings.Index(page, ">newer<"); newer < 0 || older < newer {
		t.Errorf("at %d and %d in %s", newer, older, plainText(page))
	}
	if !strings.Contains(page, "off, see server_scans") {
		t.Error("nothing is said of lists that are not read")
	}
}

func TestPagesThatDoNotExistLeadBack(t *testing.T) {
	t.Parallel()
	h, _ := watched(t, 120)
	for query, want := range map[string]string{
		"page=999":                      `There is no page 999. <a href="/status?page=3">Back to page 3</a>`,
		"page=999&search=web&limit=500": `There is no page 999. <a href="/status?limit=500&amp;search=web">Back to page 1</a>`,
		"troubled=2":                    `There is no page 2. <a href="/status">Back to page 1</a>`,
	} {
		if page := get(h, "/status?"+query).Body.String(); !strings.Contains(page, want) {
			t.Errorf("%s: no %s", query, want)
		}
	}
	if page := get(h, "/status?page=3&troubled=1").Body.String(); strings.Contains(page, "There is no page") {
		t.Error("a page that exists is denied")
	}
}

func TestSearchesWithoutHitsSaySo(t *testing.T) {
	t.Parallel()
	h, _ := watched(t, 3)
	for query, want := range map[string][]string{
		"search=zzz":               {"No failed or stalled subtask matches zzz .", "No server matches zzz ."},
		"search=zzz&page=7":        {"No server matches zzz ."},
		"state=pending":            {"No server whose last poll is pending is watched."},
		"state=pending&search=zzz": {"No server whose last poll is pending matches zzz ."},
		"search=%3Cb%3E":           {"No server matches &lt;b&gt; ."},
	} {
		page := plainText(get(h, "/status?"+query).Body.String())
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s: no %q in %s", query, text, page)
			}
		}
	}
	if page := plainText(get(handler(t, options()), "/status").Body.String()); !strings.Contains(page, "No subtask has failed or stalled.") || !strings.Contains(page, "No server is watched.") {
		t.Errorf("nothing at all: %s", page)
	}
}

func TestAnAccountThatWatchesNothingIsPointedOut(t *testing.T) {
	t.Parallel()
	unread := account("a", scan.Totals{}, false)
	unread.Unread = 1
	for name, c := range map[string]struct {
		account collector.AccountOverview
		want    string
	}{
		"no server":    {account("a", scan.Totals{}, false), "watches nothing: no server is configured or discovered"},
		"not read yet": {unread, "watches nothing yet: its lists are still to be read"},
		"no task":      {account("a", scan.Totals{Pending: 3}, false), "watches nothing: none of its servers has a task to ask for"},
		"to be polled": {account("a", scan.Totals{Pending: 3, Waiting: 1}, false), ""},
		"polled":       {account("a", scan.Totals{OK: 1, Pending: 2}, false), ""},
		"refused":      {account("a", scan.Totals{Failing: 2}, true), ""},
	} {
		o := options()
		o.Overview = func() *collector.Overview { return &collector.Overview{Accounts: all(c.account)} }
		h := handler(t, o)
		for path, want := range map[string]string{"/": c.want, "/status": "It " + c.want + "."} {
			page := get(h, path).Body.String()
			if said := strings.Contains(page, "watches nothing"); said != (c.want != "") || !strings.Contains(page, c.want) || c.want != "" && !strings.Contains(page, want) {
				t.Errorf("%s, %s: no %q in %s", name, path, want, plainText(page))
			}
		}
		if ready := get(h, "/-/ready"); c.want != "" && ready.Code == http.StatusOK && !strings.HasSuffix(ready.Body.String(), fmt.Sprintf("account \"a\": %s\n", c.want)) {
			t.Errorf("%s: ready says %q", name, ready.Body)
		}
	}
}

func TestASlashTooManyLeadsToThePage(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "/vulscan"} {
		o := options()
		o.RoutePrefix = prefix
		h := handler(t, o)
		for path, want := range map[string]string{
			"/status/": "/status", "/metrics/": "/metrics", "/config/": "/config", "/sd/?all=1": "/sd?all=1", "/-/ready/": "/-/ready", "/-/healthy/": "/-/healthy",
			"/status/server/?account=a&uuid=b": "/status/server?account=a&uuid=b", "/api/v1/status/": "/api/v1/status", "/api/v1/status/server/": "/api/v1/status/server",
		} {
			got := get(h, prefix+path)
			at, err := url.Parse(prefix + path)
			if err != nil {
				t.Fatal(err)
			}
			to, err := at.Parse(got.Header().Get("Location"))
			if err != nil || got.Code != http.StatusFound || to.String() != prefix+want {
				t.Errorf("%s: %d to %s, %v", prefix+path, got.Code, to, err)
			}
		}
	}
}
