package config

import (
	"math"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// discovery returns the codec of the mapping `discovery`.
func (d *decoder) discovery(into *Discovery) codec {
	schema := fields{
		{"tasks", section(d, &into.Tasks, defaultTaskDiscovery, d.taskDiscovery)},
		{"servers", section(d, &into.Servers, defaultServerDiscovery, d.serverDiscovery)},
	}
	return codec{
		set: func(v value) {
			if d.isSwitch(v, "name what to discover: {tasks: {}, servers: {}}") {
				return
			}
			found := d.mapping(v, schema)
			if _, misspelt := found["tasks"]; misspelt && into.Tasks == nil {
				into.Tasks = &TaskDiscovery{} // so that servers are not said to have no tasks
			}
		},
		show:  func() any { return schema.shown() },
		inner: schema,
	}
}

// section returns a codec for a mapping that its key alone turns on. It stays nil without the key.
func section[T any](d *decoder, into **T, defaults func() T, schema func(*T) fields) codec {
	return codec{
		set: func(v value) {
			t := defaults()
			*into = &t
			if !d.isSwitch(v, "write {} for all defaults") {
				d.mapping(v, schema(&t))
			}
		},
		show: func() any {
			if *into == nil {
				return nil
			}
			return schema(*into).shown()
		},
		inner: schema(new(T)),
	}
}

// isSwitch reports a value that turns a mapping on or off, as other programs have it, and says what
// to write.
func (d *decoder) isSwitch(v value, on string) bool {
	if v.null() || v.node.Kind != yaml.ScalarNode {
		return false
	}
	switch word := strings.ToLower(v.node.Value); {
	case slices.Contains([]string{"true", "on", "yes", "1", "enabled", "auto"}, word):
		d.problem(v, "want a mapping (key: value), not %s: %s", quote(word), on)
	case slices.Contains([]string{"false", "off", "no", "0", "disabled", "none"}, word):
		d.problem(v, "want a mapping (key: value), not %s: leave the key out to turn it off", quote(word))
	default:
		d.problem(v, "want a mapping (key: value), not a single value: %s", on)
	}
	return true
}

func (d *decoder) taskDiscovery(t *TaskDiscovery) fields {
	return fields{
		{"refresh_interval", d.duration(&t.RefreshInterval, time.Second)},
		{"max_age", d.duration(&t.MaxAge, positive)},
		{"max_tasks", d.count(&t.MaxTasks, math.MaxInt32)},
		{"sources", d.sources(&t.Sources)},
		{"server_scans", d.choice(&t.ServerScans, "auto", "off")},
		{"server_scans_interval", d.duration(&t.ServerScansInterval, time.Second)},
	}
}

func (d *decoder) serverDiscovery(s *ServerDiscovery) fields {
	return fields{
		{"refresh_interval", d.duration(&s.RefreshInterval, time.Second)},
		{"online_only", d.flag(&s.OnlineOnly)},
		{"regions", d.regions(&s.Regions)},
		{"include", d.pattern(&s.Include)},
		{"exclude", d.pattern(&s.Exclude)},
		{"types_by_os", d.flag(&s.TypesByOS)},
	}
}

// sources returns a codec for a list of what starts tasks; one that is not documented is warned of.
func (d *decoder) sources(into *[]string) codec {
	c := d.strings(into, present)
	set := c.set
	c.set = func(v value) {
		set(v)
		for _, source := range *into {
			if source != "schedule" && source != "console" {
				d.warn(v, "%s is none of the documented sources, schedule and console: maybe no task is ever started by it", quote(source))
			}
		}
	}
	return c
}

// regions returns a codec for a list of regions; one that is not published is warned of.
func (d *decoder) regions(into *[]string) codec {
	c := d.strings(into, checkRegion)
	set := c.set
	c.set = func(v value) {
		set(v)
		for _, region := range *into {
			d.warnOfRegion(v, region, "servers are compared with it as it is")
		}
	}
	return c
}
