package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxAliased bounds how many values a file may have through YAML aliases, beyond one per byte of
// its text.
const maxAliased = 2_000_000

// decoder walks YAML nodes along the schema, fills in what it is pointed at, and gathers everything
// wrong. The schema is of finite depth, so an alias that contains itself can only run in circles
// through merge keys.
type decoder struct {
	dir      string // relative paths start here
	problems *problems
	warnings *problems
	warned   map[string]bool   // messages of warnings that one place is enough for
	files    fileStamps        // of the server files read
	owners   map[string]string // server's key to the account that lists it
	left     int               // values that may still be visited
	merging  []*yaml.Node      // mappings whose merge keys are being followed
}

// value is a YAML node and its position.
type value struct {
	node   *yaml.Node // never an alias
	text   *text      // the file
	line   int        // of the key, or of the list item
	place  *place
	secret bool // below `credentials`: nothing of it may be quoted
}

// place is the path of a value. It is a linked list, because only problems need it as text.
type place struct {
	parent *place
	key    string
	index  int // of a list item; -1 for a key
}

func (p *place) String() string {
	switch {
	case p == nil:
		return ""
	case p.index >= 0:
		return p.parent.String() + "[" + strconv.Itoa(p.index) + "]"
	case p.parent == nil:
		return plainKey(p.key)
	}
	return p.parent.String() + "." + plainKey(p.key)
}

// plainKey quotes a key that holds characters with a meaning in a path.
func plainKey(key string) string {
	if key == "" || len(key) > 80 || strings.ContainsFunc(key, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`.:[]"`, r)
	}) {
		return quote(key)
	}
	return key
}

// null reports whether a value counts as absent.
func (v value) null() bool {
	return v.node == nil || v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!null"
}

func (v value) kind() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

func (d *decoder) problem(v value, format string, args ...any) {
	d.problems.add(v.problem(fmt.Sprintf(format, args...)))
}

// warn reports what is legal but odd.
func (d *decoder) warn(v value, format string, args ...any) {
	d.warnings.add(v.problem(fmt.Sprintf(format, args...)))
}

// warnOnce is warn for what may be repeated in thousands of servers: only the first place is named.
func (d *decoder) warnOnce(v value, message string) {
	if !d.warned[message] {
		d.warned[message] = true
		d.warn(v, "%s", message)
	}
}

func (v value) problem(message string) Problem {
	return Problem{File: v.text.name, Line: v.line, Path: v.place.String(), Message: message}
}

// resolve places node at v and counts it.
func (d *decoder) resolve(v value, node *yaml.Node) value {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	v.node = node
	if d.left--; d.left < 0 {
		if d.left == -1 {
			d.problem(v, "aliases multiply this file into too many values")
		}
		v.node = nil
	}
	return v
}

// keys are the values of a mapping by key, those of its merge keys included, and misspelt ones
// under the key that was meant.
type keys map[string]value

// has reports whether a key is present and not null.
func (k keys) has(key string) bool {
	v, ok := k[key]
	return ok && !v.null()
}

// given reports whether a key has a value, even a wrong one.
func (k keys) given(key string) bool {
	return k.has(key) && (k[key].node.Kind != yaml.ScalarNode || k[key].node.Value != "")
}

// filled is like given, but an empty list or mapping does not count.
func (k keys) filled(key string) bool {
	return k.given(key) && (k[key].node.Kind == yaml.ScalarNode || len(k[key].node.Content) > 0)
}

// first returns the value of the first of some keys that is there, and whether one is.
func (k keys) first(some ...string) (value, bool) {
	for _, key := range some {
		if v, ok := k[key]; ok {
			return v, true
		}
	}
	return value{}, false
}

// pairs returns the values of a mapping by key, and the keys in the file's order.
func (d *decoder) pairs(v value) (keys, []string) {
	if v.null() {
		return nil, nil
	}
	if v.node.Kind != yaml.MappingNode {
		d.problem(v, "want a mapping (key: value), not %s", v.kind())
		return nil, nil
	}
	found := make(keys, len(v.node.Content)/2)
	order := make([]string, 0, len(v.node.Content)/2)
	var merges []value
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		name := d.resolve(v, v.node.Content[i])
		if name.node == nil {
			break
		}
		name.line = v.node.Content[i].Line
		if name.node.Kind != yaml.ScalarNode {
			d.problem(name, "a key must be text, not %s", name.kind())
			continue
		}
		key := name.node.Value
		member := name
		member.place = &place{parent: v.place, key: key, index: -1}
		if name.node.ShortTag() == "!!merge" {
			merges = append(merges, d.resolve(member, v.node.Content[i+1]))
			continue
		}
		if earlier, ok := found[key]; ok {
			d.duplicateKey(v, member, earlier.line)
			continue
		}
		found[key] = d.resolve(member, v.node.Content[i+1])
		order = append(order, key)
	}
	for _, m := range merges {
		order = d.merge(v, m, found, order)
	}
	return found, order
}

func (d *decoder) duplicateKey(mapping, at value, earlier int) {
	if mapping.secret {
		at.place = mapping.place
	}
	d.problem(at, "duplicate key, already given in line %d", earlier)
}

// merge adds to found what the merge key (<<) of a mapping brings: keys that are there already win.
func (d *decoder) merge(into, v value, found keys, order []string) []string {
	if slices.Contains(d.merging, into.node) {
		d.problem(v, "an alias that contains itself")
		return order
	}
	d.merging = append(d.merging, into.node)
	defer func() { d.merging = d.merging[:len(d.merging)-1] }()

	mappings := []value{v}
	if !v.null() && v.node.Kind == yaml.SequenceNode {
		mappings = mappings[:0]
		for _, n := range v.node.Content {
			mappings = append(mappings, d.resolve(v, n))
		}
	}
	for _, m := range mappings {
		m.place = into.place // merged keys read as if written here
		more, names := d.pairs(m)
		for _, key := range names {
			if _, ok := found[key]; !ok {
				found[key] = more[key]
				order = append(order, key)
			}
		}
	}
	return order
}

// each calls a function for every item of a list. want describes the list in an error.
func (d *decoder) each(v value, want string, item func(value)) {
	if v.null() {
		return
	}
	if v.node.Kind != yaml.SequenceNode {
		d.problem(v, "want %s, not %s", want, v.kind())
		return
	}
	for i, n := range v.node.Content {
		at := v
		at.line = n.Line
		at.place = &place{parent: v.place, index: i}
		item(d.resolve(at, n))
	}
}
