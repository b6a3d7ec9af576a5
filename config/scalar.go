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

// check returns what is wrong with a text, or nil.
type check func(text string) error

// scalar returns the text of a value as the file spells it (16190385 stays 16190385). ok is false
// when it is null, or no scalar, which is reported.
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
	if v.runsOn() {
		v.line = v.node.Line + 1
		d.problem(v, "goes on with the text of line %d: a colon is missing, or the line stands too far to the right (put quotes around a text of several lines)", v.node.Line)
		return "", false
	}
	if v.unquoted() && (closesNothing(v.node.Value, `"`) || closesNothing(v.node.Value, "'")) {
		d.problem(v, "ends with a quote that does not open before; put quotes around the text, or take this one off")
		return "", false
	}
	return v.node.Value, true
}

func closesNothing(text, quote string) bool {
	return strings.HasSuffix(text, quote) && strings.Count(text, quote) == 1
}

// runsOn reports whether a text without quotes continues on the next line, which is always a
// mistake in this file.
func (v value) runsOn() bool {
	return v.unquoted() && strings.Contains(v.node.Value, " ") && !strings.Contains(v.text.line(v.node.Line), v.node.Value)
}

func (v value) unquoted() bool {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return v.node.Style&quoted == 0
}

// string returns a codec for a text; the empty one counts as absent.
func (d *decoder) string(into *string, checks ...check) codec {
	return codec{
		set: func(v value) {
			text, ok := d.scalar(v, "text")
			if ok && text != "" && d.passes(v, text, checks) {
				*into = text
			}
		},
		show: func() any { return shownText(*into) },
	}
}

// shownText returns a text for the page /config; an empty one is left out.
func shownText(text string) any {
	if text == "" {
		return nil
	}
	return text
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

// strings returns a codec for a list of different texts, which replaces what is there.
func (d *decoder) strings(into *[]string, checks ...check) codec {
	return codec{
		set: func(v value) {
			if v.null() {
				return
			}
			var list []string
			seen := map[string]bool{}
			d.each(v, "a list", func(item value) {
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
			})
			*into = list
		},
		show: func() any { return onOneLine(*into) },
	}
}

// onOneLine returns a list or map in brackets.
func onOneLine(v any) *yaml.Node {
	var node yaml.Node
	if err := node.Encode(v); err != nil {
		node.SetString("cannot be shown: " + err.Error())
	}
	node.Style = yaml.FlowStyle
	return &node
}

// duration returns a codec for a duration of at least the least.
func (d *decoder) duration(into *time.Duration, least time.Duration) codec {
	return codec{
		set: func(v value) {
			text, ok := d.scalar(v, "a duration")
			if !ok {
				return
			}
			parsed, err := model.ParseDuration(text)
			switch {
			case err != nil:
				d.problem(v, "not a duration: %s (want such as 30s, 10m or 1h30m)", quote(text))
			case time.Duration(parsed) < least && least == positive:
				d.problem(v, "must be more than 0")
			case time.Duration(parsed) < least:
				d.problem(v, "must be at least %v", least)
			default:
				*into = time.Duration(parsed)
			}
		},
		show: func() any { return model.Duration(*into) },
	}
}

// positive is the shortest duration that can be written.
const positive = time.Millisecond

// rate returns a codec for a number of calls per second.
func (d *decoder) rate(into *float64) codec {
	const most = 10000
	return codec{
		set: func(v value) {
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
		},
		show: func() any { return *into },
	}
}

// count returns a codec for a whole number between 1 and most.
func (d *decoder) count(into *int, most int) codec {
	return codec{
		set: func(v value) {
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
		},
		show: func() any { return *into },
	}
}

// flag returns a codec for true and false.
func (d *decoder) flag(into *bool) codec { return d.choice(into, "true", "false") }

// choice returns a codec for two words, in any case: one that means true and one that means false.
func (d *decoder) choice(into *bool, yes, no string) codec {
	want := yes + " or " + no
	return codec{
		set: func(v value) {
			text, ok := d.scalar(v, want)
			if !ok {
				return
			}
			switch strings.ToLower(text) {
			case yes:
				*into = true
			case no:
				*into = false
			default:
				d.problem(v, "want %s, not %s", want, quote(text))
			}
		},
		show: func() any {
			word := no
			if *into {
				word = yes
			}
			return &yaml.Node{Kind: yaml.ScalarNode, Value: word}
		},
	}
}

// pattern returns a codec for an RE2 expression that has to match from end to end; the empty one is
// unset.
func (d *decoder) pattern(into **regexp.Regexp) codec {
	return codec{
		set: func(v value) {
			if text, ok := d.scalar(v, "a regular expression"); ok && text != "" {
				*into = d.compile(v, text)
			}
		},
		show: func() any { return shownText(expression(*into)) },
	}
}

// glob matches a star behind a letter, digit, dash or underscore: in a regular expression it is
// mostly a mistake.
var glob = regexp.MustCompile(`(^|[\w-])\*`)

// compile returns the anchored expression, or reports what is wrong with it and returns nil.
func (d *decoder) compile(v value, text string) *regexp.Regexp {
	if _, err := regexp.Compile(text); err != nil { // by itself, so that a)|(b cannot break out of the group
		hint := ""
		if glob.MatchString(text) {
			hint = "; for any text write .*"
		}
		d.problem(v, "not a regular expression (RE2): %s%s", quote(reason(err)), hint)
		return nil
	}
	anchored, err := regexp.Compile(anchorStart + text + anchorEnd)
	if err != nil {
		d.problem(v, "not a regular expression (RE2): too large")
		return nil
	}
	if glob.MatchString(text) {
		d.warn(v, "%s looks like a file pattern, but is a regular expression: for any text write .* instead of *", quote(text))
	}
	return anchored
}

const (
	anchorStart = "^(?:"
	anchorEnd   = ")$"
)

// expression returns a pattern as it is written in the file.
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
