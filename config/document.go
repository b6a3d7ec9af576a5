package config

import (
	"bytes"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// text is one file of the configuration.
type text struct {
	name    string
	content []byte
	lines   [][]byte // content by line; made when first needed
}

// line returns a line, counted from 1, or nothing where there is none.
func (t *text) line(n int) string {
	if t.lines == nil {
		t.lines = bytes.SplitAfter(t.content, []byte("\n"))
	}
	if n < 1 || n > len(t.lines) {
		return ""
	}
	return string(t.lines[n-1])
}

// document parses one file. The result is null for an empty one; ok is false when it is not YAML,
// which is then reported.
func (d *decoder) document(file string, content []byte) (root value, ok bool) {
	root = value{text: &text{name: file, content: content}, line: 1, node: &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}}
	if line := invalidUTF8(content); line > 0 {
		root.line = line
		d.problem(root, "not UTF-8 text; save the file as UTF-8")
		return root, false
	}
	d.left += len(content)
	lines := &lineReader{rest: content}
	doc, second, err := parseYAML(lines)
	switch {
	case err != nil:
		var message string
		root.line, message = locate(content, lines, err)
		d.problem(root, "%s", message)
		return root, false
	case second != nil:
		root.line = second.Line
		d.problem(root, "a second YAML document starts here: one file holds one (remove the line ---)")
		return root, false
	case doc == nil:
		return root, true
	}
	return d.resolve(root, doc.Content[0]), true
}

// invalidUTF8 returns the line of the first byte that is not UTF-8, or 0.
func invalidUTF8(content []byte) int {
	if utf8.Valid(content) {
		return 0
	}
	line := 1
	for len(content) > 0 {
		r, size := utf8.DecodeRune(content)
		if r == utf8.RuneError && size == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		content = content[size:]
	}
	return line
}
