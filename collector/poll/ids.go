package poll

import (
	"slices"
	"time"

	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/internal/sas"
)

const (
	// enoughAnswers is after how many answered calls a kind of ID that was asked in each, and never
	// answered, is asked no more.
	enoughAnswers = 100
	// askAgainAfter is how long until it is tried once more.
	askAgainAfter = time.Hour
)

// taskIDKinds learns which IDs an account's service knows tasks by. Nothing documents whether the
// call that tells of subtasks takes the ID of the root task or that of the server's own part of it,
// its leaf. The zero value knows nothing.
type taskIDKinds struct {
	calls, root, leaf int       // answered calls that asked for both, and how many of them were answered under each
	triedAt           time.Time // when both were asked for although one never answers
}

// wanted returns which kinds the next call asks for where both are known. While all answers come
// under other IDs than those asked for, nobody knows which kind brings them.
func (k *taskIDKinds) wanted(now time.Time) (root, leaf bool) {
	if k.calls < enoughAnswers || k.root+k.leaf == 0 || now.Sub(k.triedAt) >= askAgainAfter {
		return true, true
	}
	return k.root > 0, k.leaf > 0
}

// learn takes note of an answer to a call that asked for both.
func (k *taskIDKinds) learn(root, leaf bool, now time.Time) {
	k.calls++
	if root {
		k.root++
	}
	if leaf {
		k.leaf++
	}
	if k.calls >= enoughAnswers {
		k.triedAt = now
	}
}

// known returns which kinds were answered so far, as AccountStatus has it.
func (k *taskIDKinds) known() string {
	switch {
	case k.root > 0 && k.leaf > 0:
		return "both"
	case k.root > 0:
		return "root"
	case k.leaf > 0:
		return "leaf"
	}
	return ""
}

// leaves are the IDs of a server's own parts of tasks, by the root task's ID.
func leaves(r *scan.Record) map[string]string {
	ids := make(map[string]string, len(r.ServerScans))
	for _, s := range r.ServerScans {
		if s.LeafID != "" && s.LeafID != s.TaskID {
			ids[s.TaskID] = s.LeafID
		}
	}
	return ids
}

// question is one call of a poll. roots are the tasks that it asks for, by whichever ID.
type question struct {
	sas.Query
	roots []string
}

// questions returns the calls that a poll of a server takes: its tasks share their types, so they
// travel together, in chunks. The two IDs of a task are never parted.
func questions(t *scan.Target, leaf map[string]string, wantRoot, wantLeaf bool) []question {
	var list []question
	for _, root := range t.TaskIDs {
		var ids []string
		own := leaf[root]
		if wantRoot || own == "" {
			ids = append(ids, root)
		}
		if wantLeaf && own != "" {
			ids = append(ids, own)
		}
		if n := len(list); n == 0 || len(list[n-1].TaskIDs)+len(ids) > maxTaskIDs {
			list = append(list, question{Query: sas.Query{UUID: t.UUID, Types: t.Types}})
		}
		q := &list[len(list)-1]
		q.TaskIDs, q.roots = append(q.TaskIDs, ids...), append(q.roots, root)
	}
	return list
}

// underRoots renames what an answer says under a leaf's ID to the root's, and drops it where the
// answer says the same under the root's, which counts. It reports which kinds of ID were answered.
func underRoots(answer *sas.Answer, leaf map[string]string) (byRoot, byLeaf bool) {
	type key struct{ task, typ string }
	rootOf, told := make(map[string]string, len(leaf)), make(map[key]bool)
	for root, own := range leaf {
		rootOf[own] = root
	}
	for _, s := range answer.Subtasks {
		if leaf[s.TaskID] != "" {
			byRoot = true
			told[key{s.TaskID, s.Type}] = true
		}
	}
	kept := answer.Subtasks[:0]
	for _, s := range answer.Subtasks {
		if root, isLeaf := rootOf[s.TaskID]; isLeaf {
			byLeaf = true
			if told[key{root, s.Type}] {
				continue
			}
			s.TaskID = root
		}
		kept = append(kept, s)
	}
	answer.Subtasks = kept
	return byRoot, byLeaf
}

// lacking reports whether results lack all subtasks of a task whose leaf is known and of which r
// has some. If only one kind of ID was asked for, it may be the wrong one: an answer under the
// root's ID may have come for the leaf's.
func lacking(r *scan.Record, leaf map[string]string, results []scan.CallResult) bool {
	answered := make(map[string]bool)
	for _, result := range results {
		if result.Answer == nil {
			return false
		}
		for _, s := range result.Answer.Subtasks {
			answered[s.TaskID] = true
		}
	}
	return slices.ContainsFunc(r.Subtasks, func(s scan.Subtask) bool { return leaf[s.TaskID] != "" && !answered[s.TaskID] })
}
