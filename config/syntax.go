package config

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseYAML returns the first and the second document of a text; nil where there is none.
func parseYAML(r io.Reader) (first, second *yaml.Node, err error) {
	decoder := yaml.NewDecoder(r)
	for _, into := range []**yaml.Node{&first, &second} {
		var doc yaml.Node
		if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, nil, err
		}
		*into = &doc
	}
	return first, second, nil
}

// locate returns the line at which a text stops being YAML, and what is wrong there. err is the
// parser's error. It names the line where the block began, which may be the first of the file. The
// line that is wrong follows the longest part of the text, cut after a whole line, that is valid
// YAML.
func locate(content []byte, lines *lineReader, err error) (line int, message string) {
	ends := lines.seen()
	good, err := lastGood(content, ends, err)
	message = explain(err.Error(), string(content[ends[good]:ends[good+1]]))
	if message == wrongIndent {
		return misplaced(content[:ends[good+1]], good+1), message
	}
	return good + 1, message
}

// misplaced returns the line with the wrong indentation, where a line fits none above it: that line
// itself, or the first line of the block above. The one whose indentation is rarer in the text
// counts as wrong.
func misplaced(content []byte, line int) int {
	lines := strings.Split(string(content), "\n")
	indents := make([]int, line) // -1: nothing but a comment
	seen := map[int]int{}
	for i := range indents {
		text := strings.TrimLeft(lines[i], " ")
		indents[i] = len(lines[i]) - len(text)
		if text = strings.TrimSpace(text); text == "" || text[0] == '#' {
			indents[i] = -1
		}
		seen[indents[i]]++
	}
	first, second, indent := line-1, line-1, indents[line-1]
	for i := line - 2; i >= 0 && indent >= 0 && (indents[i] < 0 || indents[i] > indent); i-- {
		if indents[i] >= 0 {
			first, second = i, first
		}
	}
	parent := strings.HasSuffix(strings.TrimSpace(lines[first]), ":")
	if seen[indents[first]] < seen[indent] && seen[indents[first]] < 3 || parent && indents[second] == indents[first] {
		return first + 1
	}
	return line
}

// lastGood returns how many lines at the beginning of a text are valid YAML while one line more is
// not, and the error with that line. ends says where each line ends, from 0 on; err is the error
// for the text up to the last. The longest such part is looked for line by line from the end; where
// that would take too long, as behind a quote that is closed nowhere, by halves.
func lastGood(content []byte, ends []int, err error) (int, error) {
	low, bad := 0, len(ends)-1
	try := func(lines int) {
		if _, _, e := parseYAML(bytes.NewReader(content[:ends[lines]])); e != nil {
			bad, err = lines, e
		} else {
			low = lines
		}
	}
	for budget := 16 << 20; budget > 0 && low+1 < bad && low == 0; budget -= ends[bad] + 1000 {
		try(bad - 1)
	}
	for low+1 < bad {
		try((low + bad) / 2)
	}
	return low, err
}

// lineReader hands out at most one line a call, so that what was read tells how far its reader has
// come.
type lineReader struct {
	rest []byte
	ends []int // where the lines handed out end
	at   int
}

func (r *lineReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:r.lineLength()])
	r.at += n
	r.rest = r.rest[n:]
	if p[n-1] == '\n' {
		r.ends = append(r.ends, r.at)
	}
	return n, nil
}

// lineLength returns how long the rest of the present line is.
func (r *lineReader) lineLength() int {
	if n := bytes.IndexByte(r.rest, '\n'); n >= 0 {
		return n + 1
	}
	return len(r.rest)
}

// seen returns 0 and where each line ends that was read at least in part.
func (r *lineReader) seen() []int {
	ends := append([]int{0}, r.ends...)
	if r.at > ends[len(ends)-1] {
		ends = append(ends, r.at+r.lineLength())
	}
	return ends
}

const wrongIndent = "not YAML: indentation that does not fit the lines around it, or a colon missing in the line above"

// explain says in the words of somebody who edits a file what the parser means by its message about
// a line. It never quotes the line, which may hold a key.
func explain(message, line string) string {
	text := strings.TrimLeft(line, " \t")
	indent := line[:len(line)-len(text)]
	has := func(part string) bool { return strings.Contains(message, part) }
	switch {
	case has("control characters"):
		return "not YAML: a control character; save the file as UTF-8 text"
	case strings.Contains(indent, "\t"):
		return "not YAML: a tab before the text; indent with spaces"
	case has("unknown anchor"):
		return "not YAML: an alias (*...) of an anchor (&...) that is not defined above it; quote a value that starts with *"
	case has("unexpected end of stream"), has("unexpected document indicator"):
		return "not YAML: a quote is opened here and not closed"
	case has("expected ',' or"), has("expected node content") && strings.ContainsAny(line, "[{"):
		return "not YAML: a bracket, [ or {, is opened here and not closed, or its content lacks a comma"
	case has("escape"), has("hexdecimal"):
		return `not YAML: a backslash in "..." has a meaning of its own; write '...' instead`
	case has("cannot start any token"), has("alphabetic or numeric"), has("anchor"), has("tag"), has("directive"), has("block scalar"):
		return "not YAML: a text cannot begin with this character; put quotes around it"
	case has("mapping values are not allowed") && colonInText(text):
		return "not YAML: a colon in a text; put quotes around the text"
	case has("expected ':'"):
		return "not YAML: a key without a colon, or indentation that fits no line above"
	case has("quoted"), quotedThenMore(text):
		return "not YAML: something follows a closing quote, or a quote stands inside a quoted text"
	}
	return wrongIndent
}

// colonInText reports whether a line has a second "key: " behind the first.
func colonInText(text string) bool {
	_, value, _ := strings.Cut(text, ": ")
	return strings.Contains(value, ": ") || strings.HasSuffix(strings.TrimSpace(value), ":")
}

// quotedThenMore reports whether something follows the closing quote of a line's value.
func quotedThenMore(text string) bool {
	_, value, _ := strings.Cut(text, ": ")
	if value == "" || !strings.ContainsRune(`"'`, rune(value[0])) {
		return false
	}
	_, more, _ := strings.Cut(value[1:], value[:1])
	more = strings.TrimSpace(more)
	return more != "" && !strings.HasPrefix(more, "#")
}
