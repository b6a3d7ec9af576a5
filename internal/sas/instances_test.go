package sas

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"aliyun_vulscan_exporter/internal/simulator"
)

// exampleInstances is composed of documented fields and values.
const exampleInstances = `{"Success":true,"RequestId":"32A73759-4C0F-4801-BE98-901223ACEE9A",` +
	`"PageInfo":{"Count":1,"CurrentPage":1,"PageSize":20,"TotalCount":1,"NextToken":""},"Instances":[` +
	`{"Uuid":"` + exampleUUID + `","InstanceId":"i-m5xxxx","InstanceName":"web-1","InternetIp":"",` +
	`"IntranetIp":"10.0.0.5","Os":"linux","RegionId":"cn-hangzhou","ClientStatus":"online","GroupId":4120080,"VulStatus":"YES"}]}`

// instancesPage puts servers into an answer.
func instancesPage(instances string) string {
	return `{"RequestId":"R","PageInfo":{},"Instances":[` + instances + `]}`
}

func TestInstanceQuerysAreBelievedOrNot(t *testing.T) {
	checkPages(t, instanceList, anomalyCounter.instance)
}

func TestInstancesAreReadWhateverTheirFields(t *testing.T) {
	one := func(uuid string) []Instance { return []Instance{{UUID: uuid}} }
	uuid := func(text string) string { return instancesPage(`{"Uuid":` + text + `}`) }
	field := func(f string) string { return instancesPage(`{"Uuid":"` + exampleUUID + `",` + f + `}`) }
	missing, invalid := map[Anomaly]int{MissingID: 1}, map[Anomaly]int{InvalidID: 1}
	rows := []struct {
		name      string
		body      string
		instances []Instance
		anomalies map[Anomaly]int
	}{
		{name: "the documented example", body: exampleInstances, instances: []Instance{{
			UUID: exampleUUID, InstanceID: "i-m5xxxx", Name: "web-1", Region: "cn-hangzhou", IP: "10.0.0.5", OS: "linux", Online: true,
		}}},
		{name: "a UUID with a prefix", body: uuid(`"inet-` + exampleUUID + `"`), instances: one("inet-" + exampleUUID)},
		{name: "an empty UUID", body: uuid(`""`), anomalies: missing},
		{name: "a null UUID", body: uuid(`null`), anomalies: missing},
		{name: "no UUID", body: instancesPage(`{"InstanceId":"i-1"}`), anomalies: missing},
		{name: "no UUID at all but a text", body: uuid(`"web-1"`), anomalies: invalid},
		{name: "a newline behind the UUID", body: uuid(`"` + exampleUUID + `\n"`), anomalies: invalid},
		{name: "a number for the UUID", body: uuid(`7`), anomalies: map[Anomaly]int{InvalidID: 1, WrongType: 1}},
		{
			name: "a server twice, in capitals", body: instancesPage(`{"Uuid":"` + exampleUUID + `"},{"Uuid":"` + strings.ToUpper(exampleUUID) + `"}`),
			instances: one(exampleUUID), anomalies: map[Anomaly]int{Duplicate: 1},
		},
		{name: "only a region without ID", body: field(`"Region":"cn-beijing"`), instances: []Instance{{UUID: exampleUUID, Region: "cn-beijing"}}},
		{name: "only a public address", body: field(`"InternetIp":"203.0.113.9"`), instances: []Instance{{UUID: exampleUUID, IP: "203.0.113.9"}}},
		{name: "offline", body: field(`"ClientStatus":"offline"`), instances: one(exampleUUID)},
		{name: "online in capitals", body: field(`"ClientStatus":"ONLINE"`), instances: []Instance{{UUID: exampleUUID, Online: true}}},
		{name: "a number for a name", body: field(`"InstanceName":12`), instances: []Instance{{UUID: exampleUUID, Name: "12"}}, anomalies: map[Anomaly]int{WrongType: 1}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := decodePage([]byte(row.body), instanceList, anomalyCounter.instance)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Items, row.instances) {
				t.Errorf("got\n%+v, want\n%+v", got.Items, row.instances)
			}
			if !maps.Equal(got.Anomalies, row.anomalies) {
				t.Errorf("got anomalies %v, want %v", got.Anomalies, row.anomalies)
			}
		})
	}
}

