// Package queue reads messages from an SQS queue and keeps each one hidden from other consumers until
// its work is done, so that nothing is counted by two of them and nothing is lost with one of them. It
// knows receipt handles, visibility timeouts and batches, and nothing of what the messages say. A
// Message is settled by exactly one of Delete, Return, Abandon and Invalid; until then a heartbeat
// extends it, up to SQS's 12 hours, and its context ends as soon as it belongs to somebody else.
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vpcflow/vpcflow_exporter/internal/backoff"
)

const (
	// Every request but the long poll is bounded by it, retries of the SDK included.
	callTimeout = 15 * time.Second
	// A long poll is bounded too: a server that accepts and never answers must not stop the consumer.
	receiveTimeout = maxWait + callTimeout
)

// API is what a Queue needs of *sqs.Client. It is called concurrently. An HTTP client with a timeout
// of its own must allow for more than the 20 s of a long poll; the SDK's default has none.
type API interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Queue is a consumer of one queue. It is safe for concurrent use and must be closed.
type Queue struct {
	cfg     Config
	api     API
	logger  *slog.Logger
	metrics *metrics
	deleter *deleter

	open    context.Context // ends when Close begins: no more receives
	close   context.CancelCauseFunc
	life    context.Context // ends when Close has flushed: no more calls at all
	end     context.CancelCauseFunc
	running sync.WaitGroup

	active atomic.Int64 // messages that somebody works on

	mu      sync.Mutex
	stopped bool // nothing may be started any more
	health  error

	redriveTurn              chan struct{} // held by the one who asks
	redriveKnown, hasRedrive bool

	receiveLog, extendLog throttle
}

// New returns a consumer of the queue. It starts its own goroutines and registers its metrics on reg,
// which may be nil, but makes no request.
func New(cfg Config, api API, logger *slog.Logger, reg prometheus.Registerer) *Queue {
	q := &Queue{
		cfg:         cfg.withDefaults(),
		api:         api,
		logger:      logger,
		metrics:     newMetrics(reg),
		health:      errUnread,
		redriveTurn: make(chan struct{}, 1),
	}
	q.open, q.close = context.WithCancelCause(context.Background())
	q.life, q.end = context.WithCancelCause(context.Background())
	q.deleter = newDeleter(q)
	q.start(q.deleter.run)
	if reg != nil {
		reg.MustRegister(newDepthCollector(q))
	}
	return q
}

// start runs a function that Close waits for. It says no if the queue is closed.
func (q *Queue) start(run func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped {
		return false
	}
	q.running.Go(run)
	return true
}

// Receive makes one long poll of 20 s for at most limit messages (10 are the most that SQS gives) and
// returns what came, which may be nothing. Ask for no more than can be worked on at once: the clock of
// a message runs from here. Errors are logged and tried again, ever more slowly, until the context
// ends; then its error is returned. The first poll, and the first after an error, waits only a second,
// so that readiness is known soon. While deletions do not get through, Receive waits for them.
func (q *Queue) Receive(ctx context.Context, limit int) ([]*Message, error) {
	if limit < 1 {
		return nil, fmt.Errorf("receive messages: limit must be at least 1, not %d", limit)
	}
	for failures := 0; ; {
		if err := q.deleter.room(ctx); err != nil {
			return nil, err
		}
		messages, err := q.receive(ctx, min(limit, maxBatch))
		if err == nil {
			q.received(failures)
			return messages, nil
		}
		if err := q.ended(ctx); err != nil {
			return nil, err
		}
		failures++
		err = fmt.Errorf("receive messages from %q: %w", q.cfg.URL, withHint(err, "ReceiveMessage"))
		q.setHealth(err)
		wait := delay(failures)
		if dropped, ok := q.receiveLog.allow(); ok {
			q.logger.Warn("Receiving messages failed", "retry_in", wait, "suppressed", dropped, "err", err)
		}
		if !q.pause(ctx, wait) {
			return nil, q.ended(ctx)
		}
	}
}

