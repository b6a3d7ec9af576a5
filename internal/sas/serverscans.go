package sas

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"aliyun_vulscan_exporter/config"
)

// Statuses of a server scan, by Alibaba's published template that reads them. The list does not say
// which subtask failed, nor with which error code.
const (
	ScanNotStarted = iota
	ScanStarted
	ScanCompleted
	ScanFailed
	ScanTimedOut
)

// ServerScanQuery asks for one page of a task's server scans.
type ServerScanQuery struct {
	// TaskID is the (root) task's, as in Task.ID.
	TaskID string
	// Number is the page's, from 1, and Size how many entries it may have.
	Number, Size int
}

// ServerScan is the scan of one server within a task: a leaf task, in the service's words. Its
// texts are valid UTF-8 of at most 128 bytes. It is kept small because a task may have 100,000 of
// them.
type ServerScan struct {
	// TaskID is the leaf task's own ID; empty if the service did not say.
	TaskID string
	// UUID is the server's, as UUIDKey returns it; empty if the service did not say.
	UUID string
	// InstanceID is the server's, such as i-m5e..., and set only where there is no UUID. Where both
	// are empty nobody knows which server it is.
	InstanceID string
	// Status is the number that the service reported, NaN if it reported none.
	Status float64

	start, end uint32 // Unix seconds, 0 if not known
}

// Start returns when the scan began by the service; zero if it did not say.
func (s ServerScan) Start() time.Time { return fromSeconds(s.start) }

// End returns when the scan ended by the service; zero while it goes on, and if the service did not
// say.
func (s ServerScan) End() time.Time { return fromSeconds(s.end) }

// Ended reports whether the scan is over, with success or without.
func (s ServerScan) Ended() bool {
	return s.Status == ScanCompleted || s.Status == ScanFailed || s.Status == ScanTimedOut
}

// NamesServer reports whether the service said which server it is.
func (s ServerScan) NamesServer() bool { return s.UUID != "" || s.InstanceID != "" }

// UUIDKey returns the form of a server's UUID in which two spellings of the same server are equal:
// lower case, without the prefix "inet-".
func UUIDKey(uuid string) string { return config.ServerKey(uuid) }

// ServerScans calls DescribeOnceTask once, for a page of one task's server scans. The error, if
// any, is an *Error.
func (c *Client) ServerScans(ctx context.Context, q ServerScanQuery) (*Page[ServerScan], error) {
	r := &onceTaskRequest{
		RpcRequest: &requests.RpcRequest{}, TaskType: vulCheckTask, RootTaskID: q.TaskID,
		CurrentPage: requests.NewInteger(q.Number), PageSize: requests.NewInteger(q.Size),
	}
	r.InitWithApiInfo(product, version, ActionOnceTask, "sas", "openAPI")
	return askPage(ctx, c, r, taskList, anomalyCounter.serverScan)
}

// serverScan decodes a leaf task. It cannot be used if neither its ID nor its server is known.
func (t anomalyCounter) serverScan(o object) (s ServerScan, id string) {
	if kind := t.text(o["TaskType"]); kind != "" && kind != vulCheckTask {
		t.count(TypeNotAsked)
		return s, ""
	}
	s.TaskID = t.taskID(o["TaskId"])
	var several bool
	s.UUID, s.InstanceID, several = t.scannedServer(o["DetailData"])
	switch {
	case several:
		t.count(ServerAmbiguous)
	case !s.NamesServer() && s.TaskID != "":
		t.count(ServerMissing)
	}
	if s.TaskID == "" && !s.NamesServer() {
		return s, ""
	}
	s.Status = t.status(o["TaskStatus"], !isKind(o["TaskStatus"], '"'))
	s.start, s.end = seconds(t.milliseconds(o["TaskStartTime"])), seconds(t.milliseconds(o["TaskEndTime"]))
	return s, s.TaskID + " " + s.UUID + s.InstanceID // two servers may come under one ID
}

// scannedServer reads which server a leaf task is about from DetailData, which is a JSON list in a
// string. Several entries may be about one server. If they are about several, nobody knows to which
// of them the status belongs.
func (t anomalyCounter) scannedServer(raw []byte) (uuid, instanceID string, several bool) {
	named := false
	for _, entry := range t.detailEntries(raw) {
		o, ok := decodeObject(entry)
		if !ok {
			t.count(MalformedEntry)
			continue
		}
		u, i := t.serverUUID(o["uuid"]), t.text(o["instanceId"])
		if u == "" && i == "" {
			continue
		}
		shared := u != "" && u == uuid || i != "" && i == instanceID
		several = several || named && (!shared || differ(uuid, u))
		named, uuid, instanceID = true, cmp.Or(uuid, u), cmp.Or(instanceID, i)
	}
	switch {
	case several:
		return "", "", true
	case uuid != "":
		return uuid, "", false
	}
	return "", instanceID, false
}

// differ reports whether both texts are known and are not the same.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

// detailEntries returns the entries of DetailData. An object is taken for a list of one.
func (t anomalyCounter) detailEntries(raw []byte) []json.RawMessage {
	detail, exact := text(raw)
	if !exact {
		t.count(WrongType)
	}
	entries, ok := decodeList([]byte(detail))
	if ok || strings.TrimSpace(detail) == "" || isNull([]byte(detail)) {
		return entries
	}
	t.count(DetailInvalid)
	if _, ok := decodeObject([]byte(detail)); ok {
		return []json.RawMessage{[]byte(detail)}
	}
	return nil
}

// serverUUID returns the key of a server's UUID, empty if it is none.
func (t anomalyCounter) serverUUID(raw []byte) string {
	uuid := t.text(raw)
	if uuid != "" && !uuidShape.MatchString(uuid) {
		t.count(InvalidID)
		return ""
	}
	return UUIDKey(uuid)
}

// seconds is the reverse of fromSeconds.
func seconds(at time.Time) uint32 {
	if at.IsZero() {
		return 0
	}
	return uint32(min(max(at.Unix(), 0), math.MaxUint32)) // the year 2106
}

func fromSeconds(s uint32) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0)
}
