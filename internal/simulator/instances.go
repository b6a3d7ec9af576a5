package simulator

import "encoding/json"

// instances is the answer of DescribeCloudCenterInstances.
type instances struct {
	Success   bool       `json:"Success"`
	RequestID string     `json:"RequestId"`
	PageInfo  pageInfo   `json:"PageInfo"`
	Instances []instance `json:"Instances"`
}

type instance struct {
	UUID            string `json:"Uuid"`
	InstanceID      string `json:"InstanceId"`
	InstanceName    string `json:"InstanceName"`
	InternetIP      string `json:"InternetIp"`
	IntranetIP      string `json:"IntranetIp"`
	IP              string `json:"Ip"`
	OS              string `json:"Os"`
	OSName          string `json:"OsName"`
	Region          string `json:"Region"`
	RegionID        string `json:"RegionId"`
	RegionName      string `json:"RegionName"`
	ClientStatus    string `json:"ClientStatus"` // online, offline or pause
	ClientSubStatus string `json:"ClientSubStatus"`
	ClientVersion   string `json:"ClientVersion"`
	GroupID         int64  `json:"GroupId"`
	GroupTrace      string `json:"GroupTrace"`
	Status          string `json:"Status"` // Running or notRunning
	AssetType       string `json:"AssetType"`
	VulStatus       string `json:"VulStatus"` // YES or NO, as the next three
	HcStatus        string `json:"HcStatus"`
	AlarmStatus     string `json:"AlarmStatus"`
	RiskStatus      string `json:"RiskStatus"`
	VulCount        int    `json:"VulCount"`
	Importance      int    `json:"Importance"`
	Flag            int    `json:"Flag"`
	Vendor          int    `json:"Vendor"`
	VendorName      string `json:"VendorName"`
	AuthVersion     int    `json:"AuthVersion"`
	Bind            bool   `json:"Bind"`
	Cores           int    `json:"Cores"`
	Mem             int    `json:"Mem"` // MiB
}

// describeInstances lists the servers, by page number or by token. Of Criteria only instanceId is
// applied. RegionId is not a filter here: the v1 SDK sends its own region under this name with
// every call, and whether the service filters by it is not documented.
func describeInstances(f Fleet, r *Request, requestID string) (any, *apiError) {
	p, err := pageByToken(r.Params)
	if err != nil {
		return nil, err
	}
	found, err := f.matching(r.Params.Get("MachineTypes"), r.Params.Get("Criteria"))
	if err != nil {
		return nil, err
	}
	out := &instances{Success: true, RequestID: requestID, Instances: []instance{}}
	var from, to int
	from, to, out.PageInfo = p.cut(found.count)
	var tasks []Task
	if f.DropRatio > 0 {
		tasks = f.Tasks(r.Time)
	}
	for i := found.first + from; i < found.first+to; i++ {
		out.Instances = append(out.Instances, f.instance(i, f.onlineIn(i, tasks, r.Time)))
	}
	return out, nil
}

// span is a run of servers.
type span struct{ first, count int }

func (f Fleet) matching(machineTypes, criteria string) (span, *apiError) {
	switch machineTypes {
	case "", "ecs":
	case "cloud_product", "eci", "rund", "runc":
		return span{}, nil
	default:
		return span{}, illegalParam()
	}
	if criteria == "" {
		return span{count: f.Size}, nil
	}
	var conditions []struct{ Name, Value string }
	if err := json.Unmarshal([]byte(criteria), &conditions); err != nil {
		return span{}, illegalParam()
	}
	for _, c := range conditions {
		if c.Name != "instanceId" {
			continue
		}
		if i, ok := f.serverByInstanceID(c.Value); ok {
			return span{first: i, count: 1}, nil
		}
		return span{}, nil
	}
	return span{count: f.Size}, nil
}

func (f Fleet) instance(i int, online bool) instance {
	s := f.server(i)
	vulnerabilities := int(f.draw(i, saltCount) % 12)
	out := instance{
		UUID: s.UUID, InstanceID: s.InstanceID, InstanceName: s.Name,
		InternetIP: s.PublicIP, IntranetIP: s.IP, IP: s.IP, OS: s.OS, OSName: s.OSName,
		Region: s.RegionID, RegionID: s.RegionID, RegionName: s.RegionID,
		ClientStatus: "online", ClientSubStatus: "online", ClientVersion: "aegis_12_31",
		GroupID: 4120080, GroupTrace: "default", Status: "Running", AssetType: "ecs",
		VulStatus: "NO", HcStatus: "NO", AlarmStatus: "NO", RiskStatus: "NO", VulCount: vulnerabilities,
		Importance: 1, VendorName: "ALIYUN", AuthVersion: 5, Bind: true, Cores: 4, Mem: 8192,
	}
	if s.PublicIP != "" {
		out.IP = s.PublicIP
	}
	if vulnerabilities > 0 {
		out.VulStatus, out.RiskStatus = "YES", "YES"
	}
	if !online {
		out.ClientStatus, out.ClientSubStatus = "offline", "offline"
	}
	return out
}