// ended returns why no more can be received, nil if it can.
func (q *Queue) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if q.open.Err() != nil {
		return ErrClosed
	}
	return nil
}

// pause waits and says whether receiving can go on.
func (q *Queue) pause(ctx context.Context, wait time.Duration) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(q.open, cancel)()
	return backoff.Sleep(ctx, wait)
}

func (q *Queue) receive(ctx context.Context, limit int) ([]*Message, error) {
	ctx, cancel := context.WithTimeout(ctx, receiveTimeout)
	defer cancel()
	defer context.AfterFunc(q.open, cancel)()
	wait := maxWait
	if q.Ready() != nil {
		wait = time.Second
	}
	out, err := q.api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:            &q.cfg.URL,
		MaxNumberOfMessages: int32(limit),
		VisibilityTimeout:   wholeSeconds(q.cfg.VisibilityTimeout),
		WaitTimeSeconds:     wholeSeconds(wait),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameApproximateReceiveCount,
			types.MessageSystemAttributeNameSentTimestamp,
		},
	})
	if err != nil {
		return nil, err
	}
	q.metrics.received.Add(float64(len(out.Messages)))
	messages := make([]*Message, 0, len(out.Messages))
	for _, raw := range out.Messages {
		m := newMessage(q, raw)
		q.active.Add(1)
		if !q.start(m.beat) {
			return nil, ErrClosed
		}
		messages = append(messages, m)
	}
	return messages, nil
}

func (q *Queue) received(failures int) {
	q.setHealth(nil)
	if failures > 0 {
		q.logger.Info("Receiving messages works again", "failures", failures)
	}
}

func (q *Queue) setHealth(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.health = err
}

// Ready returns nil while the queue can be read, otherwise why it cannot: the last error, with what to
// do about it, or that no receive has succeeded yet.
func (q *Queue) Ready() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.health
}

// HasRedrivePolicy says whether the queue has a dead-letter queue that takes messages which nobody
// deletes. The answer is asked for once and kept; an error is not kept.
func (q *Queue) HasRedrivePolicy(ctx context.Context) (bool, error) {
	select {
	case q.redriveTurn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-q.redriveTurn }()
	if q.redriveKnown {
		return q.hasRedrive, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	name := types.QueueAttributeNameRedrivePolicy
	attributes, err := q.attributes(ctx, name)
	if err != nil {
		return false, err
	}
	q.hasRedrive, q.redriveKnown = attributes[string(name)] != "", true
	return q.hasRedrive, nil
}

func (q *Queue) attributes(ctx context.Context, names ...types.QueueAttributeName) (map[string]string, error) {
	out, err := q.api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.cfg.URL, AttributeNames: names})
	if err != nil {
		return nil, fmt.Errorf("get attributes of queue %q: %w", q.cfg.URL, withHint(err, "GetQueueAttributes"))
	}
	return out.Attributes, nil
}

// Close stops receiving, flushes the pending deletes as long as the context lets it, and ends every
// goroutine and the contexts of messages that are not settled, which come back when their visibility
// ends. The caller gives those back with Message.Return before. The error says how many deletes were
// left. Closing again is no error.
func (q *Queue) Close(ctx context.Context) error {
	q.close(ErrClosed)
	left := q.deleter.flush(ctx)
	q.mu.Lock()
	q.stopped = true
	q.mu.Unlock()
	q.end(ErrClosed)
	q.running.Wait()
	if left > 0 && ctx.Err() != nil {
		return fmt.Errorf("delete messages from %q: %d were not deleted in time: %w", q.cfg.URL, left, ctx.Err())
	}
	return nil
}

// settled counts down the messages that somebody works on. With the last one, pending deletes go out
// at once, since nothing will join them soon.
func (q *Queue) settled() {
	if q.active.Add(-1) == 0 {
		q.deleter.poke()
	}
}

// isCanceled says whether a call ended because its caller wanted it to.
func isCanceled(err error) bool { return errors.Is(err, context.Canceled) }
