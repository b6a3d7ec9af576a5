package config

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
)

// Manager owns the running configuration: it alone replaces it, and tells by two gauges how that
// went.
type Manager struct {
	path    string
	apply   func(*Config) error
	logger  log.Logger
	current atomic.Pointer[Config]

	successful prometheus.Gauge
	loadedAt   prometheus.Gauge

	loading sync.Mutex // held from the reading of files until their configuration runs or is refused
	seen    fileStamps // server files as of the last attempt to load them
	mainOK  bool       // false: the main file was edited, and its reload failed
	filesOK bool       // false: a file that the main file names could not be loaded
}

// NewManager returns the owner of running, which is loaded and in use already; its warnings are
// logged now. Reload reads the file at path, or, when path is empty as in the demo, applies once
// more what runs. apply puts a new configuration to use, or returns an error and has changed
// nothing; it is never called concurrently and must not call Reload. The gauges are registered with
// reg, which panics if they are there already.
func NewManager(path string, running *Config, apply func(*Config) error, logger log.Logger, reg prometheus.Registerer) *Manager {
	m := &Manager{
		path: path, apply: apply, logger: logger,
		seen: running.files, mainOK: true, filesOK: true,
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "aliyun_vulscan_exporter_config_last_reload_successful",
			Help: "1 if the last load of the configuration succeeded. 0: an edit is not in effect and the configuration " +
				"before it still runs; the log says why, and --config.check lists all that is wrong.",
		}),
		loadedAt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "aliyun_vulscan_exporter_config_last_reload_success_timestamp_seconds",
			Help: "When the running configuration was loaded, in Unix time. If your last edit is newer, reload with SIGHUP.",
		}),
	}
	reg.MustRegister(m.successful, m.loadedAt)
	m.current.Store(running)
	m.succeeded(running)
	return m
}

// Current returns the running configuration. It never waits for a reload.
func (m *Manager) Current() *Config { return m.current.Load() }

// Reload reads the main file and all files it names, and applies the result. On any error, which is
// logged too, everything stays as it runs. The error is of type Errors, or apply's. Concurrent
// calls follow one another.
func (m *Manager) Reload() error {
	m.loading.Lock()
	defer m.loading.Unlock()

	running := m.Current().source
	name, content := running.name, running.content
	if m.path != "" {
		var err error
		name = m.path
		if content, err = readMain(m.path); err != nil {
			m.mainOK = false
			return m.failed(err)
		}
	}
	if err := m.replace(name, content); err != nil {
		if bytes.Equal(content, running.content) {
			m.filesOK = false
		} else {
			m.mainOK = false
		}
		return m.failed(err)
	}
	m.mainOK = true
	m.succeeded(m.Current())
	return nil
}

// replace runs the configuration that content makes, or changes nothing.
func (m *Manager) replace(name string, content []byte) error {
	c, err := Parse(name, content)
	if err != nil {
		return err
	}
	if err := m.apply(c); err != nil {
		return err
	}
	m.current.Store(c)
	m.seen = c.files
	m.filesOK = true
	return nil
}

// succeeded logs and shows that c runs. A failed reload of the main file stays visible when server
// files alone were loaded since.
func (m *Manager) succeeded(c *Config) {
	servers := 0
	for _, a := range c.Accounts {
		servers += len(a.Servers)
	}
	level.Info(m.logger).Log("msg", "configuration loaded", "file", c.source.name, "accounts", len(c.Accounts), "servers", servers)
	for _, warning := range c.Warnings() {
		level.Warn(m.logger).Log("msg", "check the configuration", "warning", warning)
	}
	m.loadedAt.SetToCurrentTime()
	if m.mainOK && m.filesOK {
		m.successful.Set(1)
	}
}

// failed logs and shows err, and returns it.
func (m *Manager) failed(err error) error {
	m.successful.Set(0)
	reason := err.Error()
	if list, ok := errors.AsType[Errors](err); ok {
		reason = list.summary()
	}
	level.Error(m.logger).Log("msg", "configuration not loaded, the one before stays in effect", "err", reason)
	return err
}
