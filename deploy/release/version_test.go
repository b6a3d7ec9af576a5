package main

import (
	"strings"
	"testing"
	"time"
)

func TestNewestVersionIsTheFirstReleasedOne(t *testing.T) {
	t.Parallel()
	changelog := "# Changelog\n\n## [Unreleased]\n- soon\n\n## [1.2.0] - 2026-01-02\n### Added\n- this\n\n## [1.1.0] - 2025-01-02\n- that\n"
	version, notes, err := newestVersion(changelog)
	if err != nil || version != "1.2.0" || notes != "### Added\n- this\n" {
		t.Errorf("%q %q: %v", version, notes, err)
	}
	for name, text := range map[string]string{
		"only unreleased": "## [Unreleased]\n- soon\n", "no date": "## [1.2.0]\n", "no brackets": "## 1.2.0 - 2026-01-02\n", "a date in words": "## [1.2.0] - May 2026\n",
	} {
		if version, _, err := newestVersion(text); err == nil {
			t.Errorf("%s: %q is accepted", name, version)
		}
	}
}

func TestVersionFollowsFromChangelogTagAndChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		tags    []string
		changed bool
		want    string // empty: an error
	}{
		{"tagged", []string{"v1.2.0"}, false, "1.2.0"},
		{"not tagged", nil, false, "1.2.0+g1a2b3c4"},
		{"changed", nil, true, "1.2.0+g1a2b3c4.dirty"},
		{"tagged and changed", []string{"v1.2.0"}, true, ""},
		{"tagged otherwise", []string{"v1.3.0"}, false, ""},
		{"tagged twice", []string{"v1.2.0", "v1.3.0"}, false, ""},
	} {
		got, err := versionOf("1.2.0", c.tags, "1a2b3c4", c.changed)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, want %q: %v", c.name, got, c.want, err)
		}
	}
}

func TestDateIsThatOfSourceDateEpoch(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	for epoch, want := range map[string]string{"": "2026-01-02T02:04:05Z", "1700000000": "2023-11-14T22:13:20Z", "soon": ""} {
		got, err := buildDate(epoch, now)
		if (err == nil) != (want != "") || err == nil && got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %v, want %s: %v", epoch, got, want, err)
		}
	}
}

func TestBuildIsTheSameForAllWithSourceDateEpoch(t *testing.T) {
	t.Chdir("../..")
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	t.Setenv("BUILD_USER", "")
	t.Setenv("USER", "one")
	first, err := describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("USER", "another")
	second, err := describe(t.Context())
	if err != nil || first.ldflags() != second.ldflags() || first.User == "" {
		t.Errorf("%s\n%s: %v", first.ldflags(), second.ldflags(), err)
	}
	for _, want := range []string{".Version=" + first.Version, ".Revision=" + first.Revision, ".Branch=", ".BuildUser=" + first.User, ".BuildDate=20231114-22:13:20"} {
		if !strings.Contains(first.ldflags(), want) {
			t.Errorf("no %s in %s", want, first.ldflags())
		}
	}
	t.Setenv("BUILD_USER", "ci@example.com")
	if third, err := describe(t.Context()); err != nil || third.User != "ci@example.com" {
		t.Errorf("user %q: %v", third.User, err)
	}
	t.Setenv("BUILD_USER", "two words")
	if _, err := describe(t.Context()); err == nil {
		t.Error("a user that breaks the linker's flags is accepted")
	}
}
