package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/backoff"
)

// heartbeat is the state of keeping one message hidden.
type heartbeat struct {
	message *Message
	limit   time.Time // the 12 hours end here
	end     time.Time // what SQS promised: hidden at least until here
	next    time.Time // of the next extension
	failure error     // of the last extension, nil if it succeeded
	count   int       // failures in a row
}

// beat extends the message's visibility at half-life until its context ends, and ends the context once
// the message is lost.
func (m *Message) beat() {
	timeout := m.queue.cfg.VisibilityTimeout
	h := &heartbeat{message: m, limit: m.ReceivedAt.Add(maxLife)}
	h.end = earlier(m.ReceivedAt.Add(timeout), h.limit)
	h.next = m.ReceivedAt.Add(timeout / 2)
	for backoff.Sleep(m.ctx, time.Until(earlier(h.next, h.end))) {
		if !time.Now().Before(h.end) {
			m.lose(h.reason())
			return
		}
		h.extend()
	}
}

// extend hides the message for the full timeout again, or for what is left of its 12 hours.
func (h *heartbeat) extend() {
	m := h.message
	timeout := m.queue.cfg.VisibilityTimeout
	if err := m.take(m.ctx); err != nil {
		return
	}
	defer m.release()
	if m.isDone() {
		return
	}
	start := time.Now()
	extension := min(timeout, h.limit.Sub(start)).Truncate(time.Second)
	if !start.Add(extension).After(h.end) {
		h.next = h.end
		return
	}
	ctx, cancel := context.WithDeadline(m.ctx, earlier(h.end, start.Add(callTimeout)))
	defer cancel()
	err := m.changeVisibility(ctx, wholeSeconds(extension))
	switch {
	case err == nil:
		m.queue.metrics.extensions.Inc()
		h.end, h.next = start.Add(extension), start.Add(timeout/2)
		h.failure, h.count = nil, 0
	case errors.Is(err, ErrLost):
		m.lose(err)
	case isBeyondLimit(err):
		h.limit = h.end
		h.next = h.end
	case m.ctx.Err() == nil:
		h.fail(err)
	}
}

func (h *heartbeat) fail(err error) {
	h.count++
	h.failure = err
	// Near the end, trying ever more slowly would be giving up.
	wait := min(delay(h.count), max(time.Until(h.end)/4, 50*time.Millisecond))
	h.next = time.Now().Add(wait)
	q := h.message.queue
	if dropped, ok := q.extendLog.allow(); ok {
		q.logger.Warn("Extending the visibility of a message failed", "message_id", h.message.ID,
			"hidden_for", time.Until(h.end), "suppressed", dropped, "err", err)
	}
}

// reason returns why a message whose visibility ended is lost.
func (h *heartbeat) reason() error {
	if h.failure != nil {
		return fmt.Errorf("%w: its visibility ended, and the last extension failed: %w", ErrLost, h.failure)
	}
	return fmt.Errorf("%w: SQS hides a message for 12 hours at most", ErrLost)
}

// lose ends the context with the reason, which wraps ErrLost.
func (m *Message) lose(reason error) { m.cancel(reason) }

// lostCause returns why the message is lost, nil if it is not.
func (m *Message) lostCause() error {
	if cause := context.Cause(m.ctx); errors.Is(cause, ErrLost) {
		return cause
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
