package collector

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// written is what was given to Write, where it is.
type written [][]byte

func (w *written) Write(p []byte) (int, error) {
	*w = append(*w, p)
	return len(p), nil
}

// pieces gives the samples of all families as they lie in memory.
func pieces(families []Family, form Form) (list written) {
	w := gzipjoin.NewWriter(&list)
	list = nil // without what a member begins with
	for _, f := range families {
		if !form.Deflated {
			list = slices.AppendSeq(list, f.Text)
			continue
		}
		for p := range f.Deflated {
			_ = w.Write(p)
		}
	}
	return list
}

// inSameMemory says how many pieces begin where one of the others does.
func inSameMemory(list, others [][]byte) (n int) {
	for _, piece := range list {
		if slices.ContainsFunc(others, func(other []byte) bool { return &other[0] == &piece[0] }) {
			n++
		}
	}
	return n
}

func TestTextStaysWhileItIsRead(t *testing.T) {
	for _, form := range allForms() {
		t.Run(fmt.Sprintf("%+v", form), func(t *testing.T) {
			const servers = 3 * chunkServers
			fleet := NewLargeFleet(servers)
			check := func(what string, families []Family, want string) {
				t.Helper()
				wantEqual(t, what, textOf(t, families, form), want)
			}
			first, releaseFirst := fleet.Families(form)
			text := textOf(t, first, form)
			for range 3 {
				fleet.Change(servers)
				compareWithPromhttp(t, fleet.Collector) // calls Families, and releases it
				check("text that is being read", first, text)
			}
			second, releaseSecond := fleet.Families(form)
			releaseFirst()
			releaseFirst() // again does nothing
			text = textOf(t, second, form)
			fleet.Change(servers)
			compareWithPromhttp(t, fleet.Collector)
			check("text that another still reads", second, text)
			releaseSecond()
			fleet.Change(servers)
			compareWithPromhttp(t, fleet.Collector)
		})
	}
}

func TestMemoryOfTextIsUsedAgainWhenNobodyReadsIt(t *testing.T) {
	for _, form := range allForms() {
		t.Run(fmt.Sprintf("%+v", form), func(t *testing.T) {
			const servers = 3 * chunkServers
			fleet := NewLargeFleet(servers)
			first, release := fleet.Families(form)
			read := pieces(first, form)
			release()
			fleet.Change(servers)
			second, release := fleet.Families(form)
			defer release()
			if again := inSameMemory(pieces(second, form), read); again < len(read)/2 {
				t.Errorf("%d of %d pieces are where they were", again, len(read))
			}
		})
	}
}

// Under the race detector, which sees text written over that somebody reads.
func TestScrapesAtTheSameTimeEachReadWhatTheyWereGiven(t *testing.T) {
	fleet := NewLargeFleet(10 * chunkServers)
	var scrapes sync.WaitGroup
	for i := range 4 {
		form := Form{Deflated: i%2 == 0}
		scrapes.Go(func() {
			for range 50 {
				families, release := fleet.Families(form)
				text := textOf(t, families, form)
				if again := textOf(t, families, form); text != again {
					t.Error("text changed while it was read")
				}
				release()
			}
		})
	}
	for range 200 {
		fleet.Change(5)
	}
	scrapes.Wait()
	compareWithPromhttp(t, fleet.Collector)
}

func TestMemoryThatIsMuchTooLargeIsNotUsedAgain(t *testing.T) {
	before := bytes.Repeat([]byte("a"), 1000)
	for name, tt := range map[string]struct {
		lines string
		reuse bool
		same  bool
	}{
		"as before":           {strings.Repeat("a", 1000), false, true},
		"other":               {strings.Repeat("b", 900), true, true},
		"other, and read":     {strings.Repeat("b", 900), false, false},
		"half":                {strings.Repeat("b", 500), true, false},
		"more than there was": {strings.Repeat("b", 2000), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			was := slices.Clip(bytes.Clone(before))
			got := keep(was, []byte(tt.lines), tt.reuse)
			wantEqual(t, "text", string(got), tt.lines)
			wantEqual(t, "in the same memory", &got[0] == &was[0], tt.same)
		})
	}
	wantEqual(t, "nothing left", len(keep(before, nil, true)), 0)
}

func TestTextOfAnAccountWithoutServers(t *testing.T) {
	fleet := NewLargeFleet(0)
	compareWithPromhttp(t, fleet.Collector)
	if text := rendered(t, fleet.Collector, Form{}); !strings.Contains(text, `_servers{account="production",state="ok"} 0`) {
		t.Errorf("no sums in %q", text)
	}
}

// What a record counted for is taken out of the sums as it was counted, though
// it would count for something else now.
func TestSumsStayRightWhenTheClockIsSetBack(t *testing.T) {
	fleet := NewLargeFleet(2)
	records := func() (list []*record) {
		for _, s := range fleet.account.servers {
			list = append(list, s.record)
		}
		return list
	}
	renderer := newTextRenderer(fleet.account, Form{}, nil)
	hour := time.Now().Round(0).Add(50 * time.Minute) // all that is unfinished has stalled, nothing is stale
	var text *chunkText
	for _, now := range []time.Time{hour, hour.Add(-45 * time.Minute), hour, hour.Add(-49 * time.Minute)} {
		fleet.answer(0)
		text, _ = renderer.render(records(), now, text, true)
	}
	fleet.answer(1)
	now := hour.Add(-48 * time.Minute)
	text, _ = renderer.render(records(), now, text, true)
	got, want := &totals{}, &totals{}
	got.add(text.totals, 1)
	anew, _ := totalsOf(records(), fleet.account.config.Settings, now)
	want.add(anew, 1)
	for _, sum := range []*totals{got, want} {
		slices.SortFunc(sum.types, func(a, b typeTotals) int { return strings.Compare(a.typ, b.typ) })
		slices.SortFunc(sum.codes, func(a, b codeTotal) int { return strings.Compare(a.typ+a.code, b.typ+b.code) })
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sums are %+v, want %+v", got, want)
	}
}
