// Package collector is the scrape side: it reads what polls have published from a scan.Store, and
// makes metrics of it for Prometheus and an Overview for people. All metrics are in one table, in
// metrics.go. Nothing here polls, and nothing waits for a poll.
package collector

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"aliyun_vulscan_exporter/collector/expose"
	"aliyun_vulscan_exporter/collector/scan"
)

// Collector makes metrics and an Overview of what a store holds. As a prometheus.Collector it has
// what happened while accounts were polled; Scrape has everything that is known of accounts,
// servers and subtasks.
type Collector struct {
	// Events counts what happens while accounts are polled.
	Events *Events

	store *scan.Store
	clock *scan.Clock

	overviews overviews

	mu     sync.Mutex
	labels []string // that the engine knows
	engine *engine
}

// New returns a Collector of what the store holds. The clock must be the one that the polls use.
func New(store *scan.Store, clock *scan.Clock) *Collector {
	return &Collector{store: store, clock: clock, Events: newEvents()}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, v := range c.Events.vectors {
		v.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	for _, v := range c.Events.vectors {
		v.Collect(ch)
	}
}

// Scrape returns all that is known of accounts, servers and subtasks. It waits neither for the API
// nor for a poll.
func (c *Collector) Scrape(encoding expose.Encoding) *expose.Scrape {
	c.mu.Lock()
	labels := c.store.Load().Labels
	if c.engine == nil || !slices.Equal(labels, c.labels) { // a reload may change them
		c.engine, c.labels = newEngine(c.store, c.clock, labels), slices.Clone(labels)
	}
	e := c.engine
	c.mu.Unlock()
	return e.Scrape(encoding)
}

// WriteText writes all metrics, those of others too, in the text format.
func (c *Collector) WriteText(w io.Writer, others prometheus.Gatherer) error {
	families, err := others.Gather()
	if err != nil {
		return fmt.Errorf("gathering the metrics: %w", err)
	}
	var failed []error
	err = c.Scrape(expose.Encoding{Format: expfmt.TypeTextPlain}).Write(w, families, nil, func(err error) { failed = append(failed, err) })
	return errors.Join(append(failed, err)...)
}
