// Package commandline declares the exporter's flags and makes the logger that
// they ask for. What the values mean is the business of who uses them.
package commandline

import (
	"io"
	"log/slog"
	"net/url"

	"github.com/alecthomas/kingpin/v2"
	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"
	sloggokit "github.com/tjhop/slog-gokit"
)

// Flags are the command line's values.
type Flags struct {
	ConfigFile                string
	Check, Demo, Doctor, Once bool
	StateFile                 string
	Shard                     string // a number, or auto
	TotalShards               int
	RoutePrefix               string   // as given; empty: that of ExternalURL
	ExternalURL               *url.URL // nil: not given
	TelemetryPath             string
	Lifecycle, Pprof          bool
	MaxRequests               int // 0: no limit
	Web                       *toolkit.FlagConfig

	logLevel, logFormat string
}

// New declares the command line of a program, and where its values go.
func New(program, version string, stdout, stderr io.Writer) (*kingpin.Application, *Flags) {
	f := &Flags{}
	app := kingpin.New(program, "Prometheus exporter for the vulnerability scans of Alibaba Cloud Security Center.")
	app.UsageWriter(stdout).ErrorWriter(stderr)
	app.Version(version).VersionFlag.Short('V')
	app.HelpFlag.Short('h')
	app.Flag("config.file", "Configuration file.").Default("vulscan.yml").StringVar(&f.ConfigFile)
	app.Flag("config.check", "Validate the configuration and every file it names, and exit.").BoolVar(&f.Check)
	app.Flag("demo", "Run against an embedded Security Center; needs no file, no credentials, no network.").BoolVar(&f.Demo)
	app.Flag("doctor", "Check every account live, say what to do about what does not work, print the least RAM policy, and exit.").BoolVar(&f.Doctor)
	app.Flag("once", "Poll every server once, print the metrics and exit; 1 if any poll failed.").BoolVar(&f.Once)
	app.Flag("state.file", "Embedded database that carries what is known over restarts; without it, counters and times start anew.").StringVar(&f.StateFile)
	app.Flag("shard", "Poll only this share of the servers, counted from 0; auto takes the ordinal of a StatefulSet's pod from the host name.").Default("0").StringVar(&f.Shard)
	app.Flag("total-shards", "How many exporters share the servers and the quota.").Default("1").IntVar(&f.TotalShards)
	app.Flag("web.external-url", "URL under which others reach the exporter, as behind a reverse proxy. Its path is what links on pages begin with.").URLVar(&f.ExternalURL)
	app.Flag("web.route-prefix", "Prefix of all paths that are served. Defaults to the path of --web.external-url.").StringVar(&f.RoutePrefix)
	app.Flag("web.telemetry-path", "Path of the metrics.").Default("/metrics").StringVar(&f.TelemetryPath)
	app.Flag("web.enable-lifecycle", "Allow POST and PUT to /-/reload.").BoolVar(&f.Lifecycle)
	app.Flag("web.enable-pprof", "Serve /debug/pprof/.").BoolVar(&f.Pprof)
	app.Flag("web.max-requests", "Concurrent scrapes; further ones are answered 503. 0 is no limit.").Default("40").IntVar(&f.MaxRequests)
	app.Flag("log.level", "Log what is at least so severe: debug, info, warn, error.").Default("info").EnumVar(&f.logLevel, "debug", "info", "warn", "error")
	app.Flag("log.format", "Format of log lines: logfmt, json.").Default("logfmt").EnumVar(&f.logFormat, "logfmt", "json")
	f.Web = kingpinflag.AddFlags(app, ":10877")
	return app, f
}

// Loggers makes the logger, and exporter-toolkit's slog over it.
func (f *Flags) Loggers(w io.Writer) (log.Logger, *slog.Logger) {
	w = log.NewSyncWriter(w)
	logger := log.NewLogfmtLogger(w)
	if f.logFormat == "json" {
		logger = log.NewJSONLogger(w)
	}
	severity := &slog.LevelVar{}
	_ = severity.UnmarshalText([]byte(f.logLevel)) // the flag takes only slog's names
	bridged := slog.New(sloggokit.NewGoKitHandler(log.With(logger, "ts", log.DefaultTimestampUTC), severity))
	logger = level.NewFilter(logger, level.Allow(level.ParseDefault(f.logLevel, level.InfoValue())))
	return log.With(logger, "ts", log.DefaultTimestampUTC), bridged
}
