package collector

import (
	"slices"
	"time"

	"aliyun_vulscan_exporter/collector/expose"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
)

// Indexes of a server's label values, which all its metrics share. The values of assetLabels
// follow, and then those of configured labels.
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
	rows       []metric
	configured []string
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
	s := &source{store: store, clock: clock, configured: configured}
	s.rows = slices.DeleteFunc(table(configured), func(m metric) bool { return m.isEvent() })
	e, err := expose.NewEngine(families(s.rows, placeNames(configured)), s, clock.Now)
	if err != nil {
		return newEngine(store, clock, nil)
	}
	return e
}

// ofServer reports whether the metric is read off one server's record.
func (m *metric) ofServer() bool {
	return m.server != nil || m.subtask != nil || m.errorCount != nil || m.serverScan != nil
}

// isEvent reports whether the metric is counted when something happens.
func (m *metric) isEvent() bool {
	return !m.ofServer() && m.totals == nil && m.account == nil && m.task == nil
}

// families returns the rows of the table as families of the engine. places are the names of the
// labels whose values a server's metrics share. The values of all other labels come in the order of
// their row's labels.
func families(rows []metric, places []string) []expose.Family {
	list := make([]expose.Family, len(rows))
	for i, m := range rows {
		list[i] = expose.Family{Name: m.name, Help: m.help}
		if m.counter {
			list[i].Type = expose.Counter
		}
		for at, name := range m.labels {
			if m.ofServer() {
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
func (s *source) Collect(v version, now time.Time, e *expose.Emitter) (sum, time.Time) {
	totals, until := &scan.Totals{}, scan.Instant(0)
	values := make([]string, placeAsset+len(assetLabels)+len(s.configured))
	values[placeAccount] = v.records.Account
	for view := range v.records.Views(scan.InstantOf(now), v.step) {
		s.emit(view, values, e)
		totals.Count(view)
		if at := view.ChangesAt(); at != 0 && (until == 0 || at < until) {
			until = at
		}
	}
	return sum{v.records.Account, totals}, until.Time()
}

// emit emits the metrics of one server. values holds the label values that are known already.
func (s *source) emit(v scan.View, values []string, e *expose.Emitter) {
	values[placeUUID], values[placeServer] = v.Target.UUID, v.Target.Name
	for i, l := range assetLabels {
		values[placeAsset+i] = ""
		if v.Target.AssetInfo != nil {
			values[placeAsset+i] = l.of(v.Target.AssetInfo)
		}
	}
	for i, name := range s.configured {
		values[placeAsset+len(assetLabels)+i] = v.Target.Labels[name]
	}
	for i := range s.rows {
		if m := &s.rows[i]; m.server != nil {
			if value, there := m.server(v); there {
				e.Emit(i, values, value, time.Time{})
			}
		}
	}
	s.emitErrors(v, values, e)
	s.emitServerScans(v, values, e)
	if !v.Stale() {
		s.emitSubtasks(v, values, e)
	}
}

func (s *source) emitErrors(v scan.View, values []string, e *expose.Emitter) {
	for i := range s.rows {
		m := &s.rows[i]
		if m.errorCount == nil {
			continue
		}
		for k := range v.Errors {
			count := &v.Errors[k]
			values[placeType], values[placeCode] = count.Type, count.Code
			e.Emit(i, values, m.errorCount(count), when(v, count.Created))
		}
	}
}

func (s *source) emitServerScans(v scan.View, values []string, e *expose.Emitter) {
	for i := range s.rows {
		m := &s.rows[i]
		if m.serverScan == nil {
			continue
		}
		for k := range v.ServerScans {
			values[placeTaskID] = v.ServerScans[k].TaskID
			if value, there := m.serverScan(&v.ServerScans[k]); there {
				e.Emit(i, values, value, time.Time{})
			}
		}
	}
}

func (s *source) emitSubtasks(v scan.View, values []string, e *expose.Emitter) {
	for k := range v.Subtasks {
		t := &v.Subtasks[k]
		if v.Settings.Series == config.SeriesOpen && !t.Unfinished() && t.Code == "" {
			continue
		}
		values[placeTaskID], values[placeType], values[placeCode] = t.TaskID, t.Type, t.CodeLabel
		for i := range s.rows {
			if m := &s.rows[i]; m.subtask != nil {
				if value, there := m.subtask(v, t); there {
					e.Emit(i, values, value, time.Time{})
				}
			}
		}
	}
}

// Total implements expose.Source.
func (s *source) Total(sums []sum, now time.Time, e *expose.Emitter) {
	totals := make(map[string]*scan.Totals)
	for _, of := range sums {
		if totals[of.account] == nil {
			totals[of.account] = &scan.Totals{}
		}
		totals[of.account].Add(of.totals)
	}
	for _, a := range s.store.Load().Accounts {
		status := a.Status()
		sum := &scan.Totals{}
		for _, typ := range status.Types { // every type that is polled is there
			sum.Type(typ)
		}
		if of := totals[a.Name]; of != nil {
			sum.Add(of)
		}
		s.emitAccount(a.Name, shown(status, now, s.clock.Step()), sum, now, e)
	}
}

func (s *source) emitAccount(name string, status *scan.AccountStatus, sum *scan.Totals, now time.Time, e *expose.Emitter) {
	for i := range s.rows {
		m := &s.rows[i]
		put := func(value float64, labels ...string) {
			e.Emit(i, append([]string{name}, labels...), value, time.Time{})
		}
		switch {
		case m.totals != nil:
			m.totals(sum, put)
		case m.account != nil:
			m.account(status, now, put)
		case m.task != nil:
			for k := range status.Found.Tasks.Items {
				m.task(&status.Found.Tasks.Items[k], put)
			}
		}
	}
}
