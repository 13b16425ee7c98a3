package queue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	// A deletion waits so long for others to fill its batch.
	flushAfter = time.Second
	// With so many deletions that do not get through, nothing more is received: their messages are all
	// kept hidden, and would otherwise pile up for 12 hours.
	maxPending = 100
)

// deleter deletes messages in batches, one batch at a time, in its own goroutine.
type deleter struct {
	queue *Queue
	wake  chan struct{}
	ended chan struct{} // closed when run has returned

	mu       sync.Mutex
	pending  []*deletion // in the order in which they came
	flushing bool        // nothing will come any more
	changed  chan struct{}
	failure  error // of the last batch, nil if it succeeded

	log throttle
}

// deletion is a message to be deleted.
type deletion struct {
	message  *Message
	due      time.Time
	failures int
}

func newDeleter(q *Queue) *deleter {
	return &deleter{
		queue:   q,
		wake:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
		changed: make(chan struct{}),
	}
}

// add takes over a message. After the end it is let go of, and comes back.
func (d *deleter) add(m *Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queue.life.Err() != nil {
		m.leave(deleting, done)
		m.cancel(nil)
		return
	}
	d.pending = append(d.pending, &deletion{message: m, due: time.Now().Add(flushAfter)})
	d.poke()
}

// poke makes run look again.
func (d *deleter) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// room waits until there are few enough pending deletions to receive more.
func (d *deleter) room(ctx context.Context) error {
	for {
		d.mu.Lock()
		full, changed, failure := len(d.pending) >= maxPending, d.changed, d.failure
		d.mu.Unlock()
		if err := d.queue.ended(ctx); err != nil {
			return err
		}
		if !full {
			return nil
		}
		if failure != nil {
			d.queue.setHealth(failure)
		}
		select {
		case <-ctx.Done():
		case <-d.queue.open.Done():
		case <-changed:
		}
	}
}

// flush waits until everything pending is deleted or given up, and returns how many are left when the
// context ends first.
func (d *deleter) flush(ctx context.Context) int {
	d.mu.Lock()
	d.flushing = true
	for _, p := range d.pending {
		p.due = time.Now()
	}
	d.mu.Unlock()
	d.poke()
	select {
	case <-d.ended:
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.pending)
}

func (d *deleter) run() {
	defer close(d.ended)
	for d.queue.life.Err() == nil {
		batch, wait, more := d.next(time.Now())
		if !more {
			return
		}
		if len(batch) > 0 {
			d.settle(batch, d.delete(batch))
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-d.queue.life.Done():
		case <-d.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// next returns the deletions to send now, or how long to wait for some, or that there will be no more.
func (d *deleter) next(now time.Time) (batch []*deletion, wait time.Duration, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.pending) == 0 {
		return nil, time.Hour, !d.flushing
	}
	fresh, wait := 0, time.Hour
	for _, p := range d.pending {
		wait = min(wait, p.due.Sub(now))
		if p.failures == 0 {
			fresh++
		}
	}
	// Those that never failed go together as soon as one of them must: none of them has to wait.
	takeFresh := fresh >= maxBatch || d.flushing || d.queue.active.Load() == 0 || wait <= 0
	for _, p := range d.pending {
		if !p.due.After(now) || p.failures == 0 && takeFresh {
			batch = append(batch, p)
		}
	}
	return batch[:min(len(batch), maxBatch)], wait, true
}

// delete sends one batch and returns the errors of those that were not deleted.
func (d *deleter) delete(batch []*deletion) map[*deletion]error {
	ctx, cancel := context.WithTimeout(d.queue.life, callTimeout)
	defer cancel()
	entries := make([]types.DeleteMessageBatchRequestEntry, 0, len(batch))
	failed := make(map[*deletion]error, len(batch))
	for i, p := range batch {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: new(strconv.Itoa(i)), ReceiptHandle: p.message.handle})
		failed[p] = errUnanswered
	}
	out, err := d.queue.api.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &d.queue.cfg.URL, Entries: entries})
	if err != nil {
		err = fmt.Errorf("delete messages from %q: %w", d.queue.cfg.URL, withHint(err, "DeleteMessage"))
		for _, p := range batch {
			failed[p] = err
		}
		return failed
	}
	for _, success := range out.Successful {
		if i, ok := position(success.Id, batch); ok {
			delete(failed, batch[i])
		}
	}
	for _, failure := range out.Failed {
		if i, ok := position(failure.Id, batch); ok {
			failed[batch[i]] = entryError(failure)
		}
	}
	return failed
}

func position(id *string, batch []*deletion) (int, bool) {
	i, err := strconv.Atoi(value(id))
	return i, err == nil && i >= 0 && i < len(batch)
}

// settle lets go of what was deleted or cannot be, and puts off the rest.
func (d *deleter) settle(batch []*deletion, failed map[*deletion]error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failure = nil
	gone := map[*deletion]bool{}
	// What failed together is tried again together.
	retry := time.Now().Add(d.retryIn(1 + mostFailures(batch)))
	for _, p := range batch {
		err := failed[p]
		if err != nil {
			d.failure = err
			d.complain(err, len(failed))
		}
		if err != nil && !isForGood(err) && p.message.lostCause() == nil {
			p.failures++
			p.due = retry
			continue
		}
		if err == nil {
			d.queue.metrics.deleted.Inc()
		}
		gone[p] = true
		p.message.leave(deleting, done)
		p.message.cancel(nil)
	}
	d.pending = slices.DeleteFunc(d.pending, func(p *deletion) bool { return gone[p] })
	close(d.changed)
	d.changed = make(chan struct{})
}

func mostFailures(batch []*deletion) int {
	most := 0
	for _, p := range batch {
		most = max(most, p.failures)
	}
	return most
}

// retryIn returns when to try again. Whoever closes the queue does not wait long.
func (d *deleter) retryIn(failures int) time.Duration {
	if d.flushing {
		return min(delay(failures), flushAfter)
	}
	return delay(failures)
}

func (d *deleter) complain(err error, failed int) {
	if isCanceled(err) {
		return
	}
	if dropped, ok := d.log.allow(); ok {
		d.queue.logger.Warn("Deleting messages failed", "failed", failed, "suppressed", dropped, "err", err)
	}
}
