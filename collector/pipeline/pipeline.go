// Package pipeline takes one message after the other through all stages: queue, notification, object, records, classes, delta, commit.
//
// It is the only place that knows all stages, and it decides what becomes of a message: it is deleted only after every object that
// it names was read to a clean end and committed, or can never be. A file that fails leaves no trace in the totals.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/claim"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/doctor"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/collector/queue"
	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

// Config is what an operator sets. Empty filters want everything.
type Config struct {
	Workers       int           // Workers is the number of messages in work at once.
	ShutdownGrace time.Duration // ShutdownGrace is how long a shutdown waits for the files in work.
	MaxAge        time.Duration // MaxAge bounds the age of a file by the time in its name; 0 turns that off.
	DeltaKeys     int           // DeltaKeys bounds the keys of one file.

	Accounts, Regions, FlowLogIDs []string

	Networks *classifier.Networks
	FlowLog  flowlog.Config
	Doctor   doctor.Options // Doctor is what a format is examined under when its header is new.
}

// DefaultConfig returns the documented defaults.
func DefaultConfig() Config {
	return Config{
		Workers: 1, ShutdownGrace: 20 * time.Second, MaxAge: 7 * 24 * time.Hour, DeltaKeys: 1_000_000,
		Networks: classifier.NewNetworks(nil), FlowLog: flowlog.Config{MaxFileBytes: 16 << 30},
	}
}

// Store opens objects: S3, or a folder. Errors are those of package objstore.
type Store interface {
	Open(ctx context.Context, object s3event.Object) (*objstore.Reader, error)
}

// A Pipeline runs the workers. Run may be called once; the other methods are safe for concurrent use.
type Pipeline struct {
	config     atomic.Pointer[Config]
	queue      *queue.Queue
	store      Store
	aggregator *aggregator.Aggregator
	logger     *slog.Logger
	metrics    *metrics
	now        func() time.Time
	formats    formatLog
	refused    refusedFiles
	stateRetry time.Duration
	claims     *claim.Claims // claims is nil where replicas do not coordinate.
	unfinished *unfinished
}

// New returns a pipeline that does nothing before Run. Queue is nil where files come from elsewhere.
func New(config Config, q *queue.Queue, store Store, a *aggregator.Aggregator, logger *slog.Logger, reg prometheus.Registerer, now func() time.Time) *Pipeline {
	p := &Pipeline{
		queue: q, store: store, aggregator: a, logger: logger, metrics: newMetrics(reg), now: now, formats: formatLog{logger: logger}, stateRetry: stateRetry,
	}
	p.config.Store(&config)
	return p
}

// Reconfigure replaces the configuration for the files that begin from now on. The number of workers stays.
func (p *Pipeline) Reconfigure(config Config) { p.config.Store(&config) }

// Ready returns why files cannot be read, or nil.
func (p *Pipeline) Ready() error {
	if err := p.queue.Ready(); err != nil {
		return err
	}
	if err := p.aggregator.Err(); err != nil {
		return fmt.Errorf("no file is counted: %w", err)
	}
	return p.refused.err()
}

// Run receives messages and works on them until ctx ends. Then it lets the files in work finish within the grace period, gives the others back
// and returns.
func (p *Pipeline) Run(ctx context.Context) {
	config := p.config.Load()
	work, drop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer drop(nil)
	free := make(chan *worker, max(config.Workers, 1))
	for range cap(free) {
		free <- newWorker(p)
	}
	var busy sync.WaitGroup
	if p.claims != nil {
		first := <-free
		busy.Go(func() { p.finishClaims(ctx, work, free, first) })
	}
	for ctx.Err() == nil {
		p.receive(ctx, work, free, &busy)
	}
	grace := p.config.Load().ShutdownGrace
	p.logger.Info("Draining", "grace", grace)
	// The rest of the grace is for giving messages back and for deleting the others.
	expired := time.AfterFunc(grace-min(grace/4, shutdownReserve), func() { drop(errShutdown) })
	defer expired.Stop()
	busy.Wait()
	p.reportUnfinished()
}

// shutdownReserve is the most that is kept of the grace period for what follows the last file.
const shutdownReserve = 5 * time.Second

// errShutdown ends work that did not finish within the grace period.
var errShutdown = errors.New("shutdown grace is over")

// receive asks for as many messages as there are free workers, so that no message waits with its clock running, and starts them.
func (p *Pipeline) receive(ctx, work context.Context, free chan *worker, busy *sync.WaitGroup) {
	workers := takeFree(ctx, free)
	if len(workers) == 0 {
		return
	}
	p.awaitState(ctx)
	messages, err := p.queue.Receive(ctx, len(workers))
	if err != nil {
		messages = nil // Only the end of ctx is an error; the queue retries and reports all others itself.
	}
	for i, w := range workers {
		if i >= len(messages) {
			free <- w
			continue
		}
		m := messages[i]
		busy.Go(func() {
			w.handle(work, m)
			free <- w
		})
	}
}

// stateRetry is how long it takes to notice that the state can be written again.
const stateRetry = 5 * time.Second

