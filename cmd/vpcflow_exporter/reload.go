package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// A reloader rereads the configuration file and brings into effect what can change while the daemon runs. A bad file changes nothing.
type reloader struct {
	app     *app
	mu      sync.Mutex
	current atomic.Pointer[Config]

	successful, successTime prometheus.Gauge
}

func newReloader(a *app, config Config, reg prometheus.Registerer) *reloader {
	factory := promauto.With(reg)
	r := &reloader{
		app: a,
		successful: factory.NewGauge(prometheus.GaugeOpts{
			Name: "vpcflow_config_last_reload_successful", Help: "Whether the last reload of the configuration succeeded; the old one stays in effect if not. Take the minimum over replicas.",
		}),
		successTime: factory.NewGauge(prometheus.GaugeOpts{
			Name: "vpcflow_config_last_reload_success_timestamp_seconds", Help: "When the configuration in effect was loaded. Take the minimum over replicas.",
		}),
	}
	r.current.Store(&config)
	r.successful.Set(1)
	r.successTime.SetToCurrentTime()
	return r
}

func (r *reloader) config() *Config { return r.current.Load() }

// render shows the configuration in effect.
func (r *reloader) render() ([]byte, error) { return r.config().YAML() }

// watch reloads on each hangup until ctx ends.
func (r *reloader) watch(ctx context.Context, hangups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			if err := r.reload(); err != nil {
				r.app.logger.Error("Refused configuration, the old one stays in effect", "err", err)
			}
		}
	}
}

// reload rereads the file.
func (r *reloader) reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.apply()
	if err != nil {
		r.successful.Set(0)
		return err
	}
	r.successful.Set(1)
	r.successTime.SetToCurrentTime()
	r.app.logger.Info("Reloaded configuration", "file", r.app.flags.configFile)
	return nil
}

func (r *reloader) apply() error {
	if r.app.flags.demo {
		return errors.New("the demo has no configuration file")
	}
	next, err := loadConfigFile(r.app.flags.configFile)
	if err != nil {
		return err
	}
	stages, err := newStages(next)
	if err != nil {
		return err
	}
	old := r.config()
	if old.SQS != next.SQS || old.Workers != next.Workers || old.State != next.State {
		r.app.logger.Warn("Changes of sqs, workers and state take effect at the next start")
		next.SQS, next.Workers, next.State = old.SQS, old.Workers, old.State
		stages.enrich.IPRangesCopy = rangesCopy(next)
	}
	if err := r.app.enricher.Reconfigure(stages.enrich); err != nil {
		return fmt.Errorf("change enrichment: %w", err)
	}
	if old.Pricing.Refresh != next.Pricing.Refresh {
		r.app.logger.Warn("A change of pricing.refresh takes effect at the next start")
		next.Pricing.Refresh = old.Pricing.Refresh
	}
	warnUnsupported(next, r.app.logger)
	r.app.book.Reconfigure(stages.prices)
	stages.aggregator.Services, stages.aggregator.Network = r.app.services, r.app.network
	r.app.aggregator.Reconfigure(stages.aggregator)
	r.app.pipeline.Reconfigure(stages.pipeline)
	r.current.Store(&next)
	return nil
}
