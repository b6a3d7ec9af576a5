package collector

import (
	"bytes"
	"math"
	"slices"
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

// render gives the text of a chunk. before is what it was, or nil.
func (t *textRenderer) render(records []*record, now time.Time, before *chunkText) *chunkText {
	t.begin()
	var ends [][familyCount]int
	if !t.form.Deflated {
		ends = make([][familyCount]int, len(records))
	}
	for i, r := range records {
		if ends != nil && before != nil && before.records[i] == r {
			t.repeat(before, i)
		} else {
			r.samples(&t.sample, t.settings, now, t.line)
		}
		if ends != nil {
			for family, lines := range t.lines {
				ends[i][family] = len(lines)
			}
		}
	}
	made := t.end(before)
	made.totals = totalsOf(records, t.settings, now)
	if ends != nil {
		made.records, made.ends = slices.Clone(records), ends
	}
	return made
}

// repeat adds the lines that a record had before.
func (t *textRenderer) repeat(before *chunkText, i int) {
	for family := range t.lines {
		start := 0
		if i > 0 {
			start = before.ends[i-1][family]
		}
		t.lines[family] = append(t.lines[family], before.text[family][start:before.ends[i][family]]...)
	}
}

func (t *textRenderer) begin() {
	for i := range t.lines {
		t.lines[i] = t.lines[i][:0]
	}
}

// end gives the lines since begin.
func (t *textRenderer) end(before *chunkText) *chunkText {
	made := &chunkText{}
	if t.form.Deflated {
		var pieces []gzipjoin.Piece
		if before != nil {
			pieces = before.deflated
		}
		made.deflated = t.deflater.Deflate(pieces, t.lines[:]...)
		return made
	}
	made.text = make([][]byte, familyCount)
	all := bytes.Join(t.lines[:], nil) // one allocation, of the right size
	for i, lines := range t.lines {
		made.text[i], all = all[:len(lines):len(lines)], all[len(lines):]
	}
	return made
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
