package discovery

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// serverFinder finds the account's servers.
type serverFinder struct {
	name   string
	config config.ServerDiscovery
	api    API
	types  []string
	// byOS are the types that exist for a system, within the account's.
	byOS map[string][]string
}

func newServerList(o Options) *list[Server] {
	l := newList[Server](o, KindServers, sas.ActionInstances, o.Servers.RefreshInterval)
	f := serverFinder{name: l.name, config: *o.Servers, api: o.API, types: o.Types}
	if f.config.TypesByOS {
		f.byOS = map[string][]string{
			"linux":   within(o.Types, "cve", "cms", "sca"),
			"windows": within(o.Types, "sys", "cms", "sca"),
		}
	}
	l.find, l.known = f.find, o.Known.Servers
	l.trim = func(servers []Server) []Server { return servers }
	l.key = func(s Server) string { return strings.ToLower(s.UUID) }
	return l
}

// within gives those of the types that exist.
func within(types []string, exist ...string) []string {
	return slices.DeleteFunc(slices.Clone(types), func(t string) bool { return !slices.Contains(exist, t) })
}

// find reads the list by token, and by number where no token comes back.
func (f serverFinder) find(ctx context.Context) (finding[Server], error) {
	r, err := pager[sas.Instance]{
		name: f.name,
		key:  func(i sas.Instance) string { return strings.ToLower(i.UUID) },
		ask: func(ctx context.Context, at place) (*sas.Page[sas.Instance], error) {
			return f.api.Instances(ctx, sas.InstanceQuery{Number: at.number, Token: at.token, Size: pageSize})
		},
	}.read(ctx, place{})
	if err != nil {
		return finding[Server]{}, err
	}
	found := finding[Server]{doubt: r.doubt, anomalies: r.anomalies}
	left := make(map[string]int) // out, by the setting that says so
	for _, i := range r.items {
		types := f.typesOf(i)
		if by := f.leavesOut(i, types); by != "" {
			left[by]++
			continue
		}
		found.items = append(found.items, Server{
			UUID: i.UUID, Name: cmp.Or(i.Name, i.UUID), InstanceID: i.ID,
			Region: i.Region, IP: i.IP, OS: i.OS, Types: types,
		})
	}
	if len(found.items) == 0 && len(r.items) > 0 {
		found.remark = remark{msg: "the settings leave out every server", detail: []any{
			"listed", len(r.items), "online_only", left["online_only"], "regions", left["regions"],
			"include", left["include"], "exclude", left["exclude"], "types", left["types"],
		}}
	}
	return found, nil
}

// typesOf gives the account's types that exist for the server's system; all of
// them where the system is not known.
func (f serverFinder) typesOf(i sas.Instance) []string {
	if types, known := f.byOS[strings.ToLower(i.OS)]; known {
		return types
	}
	return f.types
}

// leavesOut names the setting by which a server is left out; empty: none.
func (f serverFinder) leavesOut(i sas.Instance, types []string) string {
	switch {
	case f.config.OnlineOnly && !i.Online:
		return "online_only"
	case len(f.config.Regions) > 0 && !slices.Contains(f.config.Regions, i.Region):
		return "regions"
	case f.config.Include != nil && !f.config.Include.MatchString(i.Name):
		return "include"
	case f.config.Exclude != nil && f.config.Exclude.MatchString(i.Name):
		return "exclude"
	case len(types) == 0:
		return "types"
	}
	return ""
}
