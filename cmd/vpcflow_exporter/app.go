package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/vpcflow/vpcflow_exporter/collector"
	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/enrich"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog/gunzip"
	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/collector/pipeline"
	"github.com/vpcflow/vpcflow_exporter/collector/queue"
	"github.com/vpcflow/vpcflow_exporter/collector/state"
	"github.com/vpcflow/vpcflow_exporter/pricing"
	"github.com/vpcflow/vpcflow_exporter/pricing/refresh"
)

// An app is the daemon: the stages in the order of the data, and the web server.
type app struct {
	flags  flags
	logger *slog.Logger
	reload *reloader

	registry   *prometheus.Registry
	book       *pricing.Book
	enricher   *enrich.Enricher
	state      *state.State // state is nil where totals live in memory only.
	aggregator *aggregator.Aggregator
	refresher  *refresh.Refresher // refresher is nil where list prices are not refreshed.
	queue      *queue.Queue
	pipeline   *pipeline.Pipeline

	listeners []net.Listener
	server    *http.Server
	scraped   scrapeWatch
	draining  atomic.Bool
}

// newApp builds the daemon and binds its addresses, so that a taken port is an error before the first message is received. The wall clock is now.
func newApp(f flags, config Config, cloud aws.Config, logger *slog.Logger, now func() time.Time) (*app, error) {
	a := &app{flags: f, logger: logger, registry: prometheus.NewRegistry()}
	stages, err := newStages(config)
	if err != nil {
		return nil, err
	}
	warnUnsupported(config, logger)
	a.book = pricing.NewBook(stages.prices)
	if f.demo {
		stages.enrich.IPInfo = enrich.IPInfoConfig{} // A token in the environment is not meant for simulated traffic.
	}
	a.enricher, err = enrich.New(stages.enrich, enrich.Deps{Logger: logger.With("component", "enrich"), Registerer: a.registry})
	if err != nil {
		return nil, fmt.Errorf("prepare enrichment: %w", err)
	}
	if err := a.openAggregator(config, stages, now); err != nil {
		return nil, err
	}
	a.refresher = a.newRefresher(config, cloud, now)
	a.queue = queue.New(queueConfig(config), newSQSClient(cloud, config.SQS.QueueURL), logger.With("component", "queue"), a.registry)
	store := objstore.NewS3(newS3Client(cloud, queueRegion(config.SQS.QueueURL)), logger.With("component", "objstore"), objstore.DefaultConfig())
	a.pipeline = pipeline.New(stages.pipeline, a.queue, store, a.aggregator, logger.With("component", "pipeline"), a.registry, now)
	a.reload = newReloader(a, config, a.registry)
	a.registry.MustRegister(
		collector.New(a.aggregator.Snapshot, func() collector.Prices { return a.book.Prices() }, names{a.enricher}),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), versioncollector.NewCollector("vpcflow"),
	)
	if err := a.listen(); err != nil {
		return nil, errors.Join(err, a.queue.Close(context.Background()), a.closeState())
	}
	return a, nil
}

// openAggregator makes the aggregator, from its durable state if there is one.
func (a *app) openAggregator(config Config, stages stages, now func() time.Time) (err error) {
	stages.aggregator.Services, stages.aggregator.Network = a.services, a.network
	pricer := pipeline.NewPricer(a.book, a.logger.With("component", "pipeline"))
	if config.State.Path == "" {
		a.aggregator = aggregator.New(stages.aggregator, pricer, now)
		return nil
	}
	began := time.Now()
	if a.state, err = state.Open(config.State.Path, a.registry); err != nil {
		return err
	}
	if a.aggregator, err = aggregator.Open(stages.aggregator, pricer, now, a.state); err != nil {
		return errors.Join(err, a.closeState())
	}
	s := a.aggregator.Snapshot()
	a.logger.Info("Restored state", "file", a.state.Path(), "bytes", a.state.Size(), "committed_files", s.CommittedFiles, "counting_since", s.Started.UTC(),
		"duration", time.Since(began))
	return nil
}

func (a *app) closeState() error {
	if a.state == nil {
		return nil
	}
	if err := a.state.Close(); err != nil {
		return fmt.Errorf("close state: %w", err)
	}
	return nil
}

// listen prepares the web server.
func (a *app) listen() error {
	mux, err := newMux(muxOptions{
		TelemetryPath: a.flags.telemetry,
		Metrics:       a.metricsHandler(),
		Healthy:       func() error { return nil },
		Ready:         a.ready,
		Reload:        a.reload.reload,
		Config:        a.reload.render,
		Version:       version.Info(),
		Profiling:     a.flags.profiling,
	})
	if err != nil {
		return fmt.Errorf("set --web.telemetry-path: %w", err)
	}
	a.server = newServer(mux)
	if a.flags.toolkitListens() {
		return nil
	}
	for _, address := range *a.flags.web.WebListenAddresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return errors.Join(fmt.Errorf("listen on --web.listen-address %q: %w", address, err), a.closeListeners())
		}
		a.listeners = append(a.listeners, l)
	}
	return nil
}

