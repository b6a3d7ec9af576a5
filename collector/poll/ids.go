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
	leaf = k.leaf > 0
	return k.root > 0 || !leaf, leaf
}

// learn takes note of an answer to a call that asked for both.
func (k *taskIDKinds) learn(root, leaf bool, now time.Time) {
	if k.calls >= enoughAnswers {
		k.triedAt = now
	}
	k.calls++
	if root {
		k.root++
	}
	if leaf {
		k.leaf++
	}
	if k.calls == enoughAnswers {
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
	if len(r.ServerScans) == 0 {
		return nil
	}
	ids := make(map[string]string, len(r.ServerScans))
	for _, s := range r.ServerScans {
		if s.LeafID != "" && s.LeafID != s.TaskID {
			ids[s.TaskID] = s.LeafID
		}
	}
	return ids
}

// questions returns the calls that a poll of a server takes: its tasks share their types, so they
// travel together, in chunks. The two IDs of a task are never parted.
func questions(t *scan.Target, leaf map[string]string, wantRoot, wantLeaf bool) []sas.Query {
	var list []sas.Query
	var ids []string
	flush := func() {
		if len(ids) > 0 {
			list = append(list, sas.Query{UUID: t.UUID, TaskIDs: ids, Types: t.Types})
			ids = nil
		}
	}
	if len(leaf) == 0 || !wantLeaf { // the target's own slices do
		for some := range slices.Chunk(t.TaskIDs, maxTaskIDs) {
			list = append(list, sas.Query{UUID: t.UUID, TaskIDs: some, Types: t.Types})
		}
		return list
	}
	for _, root := range t.TaskIDs {
		var of []string
		own := leaf[root]
		if wantRoot || own == "" {
			of = append(of, root)
		}
		if own != "" {
			of = append(of, own)
		}
		if len(ids)+len(of) > maxTaskIDs {
			flush()
		}
		ids = append(ids, of...)
	}
	flush()
	return list
}

// rootIDs returns the root tasks of IDs, some of which are leaves'.
func rootIDs(ids []string, leaf map[string]string) []string {
	if len(leaf) == 0 {
		return ids
	}
	roots := slices.Clone(ids)
	for root, own := range leaf {
		if slices.Contains(ids, own) {
			roots = append(roots, root)
		}
	}
	return roots
}

// underRoots renames what an answer says under a leaf's ID to the root's, and drops it where the
// answer says the same under the root's, which counts. It reports which kinds of ID were answered.
func underRoots(answer *sas.Answer, leaf map[string]string) (byRoot, byLeaf bool) {
	rootOf := make(map[string]string, len(leaf))
	for root, own := range leaf {
		rootOf[own] = root
	}
	type key struct{ task, typ string }
	told := make(map[key]bool)
	for _, s := range answer.Subtasks {
		if _, isRoot := leaf[s.TaskID]; isRoot {
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
