// Command aliyun_vulscan_exporter exports the vulnerability scans of Alibaba
// Cloud Security Center to Prometheus. This file holds flags, wiring and
// signals; what the program does is in its packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/commandline"
	"aliyun_vulscan_exporter/internal/doctor"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/shard"
	"aliyun_vulscan_exporter/internal/simulator"
	"aliyun_vulscan_exporter/internal/state"
	"aliyun_vulscan_exporter/internal/web"
)

const (
	program = "aliyun_vulscan_exporter"
	// watchInterval is how often server files are looked at for changes.
	watchInterval = 2 * time.Second
	// stopWithin is how long answers under way may take once we are told to
	// stop; the rest of the 5 s that are promised is for the poller.
	stopWithin = 2 * time.Second
)

func main() {
	if version.Version == "" { // built without the Makefile
		version.Version = "devel"
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program; it gives the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	app, f := commandline.New(program, version.Print(program), stdout, stderr)
	if _, err := app.Parse(args); err != nil {
		fmt.Fprintf(stderr, "%s: %v (see --help)\n", program, err)
		return 1
	}
	if err := f.ResolveRoutes(); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	// The demo's Security Center outlives the exporter, or its last polls would fail.
	outer, end := context.WithCancel(context.Background())
	defer end()
	ctx, stop := signal.NotifyContext(outer, os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := load(outer, f)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if f.Check {
		for _, warning := range cfg.Warnings() {
			fmt.Fprintln(stderr, "warning:", warning)
		}
		fmt.Fprintln(stdout, "the configuration is valid")
		return 0
	}
	if f.Doctor {
		if !doctor.Run(ctx, cfg, examine, stdout) {
			return 1
		}
		return 0
	}
	own, err := shard.Parse(f.Shard, f.TotalShards, os.Hostname)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	e, err := newExporter(f, cfg, own, stderr)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	defer e.close()
	if f.Once {
		err = e.once(ctx, stdout)
	} else {
		err = e.serve(ctx, stdout)
	}
	if err != nil {
		level.Error(e.logger).Log("msg", "stopped", "err", err)
		return 1
	}
	return 0
}

// load gives the configuration: the file's or, for the demo, that of a
// simulator which it starts.
func load(ctx context.Context, f *commandline.Flags) (*config.Config, error) {
	if !f.Demo {
		return config.Load(f.ConfigFile)
	}
	running, err := simulator.Start(ctx, simulator.Demo(time.Now()))
	if err != nil {
		return nil, fmt.Errorf("the demo's Security Center cannot listen on loopback: %w", err)
	}
	return config.Parse("demo", simulator.DemoConfig(running.URL))
}

// exporter is what runs.
type exporter struct {
	flags     *commandline.Flags
	shard     shard.Shard
	logger    log.Logger
	slog      *slog.Logger
	rest      *prometheus.Registry // all metrics but those of fleet
	fleet     *prometheus.Registry // of servers and subtasks
	collector *collector.Collector
	state     *state.Store // nil without --state.file
	holder    *config.Holder
}

func newExporter(f *commandline.Flags, cfg *config.Config, own shard.Shard, stderr io.Writer) (*exporter, error) {
	e := &exporter{flags: f, shard: own, rest: prometheus.NewRegistry(), fleet: prometheus.NewRegistry()}
	e.logger, e.slog = f.Loggers(stderr)
	level.Info(e.logger).Log("msg", "starting "+program, "version", version.Info(), "build", version.BuildContext())
	stateErrors := newStateErrors()
	options := collector.Options{Connect: connect, Logger: e.logger, Owns: own.Owns, Once: f.Once}
	if f.StateFile != "" {
		var err error
		if e.state, err = state.Open(f.StateFile, state.Options{Logger: e.logger, Errors: stateErrors}); err != nil {
			return nil, err
		}
		options.State = e.state
	}
	e.collector = collector.New(options)
	e.fleet.MustRegister(e.collector.Fleet())
	e.rest.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector(program),
		e.collector, stateErrors,
	)
	path := f.ConfigFile
	if f.Demo {
		path = "" // a reload applies the embedded configuration again
	}
	e.holder = config.NewHolder(path, cfg, e.apply, e.logger, e.rest)
	return e, nil
}

// close stops polling and writes the state.
func (e *exporter) close() {
	e.collector.Close()
	if e.state != nil {
		_ = e.state.Close() // everything is written: nothing can be lost any more
	}
}

// newStateErrors counts what goes wrong with --state.file; without it, it stays
// at 0.
func newStateErrors() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: program + "_state_errors_total",
		Help: "Failed reads and writes of the state that is carried over restarts. Above 0: a restart may count errors twice; the log says why.",
	})
}

