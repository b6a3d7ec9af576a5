package sas

import (
	"errors"
	"math"
	"slices"
)

// Anomaly is a kind of departure from Alibaba's documentation of the answer.
type Anomaly string

// The kinds of anomaly that decoding tells apart.
const (
	StatusUnknown   Anomaly = "status_unknown"      // a number, but none of 0 to 4
	StatusInvalid   Anomaly = "status_invalid"      // no number, or none at all
	WrongType       Anomaly = "wrong_type"          // a number, say, where a string is documented
	NullList        Anomaly = "null_list"           // null where a list is documented
	MissingList     Anomaly = "missing_list"        // a list that is not there, as in a task without TaskStatusList
	MalformedEntry  Anomaly = "malformed_entry"     // a list entry that is no object, or a list that is none
	MissingID       Anomaly = "missing_id"          // a subtask without TaskId or Type, a task or server without ID
	InvalidID       Anomaly = "invalid_id"          // an ID that could not be asked about: no UUID, or no task's ID
	Duplicate       Anomaly = "duplicate"           // the same subtask, task or server twice in an answer
	TypeNotAsked    Anomaly = "type_not_asked"      // a type that was not in the question
	TextClipped     Anomaly = "text_clipped"        // a text over 128 bytes
	InvalidUTF8     Anomaly = "invalid_utf8"        // an answer that is not UTF-8
	TotalInvalid    Anomaly = "total_count_invalid" // TotalCount absent, negative or no whole number
	CountInvalid    Anomaly = "count_invalid"       // a task's number of servers: negative or no whole number
	ProgressInvalid Anomaly = "progress_invalid"    // a task's progress: no percentage, or none of 0 to 100
	TimeInvalid     Anomaly = "time_invalid"        // a task's start or end: no Unix milliseconds from 1990 to 2100
	DetailInvalid   Anomaly = "detail_invalid"      // a server scan's DetailData that is no JSON list
	ServerMissing   Anomaly = "server_missing"      // a server scan that does not say which server it is of
	ServerAmbiguous Anomaly = "server_ambiguous"    // a server scan of several servers
	ListIncomplete  Anomaly = "list_incomplete"     // a task's list of servers that is empty, contradicts itself, has no end, or is denied
)

// Anomalies are all kinds that can be counted.
func Anomalies() []Anomaly {
	return []Anomaly{
		StatusUnknown, StatusInvalid, WrongType, NullList, MissingList, MalformedEntry,
		MissingID, InvalidID, Duplicate, TypeNotAsked, TextClipped, InvalidUTF8, TotalInvalid,
		CountInvalid, ProgressInvalid, TimeInvalid,
		DetailInvalid, ServerMissing, ServerAmbiguous, ListIncomplete,
	}
}

// StatusComplete is the status of a subtask that has ended, well or badly. Alibaba's documentation
// has 0 unprocessed, 1 collecting, 2 collected, 3 matching, 4 completed.
const StatusComplete = 4

// Answer is a valid answer of the service.
type Answer struct {
	RequestID string
	// TotalCount is the number of scan subtasks of the server, as the service counts them; -1 if it
	// did not say.
	TotalCount int64
	// Subtasks are in the answer's order, each task and type once.
	Subtasks []Subtask
	// Anomalies counts what did not fit the documentation.
	Anomalies map[Anomaly]int
}

// Subtask is the scan of one server for one type within one task. Its texts are valid UTF-8 of at
// most 128 bytes.
type Subtask struct {
	// TaskID is the one that the answer names. It need not be one asked for.
	TaskID string
	Type   string
	// Status is the number that the service reported, NaN if it reported none.
	Status float64
	// Code is the error code, empty for none.
	Code string
}

// decodeAnswer decodes the body of a 2xx answer. An error means that the answer cannot be believed
// at all; anything smaller is counted and the rest of the answer used. asked are the types in the
// question.
func decodeAnswer(body []byte, asked []string) (*Answer, error) {
	d := decoder{anomalyCounter: make(anomalyCounter), asked: asked, seen: make(map[[2]string]int)}
	o, requestID, err := d.open(body)
	if err != nil {
		return nil, err
	}
	d.answer.RequestID, d.answer.Anomalies = requestID, d.anomalyCounter
	tasks, present := o["TaskStatuses"]
	if !present {
		return nil, errors.New("the answer has no TaskStatuses")
	}
	list, ok := decodeList(tasks)
	if !ok && !isNull(tasks) {
		return nil, errors.New("TaskStatuses is not a list")
	}
	if isNull(tasks) {
		d.count(NullList)
	}
	d.answer.TotalCount = d.wholeNumber(o["TotalCount"], TotalInvalid)
	for _, task := range list {
		d.task(task)
	}
	return &d.answer, nil
}

// decoder collects one answer.
type decoder struct {
	anomalyCounter
	answer Answer
	asked  []string
	seen   map[[2]string]int // task ID and type → index in answer.Subtasks
}

// task adds the subtasks of one entry of TaskStatuses.
func (d *decoder) task(raw []byte) {
	o, ok := decodeObject(raw)
	if !ok {
		d.count(MalformedEntry)
		return
	}
	subtasks, present := o["TaskStatusList"]
	list, ok := decodeList(subtasks)
	switch {
	case !present:
		d.count(MissingList)
	case isNull(subtasks):
		d.count(NullList)
	case !ok:
		d.count(MalformedEntry)
	}
	taskID := d.text(o["TaskId"])
	if taskID == "" {
		d.count(MissingID)
	}
	for _, subtask := range list {
		d.subtask(taskID, subtask)
	}
}

// subtask adds one entry of TaskStatusList. Of an entry that comes twice, the last one counts, as
// with repeated fields of a JSON object.
func (d *decoder) subtask(taskID string, raw []byte) {
	o, ok := decodeObject(raw)
	if !ok {
		d.count(MalformedEntry)
		return
	}
	s := Subtask{TaskID: taskID, Type: d.text(o["Type"]), Code: d.text(o["Code"])}
	switch {
	case s.Type == "":
		d.count(MissingID)
	case !slices.Contains(d.asked, s.Type):
		d.count(TypeNotAsked)
	}
	s.Status = d.status(o["Status"], isKind(o["Status"], '"'))
	key := [2]string{s.TaskID, s.Type}
	if i, twice := d.seen[key]; twice {
		d.count(Duplicate)
		d.answer.Subtasks[i] = s
		return
	}
	d.seen[key] = len(d.answer.Subtasks)
	d.answer.Subtasks = append(d.answer.Subtasks, s)
}

// status returns a status as a number, NaN if it is none. documented says whether the field has the
// documented JSON type.
func (t anomalyCounter) status(raw []byte, documented bool) float64 {
	s, _ := text(raw)
	status, ok := decimal(s)
	if !ok {
		t.count(StatusInvalid)
		return math.NaN()
	}
	if !documented {
		t.count(WrongType)
	}
	if status != math.Trunc(status) || status < 0 || status > StatusComplete {
		t.count(StatusUnknown)
	}
	return status
}