// awaitState returns when the state can be written, or when ctx ends. A message that cannot be counted is better left in the queue, for each receive brings it
// nearer to the dead-letter queue.
func (p *Pipeline) awaitState(ctx context.Context) {
	if p.aggregator.Err() == nil {
		return
	}
	p.logger.Error("Stopped receiving until the state can be written", "err", p.aggregator.Err())
	tick := time.NewTicker(p.stateRetry)
	defer tick.Stop()
	for p.aggregator.Retry() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	p.logger.Info("State can be written again")
}

// takeFree waits for one free worker and takes all that are free then, none if ctx ends first.
func takeFree(ctx context.Context, free chan *worker) []*worker {
	var workers []*worker
	select {
	case w := <-free:
		workers = append(workers, w)
	case <-ctx.Done():
		return nil
	}
	for {
		select {
		case w := <-free:
			workers = append(workers, w)
		default:
			return workers
		}
	}
}

// A Result says what became of a file that was read to its end.
type Result struct {
	File      aggregator.File
	Committed bool // Committed is false for a file that is in the totals already.
}

// errSkipped says why a file is not wanted.
type errSkipped string

func (e errSkipped) Error() string { return "skip file: " + string(e) }

// wanted applies the operator's filters and the age limit to what a key says.
func (p *Pipeline) wanted(config *Config, object s3event.Object) (s3event.Origin, error) {
	if ok, why := s3event.Wanted(object.Key); !ok {
		return s3event.Origin{}, errSkipped(why)
	}
	origin := s3event.ParseOrigin(object.Key)
	switch {
	case filtered(config.Accounts, origin.Account):
		return origin, errSkipped("account")
	case filtered(config.Regions, origin.Region):
		return origin, errSkipped("region")
	case filtered(config.FlowLogIDs, origin.FlowLogID):
		return origin, errSkipped("flow_log_id")
	case config.MaxAge > 0 && !origin.Time.IsZero() && p.now().Sub(origin.Time) > config.MaxAge:
		return origin, errSkipped("stale")
	default:
		return origin, nil
	}
}

// filtered says whether a filter is set and does not name the value. What a key does not tell cannot be filtered by.
func filtered(filter []string, value string) bool {
	if len(filter) == 0 || value == "" {
		return false
	}
	return !slices.Contains(filter, value)
}

// read takes one object from the store into the worker's delta. S3 encodes the keys in its notifications, which some stores do not: a key that does not exist
// when decoded is tried as it is written.
func (w *worker) read(ctx context.Context, object s3event.Object) (aggregator.File, error) {
	file, err := w.readObject(ctx, object, false)
	undecoded, ambiguous := object.Undecoded()
	if !ambiguous || !errors.Is(err, objstore.ErrNotFound) {
		return file, err
	}
	other, otherErr := w.readObject(ctx, undecoded, true)
	if errors.Is(otherErr, objstore.ErrNotFound) {
		return file, err
	}
	return other, otherErr
}

// errOtherContent says that a key guessed right, but that it is not the announced object.
var errOtherContent = fmt.Errorf("%w: the key as it is written has another ETag", objstore.ErrNotFound)

// readObject reads the object that the key names, if announced only with the ETag of the notification.
func (w *worker) readObject(ctx context.Context, object s3event.Object, announced bool) (aggregator.File, error) {
	p, config := w.pipeline, w.pipeline.config.Load()
	w.source = object
	origin, err := p.wanted(config, object)
	if err != nil {
		return aggregator.File{}, err
	}
	file := aggregator.File{Identity: object.Identity(), AccountID: origin.Account, Region: origin.Region, FlowLogID: origin.FlowLogID, Time: origin.Time}
	if p.aggregator.Known(file.Identity) {
		return file, errDuplicate
	}
	if err := w.mayRead(ctx, object); err != nil {
		return file, err
	}
	body, err := p.store.Open(ctx, object)
	if err != nil {
		return file, err
	}
	w.prepare(config)
	file.Identity = identityRead(object, body)
	w.source.ETag = body.ETag()
	switch {
	case announced && object.ETag != "" && object.ETag != body.ETag():
		// In S3 itself a key that happens to look like the encoding of another one.
		err = errOtherContent
	case p.aggregator.Known(file.Identity):
		err = errDuplicate
	default:
		err = w.decode(body)
	}
	if closeErr := body.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("close object: %w", closeErr)
	}
	file.CompressedBytes, file.InflatedBytes = body.BytesRead(), w.reader.InflatedBytes()
	if errors.Is(err, flowlog.ErrTransitGateway) {
		p.formats.seenTransitGateway(origin.FlowLogID, object, err)
		err = errSkipped("transit_gateway")
	}
	return file, err
}

// identityRead returns the identity of what was really read. An object whose name is not AWS's may have been replaced since its notification, and the new
// content has a notification of its own.
func identityRead(object s3event.Object, body *objstore.Reader) string {
	object.ETag, object.VersionID = body.ETag(), ""
	return object.Identity()
}

var errDuplicate = errors.New("file is in the totals already")
