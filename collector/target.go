package collector

import (
	"maps"
	"slices"
	"strings"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
	"aliyun_vulscan_exporter/internal/sas"
)

// target is a server that is polled: configured, discovered or both. It is
// never changed.
type target struct {
	config.Server        // its TaskIDs are all that it is asked for, discovered ones too
	facts         *facts // nil if it was not discovered
}

// facts are what only discovery knows of a server; empty where it does not.
type facts struct{ region, instanceID, ip, os string }

// key is what tells servers apart: the service writes UUIDs in either case.
func (t *target) key() string { return strings.ToLower(t.UUID) }

// fact gives the value of one of server_info's labels. Region, instance ID,
// address and system are not in the API's answers on scans: only discovery
// knows them.
func (t *target) fact(label string) string {
	known := t.facts
	if known == nil {
		known = &facts{}
	}
	switch label {
	case "region":
		return known.region
	case "instance_id":
		return known.instanceID
	case "ip":
		return known.ip
	case "os":
		return known.os
	}
	return t.Labels[label]
}

// same says whether two targets are polled and shown alike.
func (t *target) same(as *target) bool {
	sameFacts := t.facts == as.facts || t.facts != nil && as.facts != nil && *t.facts == *as.facts
	return sameFacts && t.UUID == as.UUID && t.Name == as.Name && slices.Equal(t.TaskIDs, as.TaskIDs) &&
		slices.Equal(t.Types, as.Types) && maps.Equal(t.Labels, as.Labels)
}

// targets gives the servers of an account: those of its configuration, and
// after them those that were only discovered and that owns says are this
// process's. What the configuration says of a server counts; every server is
// asked for discovered tasks too.
func targets(c config.Account, found discovery.Found, owns func(uuid string) bool) []*target {
	discovered := make(map[string]*facts, len(found.Servers.Items))
	for i := range found.Servers.Items {
		s := &found.Servers.Items[i]
		discovered[strings.ToLower(s.UUID)] = &facts{region: s.Region, instanceID: s.InstanceID, ip: s.IP, os: s.OS}
	}
	with := taskAdder{found: taskIDs(found)}
	list := make([]*target, 0, len(c.Servers))
	for _, s := range c.Servers {
		t := &target{Server: s}
		t.TaskIDs = with.to(s.TaskIDs)
		t.facts = discovered[t.key()]
		list = append(list, t)
		delete(discovered, t.key())
	}
	for _, s := range found.Servers.Items {
		t := &target{Server: config.Server{UUID: s.UUID, Name: s.Name, TaskIDs: with.to(c.TaskIDs), Types: s.Types}}
		if t.facts = discovered[t.key()]; t.facts != nil && (owns == nil || owns(s.UUID)) {
			list = append(list, t)
			delete(discovered, t.key())
		}
	}
	return list
}

func taskIDs(found discovery.Found) []string {
	ids := make([]string, len(found.Tasks.Items))
	for i, t := range found.Tasks.Items {
		ids[i] = t.ID
	}
	return ids
}

// taskAdder adds discovered tasks to configured ones. Servers that are
// configured alike share the result.
type taskAdder struct {
	found             []string
	configured, added []string // of the last server
}

func (a *taskAdder) to(configured []string) []string {
	if len(a.found) == 0 {
		return configured
	}
	if a.added == nil || !slices.Equal(a.configured, configured) {
		a.configured, a.added = configured, slices.Clone(configured)
		for _, id := range a.found {
			if !slices.Contains(configured, id) {
				a.added = append(a.added, id)
			}
		}
	}
	return a.added
}

// sameTargets says whether two findings lead to the same targets.
func sameTargets(a, b discovery.Found) bool {
	return slices.Equal(taskIDs(a), taskIDs(b)) && slices.EqualFunc(a.Servers.Items, b.Servers.Items, func(a, b discovery.Server) bool {
		return a.UUID == b.UUID && a.Name == b.Name && a.InstanceID == b.InstanceID && a.Region == b.Region &&
			a.IP == b.IP && a.OS == b.OS && slices.Equal(a.Types, b.Types)
	})
}

// stillDiscovered gives what was found of the kinds that are discovered.
func stillDiscovered(c config.Discovery, found discovery.Found) discovery.Found {
	if c.Tasks == nil {
		found.Tasks = discovery.List[sas.Task]{}
	}
	if c.Servers == nil {
		found.Servers = discovery.List[discovery.Server]{}
	}
	return found
}
