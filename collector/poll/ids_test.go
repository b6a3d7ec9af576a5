package poll

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// kindsText names what the next call asks for.
func kindsText(root, leaf bool) string {
	switch {
	case root && leaf:
		return "both"
	case root:
		return "root"
	case leaf:
		return "leaf"
	}
	return "none"
}

func TestAKindOfIDThatNeverAnswersIsDropped(t *testing.T) {
	tests := map[string]struct {
		root, leaf bool // what every call is answered under
		known      string
		want       string // asked for after enough answers
	}{
		"root":                                {true, false, "root", "root"},
		"leaf":                                {false, true, "leaf", "leaf"},
		"both":                                {true, true, "both", "both"},
		"under other IDs, nobody knows whose": {false, false, "", "both"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var k taskIDKinds
			now := now0.Time()
			for range enoughAnswers {
				wantEqual(t, "asked before there are enough answers", kindsText(k.wanted(now)), "both")
				k.learn(tt.root, tt.leaf, now)
			}
			wantEqual(t, "known", k.known(), tt.known)
			wantEqual(t, "asked", kindsText(k.wanted(now)), tt.want)
			wantEqual(t, "asked before an hour is over", kindsText(k.wanted(now.Add(time.Hour-1))), tt.want)
			now = now.Add(time.Hour)
			wantEqual(t, "asked an hour later", kindsText(k.wanted(now)), "both")
			k.learn(tt.root, tt.leaf, now)
			wantEqual(t, "asked after that try", kindsText(k.wanted(now)), tt.want)
		})
	}
}

func TestAKindOfIDThatAnswersLaterIsTakenUp(t *testing.T) {
	var k taskIDKinds
	now := now0.Time()
	for range enoughAnswers {
		k.learn(true, false, now)
	}
	now = now.Add(time.Hour)
	k.learn(true, true, now)
	wantEqual(t, "asked", kindsText(k.wanted(now)), "both")
	wantEqual(t, "known", k.known(), "both")
}

// taskIDsOf returns some task IDs with a prefix.
func taskIDsOf(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint(prefix, i)
	}
	return ids
}

func TestQuestionsCarryBothIDsOfATaskTogether(t *testing.T) {
	leafOf := func(tasks, known int) map[string]string {
		leaf := make(map[string]string)
		for i := range known {
			leaf[fmt.Sprint("r", tasks-1-i)] = fmt.Sprint("l", tasks-1-i)
		}
		return leaf
	}
	tests := map[string]struct {
		tasks, leaves int // of the tasks, the last ones have leaves
		root, leaf    bool
		want          []int // IDs in each call
	}{
		"nothing to ask":                   {0, 0, true, true, nil},
		"no leaf known":                    {60, 0, true, true, []int{50, 10}},
		"both of each":                     {3, 3, true, true, []int{6}},
		"as many as fit":                   {25, 25, true, true, []int{50}},
		"one pair more than fits":          {26, 26, true, true, []int{50, 2}},
		"a pair that would be parted":      {26, 24, true, true, []int{50}},
		"a pair that an odd one displaces": {26, 25, true, true, []int{49, 2}},
		"leaves alone":                     {60, 60, false, true, []int{50, 10}},
		"roots alone":                      {60, 60, true, false, []int{50, 10}},
		"leaves, and roots without one":    {4, 2, false, true, []int{4}},
		"sixty of each":                    {60, 60, true, true, []int{50, 50, 20}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			target := &scan.Target{Server: config.Server{UUID: "u", TaskIDs: taskIDsOf("r", tt.tasks), Types: []string{"cve"}}}
			leaf := leafOf(tt.tasks, tt.leaves)
			var sizes []int
			asked := make(map[string]int) // call by ID
			for i, q := range questions(target, leaf, tt.root, tt.leaf) {
				sizes = append(sizes, len(q.TaskIDs))
				for _, id := range q.TaskIDs {
					if _, twice := asked[id]; twice {
						t.Errorf("%s is asked for twice", id)
					}
					asked[id] = i
				}
			}
			wantEqual(t, "IDs in each call", sizes, tt.want)
			for _, root := range target.TaskIDs {
				own := leaf[root]
				_, byRoot := asked[root]
				_, byLeaf := asked[own]
				if wantRoot := tt.root || own == "" || !tt.leaf; byRoot != wantRoot || byLeaf != (own != "" && tt.leaf) {
					t.Errorf("%s: asked for by root %v, by leaf %v", root, byRoot, byLeaf)
				}
				if byRoot && byLeaf && asked[root] != asked[own] {
					t.Errorf("%s and %s are asked for in two calls", root, own)
				}
			}
		})
	}
}

