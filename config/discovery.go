package config

import "math"

// discovery returns a setter for the mapping `discovery`.
func (d *decoder) discovery(into *Discovery) func(value) {
	return func(v value) {
		d.mapping(v, fields{
			{"tasks", d.taskDiscovery(&into.Tasks)},
			{"servers", d.serverDiscovery(&into.Servers)},
		})
	}
}

// taskDiscovery turns task discovery on, even with nothing behind its key.
func (d *decoder) taskDiscovery(into **TaskDiscovery) func(value) {
	return func(v value) {
		t := defaultTaskDiscovery()
		d.mapping(v, fields{
			{"refresh_interval", d.duration(&t.RefreshInterval, false)},
			{"max_age", d.duration(&t.MaxAge, false)},
			{"max_tasks", d.count(&t.MaxTasks, math.MaxInt32)},
			{"sources", d.texts(&t.Sources, present)},
		})
		*into = &t
	}
}

// serverDiscovery turns server discovery on, even with nothing behind its key.
func (d *decoder) serverDiscovery(into **ServerDiscovery) func(value) {
	return func(v value) {
		s := defaultServerDiscovery()
		d.mapping(v, fields{
			{"refresh_interval", d.duration(&s.RefreshInterval, false)},
			{"online_only", d.flag(&s.OnlineOnly)},
			{"regions", d.texts(&s.Regions, checkRegionShape)},
			{"include", d.pattern(&s.Include)},
			{"exclude", d.pattern(&s.Exclude)},
			{"types_by_os", d.flag(&s.TypesByOS)},
		})
		*into = &s
	}
}
