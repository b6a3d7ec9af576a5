package config

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// longFile returns a valid configuration of some 2,000 lines.
func longFile() []string {
	var b strings.Builder
	b.WriteString("# A long configuration.\nglobal:\n  poll_interval: 1m\n  series: all\n  success_codes: [\"0\", ok]\naccounts:\n")
	server := 0
	for account := range 12 {
		fmt.Fprintf(&b, "  - name: account-%d\n    region: cn-hangzhou\n    requests_per_second: 5\n    concurrency: 4\n", account)
		b.WriteString("    credentials:\n      access_key_id: LTAI5tExample\n      access_key_secret: 'not-real'\n")
		b.WriteString("    task_ids:\n      - ad8afca3914a5fff4636e67f18e259c7\n      - 16190385\n\n    types: [cve, sys,\n            cms, sca]\n")
		b.WriteString("    discovery:\n      tasks:\n        refresh_interval: 2m\n        max_tasks: 3\n      servers:\n        online_only: false\n        include: \"web-.*\"\n")
		b.WriteString("    servers: # by hand\n")
		for range 27 {
			server++
			fmt.Fprintf(&b, "      - uuid: 5d55af3c-35f3-4d4d-8ccc-%012d\n        name: \"web-%d\"\n        types: [cve, sca]\n", server, server)
			fmt.Fprintf(&b, "        task_ids: [e900f528f5a6229bb640ca27cb44c98e]\n        labels: {team: payments}\n")
			if server%3 == 0 {
				b.WriteString("        # the next one\n")
			}
		}
	}
	return strings.SplitAfter(b.String(), "\n")
}

var (
	keyInLine = regexp.MustCompile(`^([ -]*)([a-z_]+):(.*)\n$`)
	plainWord = regexp.MustCompile(`^ ?[^\[{"' #][^\[{#]*$`)
)

// misspell changes a letter or two of the line's key.
func misspell(r *rand.Rand, line string) string {
	m := keyInLine.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	key := []byte(m[2])
	i := r.IntN(len(key) - 1)
	switch r.IntN(4) {
	case 0:
		key[i], key[i+1] = key[i+1], key[i]
	case 1:
		key = append(key[:i], key[i+1:]...)
	case 2:
		key[i] = 'x'
	case 3:
		key = append(key[:i], append([]byte("q"), key[i:]...)...)
	}
	return m[1] + string(key) + ":" + m[3] + "\n"
}

// retype replaces the value behind the line's key by one of another type.
func retype(r *rand.Rand, line string) string {
	m := keyInLine.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	value := " [[a], b]"
	switch {
	case strings.TrimSpace(m[3]) == "" || strings.HasPrefix(m[3], " ["):
		value = []string{" true", " 5", " often"}[r.IntN(3)]
	case strings.HasPrefix(m[3], " {"):
		value = []string{" true", " [a]"}[r.IntN(2)]
	case plainWord.MatchString(m[3]):
		value = []string{" [a]", " {a: b}"}[r.IntN(2)]
	}
	return m[1] + m[2] + ":" + value + "\n"
}

// shift breaks the line's indentation.
func shift(r *rand.Rand, line string) string {
	text := strings.TrimLeft(line, " ")
	indent := len(line) - len(text)
	switch by := 1 + r.IntN(3); r.IntN(3) {
	case 0:
		return strings.Repeat(" ", max(indent-by, 0)) + text
	case 1:
		return strings.Repeat(" ", indent+by) + text
	}
	return strings.Repeat("\t", 1+indent/8) + text
}

// unbalance takes a colon, quote or bracket away.
func unbalance(r *rand.Rand, line string) string {
	text, _, _ := strings.Cut(line, "#")
	places := regexp.MustCompile(`[:"'\[\]{}]`).FindAllStringIndex(text, -1)
	if places == nil {
		return line
	}
	i := places[r.IntN(len(places))][0]
	return line[:i] + line[i+1:]
}

// parserPhrases begin or make up the messages of the YAML parser.
var parserPhrases = regexp.MustCompile(`yaml:|did not find|could not find|found (character|unexpected|unknown|a tab|an |undefined|extremely|invalid)|mapping (values|keys) are|` +
	`block sequence|while (parsing|scanning)|unknown (anchor|escape|problem)|cannot unmarshal|any token|control characters`)

// TestRandomMistakesAreFoundWhereTheyAre makes one mistake at a random place of a long file: 30 of
// each kind.
func TestRandomMistakesAreFoundWhereTheyAre(t *testing.T) {
	original := longFile()
	path := filepath.Join(t.TempDir(), "long.yml")
	if c, err := Parse(path, []byte(strings.Join(original, ""))); err != nil || len(c.Warnings()) > 0 || len(original) < 1900 {
		t.Fatalf("%d lines: %v, %v", len(original), err, c.Warnings())
	}
	var before any
	if err := yaml.Unmarshal([]byte(strings.Join(original, "")), &before); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(16, 11))
	mutations := []func(*rand.Rand, string) string{misspell, retype, shift, unbalance}
	for made := 0; made < 120; {
		at := r.IntN(len(original) - 1)
		lines := append([]string(nil), original...)
		lines[at] = mutations[made%len(mutations)](r, lines[at])
		content := []byte(strings.Join(lines, ""))
		if lines[at] == original[at] {
			continue
		}
		_, err := Parse(path, content)
		if err == nil {
			var after any
			if err := yaml.Unmarshal(content, &after); err != nil || !reflect.DeepEqual(before, after) {
				t.Errorf("line %d: no error for %q instead of %q", at+1, lines[at], original[at])
			}
			continue // no mistake
		}
		made++
		near, problems := false, checkProblems(t, err)
		for _, p := range problems {
			near = near || p.Line >= at && p.Line <= at+2
			if parserPhrases.MatchString(p.Message) {
				t.Errorf("the parser speaks: %v", p)
			}
		}
		if !near {
			t.Errorf("%q instead of %q in line %d: %v", lines[at], original[at], at+1, problems.summary())
		}
	}
}
