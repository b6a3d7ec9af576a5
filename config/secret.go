package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const hidden = "<secret>"

// maxSecretFile bounds a file that holds one key or token.
const maxSecretFile = 1 << 20

// Secret is text that no log, page or dump may show: however it is printed or marshalled, it reads <secret>.
// A conversion to string gives the text.
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

// SecretSource is a secret given in the configuration, or the file that holds it; at most one of both.
type SecretSource struct {
	Value Secret
	File  string // relative paths are resolved already
}

// IsSet tells whether the configuration gives this secret at all.
func (s SecretSource) IsSet() bool { return s.Value != "" || s.File != "" }

// Read returns the secret. A file is read anew at each call, so that rotated keys are seen, and white space around
// its content is removed. It is an error when the source is not set, or the file unreadable, empty, no regular file
// or larger than 1 MiB; the error never holds the secret.
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
	text := strings.TrimSpace(string(content))
	if text == "" {
		return "", fmt.Errorf("secret file %s: is empty", s.File)
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
