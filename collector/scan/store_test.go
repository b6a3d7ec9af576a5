package scan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// arranged is an account with so many servers.
func arranged(n int) (*Account, []*Entry) {
	a := NewAccount(&config.Account{Name: "a", Settings: someSettings})
	entries := make([]*Entry, n)
	for i := range entries {
		entries[i] = &Entry{Record: &Record{Target: &Target{Server: config.Server{Name: strconv.Itoa(i)}}}}
	}
	a.Arrange(entries, nil)
	return a, entries
}

// names gives the names of an account's servers, a field for each group.
func names(a *Account) []string {
	var list []string
	for _, g := range a.Groups() {
		var group []string
		for _, r := range g.Load().List() {
			group = append(group, r.Target.Name)
		}
		list = append(list, strings.Join(group, ","))
	}
	return list
}

func TestServersJoinAndLeaveWithoutTouchingOthersGroups(t *testing.T) {
	a, entries := arranged(40)
	wantEqual(t, "groups", len(a.Groups()), 3)
	before := slices.Clone(a.Groups())
	records := []Records{before[0].Load(), before[1].Load(), before[2].Load()}

	a.Arrange(nil, entries[20:21])
	wantEqual(t, "the first group is the same", a.Groups()[0].Load() == records[0], true)
	wantEqual(t, "the second has lost one", len(a.Groups()[1].Load().List()), 15)
	wantEqual(t, "what was loaded has not", len(records[1].List()), 16)
	wantEqual(t, "the third is the same", a.Groups()[2].Load() == records[2], true)

	late := &Entry{Record: &Record{Target: &Target{Server: config.Server{Name: "late"}}}}
	a.Arrange([]*Entry{late}, nil)
	wantEqual(t, "the first and third are the same", a.Groups()[0].Load() == records[0] && a.Groups()[2].Load() == records[2], true)
	wantEqual(t, "the newcomer is in the place of the one that left", slices.Contains(strings.Split(names(a)[1], ","), "late"), true)

	a.Arrange(nil, entries[:16])
	wantEqual(t, "a group without servers is gone", len(a.Groups()), 2)
	a.Publish(entries[0], &Record{Target: &Target{}}) // its last poll ends late
	wantEqual(t, "a server that left is not published", len(strings.Split(strings.Join(names(a), ","), ",")), 24)
	wantEqual(t, "its record", entries[0].Record.Target.Name, "")
	a.Arrange(nil, append(entries[21:], append([]*Entry{late}, entries[16:20]...)...))
	wantEqual(t, "groups in the end", len(a.Groups()), 0)
}

func TestServersThatJoinFillGroups(t *testing.T) {
	a, entries := arranged(160)
	var gone, late []*Entry
	for i, e := range entries {
		if i%16 != 0 {
			gone = append(gone, e)
			late = append(late, &Entry{Record: e.Record})
		}
	}
	for range 10 { // a few at a time
		a.Arrange(nil, gone[:15])
		a.Arrange(late[:15], nil)
		gone, late = gone[15:], late[15:]
		wantEqual(t, "groups", len(a.Groups()), 10)
	}
	a.Publish(entries[32], &Record{Target: &Target{Server: config.Server{Name: "new"}}})
	wantEqual(t, "after a poll", strings.Split(names(a)[2], ",")[0], "new")
}

// Whatever joins and leaves, every server is there once, with its last record.
func TestArrange(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	a, _ := arranged(0)
	var there []*Entry
	for round := range 200 {
		var added, gone []*Entry
		for range random.IntN(60) {
			added = append(added, &Entry{Record: &Record{Target: &Target{Server: config.Server{Name: fmt.Sprint(round, "-", len(added))}}}})
		}
		random.Shuffle(len(there), func(i, j int) { there[i], there[j] = there[j], there[i] })
		leave := random.IntN(len(there) + 1)
		gone, there = slices.Clone(there[:leave]), append(slices.Clone(there[leave:]), added...)
		a.Arrange(added, gone)
		for range min(10, len(there)) {
			e := there[random.IntN(len(there))]
			a.Publish(e, &Record{Target: &Target{Server: config.Server{Name: e.Record.Target.Name + "'"}}})
		}
		var want []string
		for _, e := range there {
			want = append(want, e.Record.Target.Name)
		}
		got := strings.Split(strings.Join(names(a), ","), ",")
		if len(there) == 0 {
			got = nil
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: got %v, want %v", round, got, want)
		}
		for _, g := range a.Groups() {
			if n := len(g.Load().List()); n == 0 || n > groupServers {
				t.Fatalf("%d servers in a group", n)
			}
		}
	}
}

