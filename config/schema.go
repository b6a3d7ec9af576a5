package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// codec reads the value of a key into the Config, and shows what is there on the page /config.
type codec struct {
	set   func(value)
	show  func() any // nil leaves the key out
	inner fields     // the keys below: of a mapping, or of a list's items
	list  bool
}

// field is a key of a mapping and what its value means.
type field struct {
	key string
	codec
}

// fields is the schema of a mapping. Values are set in its order, whatever the order in the file.
type fields []field

func (f fields) names() []string {
	names := make([]string, len(f))
	for i := range f {
		names[i] = f[i].key
	}
	return names
}

// shown returns the mapping as the page /config shows it.
func (f fields) shown() *yaml.Node {
	page := &yaml.Node{Kind: yaml.MappingNode}
	for _, field := range f {
		shown := field.show()
		if shown == nil {
			continue
		}
		var key, v yaml.Node
		key.SetString(field.key)
		if node, ok := shown.(*yaml.Node); ok {
			v = *node
		} else if err := v.Encode(shown); err != nil {
			v.SetString("cannot be shown: " + err.Error())
		}
		page.Content = append(page.Content, &key, &v)
	}
	return page
}

// list returns a codec for a list of mappings, whose items have the schema inner.
func (d *decoder) list(want string, inner fields, item func(value), show func() any) codec {
	return codec{set: func(v value) { d.each(v, want, item) }, show: show, inner: inner, list: true}
}

// mapping sets what v holds, reports keys that are not in the schema, and returns the values found.
func (d *decoder) mapping(v value, schema fields) keys {
	found, order := d.pairs(v)
	for _, f := range schema {
		if v, ok := found[f.key]; ok {
			f.set(v)
		}
	}
	for _, key := range order {
		if !slices.ContainsFunc(schema, func(f field) bool { return f.key == key }) {
			d.unknownKey(v, found, key, schema)
		}
	}
	return found
}

// unknownKey reports a key that is not in the schema, with what was meant as far as that can be
// told.
func (d *decoder) unknownKey(mapping value, found keys, key string, schema fields) {
	at, known := found[key], schema.names()
	near, similar := nearest(key, known)
	if mapping.secret && !similar && !ordinary(key, known) { // it may be a secret whose place was missed
		at.place = mapping.place
	}
	owner, elsewhere := ownerOf(key)
	switch {
	case elsewhere:
		d.problem(at, "unknown key here; it belongs to %s", owner)
	case similar:
		d.problem(at, "unknown key (did you mean %s?)", near)
		if _, taken := found[near]; !taken {
			found[near] = at // so that it is not reported as missing, too
		}
	default:
		d.problem(at, "unknown key (valid here: %s)", strings.Join(known, ", "))
	}
}

// ownerOf returns, in words, the mapping to which a key belongs, and whether there is one.
func ownerOf(key string) (owner string, ok bool) {
	(&decoder{}).root(&Config{}).walk("", func(path string, f field) {
		if f.key != key || ok {
			return
		}
		ok = true
		switch parent := strings.TrimSuffix(strings.TrimSuffix(path, key), "."); parent {
		case "":
			owner = "the top level of the file"
		case "accounts[]":
			owner = fmt.Sprintf("an account (%s)", path)
		default:
			owner = fmt.Sprintf("%s (%s)", strings.TrimPrefix(parent, "accounts[]."), path)
		}
	})
	return owner, ok
}

// walk visits every key of the schema with its path, such as accounts[].servers[].uuid.
func (f fields) walk(parent string, visit func(path string, f field)) {
	for _, field := range f {
		path := parent + field.key
		visit(path, field)
		if field.list {
			path += "[]"
		}
		field.inner.walk(path+".", visit)
	}
}
