package scan

import (
	"fmt"
	"sync"
	"testing"
)

func wantEqual(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

func TestLabelsBeyondTheLimitAreOther(t *testing.T) {
	s := NewLabelSet(2, "reserved", "reserved")
	for _, tt := range []struct{ text, want string }{
		{"a", "a"}, {"reserved", "reserved"}, {"b", "b"}, {"c", OtherLabel}, {"a", "a"}, {"d", OtherLabel}, {"", ""}, {OtherLabel, OtherLabel}, {"reserved", "reserved"},
	} {
		wantEqual(t, "label of "+tt.text, s.Label(tt.text), tt.want)
	}
}

func TestLabelsAreSafeForConcurrentUse(t *testing.T) {
	s := NewLabelSet(100)
	var users sync.WaitGroup
	var mu sync.Mutex
	labels := make(map[string]bool)
	for user := range 8 {
		users.Go(func() {
			for i := range 500 {
				text := fmt.Sprint("code_", (i+user)%150)
				label := s.Label(text)
				if label != text && label != OtherLabel {
					t.Errorf("the label of %s is %s", text, label)
				}
				mu.Lock()
				labels[label] = true
				mu.Unlock()
			}
		})
	}
	users.Wait()
	wantEqual(t, "labels, with other", len(labels), 101)
}
