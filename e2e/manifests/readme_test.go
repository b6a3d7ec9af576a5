package manifests

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	tableBegins = "<!-- values: made from values.yaml by .ci/manifests -update -->\n"
	tableEnds   = "<!-- end of values -->\n"
)

// value is a row of the README's table.
type value struct{ path, byDefault, meaning string }

// rows returns the values that a node of values.yaml declares. A mapping is one value if nothing in
// it has a comment.
func rows(path string, key, node *yaml.Node) ([]value, error) {
	comment := strings.Join(strings.Fields(strings.ReplaceAll(key.HeadComment, "#", " ")), " ")
	if !commented(node) {
		if comment == "" {
			return nil, fmt.Errorf("values.yaml: %s has no comment", path)
		}
		var v any
		if err := node.Decode(&v); err != nil {
			return nil, fmt.Errorf("values.yaml: %s: %w", path, err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("values.yaml: %s: %w", path, err)
		}
		return []value{{path, string(text), comment}}, nil
	}
	var found []value
	for i := 0; i < len(node.Content); i += 2 {
		inner, err := rows(strings.TrimPrefix(path+"."+node.Content[i].Value, "."), node.Content[i], node.Content[i+1])
		if err != nil {
			return nil, err
		}
		found = append(found, inner...)
	}
	return found, nil
}

// commented reports whether keys of a mapping have comments.
func commented(node *yaml.Node) bool {
	if node.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i < len(node.Content); i += 2 {
		if node.Content[i].HeadComment != "" || commented(node.Content[i+1]) {
			return true
		}
	}
	return false
}

func declared() ([]value, error) {
	text, err := os.ReadFile(chartFolder + "/values.yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the chart's values: %w", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("reading the chart's values: %w", err)
	}
	return rows("", &yaml.Node{}, document.Content[0])
}

func documented(t *testing.T) []value {
	t.Helper()
	values, err := declared()
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// readme returns the chart's README with the table of its values anew.
func readme() (string, error) {
	text, err := os.ReadFile(chartFolder + "/README.md")
	if err != nil {
		return "", fmt.Errorf("reading the chart's README: %w", err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return "", errors.New("the chart's README has no place for the table of values")
	}
	values, err := declared()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(before + tableBegins + "| value | default | meaning |\n| --- | --- | --- |\n")
	for _, v := range values {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", v.path, v.byDefault, strings.ReplaceAll(v.meaning, "|", `\|`))
	}
	b.WriteString(tableEnds + after)
	return b.String(), nil
}

func TestReadmeComparesNamesThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, v := range documented(t) {
		for path := v.path; path != ""; {
			known[path] = true
			end := strings.LastIndex(path, ".")
			path = path[:max(end, 0)]
		}
	}
	_, rest, found := strings.Cut(read(t, chartFolder+"/README.md"), "| ours | blackbox | cloudwatch | YACE |\n| --- | --- | --- | --- |\n")
	if !found {
		t.Fatal("the README compares nothing")
	}
	compared := 0
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "| ") {
			break
		}
		ours, _, _ := strings.Cut(line[2:], " | ")
		for name := range strings.SplitSeq(ours, ", ") {
			compared++
			if name = strings.Trim(name, "`"); name != "-" && !known[name] {
				t.Errorf("there is no value %s", name)
			}
		}
	}
	if compared < 30 {
		t.Errorf("%d names are compared", compared)
	}
}
