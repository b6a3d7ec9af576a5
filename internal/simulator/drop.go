package simulator

import "time"

// outage is the time within a scan, from its beginning, in which a server's agent cannot be
// reached.
type outage struct{ from, length time.Duration }

// outage returns the outage of a server's scan by a task, if there is one.
func (f Fleet) outage(server int, t Task) (o outage, drops bool) {
	if f.DropRatio <= 0 || !f.online(server) || fraction(mix(uint64(f.Seed), uint64(server), t.key, saltDrop)) >= f.DropRatio {
		return outage{}, false
	}
	o = outage{from: f.DropAfter, length: f.DropFor}
	if o.from <= 0 {
		o.from = f.typical() / 10 * 3 // the quickest scan goes on at a third
	}
	if o.length <= 0 {
		o.length = f.typical()
	}
	return o, true
}

// worked returns how long a scan has really worked after the elapsed time: it stands still during
// the outage.
func (o outage) worked(elapsed time.Duration) time.Duration {
	switch {
	case elapsed < o.from:
		return elapsed
	case elapsed < o.from+o.length:
		return o.from
	}
	return elapsed - o.length
}

// passed is the reverse of worked: the time after which a scan has worked for so long.
func (o outage) passed(worked time.Duration) time.Duration {
	if worked <= o.from {
		return worked
	}
	return worked + o.length
}

// Online reports whether a server's agent can be reached at a time.
func (f Fleet) Online(server int, now time.Time) bool {
	return f.onlineIn(server, f.Tasks(now), now)
}

// onlineIn is Online for a caller that has the list of tasks already.
func (f Fleet) onlineIn(server int, tasks []Task, now time.Time) bool {
	if !f.online(server) || f.DropRatio <= 0 {
		return f.online(server)
	}
	for _, t := range tasks {
		o, drops := f.outage(server, t)
		if !drops {
			continue
		}
		_, elapsed := f.cycle(f.elapsed(server, t, now), t)
		if elapsed >= o.from && elapsed < o.from+o.length {
			return false
		}
	}
	return true
}
