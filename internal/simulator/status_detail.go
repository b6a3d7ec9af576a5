package simulator

import "slices"

// statusDetail is the answer of DescribeVulCheckTaskStatusDetail.
type statusDetail struct {
	TotalCount   int          `json:"TotalCount"` // subtasks of the server, asked for or not
	RequestID    string       `json:"RequestId"`
	TaskStatuses []taskStatus `json:"TaskStatuses"`
}

type taskStatus struct {
	TaskID         string       `json:"TaskId"`
	TaskStatusList []typeStatus `json:"TaskStatusList"`
}

type typeStatus struct {
	Type   string `json:"Type"`
	Status string `json:"Status"`
	Code   string `json:"Code,omitempty"`
}

// describeStatusDetail answers DescribeVulCheckTaskStatusDetail. A server, a task or a type that
// the account does not have is left out of the answer.
func describeStatusDetail(f Fleet, r *Request, requestID string) (any, *apiError) {
	switch {
	case len(r.TaskIDs) == 0:
		return nil, missing("TaskIds")
	case len(r.Types) == 0:
		return nil, missing("Types")
	case r.UUID == "":
		return nil, missing("Uuid")
	case !validUUID(r.UUID):
		return nil, illegalParam()
	}
	for _, t := range r.Types {
		if t != "cve" && t != "sys" && t != "cms" && t != "sca" {
			return nil, illegalParam()
		}
	}
	out := &statusDetail{RequestID: requestID, TaskStatuses: []taskStatus{}}
	server, ok := f.serverByUUID(r.UUID)
	if !ok {
		return out, nil
	}
	out.TotalCount = f.subtaskCount(server, r.Time)
	for _, s := range f.Subtasks(r.UUID, distinct(r.TaskIDs), distinct(r.Types), r.Time) {
		last := len(out.TaskStatuses) - 1
		if last < 0 || out.TaskStatuses[last].TaskID != s.TaskID {
			out.TaskStatuses = append(out.TaskStatuses, taskStatus{TaskID: s.TaskID})
			last++
		}
		of := &out.TaskStatuses[last]
		of.TaskStatusList = append(of.TaskStatusList, typeStatus{s.Type, s.Status, s.Code})
	}
	return out, nil
}

// distinct drops repetitions and keeps the order.
func distinct(values []string) []string {
	seen := make(map[string]bool, len(values))
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool {
		was := seen[v]
		seen[v] = true
		return was
	})
}
