package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// maxFile bounds a file of the configuration, in bytes.
const maxFile = 64 << 20

// fileStamps tell by path what each server file was when it was looked at; nil where that failed.
type fileStamps map[string]fs.FileInfo

// stampFiles looks at every file that patterns (relative to dir) match. Symbolic links are followed, so that the
// swapped links of a Kubernetes ConfigMap count as a change. unmatched are the patterns that match nothing.
func stampFiles(dir string, patterns []string) (stamps fileStamps, unmatched []string) {
	stamps = fileStamps{}
	for _, pattern := range patterns {
		full := pattern
		if !filepath.IsAbs(pattern) {
			full = filepath.Join(literal(dir), pattern)
		}
		paths, err := filepath.Glob(full)
		if err != nil || len(paths) == 0 {
			unmatched = append(unmatched, pattern)
		}
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				info = nil
			}
			stamps[path] = info
		}
	}
	return stamps, unmatched
}

// same tells whether nothing about the files has changed.
func (s fileStamps) same(other fileStamps) bool {
	return maps.EqualFunc(s, other, func(a, b fs.FileInfo) bool {
		if a == nil || b == nil {
			return a == nil && b == nil
		}
		return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
	})
}

// stampFiles looks at the server files that the configuration matches now.
func (c *Config) stampFiles() fileStamps {
	all := fileStamps{}
	for _, a := range c.Accounts {
		stamps, _ := stampFiles(filepath.Dir(c.source.name), a.ServerFiles)
		maps.Copy(all, stamps)
	}
	return all
}

// serverFiles reads the server files of an account, in the order of their names.
func (d *decoder) serverFiles(a *Account) []listing {
	var servers []listing
	stamps, unmatched := stampFiles(d.dir, a.ServerFiles) // before reading: a later change is then seen as one
	a.unmatched = unmatched
	maps.Copy(d.files, stamps)
	for _, path := range slices.Sorted(maps.Keys(stamps)) {
		content, err := readFile(path, maxFile)
		if err != nil {
			d.problems.add(Problem{File: path, Message: "cannot be read: " + err.Error()})
			continue
		}
		root, ok := d.document(path, content)
		if !ok {
			continue
		}
		d.each("a list of servers", func(v value) { servers = append(servers, d.server(v)) })(root)
	}
	return servers
}

// literal makes a pattern that matches only the folder dir.
func literal(dir string) string {
	if runtime.GOOS == "windows" { // filepath.Match has no escape there
		return dir
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func checkGlob(text string) error {
	switch _, err := filepath.Match(text, ""); {
	case text == "":
		return errors.New("an empty item")
	case err != nil:
		return errors.New("not a pattern: " + quote(text) + " (want such as servers/*.yml)")
	case strings.Contains(text, "**"):
		return errors.New("** is not supported; name each folder level, such as servers/*/*.yml")
	}
	return nil
}
