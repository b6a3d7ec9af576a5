package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// part is a Go module, or Go's standard library, that is linked into the binary.
type part struct {
	Path, Version string
	licenses      []string // SPDX identifiers; several where files of the part differ
	texts         []text   // licences and notices that have to be handed on
}

type text struct{ name, content string }

// linkedParts returns what the exporter is linked with on a platform, by path.
func linkedParts(ctx context.Context, p platform) ([]part, error) {
	format := "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}"
	listed, err := output(ctx, p.environment(), "go", "list", "-deps", "-f", format, ".")
	if err != nil {
		return nil, err
	}
	lines := slices.DeleteFunc(strings.Split(listed, "\n"), func(line string) bool { return line == "" })
	slices.Sort(lines)
	root, err := output(ctx, nil, "go", "env", "GOROOT", "GOVERSION")
	if err != nil {
		return nil, err
	}
	folder, version, _ := strings.Cut(root, "\n")
	lines = append(slices.Compact(lines), fmt.Sprintf("std %s %s", strings.TrimPrefix(version, "go"), folder))
	parts := make([]part, 0, len(lines))
	for _, line := range lines {
		fields := strings.SplitN(line, " ", 3)
		if len(fields) != 3 || fields[2] == "" {
			return nil, fmt.Errorf("the module of %q is not in the module cache", line)
		}
		one := part{Path: fields[0], Version: fields[1]}
		if one.texts, err = legalTexts(fields[2]); err != nil {
			return nil, err
		}
		if one.licenses = licensesOf(one.texts); len(one.licenses) == 0 {
			return nil, fmt.Errorf("%s has no licence that is known here: look at it, then teach licensesOf", one.Path)
		}
		parts = append(parts, one)
	}
	return parts, nil
}

// legalTexts reads a module's licence and notice files.
func legalTexts(folder string) ([]text, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("looking for a licence: %w", err)
	}
	var texts []text
	for _, e := range entries {
		base, _, _ := strings.Cut(strings.ToUpper(e.Name()), ".")
		if !e.Type().IsRegular() || !slices.Contains([]string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS"}, base) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading a licence: %w", err)
		}
		texts = append(texts, text{e.Name(), string(content)})
	}
	return texts, nil
}

// wordings tell a licence by a phrase that no other licence has. A text with the first phrase of
// BSD-3-Clause but without its second is BSD-2-Clause.
var wordings = []struct{ phrase, license string }{
	{"Apache License Version 2.0, January 2004", "Apache-2.0"},
	{"Licensed under the Apache License, Version 2.0", "Apache-2.0"},
	{"Permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"},
	{"Redistribution and use in source and binary forms", "BSD-2-Clause"},
}

// licensesOf returns the SPDX identifiers of the licences whose wording is in the texts, none if no
// wording is known.
func licensesOf(texts []text) []string {
	var licenses []string
	for _, t := range texts {
		if upper := strings.ToUpper(t.name); strings.HasPrefix(upper, "NOTICE") || strings.HasPrefix(upper, "PATENTS") {
			continue
		}
		words := strings.Join(strings.Fields(t.content), " ")
		for _, w := range wordings {
			license := w.license
			if license == "BSD-2-Clause" && strings.Contains(words, "used to endorse or promote") {
				license = "BSD-3-Clause"
			}
			if strings.Contains(words, w.phrase) {
				licenses = append(licenses, license)
			}
		}
	}
	slices.Sort(licenses)
	return slices.Compact(licenses)
}

// licenseExpression returns the licences of the exporter and all parts as one SPDX expression.
func licenseExpression(parts []part) string {
	all := []string{"Apache-2.0"} // the exporter's own
	for _, p := range parts {
		all = append(all, p.licenses...)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " AND ")
}

// writeNotices writes the texts that have to go with the binary.
func writeNotices(w io.Writer, parts []part) error {
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "aliyun_vulscan_exporter is linked with the parts below. Their licences ask that these texts go with it.\n")
	for _, p := range parts {
		for _, t := range p.texts {
			fmt.Fprintf(out, "\n==== %s %s (%s): %s\n\n%s\n", p.Path, p.Version, strings.Join(p.licenses, ", "), t.name, strings.TrimSpace(t.content))
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the notices: %w", err)
	}
	return nil
}