func TestRecordsOfAllGroupsFollowTheAccount(t *testing.T) {
	a, _ := arranged(20)
	records := a.Groups()[0].Load()
	a.Update(func(s *AccountStatus) { s.Allowed = 5 })
	wantEqual(t, "records are the same where only the account's own values change", a.Groups()[0].Load() == records, true)
	a.Update(func(s *AccountStatus) { s.Refused = true })
	for v := range a.Groups()[1].Load().Views(now0, time.Second) {
		wantEqual(t, "refused", v.Refused, true)
		wantEqual(t, "as of", fmt.Sprint(v.Now, v.Step), fmt.Sprint(now0, time.Second))
	}
	wantEqual(t, "records loaded before", records.Refused, false)
	other := config.Account{Name: "a", Settings: config.Settings{StallAfter: 1}}
	a.Update(func(s *AccountStatus) { s.Config = &other })
	for v := range a.Groups()[0].Load().Views(now0, 0) {
		wantEqual(t, "settings", v.Settings.StallAfter, time.Duration(1))
		break
	}
}

// Readers wait for nobody, and see whole records, while servers are polled, join and leave.
func TestReadersSeeWholeRecordsWhileOthersWrite(t *testing.T) {
	store := NewStore()
	a, entries := arranged(100)
	store.Replace(&Content{Accounts: []*Account{a}})
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for _, g := range store.Load().Accounts[0].Groups() {
					for v := range g.Load().Views(now0, 0) {
						if float64(len(v.Subtasks)) != float64(v.Total) || v.Refused != (v.Settings.StallAfter == 1) {
							t.Errorf("%d subtasks of %d, refused %v with %v", len(v.Subtasks), v.Total, v.Refused, v.Settings.StallAfter)
							return
						}
					}
				}
			}
		})
	}
	refused := config.Account{Name: "a", Settings: config.Settings{StallAfter: 1}}
	accepted := config.Account{Name: "a", Settings: someSettings}
	for i := range 2000 {
		e := entries[i%50]
		n := i % 7
		a.Publish(e, &Record{Target: e.Record.Target, Total: int64(n), Subtasks: make([]Subtask, n)})
		switch i % 20 {
		case 5:
			a.Arrange(nil, entries[50:])
		case 10:
			a.Arrange(entries[50:], nil)
		case 15:
			a.Update(func(s *AccountStatus) {
				s.Config, s.Refused = &accepted, false
				if i%40 == 15 {
					s.Config, s.Refused = &refused, true
				}
			})
		}
	}
	close(done)
	readers.Wait()
}

func TestTargetsAreTheSameIfTheyArePolledAndShownAlike(t *testing.T) {
	full := func() *Target {
		return &Target{
			Server:    config.Server{UUID: "u", Name: "n", TaskIDs: []string{"t"}, Types: []string{"cve"}, Labels: map[string]string{"a": "b"}},
			AssetInfo: &discovery.Server{Instance: sas.Instance{UUID: "u", IP: "10.0.0.1"}},
		}
	}
	wantEqual(t, "alike", full().Same(full()), true)
	for name, change := range map[string]func(*Target){
		"UUID": func(t *Target) { t.UUID = "U" }, "name": func(t *Target) { t.Name = "m" }, "tasks": func(t *Target) { t.TaskIDs = nil },
		"types": func(t *Target) { t.Types = []string{"sca"} }, "labels": func(t *Target) { t.Labels = map[string]string{"a": "c"} },
		"address": func(t *Target) { t.AssetInfo = &discovery.Server{Instance: sas.Instance{UUID: "u"}} }, "nothing discovered": func(t *Target) { t.AssetInfo = nil },
	} {
		other := full()
		change(other)
		wantEqual(t, name, full().Same(other), false)
	}
	wantEqual(t, "key of any spelling", (&Target{Server: config.Server{UUID: "INET-5D"}}).Key(), KeyOf("5d"))
	wantEqual(t, "of nothing discovered", (&Target{}).Asset().IP, "")
}
