package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

var uuidShape = regexp.MustCompile(`^(?i:(inet-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// serverInfoLabels are the names that aliyun_vulscan_server_info uses itself.
var serverInfoLabels = []string{"account", "uuid", "server", "region", "instance_id", "ip", "os"}

// listing is a server and where the files list it.
type listing struct {
	Server
	at   value // the server
	uuid value // its UUID
}

// server returns one entry of a list of servers, nothing inherited yet.
func (d *decoder) server(v value) listing {
	l := listing{at: v, uuid: v}
	found := d.mapping(v, fields{
		{"uuid", d.text(&l.UUID, checkUUID)},
		{"name", d.text(&l.Name)},
		{"task_ids", d.texts(&l.TaskIDs, checkTaskID)},
		{"types", d.texts(&l.Types, oneOf(allTypes...))},
		{"labels", d.labels(&l.Labels)},
	})
	if given(found, "uuid") {
		l.uuid = found["uuid"]
	} else if found != nil || v.null() {
		d.problem(v, "needs a uuid")
	}
	return l
}

// labels returns a setter for additional labels of a server.
func (d *decoder) labels(into *map[string]string) func(value) {
	return func(v value) {
		found, order := d.pairs(v)
		if len(order) == 0 {
			return
		}
		labels := make(map[string]string, len(order))
		for _, name := range order {
			at := found[name]
			switch {
			case slices.Contains(serverInfoLabels, name):
				d.problem(at, "aliyun_vulscan_server_info has a label of this name already; choose another")
			case !model.LegacyValidation.IsValidLabelName(name) || strings.HasPrefix(name, "__"):
				d.problem(at, "not a label name (want letters, digits and _, no digit first, not __ first)")
			default:
				if text, ok := d.scalar(at, "text"); ok {
					labels[name] = text
				}
			}
		}
		*into = labels
	}
}

// adopt gives the servers to their account, with what they inherit from it, and reports those listed twice and
// those with nothing to ask for.
func (d *decoder) adopt(a *Account, servers []listing) {
	first := make(map[string]value, len(servers)) // UUID to where it is listed
	a.Servers = make([]Server, 0, len(servers))
	for _, l := range servers {
		if key := strings.ToLower(l.UUID); key != "" {
			if earlier, twice := first[key]; twice {
				d.problem(l.uuid, "%s is listed already: %s:%d: %v", quote(l.UUID), earlier.file, earlier.line, earlier.place)
				continue
			}
			first[key] = l.uuid
		}
		if l.Name == "" {
			l.Name = l.UUID
		}
		if len(l.Types) == 0 {
			l.Types = a.Types
		}
		if len(l.TaskIDs) == 0 {
			l.TaskIDs = a.TaskIDs
		}
		if len(l.TaskIDs) == 0 && a.Discovery.Tasks == nil {
			d.problem(l.at, "has no task IDs; give task_ids to it or to its account, or turn on discovery.tasks")
		}
		a.Servers = append(a.Servers, l.Server)
	}
}

func checkUUID(text string) error {
	if !uuidShape.MatchString(text) {
		return fmt.Errorf("not a UUID: %s (want such as 5d55af3c-35f3-4d4d-8ccc-8c5443b00001, maybe with inet- before it)", quote(text))
	}
	return nil
}
