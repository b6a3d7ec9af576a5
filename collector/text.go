package collector

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// Form is a form in which Families are to be had.
type Form struct {
	OpenMetrics bool // else the Prometheus text format
	Deflated    bool // as pieces of a gzip member, else as text
}

// Family is a metric family of servers or subtasks, or of their sums, as text
// that was rendered when it changed.
type Family struct {
	Name   string
	header string // the lines # HELP and # TYPE
	place  int
	chunks [][]*chunkText // by account
}

// Header gives the lines that stand before the samples.
func (f Family) Header() string { return f.header }

// Text yields the lines of the samples, in pieces. It is for forms that are
// not deflated.
func (f Family) Text(yield func([]byte) bool) {
	f.each(func(t *chunkText) bool { return len(t.text[f.place]) == 0 || yield(t.text[f.place]) })
}

// Deflated is Text for forms that are deflated.
func (f Family) Deflated(yield func(gzipjoin.Piece) bool) {
	f.each(func(t *chunkText) bool { return t.deflated[f.place].Size() == 0 || yield(t.deflated[f.place]) })
}

func (f Family) each(more func(*chunkText) bool) {
	for _, chunks := range f.chunks {
		for _, t := range chunks {
			if !more(t) {
				return
			}
		}
	}
}

func (f Family) empty() bool {
	empty := true
	f.each(func(t *chunkText) bool {
		empty = len(t.text[f.place]) == 0 && (t.deflated == nil || t.deflated[f.place].Size() == 0)
		return empty
	})
	return empty
}

// Families gives what Fleet collects as rendered text: those families that
// have a sample, in the order of their names. What is known of one server is
// in all of them as of the same moment, and the sums are those of what is
// shown. It waits neither for the API nor for a poll, and renders only chunks
// of servers that have changed since the last call for the same form.
//
// The text stays as it is until release is called. Whoever does not call it
// makes later calls take new memory for all that changes.
func (c *Collector) Families(form Form) (list []Family, release func()) {
	chunks, configured, release := c.kept.current(form, time.Now())
	for i, of := range families(configured) {
		f := Family{Name: of.name, header: of.header(form.OpenMetrics), place: i, chunks: chunks}
		if !f.empty() {
			list = append(list, f)
		}
	}
	return list, release
}

// header gives the lines before a family's samples.
func (f *family) header(openMetrics bool) string {
	name, typ := f.name, "gauge"
	if f.counter {
		typ = "counter"
		if openMetrics { // where the suffix is the sample's, not the family's
			name = strings.TrimSuffix(name, "_total")
		}
	}
	return "# HELP " + name + " " + f.help + "\n# TYPE " + name + " " + typ + "\n"
}

// chunkText is a chunk in one form: by family, its text or that deflated.
type chunkText struct {
	totals   *totals
	until    time.Time        // as builder has it
	deflated []gzipjoin.Piece // of forms that are deflated
	text     [familyCount][]byte
	rows     []row // of what is in text
}

// row is what has to be known of a record to render only those that changed.
type row struct {
	record *record
	at     time.Time        // when it was rendered, and counted in totals
	ends   [familyCount]int // how far its text goes
}

// unusedAfter is how long text is kept for a form that nobody asks for.
const unusedAfter = 10 * time.Minute

// texts keeps what was rendered, by form and account. The zero value is empty.
type texts struct {
	mu         sync.Mutex
	accounts   []*account
	labelNames []string
	forms      map[Form]*formTexts
}

type formTexts struct {
	asked    time.Time
	accounts map[*account]*accountText
}

// accountText is one account in one form.
type accountText struct {
	account *account
	chunks  *cache[chunkText]

	mu      sync.Mutex
	readers int // how many were given text and have not released it
	sums    *textRenderer
	total   *totals
	summed  []*chunkText // whose totals are in total
	joined  []*chunkText // those in few parts, of forms that are deflated
}

func newAccountText(a *account, form Form, labelNames []string) *accountText {
	t := &accountText{account: a, sums: newTextRenderer(a, form, labelNames), total: newTotals()}
	t.chunks = newCache(a, func() builder[chunkText] {
		renderer := newTextRenderer(a, form, labelNames)
		return func(records []*record, now time.Time, before *chunkText) (*chunkText, time.Time) {
			return renderer.render(records, now, before, t.readers == 0)
		}
	})
	return t
}

