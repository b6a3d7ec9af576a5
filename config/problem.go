package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxProblems bounds what one load reports: a generated server file with one mistake in its
// template repeats it in every server.
const maxProblems = 1000

// Problem is one thing wrong with a configuration.
type Problem struct {
	File    string // as named on the command line or matched by a pattern; empty only for the closing "and so many more"
	Line    int    // from 1; 0 when it concerns the file as a whole
	Path    string // of the key, such as accounts[0].servers[3].uuid; empty when it concerns the file as a whole
	Message string // what is wrong and what to do; never holds a secret
}

// String returns the problem on one line: file:line: path: message.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			b.WriteString(":" + strconv.Itoa(p.Line))
		}
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Errors are all problems of one load, sorted by file and line. Load and Parse return no other
// error type.
type Errors []Problem

// Error returns one line per problem.
func (e Errors) Error() string { return joinProblems(e, "\n") }

// summary fits a log line: the first problems, and how many more there are.
func (e Errors) summary() string {
	const shown = 3
	if len(e) <= shown {
		return joinProblems(e, "; ")
	}
	return fmt.Sprintf("%s; and %d more, all listed by --config.check", joinProblems(e[:shown], "; "), len(e)-shown)
}

func lines(problems []Problem) []string {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return lines
}

func joinProblems(problems []Problem, separator string) string {
	return strings.Join(lines(problems), separator)
}

// problems gathers what one load finds wrong.
type problems struct {
	list []Problem
	more int // found beyond maxProblems
}

func (p *problems) add(problem Problem) {
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	p.list = append(p.list, problem)
}

// errors returns all problems in order, or nil when nothing is wrong.
func (p *problems) errors() Errors {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	if p.more > 0 {
		p.list = append(p.list, Problem{Message: fmt.Sprintf("and %d more problems", p.more)})
	}
	return p.list
}

// quote returns a piece of the file for a message: on one line, and cut if it is long.
func quote(text string) string {
	const most = 80
	if len(text) > most {
		return strconv.Quote(text[:most]) + "..."
	}
	return strconv.Quote(text)
}
