package collector

import (
	"slices"
	"time"

	"aliyun_vulscan_exporter/collector/expose"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
)

// Places of a server's label values, which all its metrics share. The values of assetLabels follow,
// and then those of configured labels.
const (
	placeAccount = iota
	placeUUID
	placeServer
	placeTaskID
	placeType
	placeCode
	placeAsset
)

// placeNames are the names of these labels.
func placeNames(configured []string) []string {
	names := []string{"account", "uuid", "server", "task_id", "type", "code"}
	for _, l := range assetLabels {
		names = append(names, l.name)
	}
	return append(names, configured...)
}

// source makes series of what a store holds.
type source struct {
	store      *scan.Store
	clock      *scan.Clock
	rows       []metric // that are read, in the order of the engine's families
	configured []string
}

func newSource(store *scan.Store, clock *scan.Clock, configured []string) *source {
	happen := func(m metric) bool { return m.read == nil && m.account == nil && m.task == nil }
	return &source{store, clock, slices.DeleteFunc(slices.Clone(metrics), happen), configured}
}

// version identifies everything that a group's series are made of.
type version struct {
	records *scan.Records
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

// families returns the rows as families of the engine. Label values of an account's metrics come in
// the order of their row's labels.
func (s *source) families() []expose.Family {
	places := placeNames(s.configured)
	list := make([]expose.Family, len(s.rows))
	for i, m := range s.rows {
		labels := m.labels
		if m.info {
			labels = slices.Concat(labels, places[placeAsset:])
		}
		list[i] = expose.Family{Name: m.name, Help: m.help, Counter: m.counter}
		for at, name := range labels {
			if m.read != nil {
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
	r := &reading{source: s, emit: emit, values: make([]string, placeAsset+len(assetLabels)+len(s.configured))}
	r.values[placeAccount] = v.records.Account
	for view := range v.records.Views(scan.InstantOf(now), v.step) {
		r.server(view)
		totals.Count(view)
		if at := view.ChangesAt(); at != 0 && (until == 0 || at < until) {
			until = at
		}
	}
	return sum{v.records.Account, totals}, until.Time()
}

// reading is what is read of a server now, and the label values that are known already.
type reading struct {
	*source
	emit   expose.Emit
	object object
	asset  discovery.Server
	values []string
}

// rows emits the metrics of one kind.
func (r *reading) rows(per kind, created time.Time) {
	for i := range r.source.rows {
		m := &r.source.rows[i]
		if m.per != per {
			continue
		}
		if value, there := m.read(&r.object); there {
			r.emit(i, r.values, value, created)
		}
	}
}

// server emits the metrics of one server and of all that it has.
func (r *reading) server(v scan.View) {
	r.object.View = v
	r.values[placeUUID], r.values[placeServer] = v.Target.UUID, v.Target.Name
	r.asset = v.Target.Asset()
	for i, l := range assetLabels {
		r.values[placeAsset+i] = l.of(&r.asset)
	}
	for i, name := range r.configured {
		r.values[placeAsset+len(assetLabels)+i] = v.Target.Labels[name]
	}
	r.rows(perServer, time.Time{})
	for i := range v.Errors {
		e := &v.Errors[i]
		r.object.errors, r.values[placeType], r.values[placeCode] = e, e.Type, e.Code
		r.rows(perErrorCount, when(v, e.Created))
	}
	for i := range v.ServerScans {
		r.object.scan, r.values[placeTaskID] = &v.ServerScans[i], v.ServerScans[i].TaskID
		r.rows(perServerScan, time.Time{})
	}
	if v.Stale() {
		return
	}
	for i := range v.Subtasks {
		t := &v.Subtasks[i]
		if v.Settings.Series == config.SeriesOpen && !t.Unfinished() && t.Code == "" {
			continue
		}
		r.object.subtask = t
		r.values[placeTaskID], r.values[placeType], r.values[placeCode] = t.TaskID, t.Type, t.CodeLabel
		r.rows(perSubtask, time.Time{})
	}
}

// Total implements expose.Source.
func (s *source) Total(sums []sum, now time.Time, emit expose.Emit) {
	accounts, states := s.store.Load().Accounts, make(map[string]*accountState)
	for _, a := range accounts {
		status := a.Status()
		state := &accountState{AccountStatus: shown(status, now, s.clock.Step()), now: now}
		for _, typ := range status.Types { // every type that is polled is there
			state.totals.Type(typ)
		}
		states[a.Name] = state
	}
	for _, of := range sums {
		if state := states[of.account]; state != nil {
			state.totals.Add(of.totals)
		}
	}
	for _, a := range accounts {
		s.account(a.Name, states[a.Name], emit)
	}
}

// account emits the metrics of an account.
func (s *source) account(name string, a *accountState, emit expose.Emit) {
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
