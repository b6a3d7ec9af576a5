package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const versionPackage = "github.com/prometheus/common/version"

// build says what is built, and by whom.
type build struct {
	Version, Revision, Branch, User string
	Date                            time.Time
	notes                           string // of the version, from CHANGELOG.md
}

// ldflags returns what the linker has to be told, so that --version and build_info know it.
func (b build) ldflags() string {
	set := func(name, value string) string { return fmt.Sprintf("-X %s.%s=%s", versionPackage, name, value) }
	return strings.Join([]string{
		"-s -w", set("Version", b.Version), set("Revision", b.Revision), set("Branch", b.Branch),
		set("BuildUser", b.User), set("BuildDate", b.Date.Format("20060102-15:04:05")),
	}, " ")
}

// describe returns what a build of the present commit is. With SOURCE_DATE_EPOCH it is the same for
// everybody: the user is then the commit's author.
func describe(ctx context.Context) (build, error) {
	var b build
	changelog, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return b, fmt.Errorf("reading the changelog (run this in the repository's root): %w", err)
	}
	newest, notes, err := newestVersion(string(changelog))
	if err != nil {
		return b, err
	}
	facts := map[string][]string{
		"revision": {"rev-parse", "HEAD"}, "short": {"rev-parse", "--short", "HEAD"}, "branch": {"rev-parse", "--abbrev-ref", "HEAD"},
		"tags": {"tag", "--points-at", "HEAD", "--list", "v[0-9]*"}, "changes": {"status", "--porcelain"},
		"author": {"log", "-1", "--format=%ae"},
	}
	said := map[string]string{}
	for name, args := range facts {
		if said[name], err = output(ctx, nil, "git", args...); err != nil {
			return b, err
		}
	}
	if b.Version, err = versionOf(newest, strings.Fields(said["tags"]), said["short"], said["changes"] != ""); err != nil {
		return b, err
	}
	b.Revision, b.Branch, b.notes = said["revision"], said["branch"], notes
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if b.Date, err = buildDate(epoch, time.Now()); err != nil {
		return b, err
	}
	if b.User = os.Getenv("BUILD_USER"); b.User == "" {
		b.User = said["author"]
		if epoch == "" {
			host, _ := os.Hostname() // a host without a name is no reason to stop
			b.User = os.Getenv("USER") + "@" + host
		}
	}
	if strings.ContainsAny(b.User, " \t'\"") {
		return b, fmt.Errorf("BUILD_USER=%q: it must have no space and no quote", b.User)
	}
	return b, nil
}

// newestVersion returns the first version of a changelog in the form of Keep a Changelog, and what
// it says about it.
func newestVersion(changelog string) (version, notes string, err error) {
	heading := regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)\] - \d{4}-\d{2}-\d{2}$`)
	at := heading.FindStringSubmatchIndex(changelog)
	if at == nil {
		return "", "", errors.New(`CHANGELOG.md has no version: a heading such as "## [1.2.0] - 2026-12-31"`)
	}
	notes = changelog[at[1]:]
	if next := regexp.MustCompile(`(?m)^(## |\[[^]]+\]: )`).FindStringIndex(notes); next != nil {
		notes = notes[:next[0]]
	}
	return changelog[at[2]:at[3]], strings.TrimSpace(notes) + "\n", nil
}

// versionOf returns 1.2.0 for the commit that is tagged v1.2.0, and 1.2.0+g1a2b3c4, which is newer,
// for any other commit. A tag that the changelog does not have as its newest version is an error.
func versionOf(newest string, tags []string, commit string, changed bool) (string, error) {
	version := newest + "+g" + commit
	for _, tag := range tags {
		if tag != "v"+newest {
			return "", fmt.Errorf("the commit is tagged %s, but the newest version in CHANGELOG.md is %s", tag, newest)
		}
		version = newest
	}
	if !changed {
		return version, nil
	}
	if version == newest {
		return "", fmt.Errorf("files differ from the commit that is tagged v%s: commit or undo the changes", newest)
	}
	return version + ".dirty", nil
}

func buildDate(epoch string, now time.Time) (time.Time, error) {
	if epoch == "" {
		return now.UTC().Truncate(time.Second), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%q is no number of seconds", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// output runs a command with further environment variables, and returns what it prints.
func output(ctx context.Context, environment []string, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // the commands are this program's own
	command.Env = append(os.Environ(), environment...)
	said, err := command.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(failed.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(said)), nil
}
