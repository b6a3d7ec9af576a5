// Package commandline declares the exporter's flags and makes the logger that they ask for. What
// the values mean is the business of who uses them.
package commandline

import (
	"context"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"
	sloggokit "github.com/tjhop/slog-gokit"

	"aliyun_vulscan_exporter/internal/shard"
)

const (
	maxRequests    = 100_000 // --web.max-requests takes no more
	maxDemoServers = 200_000 // nor --demo.servers
)

// Flags are the command line's values.
type Flags struct {
	ConfigFile                string
	Check, Demo, Doctor, Once bool
	DemoServers               int // of the demo's third account; 0: it has none
	StateFile                 string
	Shard                     shard.Shard
	RoutePrefix               string   // "/", or a plain path without a slash at its end
	ExternalURL               *url.URL // nil: not given
	TelemetryPath             string
	Lifecycle, Pprof          bool
	MaxRequests               int // 0: no limit
	Web                       *toolkit.FlagConfig

	shard, externalURL  string // as given
	totalShards         int
	configGiven         bool
	logLevel, logFormat string
}

// Parse reads the command line of a program. An error is one line that names the flag to change.
// What libraries write to the standard logger is dropped from then on: net/http's client repeats
// there what a server sent, which may hold a secret.
func Parse(program, version string, args []string, stdout, stderr io.Writer) (*Flags, error) {
	stdlog.SetOutput(io.Discard)
	app, f := New(program, version, stdout, stderr)
	_, err := app.Parse(args)
	if err == nil {
		err = f.check()
	}
	if err != nil {
		oneLine := strings.Join(strings.Fields(err.Error()), " ") // whatever was given
		if oneLine == "unexpected" {                              // kingpin's word before an empty argument, or -
			oneLine = "everything but flags is unexpected"
		}
		return nil, fmt.Errorf("%s: %s (see --help)", program, oneLine)
	}
	return f, nil
}

// New declares the command line of a program. Parse reads one.
func New(program, version string, stdout, stderr io.Writer) (*kingpin.Application, *Flags) {
	f := &Flags{}
	app := kingpin.New(program, "Prometheus exporter for the vulnerability scans of Alibaba Cloud Security Center.")
	app.UsageWriter(unfailing{stdout}).ErrorWriter(unfailing{stderr})
	// kingpin's own flag would put all of version into the title of --help-man.
	app.Flag("version", "Show application version.").Short('V').PreAction(func(*kingpin.ParseContext) error {
		fmt.Fprintln(stdout, version)
		os.Exit(0)
		return nil
	}).Bool()
	app.HelpFlag.Short('h')
	app.Flag("config.file", "Configuration file.").Default("vulscan.yml").IsSetByUser(&f.configGiven).StringVar(&f.ConfigFile)
	app.Flag("config.check", "Validate the configuration and every file it names, and exit.").BoolVar(&f.Check)
	app.Flag("demo", "Run against an embedded Security Center; needs no file, no credentials, no network.").BoolVar(&f.Demo)
	app.Flag("demo.servers", "With --demo: a further account with so many servers, for looking at large fleets.").Hidden().Default("0").SetValue(number{"demo.servers", &f.DemoServers, 0, maxDemoServers})
	app.Flag("doctor", "Check every account live, say what to do about what does not work, print the least RAM policy, and exit.").BoolVar(&f.Doctor)
	app.Flag("once", "Poll every server once, print the metrics and exit; 1 if any poll failed.").BoolVar(&f.Once)
	app.Flag("state.file", "Embedded database that carries what is known over restarts; without it, counters and times start anew.").StringVar(&f.StateFile)
	app.Flag("shard", "Poll only this share of the servers, counted from 0; auto takes the ordinal of a StatefulSet's pod from the host name.").Default("0").StringVar(&f.shard)
	app.Flag("total-shards", "How many exporters share the servers and the quota, at most 1024.").Default("1").SetValue(number{"total-shards", &f.totalShards, 1, shard.Most})
	app.Flag("web.external-url", "URL under which others reach the exporter, as behind a reverse proxy. Its path is what links on pages begin with.").StringVar(&f.externalURL)
	app.Flag("web.route-prefix", "Prefix of all paths that are served. Defaults to the path of --web.external-url.").StringVar(&f.RoutePrefix)
	app.Flag("web.telemetry-path", "Path of the metrics.").Default("/metrics").StringVar(&f.TelemetryPath)
	app.Flag("web.enable-lifecycle", "Allow POST and PUT to /-/reload.").BoolVar(&f.Lifecycle)
	app.Flag("web.enable-pprof", "Serve /debug/pprof/.").BoolVar(&f.Pprof)
	app.Flag("web.max-requests", "Concurrent scrapes; further ones are answered 503. 0 is no limit.").Default("40").SetValue(number{"web.max-requests", &f.MaxRequests, 0, maxRequests})
	levels, formats := []string{"debug", "info", "warn", "error"}, []string{"logfmt", "json"}
	app.Flag("log.level", "Log what is at least so severe: debug, info, warn, error.").Default("info").HintOptions(levels...).SetValue(choice{"log.level", &f.logLevel, levels})
	app.Flag("log.format", "Format of log lines: logfmt, json.").Default("logfmt").HintOptions(formats...).SetValue(choice{"log.format", &f.logFormat, formats})
	f.Web = kingpinflag.AddFlags(app, ":10877")
	return app, f
}

// unfailing is a writer whose failures are of no interest. kingpin panics where it cannot write, as
// when somebody reads only the first lines of --help.
type unfailing struct{ io.Writer }

// Write implements io.Writer.
func (u unfailing) Write(text []byte) (int, error) {
	_, _ = u.Writer.Write(text)
	return len(text), nil
}

// Loggers makes the logger, and exporter-toolkit's slog over it.
func (f *Flags) Loggers(w io.Writer) (log.Logger, *slog.Logger) {
	w = log.NewSyncWriter(w)
	logger := log.NewLogfmtLogger(w)
	if f.logFormat == "json" {
		logger = log.NewJSONLogger(w)
	}
	logger = log.With(logger, "ts", log.DefaultTimestampUTC)
	severity := &slog.LevelVar{}
	_ = severity.UnmarshalText([]byte(f.logLevel)) // the flag takes only slog's names
	bridged := slog.New(untimed{sloggokit.NewGoKitHandler(logger, severity)})
	return level.NewFilter(logger, level.Allow(level.ParseDefault(f.logLevel, level.InfoValue()))), bridged
}

// untimed leaves out the time of records: the logger below it writes one.
type untimed struct{ slog.Handler }

// Handle implements slog.Handler.
func (u untimed) Handle(ctx context.Context, r slog.Record) error {
	r.Time = time.Time{}
	return u.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (u untimed) WithAttrs(attributes []slog.Attr) slog.Handler {
	return untimed{u.Handler.WithAttrs(attributes)}
}

// WithGroup implements slog.Handler.
func (u untimed) WithGroup(name string) slog.Handler { return untimed{u.Handler.WithGroup(name)} }