// current gives the chunks of the account, and after them one more with the
// sums of just these. They have a reader more then.
func (t *accountText) current(now time.Time) []*chunkText {
	t.mu.Lock()
	defer t.mu.Unlock()
	chunks := t.chunks.current(now)
	if changed := t.sum(chunks); t.sums.form.Deflated {
		if changed {
			t.join()
		}
		chunks = slices.Clone(t.joined)
	}
	t.readers++
	return append(chunks, t.sums.renderSums(t.account.sum(slices.Values([]*totals{t.total}))))
}

func (t *accountText) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readers--
}

// sum makes total that of chunks, and says whether it was that of others. Most
// are in it already.
func (t *accountText) sum(chunks []*chunkText) (changed bool) {
	if len(t.summed) != len(chunks) {
		changed, t.total, t.summed = true, newTotals(), make([]*chunkText, len(chunks))
	}
	for i, c := range chunks {
		if was := t.summed[i]; was != c {
			changed = true
			if was != nil {
				t.total.add(was.totals, -1)
			}
			t.total.add(c.totals, 1)
			t.summed[i] = c
		}
	}
	return changed
}

// join makes joined what is summed, in a part for each processor, so that
// whoever sends it does not wait for thousands of small pieces from all over
// the memory, once a family.
func (t *accountText) join() {
	parts := slices.Collect(slices.Chunk(t.summed, len(t.summed)/runtime.GOMAXPROCS(0)+1))
	before := t.joined
	if t.readers > 0 {
		before = nil
	}
	t.joined = make([]*chunkText, len(parts))
	var joining sync.WaitGroup
	for i, part := range parts {
		joining.Go(func() {
			memory := make([]gzipjoin.Piece, familyCount)
			if i < len(before) {
				memory = before[i].deflated
			}
			t.joined[i] = joined(part, memory)
		})
	}
	joining.Wait()
}

// joined gives chunks as one, in the memory of pieces that nobody needs.
func joined(chunks []*chunkText, memory []gzipjoin.Piece) *chunkText {
	one := &chunkText{deflated: make([]gzipjoin.Piece, familyCount)}
	for i, p := range memory {
		one.deflated[i] = p.Emptied()
	}
	for _, c := range chunks {
		for i, p := range c.deflated {
			if p.Size() > 0 {
				one.deflated[i] = one.deflated[i].Append(p)
			}
		}
	}
	return one
}

// retain drops what was rendered for accounts that are no longer among those
// given, or with other labels.
func (t *texts) retain(accounts []*account, labelNames []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Equal(t.labelNames, labelNames) {
		t.forms = nil
	}
	t.accounts, t.labelNames = accounts, labelNames
	for _, f := range t.forms {
		maps.DeleteFunc(f.accounts, func(a *account, _ *accountText) bool { return !slices.Contains(accounts, a) })
	}
}

// current gives the chunks of all accounts, and the label names that they were
// rendered with.
func (t *texts) current(form Form, now time.Time) (chunks [][]*chunkText, labelNames []string, release func()) {
	accounts, labelNames := t.in(form, now)
	for _, a := range accounts {
		chunks = append(chunks, a.current(now))
	}
	return chunks, labelNames, sync.OnceFunc(func() {
		for _, a := range accounts {
			a.release()
		}
	})
}

// in gives each account in a form, and forgets forms that are not used any
// more.
func (t *texts) in(form Form, now time.Time) ([]*accountText, []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.forms, func(other Form, f *formTexts) bool { return other != form && now.Sub(f.asked) > unusedAfter })
	if t.forms == nil {
		t.forms = make(map[Form]*formTexts)
	}
	f := t.forms[form]
	if f == nil {
		f = &formTexts{accounts: make(map[*account]*accountText)}
		t.forms[form] = f
	}
	f.asked = now
	list := make([]*accountText, len(t.accounts))
	for i, a := range t.accounts {
		if f.accounts[a] == nil {
			f.accounts[a] = newAccountText(a, form, t.labelNames)
		}
		list[i] = f.accounts[a]
	}
	return list, t.labelNames
}
