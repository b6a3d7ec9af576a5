package collector

import (
	"slices"

	"aliyun_vulscan_exporter/internal/state"
)

// entry gives what of a record is kept over restarts.
func (r *record) entry(account string) state.Entry {
	e := state.Entry{
		Key:    state.Key{Account: account, UUID: r.server.UUID},
		Server: state.Server{LastSuccess: r.lastSuccess, EmptySince: r.emptySince.time(), TotalCount: r.total},
	}
	for i := range r.subtasks {
		s := &r.subtasks[i]
		e.Server.Subtasks = append(e.Server.Subtasks, state.Subtask{
			TaskID: s.taskID, Type: s.typ, Status: s.status, Code: s.code,
			Changed: s.changed.time(), StatusSince: s.statusSince.time(), Started: s.started.time(), Question: s.question,
		})
	}
	for _, c := range r.errors {
		e.Server.Errors = append(e.Server.Errors, state.ErrorCount{Type: c.typ, Code: c.code, Count: c.count, Created: c.created.time()})
	}
	return e
}

// restored gives the record of a server that was last known by an earlier
// process. It counts as not polled yet, and its values are published as if it
// had been.
func restored(t *target, from state.Server, in interpretation) *record {
	r := &record{server: t, lastSuccess: from.LastSuccess, emptySince: instantOf(from.EmptySince), total: from.TotalCount}
	for _, s := range from.Subtasks {
		st := subtask{
			taskID: s.TaskID, typ: s.Type, status: s.Status, code: s.Code,
			changed: instantOf(s.Changed), statusSince: instantOf(s.StatusSince), started: instantOf(s.Started), question: s.Question,
		}
		if st.code != "" {
			st.codeLabel = in.label(st.code)
		}
		r.subtasks = append(r.subtasks, st)
	}
	for _, c := range from.Errors {
		in.label(c.Code) // it counts among the codes that have a label
		r.errors = append(r.errors, errorCount{typ: c.Type, code: c.Code, count: c.Count, created: instantOf(c.Created)})
	}
	return r
}

// sameKnowledge says whether two records of one server say the same of its
// subtasks and errors, whenever that was last confirmed.
func (r *record) sameKnowledge(as *record) bool {
	return r.total == as.total && r.emptySince == as.emptySince &&
		slices.Equal(r.subtasks, as.subtasks) && slices.Equal(r.errors, as.errors)
}
