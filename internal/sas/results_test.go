package sas

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// documentedResult is a row of docs/results.md.
type documentedResult struct {
	name, class, advice string
	codes               []string
}

func documentedResults(t *testing.T) []documentedResult {
	t.Helper()
	page, err := os.ReadFile("../../docs/results.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| result | class | what to do |\n| --- | --- | --- |\n")
	if !found {
		t.Fatal("docs/results.md has no table of results")
	}
	var rows []documentedResult
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 {
			break
		}
		row := documentedResult{strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2]), nil}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[0], -1) {
			row.codes = append(row.codes, m[1])
		}
		rows = append(rows, row)
	}
	return rows
}

func TestResultsPageHasEveryCodeWithItsClassAndAdvice(t *testing.T) {
	ours := map[string]string{
		ResultOK: "", ResultTimeout: "retryable", ResultConnection: "retryable", ResultCanceled: "canceled",
		ResultResponse: "response", ResultCredentials: "refused",
	}
	known := map[string]bool{}
	for _, row := range documentedResults(t) {
		for _, code := range row.codes {
			if class, is := ours[code]; is {
				if known[code] = true; row.class != class || row.advice == "" {
					t.Errorf("%s: class %q, want %q; advice %q", code, row.class, class, row.advice)
				}
				continue
			}
			rule := classify(http.StatusBadRequest, code)
			known[rule.prefix] = true
			if rule.prefix == "" || row.class != rule.class.String() {
				t.Errorf("%s: class %q, the program has %q by the rule %q", code, row.class, rule.class, rule.prefix)
			}
			if !strings.HasPrefix(row.advice, rule.advice) || row.advice == "" {
				t.Errorf("%s: advice %q, the program's is %q", code, row.advice, rule.advice)
			}
		}
	}
	for _, rule := range codeRules {
		if !known[rule.prefix] {
			t.Errorf("docs/results.md lacks the codes that begin with %s: %s", rule.prefix, rule.advice)
		}
	}
	for result := range ours {
		if !known[result] {
			t.Errorf("docs/results.md lacks %s", result)
		}
	}
}

func TestResultsPageSaysWhatUnknownCodesMean(t *testing.T) {
	for name, status := range map[string]int{
		"any other code, HTTP 401 or 403": http.StatusForbidden,
		"any other code, HTTP 5xx":        http.StatusBadGateway,
		"any other code":                  http.StatusNotFound,
	} {
		found := false
		for _, row := range documentedResults(t) {
			if row.name != name {
				continue
			}
			found = true
			if rule := classify(status, "NeverHeardOf"); row.class != rule.class.String() || !strings.HasPrefix(row.advice, rule.advice) {
				t.Errorf("%s: %q, %q; the program has %v, %q", name, row.class, row.advice, rule.class, rule.advice)
			}
		}
		if !found {
			t.Errorf("docs/results.md lacks the row %s", name)
		}
	}
}