func TestAFleetsServersAreReadByTokenAndByNumber(t *testing.T) {
	fleet := simulator.Fleet{Seed: 3, Size: 25, OfflineRatio: 0.2}
	c := serveFleet(t, fleet, nil)
	ask := func(p InstanceQuery) *Page[Instance] {
		t.Helper()
		instances, err := c.Instances(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if len(instances.Anomalies) != 0 {
			t.Errorf("anomalies %v", instances.Anomalies)
		}
		return instances
	}
	first := ask(InstanceQuery{Size: 15})
	second := ask(InstanceQuery{Size: 15, Token: first.NextToken})
	if first.NextToken == "" || second.NextToken != "" || first.Total != -1 {
		t.Errorf("tokens %q and %q, total %d", first.NextToken, second.NextToken, first.Total)
	}
	byNumber := ask(InstanceQuery{Size: 15, Number: 2})
	if !slices.Equal(byNumber.Items, second.Items) || byNumber.Total != 25 || byNumber.NextToken != "" {
		t.Errorf("got %+v", byNumber)
	}
	for i, got := range slices.Concat(first.Items, second.Items) {
		s := fleet.Servers()[i]
		if want := (Instance{s.UUID, s.InstanceID, s.Name, s.RegionID, s.IP, s.OS, s.Online}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// The SDK would send the account's region, which is the name of a filter here.
func TestServersOfAllRegionsAreAskedFor(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]map[string]string{}
	c := serveFleet(t, simulator.Fleet{}, func(_ http.ResponseWriter, r *simulator.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		asked[r.Action] = map[string]string{}
		for name := range r.Params {
			if !strings.HasPrefix(name, "Sig") {
				asked[r.Action][name] = r.Params.Get(name)
			}
		}
		return false
	})
	_, errServers := c.Instances(t.Context(), InstanceQuery{Size: 100})
	_, errTasks := c.OnceTasks(t.Context(), TaskQuery{Number: 1, Size: 100})
	if err := errors.Join(errServers, errTasks); err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{
		ActionInstances: {"RegionId": "", "MachineTypes": "ecs", "PageSize": "100", "UseNextToken": "true"},
		ActionOnceTask:  {"RegionId": "cn-shanghai", "TaskType": "VUL_CHECK_TASK", "PageSize": "100", "CurrentPage": "1"},
	}
	for action, params := range want {
		for _, name := range []string{"AccessKeyId", "Action", "Format", "SecurityToken", "Timestamp", "Version"} {
			delete(asked[action], name)
		}
		if !maps.Equal(asked[action], params) {
			t.Errorf("%s was asked with %v, want %v", action, asked[action], params)
		}
	}
}

func FuzzDecodeInstances(f *testing.F) {
	addPageSeeds(f, instanceList)
	f.Add([]byte(exampleInstances))
	f.Add([]byte(instancesPage(`{"Uuid":"inet-` + exampleUUID + `","Os":{},"ClientStatus":[]}`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		instances, err := decodePage(body, instanceList, anomalyCounter.instance)
		if (instances == nil) == (err == nil) {
			t.Fatalf("instances %v and error %v", instances, err)
		}
		if err != nil {
			return
		}
		checkDecodedPage(t, instances)
		seen := make(map[string]bool)
		for _, i := range instances.Items {
			checkFits(t, i.UUID, i.InstanceID, i.Name, i.Region, i.IP, i.OS)
			if key := strings.ToLower(i.UUID); !uuidShape.MatchString(i.UUID) || seen[key] {
				t.Errorf("got %+v", i)
			} else {
				seen[key] = true
			}
		}
	})
}
