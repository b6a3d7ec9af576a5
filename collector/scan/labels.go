package scan

import (
	"slices"
	"sync"
	"sync/atomic"
)

// OtherLabel stands for all texts beyond a LabelSet's limit.
const OtherLabel = "other"

// LabelNumber stands for a label where thousands are held. 0 is the empty one.
type LabelNumber uint8

// LabelSet bounds how many distinct texts of the service become labels: one that invents a text for
// every answer must not fill Prometheus with series. It is safe for concurrent use.
type LabelSet struct {
	limit int
	texts atomic.Pointer[[]string] // by number; replaced, never changed, so that Text waits for nobody

	mu    sync.Mutex
	known map[string]LabelNumber
}

// NewLabelSet returns a set that takes limit texts beside the reserved ones, which no flood of
// others can keep out. Both together may be 250 at most.
func NewLabelSet(limit int, reserved ...string) *LabelSet {
	s := &LabelSet{known: make(map[string]LabelNumber)}
	s.texts.Store(new([]string))
	for _, text := range append([]string{"", OtherLabel}, reserved...) {
		if _, twice := s.known[text]; !twice {
			s.add(text)
		}
	}
	s.limit = limit + len(s.known)
	return s
}

func (s *LabelSet) add(text string) {
	s.known[text] = LabelNumber(len(s.known))
	texts := append(slices.Clone(*s.texts.Load()), text)
	s.texts.Store(&texts)
}

// Label returns text, or OtherLabel once the set is full and text is not in it.
func (s *LabelSet) Label(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.known[text]; known {
		return text
	}
	if len(s.known) >= s.limit {
		return OtherLabel
	}
	s.add(text)
	return text
}

// Number returns the number of a label that Label returned.
func (s *LabelSet) Number(label string) LabelNumber {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[label]
}

// Text returns the label that has a number.
func (s *LabelSet) Text(n LabelNumber) string { return (*s.texts.Load())[n] }
