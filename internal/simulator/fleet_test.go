package simulator

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestServersAreFoundAgain(t *testing.T) {
	f := Fleet{Seed: 3, Size: 100_000}
	servers := f.Servers()
	seen := map[string]bool{}
	for i, s := range servers {
		if seen[s.UUID] || seen[s.Name] || seen[s.InstanceID] {
			t.Fatalf("%+v is not unique", s)
		}
		seen[s.UUID], seen[s.Name], seen[s.InstanceID] = true, true, true
		if !validUUID(s.UUID) {
			t.Fatalf("%s is not a UUID", s.UUID)
		}
		byUUID, ok1 := f.serverByUUID(s.UUID)
		byID, ok2 := f.serverByInstanceID(s.InstanceID)
		if !ok1 || !ok2 || byUUID != i || byID != i {
			t.Fatalf("server %d is found at %d and %d", i, byUUID, byID)
		}
	}
	for _, i := range []int{0, 7, 15} {
		s := servers[i]
		if (s.OS == "windows") != (i == 7) || strings.HasPrefix(s.UUID, "inet-") != (i == 15) {
			t.Errorf("server %d: %+v", i, s)
		}
	}
}

func TestTasksAreFoundAgainAndStayFew(t *testing.T) {
	f := Fleet{Seed: 3, Start: epoch, TaskIDs: []string{"fixed"}, TaskEvery: time.Minute}
	for _, after := range []time.Duration{-time.Second, 0, 90 * time.Second, 24 * time.Hour, 24 * 365 * time.Hour} {
		now := epoch.Add(after)
		tasks := f.Tasks(now)
		if len(tasks) != f.taskCount(now) || len(tasks) > keptTasks+1 {
			t.Fatalf("after %v: %d tasks, taskCount says %d", after, len(tasks), f.taskCount(now))
		}
		if !slices.IsSortedFunc(tasks, func(a, b Task) int { return b.Start.Compare(a.Start) }) {
			t.Errorf("after %v: not newest first", after)
		}
		for _, want := range tasks {
			if got, ok := f.task(want.ID, now); !ok || got != want {
				t.Fatalf("after %v: %+v is found as %+v", after, want, got)
			}
		}
	}
	if _, ok := f.task(f.scheduled(2).ID, epoch.Add(time.Minute)); ok {
		t.Error("a task of the future is found")
	}
	if _, ok := f.task(f.scheduled(2).ID, epoch.Add(24*time.Hour)); ok {
		t.Error("a task of the past is still found")
	}
}

// hourOf is a fleet with every kind of luck.
func hourOf() Fleet {
	return Fleet{
		Seed: 5, Start: epoch, Size: 400, TaskIDs: []string{"a"}, ScanDuration: 4 * time.Minute, ScanPeriod: 15 * time.Minute,
		FailRatio: 0.2, StallRatio: 0.1, OfflineRatio: 0.05,
	}
}

func TestAnHourOfScans(t *testing.T) {
	f := hourOf()
	statuses, codes := map[int]int{}, map[string]int{}
	for i := range f.Size {
		for _, typ := range typesOf(i) {
			last, lastCycle := state{}, time.Duration(-1)
			for now := epoch; now.Before(epoch.Add(time.Hour)); now = now.Add(7 * time.Second) {
				task, _ := f.task("a", now)
				st := f.state(i, task, typ, now)
				cycle := f.elapsed(i, task, now) / f.period()
				if cycle == lastCycle && (st.status < last.status || last.code != "" && st.code != last.code) {
					t.Fatalf("server %d %s: %+v became %+v at %v", i, typ, last, st, now)
				}
				if cycle == lastCycle && !last.ended.IsZero() && !st.ended.Equal(last.ended) {
					t.Fatalf("server %d %s: the end moved from %v to %v", i, typ, last.ended, st.ended)
				}
				if lastCycle >= 0 && cycle > lastCycle && last.ended.IsZero() && last.status != st.status {
					t.Fatalf("server %d %s: cut short at %+v", i, typ, last)
				}
				last, lastCycle = st, cycle
				statuses[st.status]++
				codes[st.code]++
			}
		}
	}
	if len(statuses) != 5 || len(codes) != 4 {
		t.Errorf("statuses %v, codes %v", statuses, codes)
	}
}

func TestRatiosAreKept(t *testing.T) {
	f := hourOf()
	f.Size, f.ScanPeriod = 20_000, 0
	now := epoch.Add(time.Hour) // all that ends has ended
	task, _ := f.task("a", now)
	offline, online, failed, stalled := 0, 0, 0, 0
	for i := range f.Size {
		for _, typ := range typesOf(i) {
			st := f.state(i, task, typ, now)
			switch {
			case !f.online(i):
				offline++
				if st.code != "push_command_failed" || st.status != 4 {
					t.Fatalf("offline server %d: %+v", i, st)
				}
				continue
			case st.code != "":
				failed++
			case st.status != 4:
				stalled++
			}
			online++
		}
	}
	for name, r := range map[string]struct{ got, want float64 }{
		"offline": {float64(offline) / float64(offline+online), f.OfflineRatio},
		"stalled": {float64(stalled) / float64(online), f.StallRatio},
		"failed":  {float64(failed) / float64(online), f.FailRatio * (1 - f.StallRatio)},
	} {
		if math.Abs(r.got-r.want) > 0.01 {
			t.Errorf("%s: %.3f, want %.3f", name, r.got, r.want)
		}
	}
}

func TestScansTakeTheirTime(t *testing.T) {
	f := Fleet{Seed: 1, Start: epoch, Size: 3000, TaskIDs: []string{"a"}, ScanDuration: time.Minute}
	var shortest, longest time.Duration = math.MaxInt64, 0
	for i := range f.Size {
		task, _ := f.task("a", epoch)
		st := f.state(i, task, "sca", epoch.Add(time.Hour))
		length := f.elapsed(i, task, st.ended)
		shortest, longest = min(shortest, length), max(longest, length)
	}
	if shortest < 19*time.Second || shortest > 25*time.Second || longest > 2*time.Minute || longest < 110*time.Second {
		t.Errorf("scans last %v to %v, want 20s to 2m", shortest, longest)
	}
}

func TestFleetsAreReproducible(t *testing.T) {
	now := epoch.Add(17 * time.Minute)
	answer := func(f Fleet) (all [][]Subtask) {
		for _, s := range f.Servers() {
			all = append(all, f.Subtasks(s.UUID, []string{"a"}, []string{"cve", "sys", "cms", "sca"}, now))
		}
		return all
	}
	f, g := hourOf(), hourOf()
	if !reflect.DeepEqual(answer(f), answer(g)) {
		t.Error("equal fleets differ")
	}
	g.Seed++
	if reflect.DeepEqual(answer(f), answer(g)) {
		t.Error("different seeds make equal fleets")
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for n := range uint64(10_000) {
		id := requestID(n)
		if seen[id] || !validUUID(id) || id != strings.ToUpper(id) {
			t.Fatalf("request %s: %s", strconv.FormatUint(n, 10), id)
		}
		seen[id] = true
	}
}
