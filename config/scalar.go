package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// check says what is wrong with a text, or nil.
type check func(text string) error

// scalar returns the text of a value as the file spells it (16190385 stays 16190385). ok is false when it is null,
// or no scalar, which is reported.
func (d *decoder) scalar(v value, want string) (text string, ok bool) {
	switch {
	case v.null():
		return "", false
	case v.node.Kind != yaml.ScalarNode:
		d.problem(v, "want %s, not %s", want, v.kind())
		return "", false
	case v.node.Style&yaml.TaggedStyle != 0 && !strings.HasPrefix(v.node.ShortTag(), "!!"):
		d.problem(v, "want %s, not a value with a tag (!...) of its own", want)
		return "", false
	}
	return v.node.Value, true
}

// text returns a setter for a string; the empty one counts as absent.
func (d *decoder) text(into *string, checks ...check) func(value) {
	return func(v value) {
		text, ok := d.scalar(v, "text")
		if !ok || text == "" || !d.passes(v, text, checks) {
			return
		}
		*into = text
	}
}

// passes applies checks and reports the first that fails.
func (d *decoder) passes(v value, text string, checks []check) bool {
	for _, c := range checks {
		if err := c(text); err != nil {
			d.problem(v, "%v", err)
			return false
		}
	}
	return true
}

// texts returns a setter for a list of different strings, which replaces what is there.
func (d *decoder) texts(into *[]string, checks ...check) func(value) {
	return func(v value) {
		if v.null() {
			return
		}
		var list []string
		seen := map[string]bool{}
		d.each("a list", func(item value) {
			text, ok := d.scalar(item, "text")
			switch {
			case item.null():
				d.problem(item, "an empty item")
			case !ok || !d.passes(item, text, checks):
			case seen[text]:
				d.problem(item, "%s is in this list already", quote(text))
			default:
				seen[text] = true
				list = append(list, text)
			}
		})(v)
		*into = list
	}
}

// duration returns a setter for a duration of at least the least, which is 0 or more than 0.
func (d *decoder) duration(into *time.Duration, zero bool) func(value) {
	return func(v value) {
		text, ok := d.scalar(v, "a duration")
		if !ok {
			return
		}
		parsed, err := model.ParseDuration(text)
		switch {
		case err != nil:
			d.problem(v, "not a duration: %s (want such as 30s, 10m or 1h30m)", quote(text))
		case parsed == 0 && !zero:
			d.problem(v, "must be more than 0")
		default:
			*into = time.Duration(parsed)
		}
	}
}

// rate returns a setter for a number of calls per second.
func (d *decoder) rate(into *float64) func(value) {
	const most = 10000
	return func(v value) {
		text, ok := d.scalar(v, "a number")
		if !ok {
			return
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || n <= 0 || n > most {
			d.problem(v, "not a number of more than 0 and at most %d: %s", most, quote(text))
			return
		}
		*into = n
	}
}

// count returns a setter for a whole number between 1 and most.
func (d *decoder) count(into *int, most int) func(value) {
	return func(v value) {
		text, ok := d.scalar(v, "a whole number")
		if !ok {
			return
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			d.problem(v, "not a whole number from 1 to %d: %s", most, quote(text))
			return
		}
		*into = n
	}
}

// flag returns a setter for true and false.
func (d *decoder) flag(into *bool) func(value) {
	return func(v value) {
		text, ok := d.scalar(v, "true or false")
		if !ok {
			return
		}
		switch strings.ToLower(text) {
		case "true":
			*into = true
		case "false":
			*into = false
		default:
			d.problem(v, "want true or false, not %s", quote(text))
		}
	}
}

// pattern returns a setter for an RE2 expression that has to match from end to end; the empty one is unset.
func (d *decoder) pattern(into **regexp.Regexp) func(value) {
	return func(v value) {
		text, ok := d.scalar(v, "a regular expression")
		if !ok || text == "" {
			return
		}
		if _, err := regexp.Compile(text); err != nil { // by itself, so that a)|(b cannot break out of the group
			d.problem(v, "not a regular expression (RE2): %s", quote(reason(err)))
			return
		}
		anchored, err := regexp.Compile(anchorStart + text + anchorEnd)
		if err != nil {
			d.problem(v, "not a regular expression (RE2): too large")
			return
		}
		*into = anchored
	}
}

const (
	anchorStart = "^(?:"
	anchorEnd   = ")$"
)

// expression returns what the file gave for a pattern.
func expression(re *regexp.Regexp) string {
	if re == nil {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(re.String(), anchorStart), anchorEnd)
}

// reason strips the package's name from an error of regexp.
func reason(err error) string {
	return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}

// oneOf accepts only the given words.
func oneOf(words ...string) check {
	return func(text string) error {
		if slices.Contains(words, text) {
			return nil
		}
		return fmt.Errorf("%s is none of %s", quote(text), strings.Join(words, ", "))
	}
}

// present refuses an empty item of a list.
func present(text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("an empty item")
	}
	return nil
}
