// Command aliyun_vulscan_exporter exports the vulnerability scans of Alibaba Cloud Security Center
// to Prometheus. This file holds flags, wiring and signals; what the program does is in its
// packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-kit/log/level"
	"github.com/prometheus/common/version"

	"aliyun_vulscan_exporter/collector"
	"aliyun_vulscan_exporter/collector/poll"
	"aliyun_vulscan_exporter/collector/scan"
	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/commandline"
	"aliyun_vulscan_exporter/internal/doctor"
	"aliyun_vulscan_exporter/internal/sas"
	"aliyun_vulscan_exporter/internal/simulator"
	"aliyun_vulscan_exporter/internal/state"
	"aliyun_vulscan_exporter/internal/web"
)

const (
	program       = "aliyun_vulscan_exporter"
	watchInterval = 2 * time.Second // between looks at server files
)

func main() {
	if version.Version == "" { // built without the Makefile
		version.Version = "devel"
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program. It catches signals before it does anything else, and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	signal.Ignore(syscall.SIGPIPE) // a log that nobody reads any more ends nothing
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	// The demo's Security Center outlives the exporter, or its last polls would fail.
	outer, end := context.WithCancel(context.Background())
	defer end()
	// They stay caught to the end: one that comes late must not kill what is done.
	caught, _ := signal.NotifyContext(outer, os.Interrupt, syscall.SIGTERM)
	ctx, stop := context.WithCancel(caught)
	defer stop()
	var cfg *config.Config
	f, err := commandline.Parse(program, version.Print(program), args, stdout, stderr)
	if err == nil {
		cfg, err = load(outer, f)
	}
	switch {
	case err != nil:
	case f.Check:
		for _, warning := range cfg.Warnings() {
			fmt.Fprintln(stderr, "warning:", warning)
		}
		fmt.Fprintln(stdout, "the configuration is valid")
	case f.Doctor:
		if !doctor.Run(ctx, cfg, func(a config.Account) doctor.API { return sas.ForAccount(a, program+"/"+version.Version, nil) }, stdout) {
			return 1
		}
	default:
		return export(ctx, stop, hangup, f, cfg, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// load returns the configuration: the file's or, for the demo, that of a simulator which it starts.
func load(ctx context.Context, f *commandline.Flags) (*config.Config, error) {
	if !f.Demo {
		return config.Load(f.ConfigFile)
	}
	running, err := simulator.Start(ctx, simulator.Demo(time.Now(), f.DemoServers))
	if err != nil {
		return nil, fmt.Errorf("the demo's Security Center cannot listen on loopback: %w", err)
	}
	return config.Parse("demo", simulator.DemoConfig(running.URL, f.DemoServers))
}

// export polls, and prints the metrics once or serves them, until ctx ends; stop ends it. It
// returns the exit code.
func export(ctx context.Context, stop func(), hangup <-chan os.Signal, f *commandline.Flags, cfg *config.Config, stdout, stderr io.Writer) int {
	logger, bridged := f.Loggers(stderr)
	level.Info(logger).Log("msg", "starting "+program, "version", version.Info(), "build", version.BuildContext())
	registry, store, clock := web.NewRegistry(program), scan.NewStore(), scan.NewClock(time.Now)
	scans := collector.New(store, clock)
	options := poll.Options{Store: store, Clock: clock, Events: scans.Events, Logger: logger, Owns: f.Shard.Owns, Once: f.Once}
	options.Connect = func(a config.Account, observe func(action, result string, took time.Duration)) poll.API {
		return sas.ForAccount(a, program+"/"+version.Version, observe)
	}
	stateErrors := state.NewErrorCounter()
	if f.StateFile != "" {
		stored, err := state.Open(f.StateFile, state.Options{Logger: logger, Errors: stateErrors})
		if err != nil {
			level.Error(logger).Log("msg", "cannot start", "err", err)
			return 1
		}
		defer func() { _ = stored.Close() }() // all is written: nothing can be lost any more
		options.State = stored
	}
	poller := poll.New(options)
	registry.MustRegister(scans, stateErrors)
	scans.Events.Shard(f.Shard.Index, f.Shard.Total)
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() { poller.Close(); close(closed) })
	defer func() { stop(); <-closed }()
	apply := func(c *config.Config) { poller.Apply(c.Share(f.Shard.Owns, f.Shard.Total)) }
	manager := config.NewManager(f.ConfigFile, cfg, func(c *config.Config) error { apply(c); return nil }, logger, registry)
	var err error
	if f.Once {
		apply(cfg)
		poller.Wait()
		if err = errors.New("interrupted before every server was polled"); ctx.Err() == nil {
			err = errors.Join(scans.WriteText(stdout, registry), scans.Now().Verdict())
		}
	} else {
		err = web.Serve(ctx, web.Options{
			Scrape: scans.Scrape, Others: registry, Overview: scans.Overview, Targets: scans.Targets,
			ScrubbedConfig: func() ([]byte, error) { return manager.Current().ScrubbedYAML() }, Reload: manager.Reload,
			RoutePrefix: f.RoutePrefix, ExternalURL: f.ExternalURL, TelemetryPath: f.TelemetryPath, MaxRequests: f.MaxRequests,
			Lifecycle: f.Lifecycle, Pprof: f.Pprof, Version: version.Info(), Logger: logger,
		}, web.Listening{Flags: f.Web, Logger: bridged, Bound: func(address net.Addr) {
			apply(cfg) // not before everything that can be checked is
			go manager.Run(ctx, hangup, watchInterval)
			if f.Demo {
				fmt.Fprint(stdout, simulator.DemoWelcome(address.String(), f.RoutePrefix, f.TelemetryPath, f.DemoServers))
			}
		}})
	}
	if err != nil {
		level.Error(logger).Log("msg", "stopped", "err", err)
		return 1
	}
	return 0
}
