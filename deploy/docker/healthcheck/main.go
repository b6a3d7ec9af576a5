// Command healthcheck asks the exporter in the same container whether it serves. The image has no
// shell and no curl that could do so.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

// run is the program. It returns the exit code: 0 or 1, as HEALTHCHECK expects.
func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("healthcheck", flag.ContinueOnError)
	flags.SetOutput(stderr)
	url := flags.String("url", "http://127.0.0.1:10877/-/healthy", "what to ask; https where --web.config.file sets up TLS")
	timeout := flags.Duration("timeout", 3*time.Second, "how long the answer may take")
	if flags.Parse(args) != nil {
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	if err := check(ctx, *url); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// check returns an error unless an exporter serves at the URL. One that asks for a password serves:
// the healthcheck has none.
func check(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	client := &http.Client{
		Transport: &http.Transport{
			// No proxy: it is this container that is asked. Its certificate is for the name by
			// which others reach it, not for 127.0.0.1, and no secret is sent.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("asking the exporter: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
