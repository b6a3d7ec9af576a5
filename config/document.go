package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// yamlLine takes apart the parser's messages, such as "yaml: line 3: could not find expected ':'".
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// unknownAnchor holds the text behind an asterisk, which may be an unquoted secret.
var unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// document parses one file. The result is null for an empty one; ok is false when it is not YAML, which is then
// reported.
func (d *decoder) document(file string, content []byte) (root value, ok bool) {
	root = value{file: file, line: 1, node: &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}}
	if line := invalidUTF8(content); line > 0 {
		root.line = line
		d.problem(root, "not UTF-8 text")
		return root, false
	}
	d.left += len(content)
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var doc, second yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return root, true
	case err != nil:
		d.syntax(root, content, err)
		return root, false
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		root.line = second.Line
		d.problem(root, "a second YAML document starts here: one file holds one (remove the line ---)")
		return root, false
	case !errors.Is(err, io.EOF):
		d.syntax(root, content, err)
		return root, false
	}
	return d.resolve(root, doc.Content[0]), true
}

// syntax reports err of the YAML parser.
func (d *decoder) syntax(at value, content []byte, err error) {
	parts := yamlLine.FindStringSubmatch(err.Error())
	if parts == nil {
		d.problem(at, "not YAML")
		return
	}
	message := parts[2]
	if line, err := strconv.Atoi(parts[1]); err == nil {
		at.line = line
		if strings.HasPrefix(message, "did not find expected") {
			at.line++ // the parser, unlike the scanner, counts from 0
		}
	}
	if anchor := unknownAnchor.FindStringSubmatch(message); anchor != nil {
		at.line = lineOf(content, "*"+anchor[1])
		message = "an alias (*...) of an anchor (&...) that is not defined above it; quote a value that starts with *"
	}
	d.problem(at, "not YAML: %s", message)
}

// lineOf returns the line of the first occurrence of text, or 1.
func lineOf(content []byte, text string) int {
	before, _, found := bytes.Cut(content, []byte(text))
	if !found {
		return 1
	}
	return 1 + bytes.Count(before, []byte("\n"))
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
