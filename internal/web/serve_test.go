package web_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	toolkit "github.com/prometheus/exporter-toolkit/web"

	"aliyun_vulscan_exporter/internal/web"
)

// listening are the flags of a server at these addresses.
func listening(bound func(net.Addr), file string, addresses ...string) web.Listening {
	socket := false
	return web.Listening{
		Flags:  &toolkit.FlagConfig{WebListenAddresses: &addresses, WebSystemdSocket: &socket, WebConfigFile: &file},
		Logger: slog.New(slog.DiscardHandler), Bound: bound,
	}
}

func TestServeTellsOnceThatAllIsBoundBeforeItAnswers(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var bound []net.Addr // without a lock: nothing is answered before it is complete
	arrived := make(chan net.Addr, 2)
	o := options()
	o.Reload = func() error { return errors.New("never") }
	ended := make(chan error, 1)
	go func() {
		ended <- web.Serve(ctx, o, listening(func(a net.Addr) { bound = append(bound, a); arrived <- a }, "", "127.0.0.1:0", "127.0.0.1:0"))
	}()
	address := <-arrived
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address.String()+"/-/healthy", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	stop()
	if err := <-ended; err != nil || resp.StatusCode != http.StatusOK || len(bound) != 1 {
		t.Errorf("%d, bound %v, ended with %v", resp.StatusCode, bound, err)
	}
}

func TestServeBindsNothingThatItCannotServe(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	never := func(a net.Addr) { t.Errorf("bound: %v", a) }
	over, cancel := context.WithCancel(t.Context())
	cancel()
	odd := options()
	odd.TelemetryPath = "/{x}"
	for name, c := range map[string]struct {
		ctx  context.Context //nolint:containedctx // of one call
		o    web.Options
		l    web.Listening
		want string
	}{
		"taken":         {t.Context(), options(), listening(never, "", "127.0.0.1:0", taken.Addr().String()), "choose another --web.listen-address"},
		"web config":    {t.Context(), options(), listening(never, filepath.Join(t.TempDir(), "absent.yml"), "127.0.0.1:0"), "mend --web.config.file"},
		"paths":         {t.Context(), odd, listening(never, "", "127.0.0.1:0"), "--web.telemetry-path"},
		"over at start": {over, options(), listening(never, "", taken.Addr().String()), ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := web.Serve(c.ctx, c.o, c.l)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
