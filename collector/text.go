package collector

import (
	"maps"
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
// that was rendered when it changed. Nothing in it is ever changed.
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
		if t.text != nil {
			empty = len(t.text[f.place]) == 0
		} else {
			empty = t.deflated[f.place].Size() == 0
		}
		return empty
	})
	return empty
}

// Families gives what Fleet collects as rendered text: those families that
// have a sample, in the order of their names. What is known of one server is
// in all of them as of the same moment, and the sums are those of what is shown. It waits neither for the API nor for a
// poll, and renders only chunks of servers that have changed since the last
// call for the same form.
func (c *Collector) Families(form Form) []Family {
	now := time.Now()
	chunks, configured := c.kept.current(form, now)
	var list []Family
	for i, of := range families(configured) {
		f := Family{Name: of.name, header: of.header(form.OpenMetrics), place: i, chunks: chunks}
		if !f.empty() {
			list = append(list, f)
		}
	}
	return list
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
	deflated []gzipjoin.Piece // of forms that are deflated

	// Of those that are not, and what has to be known to render only what
	// changed: the records, and how far the text of each goes, by family.
	text    [][]byte
	records []*record
	ends    [][familyCount]int
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

	mu   sync.Mutex
	sums *textRenderer
}

func newAccountText(a *account, form Form, labelNames []string) *accountText {
	return &accountText{
		account: a,
		chunks:  newCache(a, func() builder[chunkText] { return newTextRenderer(a, form, labelNames).render }),
		sums:    newTextRenderer(a, form, labelNames),
	}
}

// current gives the chunks of the account, and after them one more with the
// sums of just these.
func (t *accountText) current(now time.Time) []*chunkText {
	chunks := t.chunks.current(now)
	sum := t.account.sum(func(yield func(*totals) bool) {
		for _, c := range chunks {
			if !yield(c.totals) {
				return
			}
		}
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sums.begin()
	sum.samples(t.sums.line)
	return append(chunks, t.sums.end(nil))
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
func (t *texts) current(form Form, now time.Time) (chunks [][]*chunkText, labelNames []string) {
	accounts, labelNames := t.in(form, now)
	for _, a := range accounts {
		chunks = append(chunks, a.current(now))
	}
	return chunks, labelNames
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
