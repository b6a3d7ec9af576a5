package shard

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func host(name string) func() (string, error) {
	return func() (string, error) { return name, nil }
}

func TestParse(t *testing.T) {
	unreadable := func() (string, error) { return "", errors.New("no name") }
	for _, tc := range []struct {
		index string
		total int
		host  func() (string, error)
		want  Shard
		err   string
	}{
		{"0", 1, unreadable, Shard{0, 1}, ""},
		{"2", 3, unreadable, Shard{2, 3}, ""},
		{"auto", 3, host("vulscan-2"), Shard{2, 3}, ""},
		{"auto", 12, host("a-1-vulscan-11"), Shard{11, 12}, ""},
		{"auto", 3, host("vulscan-3"), Shard{}, "--shard=3: it must be auto or a number from 0 to 2"},
		{"auto", 3, host("vulscan"), Shard{}, `the host name "vulscan" does not end in a pod's ordinal`},
		{"auto", 3, host("vulscan-99999999999999999999"), Shard{}, "it must be auto or a number"},
		{"auto", 3, unreadable, Shard{}, "the host name cannot be read: no name"},
		{"3", 3, unreadable, Shard{}, "from 0 to 2"},
		{"-1", 3, unreadable, Shard{}, "from 0 to 2"},
		{"one", 3, unreadable, Shard{}, "--shard=one: it must be auto"},
		{"0", 0, unreadable, Shard{}, "--total-shards=0: it must be from 1 to 1024"},
		{"1023", 1024, unreadable, Shard{1023, 1024}, ""},
		{"0", 1025, unreadable, Shard{}, "--total-shards=1025: it must be from 1 to 1024"},
	} {
		got, err := Parse(tc.index, tc.total, tc.host)
		if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("Parse(%q, %d) = %v, %v; want %v, %q", tc.index, tc.total, got, err, tc.want, tc.err)
		}
	}
}

// uuids returns servers as Security Center numbers them: alike but for the end.
func uuids() []string {
	list := make([]string, 20_000)
	for i := range list {
		list[i] = fmt.Sprintf("5d55af3c-35f3-4d4d-8ccc-%012x", i)
	}
	return list
}

func owner(t *testing.T, uuid string, total int) int {
	t.Helper()
	found := -1
	for i := range total {
		if !(Shard{i, total}).Owns(uuid) {
			continue
		}
		if found >= 0 {
			t.Fatalf("shards %d and %d of %d both own %s", found, i, total, uuid)
		}
		found = i
	}
	if found < 0 {
		t.Fatalf("no shard of %d owns %s", total, uuid)
	}
	return found
}

func TestEveryServerHasOneOwnerAndSharesAreEven(t *testing.T) {
	for _, total := range []int{1, 2, 3, 4, 7, 16} {
		shares := make([]int, total)
		for _, uuid := range uuids() {
			shares[owner(t, uuid, total)]++
		}
		even := float64(len(uuids())) / float64(total)
		for i, share := range shares {
			if ratio := float64(share) / even; ratio < 0.9 || ratio > 1.1 {
				t.Errorf("shard %d of %d owns %.2f times its share", i, total, ratio)
			}
		}
	}
}

func TestOneMoreShardMovesServersOnlyToItself(t *testing.T) {
	moved := 0
	for _, uuid := range uuids() {
		before, after := owner(t, uuid, 3), owner(t, uuid, 4)
		if before == after {
			continue
		}
		moved++
		if after != 3 {
			t.Fatalf("%s moves from shard %d to %d", uuid, before, after)
		}
	}
	if share := float64(moved) / float64(len(uuids())); share < 0.2 || share > 0.3 {
		t.Errorf("%.0f%% of the servers move", 100*share)
	}
}

func TestOwnerDoesNotDependOnCase(t *testing.T) {
	for _, uuid := range uuids()[:100] {
		if owner(t, uuid, 5) != owner(t, strings.ToUpper(uuid), 5) {
			t.Errorf("%s in capitals has another owner", uuid)
		}
	}
}
