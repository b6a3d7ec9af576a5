package simulator

import (
	"fmt"
	"time"
)

// keptTasks bounds how many scheduled tasks exist at a time.
const keptTasks = 100

// Task is a scan of the whole fleet.
type Task struct {
	ID      string
	Source  string    // console (fixed tasks) or schedule
	Start   time.Time // of the present period, for a task that repeats
	repeats bool
	begun   time.Time // of the first period
	key     uint64
}

// Tasks lists the tasks that exist at a time, newest first.
func (f Fleet) Tasks(now time.Time) []Task {
	var out []Task
	if newest, some := f.newestScheduled(now); some {
		for n := newest; n >= f.oldestScheduled(newest); n-- {
			out = append(out, f.scheduled(n))
		}
	}
	for _, id := range f.TaskIDs {
		if t, ok := f.fixed(id, now); ok {
			out = append(out, t)
		}
	}
	return sortNewestFirst(out)
}

// task finds a task by ID, without listing the others.
func (f Fleet) task(id string, now time.Time) (Task, bool) {
	for _, fixed := range f.TaskIDs {
		if fixed == id {
			return f.fixed(id, now)
		}
	}
	newest, some := f.newestScheduled(now)
	n, ok := trailingNumber(id, 8)
	if !some || !ok || n > newest || n < f.oldestScheduled(newest) {
		return Task{}, false
	}
	t := f.scheduled(n)
	return t, t.ID == id
}

// taskCount returns len(Tasks(now)) without making the list.
func (f Fleet) taskCount(now time.Time) int {
	count := 0
	if newest, some := f.newestScheduled(now); some {
		count = newest - f.oldestScheduled(newest) + 1
	}
	if !now.Before(f.Start) {
		count += len(f.TaskIDs)
	}
	return count
}

func (f Fleet) newestScheduled(now time.Time) (n int, some bool) {
	if f.TaskEvery <= 0 || now.Before(f.Start) {
		return 0, false
	}
	return int(now.Sub(f.Start) / f.TaskEvery), true
}

func (f Fleet) oldestScheduled(newest int) int { return max(0, newest-keptTasks+1) }

// scheduled returns the n-th scheduled task. Its ID ends with n.
func (f Fleet) scheduled(n int) Task {
	h := mix(uint64(f.Seed), uint64(n), saltTask)
	start := f.Start.Add(time.Duration(n) * f.TaskEvery)
	id := fmt.Sprintf("%016x%08x%08x", h, uint32(mix(h)), uint32(n))
	return Task{ID: id, Source: "schedule", Start: start, begun: start, key: textKey(id)}
}

func (f Fleet) fixed(id string, now time.Time) (Task, bool) {
	if now.Before(f.Start) {
		return Task{}, false
	}
	t := Task{ID: id, Source: "console", Start: f.Start, begun: f.Start, key: textKey(id)}
	if period := f.period(); period > 0 {
		t.repeats = true
		t.Start = f.Start.Add(now.Sub(f.Start) / period * period)
	}
	return t, true
}

// period is how often fixed tasks begin again; 0 = never.
func (f Fleet) period() time.Duration {
	if f.ScanPeriod <= 0 {
		return 0
	}
	return max(f.ScanPeriod, 3*f.typical())
}

// typical is the duration of a subtask.
func (f Fleet) typical() time.Duration {
	if f.ScanDuration <= 0 {
		return 15 * time.Minute
	}
	return f.ScanDuration
}
