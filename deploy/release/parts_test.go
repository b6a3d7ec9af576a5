package main

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestLicenceIsToldByItsWording(t *testing.T) {
	t.Parallel()
	const bsd = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted"
	for name, c := range map[string]struct {
		texts []text
		want  string
	}{
		"MIT, broken into lines": {[]text{{"LICENSE", "Permission is hereby granted, free of charge, to any\n person obtaining a copy"}}, "MIT"},
		"Apache":                 {[]text{{"COPYING", "Apache License\n  Version 2.0, January 2004"}}, "Apache-2.0"},
		"Apache, in short":       {[]text{{"LICENSE", `Licensed under the Apache License, Version 2.0 (the "License")`}}, "Apache-2.0"},
		"BSD, two clauses":       {[]text{{"LICENSE", bsd}}, "BSD-2-Clause"},
		"BSD, three clauses":     {[]text{{"LICENSE", bsd + " ... may be used to endorse or\npromote products"}}, "BSD-3-Clause"},
		"two licences":           {[]text{{"LICENSE", bsd}, {"LICENSE.other", "Apache License Version 2.0, January 2004"}}, "Apache-2.0 BSD-2-Clause"},
		"a notice only":          {[]text{{"NOTICE", "Licensed under the Apache License, Version 2.0"}}, ""},
		"unknown":                {[]text{{"LICENSE", "All rights reserved."}}, ""},
		"none":                   {nil, ""},
	} {
		if got := strings.Join(licensesOf(c.texts), " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestNoticesHaveEveryLinkedModule(t *testing.T) {
	t.Chdir("../..")
	modules := regexp.MustCompile(`(?m)^\t(\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(readFile(t, "go.mod"), -1)
	var notices bytes.Buffer
	if err := run(t.Context(), []string{"-notices", "linux/amd64"}, &notices, &notices); err != nil {
		t.Fatal(err)
	}
	notLinked := []string{"go.uber.org/goleak", "github.com/kylelemons/godebug"} // tests only
	for _, m := range modules {
		if has := strings.Contains(notices.String(), "\n==== "+m[1]+" v"); has == slices.Contains(notLinked, m[1]) {
			t.Errorf("%s: in the notices %v", m[1], has)
		}
	}
	if len(modules) < 20 || !strings.Contains(notices.String(), "\n==== std 1.") {
		t.Errorf("%d modules, and Go's own library has to be there", len(modules))
	}
}

// The label also has what deploy/docker/assemble brings: CA certificates, under MPL-2.0.
func TestImageLabelHasTheLicencesOfAllParts(t *testing.T) {
	t.Chdir("../..")
	for _, arch := range []string{"amd64", "arm64"} {
		parts, err := linkedParts(t.Context(), platform{"linux", arch})
		if err != nil {
			t.Fatal(err)
		}
		want := `image.licenses="` + licenseExpression(parts) + ` AND MPL-2.0"`
		if !strings.Contains(readFile(t, "deploy/docker/Dockerfile"), want) {
			t.Errorf("%s: the Dockerfile has no %s", arch, want)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
