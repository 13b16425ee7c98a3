package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/collector/queue"
	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

// A worker works on one message at a time and keeps its buffers from file to file.
type worker struct {
	pipeline *Pipeline
	config   *Config // config is what reader and delta were made for.
	reader   *flowlog.Reader
	delta    *aggregator.Delta
	record   flowlog.Record
	source   s3event.Object // source is the object that is read, with the ETag of what was read.
	// redelivered says that the message has been received before.
	redelivered bool
}

func newWorker(p *Pipeline) *worker { return &worker{pipeline: p} }

// prepare empties the buffers, and makes new ones if the configuration has changed.
func (w *worker) prepare(config *Config) {
	if w.config != config {
		w.config = config
		w.reader = flowlog.NewReader(config.FlowLog)
		w.delta = aggregator.NewDelta(config.Networks, config.DeltaKeys)
	} else {
		w.delta.Reset(config.Networks)
	}
	w.delta.Watch(w.pipeline.aggregator.Watch())
}

// decode reads a file to its clean end.
func (w *worker) decode(body io.Reader) error {
	if err := w.reader.Reset(body); err != nil {
		return err
	}
	var format *flowlog.Format
	for {
		err := w.reader.Read(&w.record)
		if err == nil {
			if w.record.Format != format {
				format = w.record.Format
				w.pipeline.formats.seen(format, w.config.Doctor)
			}
			w.delta.Add(&w.record)
			continue
		}
		lineError, ok := errors.AsType[*flowlog.LineError](err)
		if !ok {
			return flowlog.EndOfFile(err)
		}
		w.delta.Malformed()
		if w.delta.MalformedLines() == 1 {
			w.pipeline.logger.Warn("Malformed line, later ones of the file are only counted", "err", lineError)
		}
	}
}

// handle works on one message and settles it.
func (w *worker) handle(ctx context.Context, m *queue.Message) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(m.Context(), func() { cancel(context.Cause(m.Context())) })
	defer stop()

	notification, err := s3event.Parse(m.Body)
	if err != nil {
		w.pipeline.settleInvalid(ctx, m, err)
		return
	}
	w.pipeline.aggregator.CountFiles(aggregator.Skipped, "", notification.Ignored)
	var failures []failure
	for _, object := range notification.Objects {
		if err := w.file(ctx, m, object); err != nil {
			failures = append(failures, failure{object, err})
		}
	}
	w.pipeline.settle(ctx, m, failures)
}

// A failure is an object of a message that could not be counted.
type failure struct {
	object s3event.Object
	err    error
}

// file counts one object: as processed, or as what became of it. An error means that the message is not done.
func (w *worker) file(ctx context.Context, m *queue.Message, object s3event.Object) error {
	p := w.pipeline
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w.redelivered = m.ReceiveCount > 1
	file, err := w.read(ctx, object)
	if ctx.Err() != nil {
		// Somebody else owns the message now, or the shutdown grace is over: nothing of the file may count.
		return context.Cause(ctx)
	}
	committed := false
	if err == nil {
		committed, err = w.commit(ctx, file)
	}
	var skipped errSkipped
	var claimed claimError
	switch {
	case committed:
		p.committed(m, object, file, w.delta)
		return w.finishClaim(ctx, file)
	case err == nil, errors.Is(err, errDuplicate):
		p.logger.Debug("Duplicate file", "bucket", object.Bucket, "key", object.Key)
		p.aggregator.CountFile(aggregator.Duplicate, "")
		return w.finishClaim(ctx, file)
	case errors.Is(err, errCounted):
		p.logger.Debug("Duplicate file, counted by a replica", "bucket", object.Bucket, "key", object.Key)
		p.aggregator.CountFile(aggregator.Duplicate, "")
		return nil
	case isDeferred(err):
		return err
	case errors.As(err, &claimed):
		p.aggregator.CountFile(aggregator.Failed, "claim")
		return err
	case errors.As(err, &skipped):
		p.logger.Debug("Skipped file", "bucket", object.Bucket, "key", object.Key, "reason", string(skipped))
		p.aggregator.CountFile(aggregator.Skipped, "")
		return nil
	case objstore.Gone(err):
		p.logger.Warn("Missing file", "bucket", object.Bucket, "key", object.Key, "err", err)
		p.aggregator.CountFile(aggregator.Missing, "")
		return nil
	}
	p.aggregator.CountFile(aggregator.Failed, reason(err))
	return fmt.Errorf("read s3://%s/%s: %w", object.Bucket, object.Key, err)
}

// committed counts what a scrape cannot take from the totals.
func (p *Pipeline) committed(m *queue.Message, object s3event.Object, file aggregator.File, d *aggregator.Delta) {
	p.refused.clear()
	p.report(p.aggregator.TakeFindings())
	p.metrics.duration.Observe(time.Since(m.ReceivedAt).Seconds())
	if last := d.LastRecord(); last > 0 {
		p.metrics.lag.Observe(max(0, float64(p.now().UnixNano())/1e9-float64(last)))
	}
	p.logger.Debug("Processed file", "bucket", object.Bucket, "key", object.Key, "bytes", file.CompressedBytes, "inflated_bytes", file.InflatedBytes)
}

// reason names why a file failed.
func reason(err error) string {
	if errors.Is(err, aggregator.ErrNotWritten) {
		return "state"
	}
	if r := flowlog.Reason(err); r != "" && !objstore.Transient(err) {
		return r
	}
	return objstore.Reason(err)
}
