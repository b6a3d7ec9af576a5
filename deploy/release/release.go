package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const program = "aliyun_vulscan_exporter"

// release makes one release.
type release struct {
	build build
	out   string
	log   io.Writer
}

// make builds everything into the folder. Files of equal commits, Go versions and SOURCE_DATE_EPOCH
// are equal.
func (r *release) make(ctx context.Context, platforms []platform) error {
	scratch, err := os.MkdirTemp("", "release-")
	if err != nil {
		return fmt.Errorf("making a scratch folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	if err := errors.Join(os.RemoveAll(r.out), os.MkdirAll(r.out, 0o755)); err != nil { //nolint:gosec // for everybody to read
		return fmt.Errorf("emptying the release's folder: %w", err)
	}
	fmt.Fprintf(r.log, "-- version %s of %s, built by %s\n", r.build.Version, r.build.Date.Format("2006-01-02 15:04:05 MST"), r.build.User)
	image := filepath.Join(scratch, "image")
	for _, p := range platforms {
		fmt.Fprintf(r.log, "-- %s\n", p)
		if err := r.platform(ctx, p, scratch); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if p.os != "linux" {
			continue
		}
		if err := r.run(ctx, p, "deploy/docker/assemble", filepath.Join(image, p.arch)); err != nil {
			return err
		}
	}
	if _, err := os.Stat(image); err == nil {
		if err := r.image(image); err != nil {
			return err
		}
	}
	if err := r.checksums(); err != nil {
		return err
	}
	return r.write("release-notes.md", []byte(r.build.notes)) // for the page of the release: no part of it
}

// platform makes the archive, the list of parts and, for Linux, the packages.
func (r *release) platform(ctx context.Context, p platform, scratch string) error {
	name := program
	if p.os == "windows" {
		name += ".exe"
	}
	path := filepath.Join(scratch, p.String(), name)
	if _, err := output(ctx, p.environment(), "go", "build", "-trimpath", "-ldflags", r.build.ldflags(), "-o", path, "."); err != nil {
		return err
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the binary: %w", err)
	}
	parts, err := linkedParts(ctx, p)
	if err != nil {
		return err
	}
	if err := r.archive(p, name, binary, parts); err != nil {
		return err
	}
	list, err := newBOM(r.build, p, binary, parts).encode()
	if err != nil {
		return err
	}
	if err := r.write(r.fileName(p, ".cdx.json"), list); err != nil {
		return err
	}
	if p.os != "linux" {
		return nil
	}
	return r.run(ctx, p, "deploy/packages/build", path, r.out)
}

// archive packs the binary with what its users need, below a folder of the archive's name.
func (r *release) archive(p platform, name string, binary []byte, parts []part) error {
	var notices bytes.Buffer
	if err := writeNotices(&notices, parts); err != nil {
		return err
	}
	folder := r.fileName(p, "/")
	entries := []entry{{folder, 0o755, nil}, {folder + name, 0o755, binary}, {folder + "THIRD-PARTY-NOTICES", 0o644, notices.Bytes()}}
	for _, path := range []string{"LICENSE", "README.md", "README.zh-CN.md", "CHANGELOG.md"} {
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("packing: %w", err)
		}
		entries = append(entries, entry{folder + path, 0o644, content})
	}
	pack, ending := tarGz, ".tar.gz"
	if p.os == "windows" {
		pack, ending = zipped, ".zip"
	}
	packed, err := pack(entries, r.build.Date)
	if err != nil {
		return err
	}
	return r.write(r.fileName(p, ending), packed)
}

// image packs the recipe of the multi-arch image: what deploy/docker/assemble made for each
// architecture, and a Dockerfile that needs nothing else.
func (r *release) image(folder string) error {
	dockerfile, err := os.ReadFile("deploy/docker/Dockerfile")
	if err != nil {
		return fmt.Errorf("reading the Dockerfile: %w", err)
	}
	recipe, err := imageRecipe(string(dockerfile), r.buildArguments())
	if err != nil {
		return err
	}
	entries, err := folderEntries(folder)
	if err != nil {
		return err
	}
	entries = append(entries, entry{"Dockerfile", 0o644, []byte(recipe)})
	packed, err := tarGz(entries, r.build.Date)
	if err != nil {
		return err
	}
	return r.write(program+"-"+r.build.Version+".image.tar.gz", packed)
}

// buildArguments returns the values of the Dockerfile's arguments.
func (r *release) buildArguments() map[string]string {
	return map[string]string{
		"VERSION": r.build.Version, "REVISION": r.build.Revision,
		"CREATED": r.build.Date.Format("2006-01-02T15:04:05Z"), "SOURCE": os.Getenv("SOURCE"),
	}
}

// imageRecipe returns the last stage of the Dockerfile, which copies from the folder beside it
// instead of from the stage before, and knows its arguments.
func imageRecipe(dockerfile string, arguments map[string]string) (string, error) {
	_, last, found := strings.Cut(dockerfile, "\nFROM scratch\n")
	const stage = "--from=build /"
	last = strings.ReplaceAll(last, stage, "")
	if !found || strings.Contains(last, "--from") {
		return "", errors.New("the Dockerfile's last stage needs more than what it copies from the stage build")
	}
	head := "# docker buildx build --platform linux/amd64,linux/arm64 -t NAME .\n# buildah bud --platform linux/amd64,linux/arm64 --manifest NAME .\n"
	lines := strings.Split(head+"FROM scratch\n"+last, "\n")
	for i, line := range lines {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "ARG "), "=")
		if value, known := arguments[name]; known && strings.HasPrefix(line, "ARG ") {
			lines[i] = "ARG " + name + "=" + value
		}
	}
	return strings.Join(lines, "\n"), nil
}

// checksums writes the SHA-256 of every file, as sha256sum prints and checks them.
func (r *release) checksums() error {
	files, err := os.ReadDir(r.out)
	if err != nil {
		return fmt.Errorf("reading the release's folder: %w", err)
	}
	var sums strings.Builder
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(r.out, f.Name()))
		if err != nil {
			return fmt.Errorf("reading what was made: %w", err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), f.Name())
	}
	return r.write("sha256sums.txt", []byte(sums.String()))
}

// run runs a script that builds for a platform.
func (r *release) run(ctx context.Context, p platform, script string, args ...string) error {
	environment := slices.Concat(p.environment(), []string{
		"VERSION=" + r.build.Version, "LDFLAGS=" + r.build.ldflags(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.build.Date.Unix()),
	})
	_, err := output(ctx, environment, script, args...)
	return err
}

// fileName returns aliyun_vulscan_exporter-1.2.0.linux-amd64 and an ending.
func (r *release) fileName(p platform, ending string) string {
	return program + "-" + r.build.Version + "." + p.String() + ending
}

func (r *release) write(name string, content []byte) error {
	if err := os.WriteFile(filepath.Join(r.out, name), content, 0o644); err != nil { //nolint:gosec // for everybody to read
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}