func (a *app) closeListeners() error {
	var errs []error
	for _, l := range a.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// metricsHandler serves the page. One bad value must not take the others with it.
func (a *app) metricsHandler() http.Handler {
	handler := promhttp.InstrumentMetricHandler(a.registry, promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{
		ErrorLog:                            slog.NewLogLogger(a.logger.Handler(), slog.LevelError),
		ErrorHandling:                       promhttp.ContinueOnError,
		Registry:                            a.registry,
		EnableOpenMetrics:                   true,
		EnableOpenMetricsTextCreatedSamples: a.flags.created,
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Taken before the scrape gathers: what is committed meanwhile may or may not be on the page.
		s := a.aggregator.Snapshot()
		page := &pageWriter{ResponseWriter: w}
		handler.ServeHTTP(page, r)
		if r.Method == http.MethodGet && !page.failed {
			a.scraped.saw(s.CommittedFiles)
		}
	})
}

// ready returns why messages are not being worked on.
func (a *app) ready() error {
	if a.draining.Load() {
		return errors.New("shutting down")
	}
	return a.pipeline.Ready()
}

// address returns the address of the first listener.
func (a *app) address() string {
	if len(a.listeners) == 0 {
		return ""
	}
	return a.listeners[0].Addr().String()
}

// run serves and consumes until ctx ends, then drains: no new messages, files in work within the grace period, deletes flushed, one more scrape
// after SIGTERM unless the next process goes on from a state, and the web server last.
func (a *app) run(ctx context.Context, hangups <-chan os.Signal) error {
	consuming, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var background sync.WaitGroup
	background.Go(func() { a.reload.watch(consuming, hangups) })
	background.Go(func() { a.enricher.Run(consuming) })
	background.Go(func() { a.pipeline.Run(consuming) })
	if a.refresher != nil {
		background.Go(func() { a.refresher.Run(consuming) })
	}
	background.Go(func() {
		select {
		case <-a.aggregator.Failed():
			// Whoever starts the process again gets the totals as of the last commit.
			stop(a.stateLost())
		case <-consuming.Done():
		}
	})
	served := make(chan error, 1)
	go func() {
		err := a.serve()
		stop(err)
		served <- err
	}()
	<-consuming.Done()
	a.draining.Store(true)
	grace := time.Now().Add(a.reload.config().ShutdownGrace)
	background.Wait()
	deadline, cancel := context.WithDeadline(context.Background(), later(grace, time.Now().Add(time.Second)))
	defer cancel()
	err := a.queue.Close(deadline)
	if errors.Is(context.Cause(ctx), errTerminated) && a.state == nil {
		a.scraped.wait(deadline, a.aggregator.Snapshot().CommittedFiles, a.logger)
	}
	return errors.Join(err, a.close(), <-served, a.closeState(), a.stateLost())
}

// stateLost returns why the state cannot be written any more, or nil.
func (a *app) stateLost() error {
	select {
	case <-a.aggregator.Failed():
		return a.aggregator.Err()
	default:
		return nil
	}
}

// later returns the later of two times: a grace that is over still leaves a moment for the last requests.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (a *app) serve() error {
	err := a.serveWeb()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve HTTP: %w", err)
}

func (a *app) serveWeb() error {
	if a.flags.toolkitListens() {
		return web.ListenAndServe(a.server, a.flags.web, a.logger)
	}
	return web.ServeMultiple(a.listeners, a.server, a.flags.web, a.logger)
}

// close ends the web server; a scrape in flight may finish.
func (a *app) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		a.logger.Warn("Cut off clients that did not finish", "err", err)
		return a.server.Close()
	}
	return nil
}

// runDaemon is the program without special flags.
func runDaemon(ctx context.Context, f flags, hangups <-chan os.Signal, logger *slog.Logger, _ io.Writer) error {
	config, err := loadConfigFile(f.configFile)
	if err != nil {
		return err
	}
	logger.Info("Starting vpcflow_exporter", "version", version.Info(), "inflater", gunzip.Inflater)
	logger.Info("Build context", "build_context", version.BuildContext())
	cloud, err := loadAWS(ctx, logger.With("component", "aws"))
	if err != nil {
		return err
	}
	a, err := newApp(f, config, cloud, logger, time.Now)
	if err != nil {
		return err
	}
	return a.run(ctx, hangups)
}
