package discovery

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// onlineOnly is the setting that keeps servers out whose agent is offline.
const onlineOnly = "online_only"

// serverFinder finds the account's servers.
type serverFinder struct {
	name   string
	config config.ServerDiscovery
	api    API
	types  []string
	// byOS are those of the account's types that exist for a system.
	byOS map[string][]string
}

func newServerFinder(name string, settings config.ServerDiscovery, types []string, api API) serverFinder {
	f := serverFinder{name: name, config: settings, api: api, types: types}
	if settings.TypesByOS {
		f.byOS = map[string][]string{
			"linux":   within(types, "cve", "cms", "sca"),
			"windows": within(types, "sys", "cms", "sca"),
		}
	}
	return f
}

// LeftOutBy returns the name of the setting that leaves a server out, given the account's types;
// empty: it is watched.
func LeftOutBy(settings config.ServerDiscovery, types []string, i sas.Instance) string {
	f := newServerFinder("", settings, types, nil)
	return f.leavesOut(i, f.typesOf(i))
}

func newServerList(o Options) *list[Server] {
	l := newList[Server](o, KindServers, sas.ActionInstances, o.Servers.RefreshInterval)
	f := newServerFinder(l.name, *o.Servers, o.Types, o.API)
	l.find, l.known = f.find, o.Known.Servers
	l.known.Items = slices.Concat(o.Known.Servers.Items, o.Known.Offline)
	l.trim = func(servers []Server) ([]Server, int) { return servers, 0 }
	l.count = func(servers []Server) int {
		followed, _ := byAgent(List[Server]{Items: servers}, o.Servers.OnlineOnly)
		return len(followed.Items)
	}
	l.key = func(s Server) string { return sas.UUIDKey(s.UUID) }
	return l
}

// within returns those of the types that exist.
func within(types []string, exist ...string) []string {
	return slices.DeleteFunc(slices.Clone(types), func(t string) bool { return !slices.Contains(exist, t) })
}

// byAgent splits what passes all other filters into the servers that are followed and those that
// online_only keeps out.
func byAgent(all List[Server], onlineOnly bool) (followed List[Server], offline []Server) {
	if !onlineOnly {
		return all, nil
	}
	followed = all
	followed.Items = nil
	for _, s := range all.Items {
		if s.Online {
			followed.Items = append(followed.Items, s)
		} else {
			offline = append(offline, s)
		}
	}
	return followed, offline
}

// find reads the list by token, and by number where no token comes back.
func (f serverFinder) find(ctx context.Context) (listing[Server], error) {
	r, err := pager[sas.Instance]{
		name: f.name, most: maxPages,
		key: func(i sas.Instance) string { return sas.UUIDKey(i.UUID) },
		ask: func(ctx context.Context, at place) (*sas.Page[sas.Instance], error) {
			return f.api.Instances(ctx, sas.InstanceQuery{Number: at.number, Token: at.token, Size: pageSize})
		},
	}.read(ctx, place{})
	if err != nil {
		return listing[Server]{}, err
	}
	found := listing[Server]{doubt: r.doubt, anomalies: r.anomalies}
	left := make(map[string]int) // out, by the setting that says so
	followed := 0
	for _, i := range r.items {
		types := f.typesOf(i)
		if by := f.leavesOut(i, types); by != "" {
			left[by]++
			if by != onlineOnly {
				continue
			}
		} else {
			followed++
		}
		i.Name = cmp.Or(i.Name, i.UUID)
		found.items = append(found.items, Server{i, types})
	}
	if followed == 0 && len(r.items) > 0 {
		found.remark = remark{msg: "the settings leave out every server", detail: []any{
			"listed", len(r.items), onlineOnly, left[onlineOnly], "regions", left["regions"],
			"include", left["include"], "exclude", left["exclude"], "types", left["types"],
		}}
	}
	return found, nil
}

// typesOf returns the account's types that exist for the server's system; all of them where the
// system is not known.
func (f serverFinder) typesOf(i sas.Instance) []string {
	if types, known := f.byOS[strings.ToLower(i.OS)]; known {
		return types
	}
	return f.types
}

// leavesOut names the setting by which a server is left out; empty: none.
func (f serverFinder) leavesOut(i sas.Instance, types []string) string {
	switch {
	case len(f.config.Regions) > 0 && !slices.Contains(f.config.Regions, i.Region):
		return "regions"
	case f.config.Include != nil && !f.config.Include.MatchString(i.Name):
		return "include"
	case f.config.Exclude != nil && f.config.Exclude.MatchString(i.Name):
		return "exclude"
	case len(types) == 0:
		return "types"
	case f.config.OnlineOnly && !i.Online:
		return onlineOnly // the last, so that it alone keeps such a server out
	}
	return ""
}