// apply makes a configuration the running one.
func (e *exporter) apply(cfg *config.Config) error {
	if e.shard.Total > 1 {
		cfg = cfg.Share(e.shard.Owns, e.shard.Total)
	}
	e.collector.Apply(cfg)
	return nil
}

// connect makes the client that polls an account.
func connect(a config.Account, observe func(action, result string, took time.Duration)) collector.API {
	return sas.ForAccount(a, product(), observe)
}

// examine makes the client by which --doctor looks at an account.
func examine(a config.Account) doctor.API { return sas.ForAccount(a, product(), nil) }

// product is what calls name in their User-Agent.
func product() string { return program + "/" + version.Version }

// once polls everything once and prints the exposition.
func (e *exporter) once(ctx context.Context, stdout io.Writer) error {
	if err := e.apply(e.holder.Current()); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, e.collector.Close)
	defer stop()
	e.collector.Wait()
	if ctx.Err() != nil {
		return errors.New("interrupted before every server was polled")
	}
	families, err := prometheus.Gatherers{e.rest, e.fleet}.Gather()
	if err != nil {
		return fmt.Errorf("gathering the metrics: %w", err)
	}
	encoder := expfmt.NewEncoder(stdout, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return fmt.Errorf("printing the metrics: %w", err)
		}
	}
	for _, s := range e.collector.Summaries() {
		if s.Incomplete > 0 {
			return fmt.Errorf("account %q: not everything could be discovered: the log says why", s.Account)
		}
		if s.Failing > 0 || s.Refused || s.Waiting > 0 {
			return fmt.Errorf("account %q: the polls of %d of its %d servers did not succeed", s.Account, s.Failing+s.Pending, s.Servers())
		}
	}
	return nil
}

// serve serves HTTP until the context ends or listening fails.
func (e *exporter) serve(ctx context.Context, stdout io.Writer) error {
	handler, err := web.New(web.Options{
		Families: e.collector.Families, Fleet: e.fleet, Rest: e.rest, Summaries: e.collector.Summaries,
		Overview: e.collector.Overview, Servers: e.collector.Servers,
		ScrubbedConfig: func() ([]byte, error) { return e.holder.Current().ScrubbedYAML() },
		Reload:         e.holder.Reload, RoutePrefix: e.flags.RoutePrefix, ExternalURL: e.flags.ExternalURL,
		TelemetryPath: e.flags.TelemetryPath,
		MaxRequests:   e.flags.MaxRequests, Lifecycle: e.flags.Lifecycle, Pprof: e.flags.Pprof,
		Version: version.Info(), Logger: e.logger,
	})
	if err != nil {
		return err
	}
	if err := toolkit.Validate(*e.flags.Web.WebConfigFile); err != nil {
		return fmt.Errorf("mend --web.config.file: %w", err)
	}
	// Nothing is polled before everything that can be checked is.
	if err := e.apply(e.holder.Current()); err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 2 * time.Minute, // of a client that reads slowly; no scrape lasts so long
		IdleTimeout:  2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // before anybody can see us serve
	defer signal.Stop(hangup)
	listening := make(chan error, 1)
	go func() { listening <- toolkit.ListenAndServe(server, e.flags.Web, e.slog) }()
	go e.holder.WatchServerFiles(ctx, watchInterval)
	go e.reloadAt(ctx, hangup)
	if e.flags.Demo {
		fmt.Fprint(stdout, simulator.DemoWelcome((*e.flags.Web.WebListenAddresses)[0], e.flags.TelemetryPath))
	}
	select {
	case err := <-listening:
		return fmt.Errorf("cannot serve, choose another --web.listen-address or mend --web.config.file: %w", err)
	case <-ctx.Done():
	}
	level.Info(e.logger).Log("msg", "stopping")
	e.collector.Close()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		_ = server.Close()
	}
	return nil
}

// reloadAt reloads at each signal. The holder logs how that went.
func (e *exporter) reloadAt(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-hangup:
			_ = e.holder.Reload()
		case <-ctx.Done():
			return
		}
	}
}
