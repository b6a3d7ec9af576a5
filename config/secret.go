package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"
)

const hidden = "<secret>"

// maxSecretFile bounds a file that holds one key or token.
const maxSecretFile = 1 << 20

// Secret is text that no log, page or dump may show: however it is printed or marshalled, it reads
// <secret>. A conversion to string returns the text.
type Secret string

// String returns <secret>.
func (Secret) String() string { return hidden }

// GoString returns <secret>.
func (Secret) GoString() string { return hidden }

// Format writes <secret> for every verb; without it, verbs that do not fit a string print its text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText returns <secret>.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON returns "<secret>".
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalYAML returns <secret>.
func (Secret) MarshalYAML() (any, error) { return hidden, nil }

// SecretSource is a secret given in the configuration, or the file that holds it; at most one of
// both.
type SecretSource struct {
	Value Secret
	File  string // relative paths are resolved already
}

// IsSet reports whether the configuration has this secret.
func (s SecretSource) IsSet() bool { return s.Value != "" || s.File != "" }

// Read returns the secret. A file is read anew at each call, so that rotated keys are seen, and
// white space and a byte order mark around its content are removed. It is an error when the source
// is not set, or the file unreadable, no regular file, larger than 1 MiB, or holds what cannot be a
// secret; the error never holds the content.
func (s SecretSource) Read() (string, error) {
	switch {
	case s.Value != "":
		return string(s.Value), nil
	case s.File == "":
		return "", errors.New("no secret is configured")
	}
	content, err := readFile(s.File, maxSecretFile)
	if err != nil {
		return "", fmt.Errorf("secret file %s: %w", s.File, err)
	}
	text, err := cleanSecret(content)
	if err != nil {
		return "", fmt.Errorf("secret file %s: %w", s.File, err)
	}
	return text, nil
}

var (
	variable    = regexp.MustCompile(`^\$[A-Za-z_]\w*$|\$[{(]|^%\w+%$|\{\{`)
	placeholder = regexp.MustCompile(`(?i)^<.*>$|^your[-_]|^change[-_]?me$|^replace[-_]?me$|placeholder|^x{3,}$|x{6,}|\*{3,}|^\.{3}$|^to-?do$`)
)

// cleanSecret returns the key or token that text holds. The error says what is wrong with it, and
// what to do, in words that follow the name of a key or a file.
func cleanSecret(content []byte) (string, error) {
	const bom, little, big = "\ufeff", "\xff\xfe", "\xfe\xff"
	text := strings.TrimSpace(strings.TrimPrefix(string(content), bom))
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	switch {
	case strings.HasPrefix(text, little) || strings.HasPrefix(text, big) || strings.Contains(text, "\x00"):
		return "", errors.New("is UTF-16 text; save it as UTF-8")
	case text == "":
		return "", errors.New("is empty")
	case text == hidden:
		return "", errors.New("is what the page /config shows in place of a key; put the real one here")
	case variable.MatchString(text):
		return "", errors.New("is a variable, and nothing replaces variables here; write the value, or name a file that holds it (..._file)")
	case placeholder.MatchString(text):
		return "", errors.New("is a placeholder; put the real key or token here")
	case strings.ContainsAny(text, "\r\n"):
		return "", errors.New("has several lines; leave the key or token alone, on one line")
	case strings.ContainsFunc(text, unicode.IsSpace):
		return "", errors.New("has a blank inside; leave the key or token alone")
	case strings.ContainsFunc(text, odd):
		return "", errors.New("has characters that no key or token has; copy it anew, as plain text")
	case strings.ContainsAny(text, "\"'`"):
		return "", errors.New("has quotes around the key or token; take them off")
	}
	return text, nil
}

// readFile returns the content of a regular file of at most limit bytes. Its errors do not name the file.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case info.IsDir():
		return nil, errors.New("is a directory")
	case !info.Mode().IsRegular(): // a pipe would wait for a writer for ever
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = f.Close() }() // only read
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case int64(len(content)) > limit:
		return nil, fmt.Errorf("larger than %d MiB", limit>>20)
	}
	return content, nil
}

// withoutPath returns what the operating system said, without the file's name: a key given in place of a file
// name must not be printed.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}