func TestLeavesAreTheIDsThatDifferFromTheRoots(t *testing.T) {
	r := &scan.Record{ServerScans: []scan.ServerScan{{TaskID: "a", LeafID: "x"}, {TaskID: "b"}, {TaskID: "c", LeafID: "c"}}}
	wantEqual(t, "leaves", leaves(r), "map[a:x]")
	wantEqual(t, "leaves without a list", leaves(&scan.Record{}), "map[]")
}

func TestAnswersComeUnderTheRootsID(t *testing.T) {
	leaf := map[string]string{"r": "l", "s": "m"}
	tests := map[string]struct {
		answer, want   string // subtasks, each task/type/status
		byRoot, byLeaf bool
	}{
		"by root":                     {"r/cve/1 r/sca/2", "r/cve/1 r/sca/2", true, false},
		"by leaf":                     {"l/cve/1 m/cve/2", "r/cve/1 s/cve/2", false, true},
		"by both: the root's counts":  {"l/cve/1 r/cve/4", "r/cve/4", true, true},
		"the other way round":         {"r/cve/4 l/cve/1", "r/cve/4", true, true},
		"each knows another type":     {"l/cve/1 l/sca/2 r/cve/4", "r/sca/2 r/cve/4", true, true},
		"each knows another task":     {"l/cve/1 s/cve/4", "r/cve/1 s/cve/4", true, true},
		"under an ID nobody asked by": {"16190385/cve/4", "16190385/cve/4", false, false},
		"another beside a leaf's":     {"16190385/cve/4 l/cve/1", "16190385/cve/4 r/cve/1", false, true},
		"nothing":                     {"", "", false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			answer := &sas.Answer{}
			for text := range strings.FieldsSeq(tt.answer) {
				part := strings.Split(text, "/")
				answer.Subtasks = append(answer.Subtasks, sas.Subtask{TaskID: part[0], Type: part[1], Code: part[2]})
			}
			byRoot, byLeaf := underRoots(answer, leaf)
			var got []string
			for _, s := range answer.Subtasks {
				got = append(got, s.TaskID+"/"+s.Type+"/"+s.Code)
			}
			wantEqual(t, "subtasks", got, strings.Fields(tt.want))
			wantEqual(t, "answered by root, by leaf", fmt.Sprint(byRoot, byLeaf), fmt.Sprint(tt.byRoot, tt.byLeaf))
		})
	}
}

func TestRankOfNews(t *testing.T) {
	for status, want := range map[float64]rank{
		sas.ScanNotStarted: noNews, sas.ScanStarted: rankStarted, sas.ScanCompleted: rankCompleted,
		sas.ScanFailed: rankFailed, sas.ScanTimedOut: rankFailed, 5: noNews, -1: noNews, 1.5: noNews, math.Inf(1): noNews,
	} {
		wantEqual(t, fmt.Sprint("rank of status ", status), rankOfNews(status), want)
	}
	wantEqual(t, "rank of no status", rankOfNews(math.NaN()), noNews)
	order := []rank{rankFailed, rankCompleted, rankStarted, rankUnfinished, rankOther}
	if !slices.IsSorted(order) {
		t.Errorf("ranks are not in their order: %v", order)
	}
}

func TestAnswersThatLackAKnownTaskAreDoubted(t *testing.T) {
	leaf := map[string]string{"r": "l"}
	answered := func(ids ...string) scan.CallResult {
		answer := &sas.Answer{}
		for _, id := range ids {
			answer.Subtasks = append(answer.Subtasks, sas.Subtask{TaskID: id})
		}
		return scan.CallResult{Answer: answer}
	}
	tests := map[string]struct {
		known   string // tasks of the server's subtasks
		results []scan.CallResult
		want    bool
	}{
		"answered":              {"r", []scan.CallResult{answered("r")}, false},
		"not answered":          {"r", []scan.CallResult{answered()}, true},
		"another is answered":   {"r s", []scan.CallResult{answered("s")}, true},
		"of the second call":    {"r s", []scan.CallResult{answered("s"), answered("r")}, false},
		"its leaf is not known": {"s", []scan.CallResult{answered()}, false},
		"nothing was known":     {"", []scan.CallResult{answered()}, false},
		"a call failed":         {"r", []scan.CallResult{answered(), {Err: &sas.Error{}}}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := &scan.Record{}
			for id := range strings.FieldsSeq(tt.known) {
				r.Subtasks = append(r.Subtasks, scan.Subtask{TaskID: id})
			}
			wantEqual(t, "doubted", lacking(r, leaf, tt.results), tt.want)
		})
	}
}
