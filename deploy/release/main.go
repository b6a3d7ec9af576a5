// Command release builds what a release consists of, into one folder: archives for six platforms
// with a list of parts (SBOM) each, deb and rpm, the recipe of a multi-arch image, release notes,
// and checksums. It publishes nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

// everywhere are the platforms of a release.
const everywhere = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("out", "dist/release", "folder for the release; what was in it is removed")
	names := flags.String("platforms", everywhere, "what to build for")
	notices := flags.String("notices", "", "only print the licences of the modules linked for this platform")
	printVersion := flags.Bool("version", false, "only print the version that a release of this commit has")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s: there are only flags", flags.Arg(0))
	}
	if *notices != "" {
		return printNotices(ctx, stdout, *notices)
	}
	b, err := describe(ctx)
	if err != nil {
		return err
	}
	if *printVersion {
		fmt.Fprintln(stdout, b.Version)
		return nil
	}
	platforms, err := parsePlatforms(*names)
	if err != nil {
		return err
	}
	r := &release{build: b, out: *out, log: stdout}
	return r.make(ctx, platforms)
}

func printNotices(ctx context.Context, out io.Writer, name string) error {
	platforms, err := parsePlatforms(name)
	if err != nil {
		return err
	}
	if len(platforms) != 1 {
		return errors.New("-notices takes one platform")
	}
	parts, err := linkedParts(ctx, platforms[0])
	if err != nil {
		return err
	}
	return writeNotices(out, parts)
}

// platform is what a binary is built for, in Go's words.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "-" + p.arch }

// environment returns what makes Go build for the platform.
func (p platform) environment() []string {
	return []string{"CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.arch}
}

func parsePlatforms(names string) ([]platform, error) {
	var platforms []platform
	for name := range strings.SplitSeq(names, ",") {
		system, arch, found := strings.Cut(name, "/")
		if !found || system == "" || arch == "" {
			return nil, fmt.Errorf("%q is no platform: write linux/amd64", name)
		}
		platforms = append(platforms, platform{system, arch})
	}
	return platforms, nil
}
