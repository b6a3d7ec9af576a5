package collector

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/gzipjoin"
)

// textRenderer renders chunks of one account in one form. It is not safe for
// concurrent use.
type textRenderer struct {
	settings config.Settings
	account  string
	form     Form
	families [familyCount]template
	sample   sample
	labels   []byte  // of the last line
	server   *target // of the last line, and its labels
	name     []byte
	uuid     []byte
	lines    [familyCount][]byte // kept for their memory
	deflater *gzipjoin.Deflater
}

// template is what all lines of a family have in common: before are the texts
// before each label's value. The account's label, the first of all, is in them.
type template struct {
	name           string
	labels, before []string
}

func newTextRenderer(a *account, form Form, labelNames []string) *textRenderer {
	t := &textRenderer{settings: a.config.Settings, account: a.config.Name, form: form, deflater: gzipjoin.NewDeflater()}
	for i, of := range families(labelNames) {
		t.families[i] = template{name: of.name, labels: of.labels[1:]}
		start := `{account="` + string(appendEscaped(nil, t.account)) + `",`
		for _, name := range of.labels[1:] {
			t.families[i].before = append(t.families[i].before, start+name+`="`)
			start = `",`
		}
	}
	return t
}

// render makes a chunk's text: it is a builder, if it is told whether the text
// of before may be written over.
func (t *textRenderer) render(records []*record, now time.Time, before *chunkText, reuse bool) (*chunkText, time.Time) {
	t.begin()
	if before == nil {
		before = &chunkText{totals: newTotals(), rows: make([]row, len(records))}
	}
	made := &chunkText{}
	if t.form.Deflated {
		for _, r := range records {
			r.samples(&t.sample, t.settings, now, t.line)
		}
		made.totals, made.until = totalsOf(records, t.settings, now)
	} else {
		t.renderRows(made, records, now, before)
	}
	t.end(made, before, reuse)
	return made, made.until
}

// renderSums gives the text of an account's sums.
func (t *textRenderer) renderSums(sums *totals) *chunkText {
	t.begin()
	sums.samples(t.line)
	made := &chunkText{}
	t.end(made, &chunkText{}, false)
	return made
}

func (t *textRenderer) begin() {
	for i := range t.lines {
		t.lines[i] = t.lines[i][:0]
	}
}

// end makes the lines since begin the text of a chunk.
func (t *textRenderer) end(made, before *chunkText, reuse bool) {
	if t.form.Deflated {
		made.deflated = t.deflater.Deflate(before.deflated, t.lines[:]...)
		return
	}
	for i, lines := range t.lines {
		made.text[i] = keep(before.text[i], lines, reuse)
	}
}

// renderRows renders the records that are not those of before. Of all others
// it reads nothing, as the processor would have to wait for it.
func (t *textRenderer) renderRows(made *chunkText, records []*record, now time.Time, before *chunkText) {
	made.totals, made.until, made.rows = newTotals(), before.until, make([]row, len(records))
	made.totals.add(before.totals, 1)
	for i, r := range records {
		was, is := &before.rows[i], &made.rows[i]
		is.record = r
		if was.record == r {
			is.at = was.at
			t.repeat(before, i)
		} else {
			is.at = now
			if was.record != nil {
				made.totals.count(was.record, -1, t.settings, was.at)
			}
			made.totals.count(r, 1, t.settings, now)
			made.until = r.changesBy(made.until, t.settings, now)
			r.samples(&t.sample, t.settings, now, t.line)
		}
		for family, lines := range t.lines {
			is.ends[family] = len(lines)
		}
	}
}

// repeat adds the lines that a record had before.
func (t *textRenderer) repeat(before *chunkText, i int) {
	var starts [familyCount]int
	if i > 0 {
		starts = before.rows[i-1].ends
	}
	for family, start := range starts {
		t.lines[family] = append(t.lines[family], before.text[family][start:before.rows[i].ends[family]]...)
	}
}

// keep gives lines in memory of their own. That of what was there before is
// taken for it where nobody reads that any more: it is in the processor's
// cache, and need not be collected.
func keep(before, lines []byte, reuse bool) []byte {
	switch {
	case bytes.Equal(lines, before):
		return before
	case reuse && len(lines) <= cap(before) && len(lines) > cap(before)/2:
		return append(before[:0], lines...)
	}
	return bytes.Clone(lines)
}

// line adds a sample.
func (t *textRenderer) line(m *sample) {
	of := &t.families[m.family]
	if !m.again {
		if m.server != t.server { // its labels come in many lines
			t.server, t.name, t.uuid = m.server, t.name[:0], t.uuid[:0]
			if m.server != nil {
				t.name, t.uuid = appendEscaped(t.name, m.server.Name), appendEscaped(t.uuid, m.server.UUID)
			}
		}
		t.labels = t.labels[:0]
		for i, name := range of.labels {
			t.labels = append(t.labels, of.before[i]...)
			switch name {
			case "server":
				t.labels = append(t.labels, t.name...)
			case "uuid":
				t.labels = append(t.labels, t.uuid...)
			default:
				t.labels = appendEscaped(t.labels, m.label(name, t.account))
			}
		}
		t.labels = append(t.labels, `"} `...)
	}
	b := t.lines[m.family]
	b = append(b, of.name...)
	b = append(b, t.labels...)
	b = appendValue(b, m.value, t.form.OpenMetrics)
	t.lines[m.family] = append(b, '\n')
}

// appendEscaped writes a label's value as both text formats have it.
func appendEscaped(b []byte, value string) []byte {
	if strings.IndexByte(value, '\\') < 0 && strings.IndexByte(value, '"') < 0 && strings.IndexByte(value, '\n') < 0 {
		return append(b, value...)
	}
	start := 0
	for i := range len(value) {
		var escaped string
		switch value[i] {
		case '\\':
			escaped = `\\`
		case '"':
			escaped = `\"`
		case '\n':
			escaped = `\n`
		default:
			continue
		}
		b = append(append(b, value[start:i]...), escaped...)
		start = i + 1
	}
	return append(b, value[start:]...)
}

// appendValue writes a sample's value. OpenMetrics tells floats by a point or
// an exponent.
func appendValue(b []byte, value float64, openMetrics bool) []byte {
	start := len(b)
	switch {
	case math.IsNaN(value):
		return append(b, "NaN"...)
	case math.IsInf(value, 0):
		return append(b, strconv.FormatFloat(value, 'g', -1, 64)...)
	case value == math.Trunc(value) && math.Abs(value) < 1000:
		b = strconv.AppendInt(b, int64(value), 10)
	default:
		b = strconv.AppendFloat(b, value, 'g', -1, 64)
	}
	if openMetrics && !bytes.ContainsAny(b[start:], "e.") {
		b = append(b, ".0"...)
	}
	return b
}
