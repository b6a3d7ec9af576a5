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
		got := s.Label(tt.text)
		wantEqual(t, "label of "+tt.text, got, tt.want)
		wantEqual(t, "text of its number", s.Text(s.Number(got)), tt.want)
	}
	wantEqual(t, "number of none", s.Number(""), 0)
}

// A number is a byte: the fullest set has one for every label.
func TestEveryLabelOfAFullSetHasItsNumber(t *testing.T) {
	reserved := []string{"r1", "r2", "r3", "r4", "r5", "r6"}
	s := NewLabelSet(250-len(reserved), reserved...)
	seen := make(map[LabelNumber]string)
	for i := range 1000 {
		label := s.Label(fmt.Sprint("code_", i))
		if before, there := seen[s.Number(label)]; there && before != label {
			t.Fatalf("%s and %s have number %d", before, label, s.Number(label))
		}
		seen[s.Number(label)] = label
	}
	wantEqual(t, "labels", len(seen), 250-len(reserved)+1)
}

func TestLabelsAreSafeForConcurrentUse(t *testing.T) {
	s := NewLabelSet(100)
	var users sync.WaitGroup
	for user := range 8 {
		users.Go(func() {
			for i := range 500 {
				label := s.Label(fmt.Sprint("code_", (i+user)%150))
				if got := s.Text(s.Number(label)); got != label {
					t.Errorf("the text of %s is %s", label, got)
				}
			}
		})
	}
	users.Wait()
}
