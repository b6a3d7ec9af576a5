package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var date = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestArchivesHaveWhatWasPacked(t *testing.T) {
	t.Parallel()
	entries := []entry{{"x/", 0o755, nil}, {"x/program", 0o755, []byte("run")}, {"x/text", 0o644, []byte("read")}}
	const want = "x/ drwxr-xr-x \nx/program -rwxr-xr-x run\nx/text -rw-r--r-- read\n"
	packed, err := tarGz(entries, date)
	if err != nil {
		t.Fatal(err)
	}
	if got := untar(t, packed); got != want {
		t.Errorf("tar.gz has\n%swant\n%s", got, want)
	}
	if packed, err = zipped(entries, date); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.File {
		if isFolder := strings.HasSuffix(f.Name, "/"); isFolder != f.Mode().IsDir() || !isFolder && f.Mode().Perm() != 0o755 && f.Name != "x/text" {
			t.Errorf("zip: %s is %v", f.Name, f.Mode())
		}
		if !f.Modified.Equal(date) {
			t.Errorf("zip: %s is of %v", f.Name, f.Modified)
		}
	}
	if len(archive.File) != len(entries) {
		t.Errorf("zip has %d entries", len(archive.File))
	}
}

func untar(t *testing.T, packed []byte) string {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	archive := tar.NewReader(plain)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil || !header.ModTime.Equal(date) || header.Uid != 0 {
			t.Errorf("%s: of %v, owner %d: %v", header.Name, header.ModTime, header.Uid, err)
		}
		fmt.Fprintf(&b, "%s %v %s\n", header.Name, header.FileInfo().Mode(), content)
	}
}

func TestEqualFoldersMakeEqualArchives(t *testing.T) {
	t.Parallel()
	var packed [2][]byte
	for i, mode := range []os.FileMode{0o600, 0o664} { // as umasks differ
		folder := t.TempDir()
		if err := errors.Join(
			os.Mkdir(filepath.Join(folder, "empty"), 0o700+os.FileMode(i)), os.WriteFile(filepath.Join(folder, "text"), []byte("x"), mode),
			os.Chmod(filepath.Join(folder, "text"), mode),
		); err != nil {
			t.Fatal(err)
		}
		entries, err := folderEntries(folder)
		if err != nil {
			t.Fatal(err)
		}
		if packed[i], err = tarGz(entries, date); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(packed[0], packed[1]) || untar(t, packed[0]) != "empty/ drwxr-xr-x \ntext -rw-r--r-- x\n" {
		t.Errorf("the first has\n%sthe second\n%s", untar(t, packed[0]), untar(t, packed[1]))
	}
}

func TestRecipeOfTheImageNeedsNoOtherStage(t *testing.T) {
	t.Parallel()
	arguments := map[string]string{"VERSION": "1.2.0", "REVISION": "abc", "CREATED": "2026-01-02T03:04:05Z", "SOURCE": "https://example.com/x"}
	recipe, err := imageRecipe(readFile(t, "../docker/Dockerfile"), arguments)
	if err != nil {
		t.Fatal(err)
	}
	for _, unwanted := range []string{"--from", "golang", "RUN "} {
		if strings.Contains(recipe, unwanted) {
			t.Errorf("%q is in\n%s", unwanted, recipe)
		}
	}
	for name, value := range arguments {
		if !strings.Contains(recipe, "\nARG "+name+"="+value+"\n") {
			t.Errorf("no %s=%s in\n%s", name, value, recipe)
		}
	}
	for _, want := range []string{"\nARG TARGETARCH\n", "\nCOPY $TARGETARCH/rootfs/ /\n", "\nCOPY --chown=65532:65532 $TARGETARCH/state/ /var/lib/\n"} {
		if !strings.Contains(recipe, want) {
			t.Errorf("no %q in\n%s", want, recipe)
		}
	}
	if _, err := imageRecipe("FROM alpine\nCOPY . /\n", arguments); err == nil {
		t.Error("another Dockerfile is accepted")
	}
}

func TestListOfPartsNamesBinaryAndLicences(t *testing.T) {
	t.Parallel()
	b := build{Version: "1.2.0+g1", Date: date}
	parts := []part{{Path: "example.com/a", Version: "v1.0.0", licenses: []string{"MIT"}}}
	encoded, err := newBOM(b, platform{"linux", "arm64"}, []byte("binary"), parts).encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"bomFormat": "CycloneDX"`, `"specVersion": "1.6"`, `"timestamp": "2026-01-02T03:04:05Z"`,
		`"purl": "pkg:golang/aliyun_vulscan_exporter@1.2.0%2Bg1?goarch=arm64\u0026goos=linux"`,
		`"content": "9a3a45d01531a20e89ac6ae10b0b0beb0492acd7216a368aa062d1a5fecaf9cd"`,
		`"purl": "pkg:golang/example.com/a@v1.0.0"`, `"id": "MIT"`, `"ref": "pkg:golang/aliyun_vulscan_exporter@1.2.0%2Bg1"`,
	} {
		if !bytes.Contains(encoded, []byte(want)) {
			t.Errorf("no %s in\n%s", want, encoded)
		}
	}
	if !regexp.MustCompile(`"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`).Match(encoded) {
		t.Errorf("no serial number in\n%s", encoded)
	}
}

func TestMistakesOnTheCommandLineAreErrors(t *testing.T) {
	t.Chdir("../..")
	for _, args := range [][]string{{"extra"}, {"-platforms", "linux"}, {"-platforms", "/amd64"}, {"-notices", "linux/amd64,linux/arm64"}, {"-unknown"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
