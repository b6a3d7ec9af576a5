package simulator

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Fleet describes servers, the tasks that scan them, and how the scans end. What any scan is doing
// follows from these fields and the time alone.
type Fleet struct {
	// Seed makes fleets differ. UUIDs depend on it and on nothing else.
	Seed int64
	// Start is when the fixed tasks, and the first of TaskEvery, begin. New fills it in with the
	// clock's time if it is zero.
	Start time.Time
	// Size is the number of servers.
	Size int
	// TaskIDs are fixed tasks, begun from the console.
	TaskIDs []string
	// TaskEvery is the time between scheduled tasks; 0 = none. The newest 100 exist.
	TaskEvery time.Duration
	// ScanDuration is the typical duration of a subtask; they last from a third of it to twice as
	// long, after a wait of up to half of it. Default 15 minutes.
	ScanDuration time.Duration
	// ScanPeriod makes the fixed tasks begin again at status 0 after so long, each server at a time
	// of its own and the first of them before Start; 0 = they run once. At least 3 ScanDuration are
	// taken, so that all complete.
	ScanPeriod time.Duration
	// FailRatio of the subtasks get an error code, anew in every period; StallRatio of them stay
	// unfinished in one status for ever.
	FailRatio, StallRatio float64
	// OfflineRatio of the servers have an agent out of reach: their subtasks end with
	// push_command_failed.
	OfflineRatio float64
	// DropRatio of the servers lose their agent within each scan, DropAfter (by default before the
	// quickest scan can end) its beginning, and have it back DropFor later, by default a
	// ScanDuration. The scan stands still meanwhile.
	DropRatio          float64
	DropAfter, DropFor time.Duration
	// ScanTimeout is how long after its start a task times out servers whose scan has not ended;
	// default 10 ScanDuration.
	ScanTimeout time.Duration
	// KnownIDs says under which IDs a task's details are known.
	KnownIDs KnownIDs
	// BlankDetailData makes the lists of a task's servers name no server.
	BlankDetailData bool
	// ServerListsDenied refuses the lists of a task's servers, and those alone, with NoPermission.
	ServerListsDenied bool
	// ServerListFailsAt makes those lists fail with HTTP 500 from this page on, counted from 1; 0:
	// never.
	ServerListFailsAt int
	// DecimalTaskIDs answers every task under a decimal main task's ID in place of the ID asked
	// for, as the documentation's example does.
	DecimalTaskIDs bool
	// Pinned are answers that never change.
	Pinned []Pinned
}

// Pinned is one subtask with an answer that never changes. A server with pinned subtasks has no
// others.
type Pinned struct {
	Server         int    // its place in Servers()
	TaskID         string // asked for
	AnsweredTaskID string // answered; empty: TaskID
	Type           string
	Status, Code   string
}

// Server is a machine of a fleet.
type Server struct {
	UUID       string // every 16th has the prefix inet-
	InstanceID string
	Name       string // role and number, counted over the fleet: web-1, db-3
	OS         string // linux or windows
	OSName     string
	RegionID   string
	IP         string // private
	PublicIP   string // empty for most
	Online     bool   // whether the agent can be reached
}

// A salt makes draws for different purposes independent of each other.
const (
	saltUUID uint64 = iota + 1
	saltInstance
	saltOffline
	saltRegion
	saltTask
	saltLeaf
	saltPhase
	saltWait
	saltLength
	saltStall
	saltStallAt
	saltFail
	saltFailHow
	saltDecimal
	saltCount
	saltDrop
)

// Servers lists the fleet, in the order of the API's pages.
func (f Fleet) Servers() []Server {
	out := make([]Server, f.Size)
	for i := range out {
		out[i] = f.server(i)
	}
	return out
}

func (f Fleet) server(i int) Server {
	role, windows := roleOf(i)
	s := Server{
		UUID: f.uuid(i), InstanceID: f.instanceID(i), Name: fmt.Sprintf("%s-%d", role, i+1),
		OS: "linux", OSName: "Alibaba Cloud Linux 3.2104", RegionID: regionOf(f.draw(i, saltRegion)),
		IP:     fmt.Sprintf("10.%d.%d.%d", i>>16&0xff, i>>8&0xff, i&0xff),
		Online: f.online(i),
	}
	if windows {
		s.OS, s.OSName = "windows", "Windows Server 2022"
	}
	if role == "web" && i < 256 {
		s.PublicIP = fmt.Sprintf("203.0.113.%d", i) // RFC 5737: nobody's
	}
	return s
}

// draw is a server's hash for one purpose.
func (f Fleet) draw(i int, salt uint64) uint64 { return mix(uint64(f.Seed), uint64(i), salt) }

func (f Fleet) online(i int) bool { return fraction(f.draw(i, saltOffline)) >= f.OfflineRatio }

func roleOf(i int) (role string, windows bool) {
	roles := [...]string{"web", "web", "db", "app", "app", "cache", "queue", "ad", "build", "sql"}
	role = roles[i%len(roles)]
	return role, role == "ad" || role == "sql"
}

func regionOf(draw uint64) string {
	regions := [...]string{"cn-hangzhou", "cn-hangzhou", "cn-shanghai", "cn-beijing"}
	return regions[draw%uint64(len(regions))]
}

// typesOf returns the scan types that apply to a server, by its system. (That sys is for Windows,
// cve for Linux is documented; cms and sca are for both.)
func typesOf(i int) [3]string {
	if _, windows := roleOf(i); windows {
		return [3]string{"sys", "cms", "sca"}
	}
	return [3]string{"cve", "cms", "sca"}
}

// uuid ends with the server's number, so that it can be found without a table.
func (f Fleet) uuid(i int) string {
	h := f.draw(i, saltUUID)
	prefix := ""
	if i%16 == 15 {
		prefix = "inet-"
	}
	last := (mix(uint64(f.Seed), saltUUID)&0xffffff)<<24 | uint64(i)&0xffffff
	return fmt.Sprintf("%s%08x-%04x-4%03x-8%03x-%012x", prefix, h>>32, h>>16&0xffff, h>>4&0xfff, h&0xfff, last)
}

// serverByUUID is the inverse of uuid.
func (f Fleet) serverByUUID(uuid string) (int, bool) {
	i, ok := trailingNumber(uuid, 6)
	return i, ok && i < f.Size && f.uuid(i) == uuid
}

// instanceID ends with the server's number as well.
func (f Fleet) instanceID(i int) string {
	return fmt.Sprintf("i-m5%08x%08x", uint32(f.draw(i, saltInstance)), uint32(i))
}

func (f Fleet) serverByInstanceID(id string) (int, bool) {
	i, ok := trailingNumber(id, 8)
	return i, ok && i < f.Size && f.instanceID(i) == id
}

// trailingNumber reads the last hexadecimal digits of an ID.
func trailingNumber(id string, digits int) (int, bool) {
	if len(id) < digits {
		return 0, false
	}
	n, err := strconv.ParseUint(id[len(id)-digits:], 16, 32)
	return int(n), err == nil
}

// validUUID reports whether the text has the form of a server's UUID.
func validUUID(s string) bool {
	s = strings.TrimPrefix(s, "inet-")
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen && s[i] != '-' || !hyphen && !isHex(s[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
