package scan

import (
	"sync"

	"aliyun_vulscan_exporter/internal/sas"
)

// OtherLabel stands for all texts beyond a LabelSet's limit.
const OtherLabel = "other"

// LabelSet bounds how many distinct texts of the service become labels: one that invents a text for
// every answer must not fill Prometheus with series. It is safe for concurrent use.
type LabelSet struct {
	mu    sync.Mutex
	left  int // how many more texts it takes
	known map[string]bool
}

// NewLabelSet returns a set that takes limit texts beside the reserved ones, which no flood of
// others can keep out.
func NewLabelSet(limit int, reserved ...string) *LabelSet {
	s := &LabelSet{left: limit, known: map[string]bool{"": true, OtherLabel: true}}
	for _, text := range reserved {
		s.known[text] = true
	}
	return s
}

// Label returns text, or OtherLabel once the set is full and text is not in it.
func (s *LabelSet) Label(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.known[text]:
		return text
	case s.left == 0:
		return OtherLabel
	}
	s.left--
	s.known[text] = true
	return text
}

// CodePolicy says what an account makes of the texts in answers. It is safe for concurrent use.
type CodePolicy struct {
	SuccessCodes []string                    // codes that mean "no error", besides the empty one
	Codes, Types *LabelSet                   // codes and types as labels
	TaskStart    func(taskID string) Instant // when a task began; 0: not known
	Bounded      func(sas.Anomaly)           // is told of a text that is no label, since too many are already
}

// Anomalies of texts beyond a LabelSet's limit.
const (
	CodeLimit = sas.Anomaly("code_limit")
	TypeLimit = sas.Anomaly("type_limit")
)

func (p *CodePolicy) label(set *LabelSet, text string, limit sas.Anomaly) string {
	label := set.Label(text)
	if label != text {
		p.Bounded(limit)
	}
	return label
}
