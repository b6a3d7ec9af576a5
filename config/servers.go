package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/prometheus/common/model"
)

var uuidShape = regexp.MustCompile(`^(?i:(inet-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// serverInfoLabels are the names that aliyun_vulscan_server_info uses itself.
var serverInfoLabels = []string{"account", "uuid", "server", "region", "instance_id", "ip", "os"}

// listing is a server and where the files list it.
type listing struct {
	Server
	at    value // the server
	uuid  value // its UUID
	found keys
}

// serverSchema is the schema of a server.
func (d *decoder) serverSchema(s *Server) fields {
	return fields{
		{"uuid", d.string(&s.UUID, checkUUID)},
		{"name", d.string(&s.Name, checkName)},
		{"task_ids", d.strings(&s.TaskIDs, checkTaskID)},
		{"types", d.strings(&s.Types, oneOf(allTypes...))},
		{"labels", d.labels(&s.Labels)},
	}
}

// server returns one entry of a list of servers, nothing inherited yet.
func (d *decoder) server(v value) listing {
	l := listing{at: v, uuid: v}
	l.found = d.mapping(v, d.serverSchema(&l.Server))
	if l.found.given("uuid") {
		l.uuid = l.found["uuid"]
	} else if l.found != nil || v.null() {
		d.problem(v, "needs a uuid")
	}
	return l
}

// labels returns a codec for additional labels of a server.
func (d *decoder) labels(into *map[string]string) codec {
	return codec{
		set: func(v value) {
			found, order := d.pairs(v)
			if len(order) == 0 {
				return
			}
			labels := make(map[string]string, len(order))
			for _, name := range order {
				if text, ok := d.label(name, found[name]); ok {
					labels[name] = text
				}
			}
			*into = labels
		},
		show: func() any {
			if *into == nil {
				return nil
			}
			return onOneLine(*into)
		},
	}
}

// label returns the value of a label.
func (d *decoder) label(name string, v value) (string, bool) {
	switch {
	case slices.Contains(serverInfoLabels, name):
		d.problem(v, "aliyun_vulscan_server_info has a label of this name already; choose another")
		return "", false
	case !model.LegacyValidation.IsValidLabelName(name) || strings.HasPrefix(name, "__"):
		d.problem(v, "not a label name (want letters, digits and _, no digit first, not __ first)")
		return "", false
	case name == "job" || name == "instance":
		d.warnOnce(v, "Prometheus sets a label of this name itself, and renames this one to exported_"+name+": choose another")
	}
	text, ok := d.scalar(v, "text")
	if ok && strings.ContainsFunc(text, unicode.IsControl) {
		d.problem(v, "holds a line break or another control character")
		return "", false
	}
	return text, ok
}

// adopt adds the servers to their account, with what they inherit from it, and reports those listed
// twice and, unless the account says where tasks come from, those with nothing to ask for.
func (d *decoder) adopt(a *Account, servers []listing, tasks bool) {
	first := make(map[string]value, len(servers)) // key of a server to where it is listed
	a.Servers = make([]Server, 0, len(servers))
	for _, l := range servers {
		if key := ServerKey(l.UUID); key != "" {
			if earlier, twice := first[key]; twice {
				d.problem(l.uuid, "%s is listed already: %s:%d: %v", quote(l.UUID), earlier.text.name, earlier.line, earlier.place)
				continue
			}
			first[key] = l.uuid
			d.shareOfServer(l, key, a.Name)
		}
		if l.Name == "" {
			l.Name = l.UUID
		}
		if len(l.Types) == 0 {
			l.Types = a.Types
		}
		if len(l.TaskIDs) == 0 {
			l.TaskIDs = a.TaskIDs
			if !tasks && !l.found.filled("task_ids") {
				d.problem(l.at, "has no task IDs; give task_ids to it or to its account, or turn on discovery.tasks")
			}
		}
		a.Servers = append(a.Servers, l.Server)
	}
}

// shareOfServer warns, once for two accounts, of a server that both list. That may be meant: two
// entries may be parts of one Alibaba Cloud account, with other tasks or types. Mostly it is a list
// given to the wrong account.
func (d *decoder) shareOfServer(l listing, key, account string) {
	owner, taken := d.owners[key]
	if !taken {
		d.owners[key] = account
		return
	}
	pair := owner + "\x00" + account
	if !d.warned[pair] {
		d.warned[pair] = true
		d.warn(l.uuid, "account %s lists this server too: both poll it, and each publishes it under its own name (said only for the first such server)", quote(owner))
	}
}

// ServerKey returns what two spellings of one server's UUID have in common: letters of any case,
// with inet- or without.
func ServerKey(uuid string) string { return strings.TrimPrefix(strings.ToLower(uuid), "inet-") }

func checkUUID(text string) error {
	if !uuidShape.MatchString(text) {
		return fmt.Errorf("not a UUID: %s (want such as 5d55af3c-35f3-4d4d-8ccc-8c5443b00001, maybe with inet- before it)", quote(text))
	}
	return nil
}
