package processtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
)

// list answers the calls of discovery: one task, which runs and whose list says in turn of each
// server that its scan failed and timed out, whenever its code changes. Other calls are about a
// server.
func (l *ledger) list(w http.ResponseWriter, r *simulator.Request) bool {
	if r.Action == sas.ActionVulCheckTaskStatusDetail {
		return l.answer(w, r)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	switch {
	case r.Action == sas.ActionInstances:
		for _, s := range l.servers {
			list = append(list, fmt.Sprintf(`{"Uuid":%q,"InstanceName":%q,"Os":"linux","ClientStatus":"online"}`, s.UUID, s.Name))
		}
		fmt.Fprintf(w, `{"Success":true,"RequestId":"R","PageInfo":{"Count":%d,"NextToken":""},"Instances":[%s]}`, len(list), strings.Join(list, ","))
		return true
	case r.Params.Get("RootTaskId") == "":
		list = append(list, fmt.Sprintf(`{"TaskId":%q,"TaskType":"VUL_CHECK_TASK","TaskStatusText":"PROCESSING","Progress":"5%%","TaskStartTime":%d}`,
			testTask, time.Now().Add(-time.Hour).Truncate(24*time.Hour).UnixMilli()))
	default:
		for n, s := range l.servers {
			list = append(list, fmt.Sprintf(`{"TaskId":"leaf-%d","TaskType":"VUL_CHECK_TASK","TaskStatus":%d,"DetailData":%q}`,
				n, sas.ScanFailed+l.moved[s.UUID]%2, fmt.Sprintf(`[{"uuid":%q}]`, s.UUID)))
		}
	}
	fmt.Fprintf(w, `{"RequestId":"R","PageInfo":{"Count":%[1]d,"CurrentPage":1,"PageSize":100,"TotalCount":%[1]d},"TaskManageResponseList":[%[2]s]}`, len(list), strings.Join(list, ","))
	return true
}

// The same holds while lists guide polling: a server is polled when its list says something new,
// and else hardly ever.
func TestKillsWhileListsGuide(t *testing.T) {
	t.Parallel()
	l := newLedger(t, testFleet(8).Servers(), sas.StatusComplete)
	l.survive(100, l.list, accountFile{name: "a", more: `    settled_interval: 1h
    stale_after: 2h
    types: [cve]
    discovery:
      tasks: {refresh_interval: 1s, server_scans_interval: 1s, max_age: 3d}
      servers: {refresh_interval: 10s}
`})
}
