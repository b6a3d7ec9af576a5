package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// maxFile bounds a file of the configuration, in bytes.
const maxFile = 64 << 20

// fileStamps tell by path what each server file was when it was looked at; nil where that failed.
type fileStamps map[string]fs.FileInfo

// stampFiles looks at every file that patterns (relative to dir) match. Symbolic links are
// followed, so that the swapped links of a Kubernetes ConfigMap count as a change. unmatched are
// the patterns that match nothing; blocked says by its path why a folder cannot be searched, which
// has no stamp but is a change when it comes and goes.
func stampFiles(dir string, patterns []string) (stamps fileStamps, unmatched []string, blocked map[string]error) {
	stamps, blocked = fileStamps{}, map[string]error{}
	for _, pattern := range patterns {
		full := pattern
		if !filepath.IsAbs(pattern) {
			full = filepath.Join(literal(dir), pattern)
		}
		before := len(blocked)
		paths := match(full, blocked)
		if len(paths) == 0 && len(blocked) == before {
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
	for path := range blocked {
		stamps[path] = nil
	}
	return stamps, unmatched, blocked
}

// match returns the paths that a pattern matches. filepath.Glob takes a folder that cannot be read
// for an empty one; here it is added to blocked, lest all its servers leave. Only a folder that a
// wildcard found may be missing, or be a file.
func match(pattern string, blocked map[string]error) []string {
	folder, name := filepath.Split(pattern)
	folder = filepath.Clean(folder)
	folders, found := []string{plain(folder)}, hasWildcard(folder)
	if found {
		folders = match(folder, blocked)
	}
	paths := make([]string, 0, len(folders))
	for _, folder := range folders {
		names, err := namesIn(folder, name)
		switch {
		case found && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)):
		case err != nil:
			blocked[folder] = withoutPath(err)
		}
		for _, name := range names {
			paths = append(paths, filepath.Join(folder, name))
		}
	}
	return paths
}

// namesIn returns the names in a folder that a pattern matches. A name without wildcards is found
// even if the folder may not be listed.
func namesIn(folder, pattern string) ([]string, error) {
	if !hasWildcard(pattern) {
		name := plain(pattern)
		_, err := os.Lstat(filepath.Join(folder, name))
		if err == nil {
			return []string{name}, nil
		}
		if info, _ := os.Stat(folder); info != nil && info.IsDir() && errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		if ok, err := filepath.Match(pattern, entry.Name()); ok && err == nil {
			names = append(names, entry.Name())
		}
	}
	return names, err
}

func hasWildcard(pattern string) bool {
	if runtime.GOOS == "windows" {
		return strings.ContainsAny(pattern, "*?[")
	}
	return pattern != literal(plain(pattern))
}

// same reports whether nothing about the files has changed.
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
		stamps, _, _ := stampFiles(filepath.Dir(c.source.name), a.ServerFiles)
		maps.Copy(all, stamps)
	}
	return all
}

// serverFiles reads the server files of an account, in the order of their names. v is the list of
// their patterns.
func (d *decoder) serverFiles(v value, a *Account) []listing {
	var servers []listing
	stamps, unmatched, blocked := stampFiles(d.dir, a.ServerFiles) // before reading: a later change is then seen as one
	if len(unmatched) > 0 {
		d.warn(v, "match no file: %s", strings.Join(unmatched, ", "))
	}
	maps.Copy(d.files, stamps)
	for _, path := range slices.Sorted(maps.Keys(stamps)) {
		if err := blocked[path]; err != nil {
			d.problem(v, "the folder %s cannot be read: %v", path, err)
			continue
		}
		content, err := readFile(path, maxFile)
		if err != nil {
			d.problems.add(Problem{File: path, Message: "cannot be read: " + err.Error()})
			continue
		}
		root, ok := d.document(path, content)
		if !ok {
			continue
		}
		d.each(root, "a list of servers", func(v value) { servers = append(servers, d.server(v)) })
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

// plain returns what a pattern without wildcards matches.
func plain(pattern string) string {
	if runtime.GOOS == "windows" {
		return pattern
	}
	return escaped.ReplaceAllString(pattern, "$1")
}

var escaped = regexp.MustCompile(`\\(.)`)

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
