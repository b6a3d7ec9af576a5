package collector

import (
	"slices"
	"time"

	"aliyun_vulscan_exporter/collector/expose"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
)

// source makes series of what a store holds.
type source struct {
	store      *scan.Store
	clock      *scan.Clock
	rows       []metric // that are read, in the order of the engine's families
	configured []string
}

func newSource(store *scan.Store, clock *scan.Clock, configured []string) *source {
	happens := func(m metric) bool { return m.read == nil && m.account == nil && m.task == nil }
	return &source{store, clock, slices.DeleteFunc(slices.Clone(metrics), happens), configured}
}

// version identifies everything that a group's series are made of.
type version struct {
	records scan.Records
	step    time.Duration // of the system's clock
}

// sum is what a group adds to its account's totals.
type sum struct {
	account string
	totals  *scan.Totals
}

type engine = expose.Engine[*scan.Group, version, sum]

// newEngine returns the engine for servers that have these configured labels. The configuration
// refuses labels that the engine cannot use. If one came here all the same, it would be left out,
// and the metrics would stay.
func newEngine(store *scan.Store, clock *scan.Clock, configured []string) *engine {
	s := newSource(store, clock, configured)
	e, err := expose.NewEngine(s.families(), s, clock.Now)
	if err != nil {
		return newEngine(store, clock, nil)
	}
	return e
}

// families returns the rows as families of the engine. Label values come in the order of their
// row's labels, but those of what a server has as reading has them. Only server_info has labels
// that are configured: other metrics' labels may have the same names.
func (s *source) families() []expose.Family {
	info := slices.Clone(serverLabels)
	for _, l := range assetLabels {
		info = append(info, l.name)
	}
	info = append(info, s.configured...)
	places := slices.Concat(serverLabels, make([]string, len(info)-len(serverLabels)), []string{"task_id", "type", "code"})
	list := make([]expose.Family, len(s.rows))
	for i, m := range s.rows {
		if m.info {
			m.labels = info
		}
		list[i] = expose.Family{Name: m.name, Help: m.help, Counter: m.counter}
		for at, name := range m.labels {
			if m.read != nil && !m.info {
				at = slices.Index(places, name)
			}
			list[i].Labels = append(list[i].Labels, expose.Label{Name: name, From: at})
		}
	}
	return list
}

// Groups implements expose.Source.
func (s *source) Groups() []*scan.Group {
	var all []*scan.Group
	for _, a := range s.store.Load().Accounts {
		all = append(all, a.Groups()...)
	}
	return all
}

// Load implements expose.Source.
func (s *source) Load(g *scan.Group) version { return version{g.Load(), s.clock.Step()} }

// Collect implements expose.Source.
func (s *source) Collect(v version, now time.Time, emit expose.Emit) (sum, time.Time) {
	totals, until := &scan.Totals{}, scan.Instant(0)
	r := &reading{source: s, account: v.records.Account, emit: emit}
	for view := range v.records.Views(scan.InstantOf(now), v.step) {
		r.emitServer(view)
		totals.Count(view)
		if at := view.ChangesAt(); at != 0 && (until == 0 || at < until) {
			until = at
		}
	}
	return sum{v.records.Account, totals}, until.Time()
}

// reading is what is read of a server now.
type reading struct {
	*source
	account string
	emit    expose.Emit
	object  object
	values  []string // of server_info's labels, then of task_id, type and code
	known   int      // how many are the same for all that the server has
}

// emitRows emits the metrics of one kind. values are those of task_id, type and code.
func (r *reading) emitRows(per kind, created time.Time, values ...string) {
	r.values = append(r.values[:r.known], values...)
	for i := range r.rows {
		m := &r.rows[i]
		if m.per != per {
			continue
		}
		if value, there := m.read(&r.object); there {
			r.emit(i, r.values, value, created)
		}
	}
}

// emitServer emits the metrics of one server and of all that it has.
func (r *reading) emitServer(v scan.View) {
	r.object.View = v
	r.values = append(r.values[:0], r.account, v.Target.UUID, v.Target.Name)
	for _, l := range assetLabels {
		r.values = append(r.values, l.of(v.Target.Asset()))
	}
	for _, name := range r.configured {
		r.values = append(r.values, v.Target.Labels[name])
	}
	r.known = len(r.values)
	r.emitRows(perServer, time.Time{})
	for i := range v.Errors {
		e := &v.Errors[i]
		r.object.errors = e
		r.emitRows(perErrorCount, when(v, e.Created), "", e.Type, e.Code)
	}
	for i := range v.ServerScans {
		r.object.scan = &v.ServerScans[i]
		r.emitRows(perServerScan, time.Time{}, v.ServerScans[i].TaskID)
	}
	if v.Stale() {
		return
	}
	for i := range v.Subtasks {
		s := &v.Subtasks[i]
		if v.Settings.Series == config.SeriesOpen && !s.Unfinished() && s.Code == "" {
			continue
		}
		r.object.subtask = s
		r.emitRows(perSubtask, time.Time{}, s.TaskID, s.Type, s.CodeLabel)
	}
}

// Total implements expose.Source.
func (s *source) Total(sums []sum, now time.Time, emit expose.Emit) {
	for _, a := range s.store.Load().Accounts {
		state := &accountState{AccountStatus: a.Status(), now: now, step: s.clock.Step()}
		for _, typ := range state.Types { // every type that is polled is there
			state.totals.Type(typ)
		}
		for _, of := range sums {
			if of.account == a.Name {
				state.totals.Add(of.totals)
			}
		}
		s.emitAccount(a.Name, state, emit)
	}
}

// emitAccount emits the metrics of an account.
func (s *source) emitAccount(name string, a *accountState, emit expose.Emit) {
	for i := range s.rows {
		m := &s.rows[i]
		put := func(value float64, labels ...string) { emit(i, append([]string{name}, labels...), value, time.Time{}) }
		if m.account != nil {
			m.account(a, put)
		}
		if m.task != nil {
			for k := range a.Found.Tasks.Items {
				m.task(&a.Found.Tasks.Items[k], put)
			}
		}
	}
}
