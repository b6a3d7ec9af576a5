package collector_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/shard"
	"aliyun_vulscan_exporter/internal/simulator"
	"aliyun_vulscan_exporter/internal/state"
)

// spellings of the UUID of server web-1.
func spellings() map[string]string {
	return map[string]string{
		"as it was": uuid(1), "in capitals": strings.ToUpper(uuid(1)), "with a prefix": "inet-" + uuid(1),
		"with a prefix, in capitals": "INET-" + strings.ToUpper(uuid(1)),
	}
}

// spelt is server web-1 under another spelling of its UUID.
func spelt(uuid string) string { return fmt.Sprintf("{uuid: %s, name: web-1}", uuid) }

// says1 answers for web-1 however it is spelt.
func says1(list ...string) func(http.ResponseWriter, *simulator.Request) bool {
	return func(w http.ResponseWriter, r *simulator.Request) bool {
		if r.Action != sas.ActionVulCheckTaskStatusDetail {
			return false
		}
		reply{body: subtasks(list...)}.write(w)
		return true
	}
}

func TestAServerIsTheSameHoweverItsUUIDIsSpelt(t *testing.T) {
	t.Parallel()
	for name, other := range spellings() {
		for how, restart := range map[string]bool{"after a restart": true, "after a reload": false} {
			t.Run(name+" "+how, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					path := filepath.Join(t.TempDir(), "state")
					store := openState(t, path)
					start := func() *world {
						return prepareWorldWith(t, simulator.Options{Intercept: says1("t/cve/4/A")}, poll.Options{State: store})
					}
					w := start()
					w.apply(yamlOf(yamlAccount("main", "settled_interval: 1m", spelt(uuid(1)))))
					pass(10 * time.Minute)
					if restart {
						w.poller.Close()
						_ = store.Close()
						store = openState(t, path)
						w = start()
					}
					w.apply(yamlOf(yamlAccount("main", "settled_interval: 1m", spelt(other))))
					check := func(when string) {
						t.Helper()
						wantEqual(t, "errors "+when, w.value("subtask_errors_total", "uuid="+other), 1)
						wantEqual(t, "failures "+when, w.value("scan_failures_total"), 1)
						wantEqual(t, "last change "+when, w.value("subtask_last_change_timestamp_seconds", "uuid="+other)-epoch, 0)
					}
					check("at once")
					pass(10 * time.Minute)
					check("polled")
					for _, spelling := range spellings() {
						if d, ok := w.overview().Server("main", spelling); !ok || d.UUID != other {
							t.Errorf("%s leads to %v, %v", spelling, d, ok)
						}
					}
					pass(time.Hour)
					wantEqual(t, "watched, as a sweep is told", store.swept[state.Key{Account: "main", UUID: uuid(1)}], true)
					stored, err := store.Restore("main")
					if err != nil || len(stored) != 2 { // with the account's own
						t.Errorf("stored: %v %v", stored, err)
					}
				})
			})
		}
	}
}

func TestADiscoveredServerIsTheConfiguredOneHoweverItsUUIDIsSpelt(t *testing.T) {
	t.Parallel()
	for name, listed := range spellings() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				lists := func(w http.ResponseWriter, r *simulator.Request) bool {
					if r.Action != sas.ActionInstances {
						return false
					}
					fmt.Fprintf(w, `{"Success":true,"RequestId":"R","PageInfo":{"Count":1,"CurrentPage":1,"PageSize":100,"NextToken":""},"Instances":[`+
						`{"Uuid":%q,"InstanceName":"found","InstanceId":"i-1","IntranetIp":"10.0.0.1","Os":"linux","RegionId":"cn-hangzhou","ClientStatus":"online"}]}`, listed)
					return true
				}
				a := simulated("main")
				a.Fleet = simulator.Fleet{Seed: 3, Size: 1, TaskEvery: time.Hour}
				w := startWorld(t, simulator.Options{Accounts: []simulator.Account{a}, Intercept: both(lists, says1("t/cve/4"))}, discovering("", spelt(uuid(1))))
				pass(time.Minute)
				wantEqual(t, "servers", w.servers(), []string{"web-1"})
				wantEqual(t, "info", w.value("server_info", "uuid="+uuid(1), "instance_id=i-1", "ip=10.0.0.1"), 1)
				targets := w.collector.Targets()
				wantEqual(t, "targets", len(targets), 1)
				wantEqual(t, "address", targets[0].Asset().IP, "10.0.0.1")
				for shards := range 7 {
					owners := 0
					for i := range shards + 1 {
						if of := (shard.Shard{Index: i, Total: shards + 1}); of.Owns(listed) && of.Owns(uuid(1)) {
							owners++
						}
					}
					wantEqual(t, fmt.Sprint("owners of ", shards+1), owners, 1)
				}
			})
		})
	}
}
