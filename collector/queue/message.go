package queue

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Message is one receive of a message. It is settled once, by Delete, Return, Abandon or Invalid;
// whatever is called after that changes nothing. Its methods are safe for concurrent use.
type Message struct {
	// ID is SQS's id of the message, the same on each receive of it.
	ID string
	// Body is what was sent.
	Body string
	// ReceiveCount is how often the message was received without being deleted, this time included. It
	// is approximate, and 1 if SQS did not tell.
	ReceiveCount int
	// SentAt is when the message entered the queue, zero if SQS did not tell.
	SentAt time.Time
	// ReceivedAt is when this receive of it arrived here.
	ReceivedAt time.Time

	queue  *Queue
	handle *string
	ctx    context.Context
	cancel context.CancelCauseFunc
	turn   chan struct{} // held by the one who changes the visibility

	mu    sync.Mutex
	state state
}

// state is what has become of a message.
type state int

const (
	held     state = iota // somebody works on it
	deleting              // to be deleted, kept hidden until it is
	done                  // let go of
)

func newMessage(q *Queue, raw types.Message) *Message {
	m := &Message{
		ID:           value(raw.MessageId),
		Body:         value(raw.Body),
		ReceiveCount: 1,
		ReceivedAt:   time.Now(),
		queue:        q,
		handle:       new(value(raw.ReceiptHandle)),
		turn:         make(chan struct{}, 1),
	}
	m.ctx, m.cancel = context.WithCancelCause(q.life)
	if count, err := strconv.Atoi(raw.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]); err == nil {
		m.ReceiveCount = count
	}
	if millis, err := strconv.ParseInt(raw.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
		m.SentAt = time.UnixMilli(millis)
	}
	return m
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Context ends with the cause ErrLost as soon as the message belongs to somebody else: the work on it
// must be dropped then. It also ends, with another cause, once the message is settled or the queue is
// closed.
func (m *Message) Context() context.Context { return m.ctx }

// Exhausted says whether the message was received as often as the configuration allows. Where the queue
// has no redrive policy, it is for the caller to give such a message up.
func (m *Message) Exhausted() bool { return m.ReceiveCount >= m.queue.cfg.MaxReceives }

// Delete settles the message as done: it is deleted together with others within a second or so, and
// kept hidden until SQS confirms it. It does not wait for that. A deletion that fails is tried again
// for as long as the message is this process's. A message that was lost meanwhile is deleted all the
// same, if SQS still allows it, because its work is done.
func (m *Message) Delete() {
	if m.leave(held, deleting) {
		m.queue.deleter.add(m)
		m.queue.settled()
	}
}

// Return settles the message as not done: it becomes visible again after the delay, which is cut to
// what is left of its 12 hours. If that fails, the message comes back when its visibility ends. The
// error is ErrLost if it is somebody else's already.
func (m *Message) Return(ctx context.Context, delay time.Duration) error {
	// An extension under way must not arrive after the return and hide the message again.
	waitErr := m.take(ctx)
	if waitErr == nil {
		defer m.release()
	}
	lost := m.lostCause()
	if !m.leave(held, done) {
		return fmt.Errorf("return message %q: %w", m.ID, ErrSettled)
	}
	defer m.queue.settled()
	defer m.cancel(nil)
	if lost != nil {
		return fmt.Errorf("return message %q: %w", m.ID, lost)
	}
	if waitErr != nil {
		return fmt.Errorf("return message %q: %w", m.ID, waitErr)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	left := int32(max(0, time.Until(m.ReceivedAt.Add(maxLife))) / time.Second)
	if err := m.changeVisibility(ctx, min(wholeSeconds(min(max(delay, 0), maxLife)), left)); err != nil {
		return fmt.Errorf("return message %q: %w", m.ID, err)
	}
	m.queue.metrics.returned.Inc()
	return nil
}

// Abandon settles the message by leaving it alone: it comes back when its visibility ends, and the
// queue's redrive policy, if there is one, takes it after its number of receives.
func (m *Message) Abandon() {
	if m.leave(held, done) {
		m.cancel(nil)
		m.queue.settled()
	}
}

// Invalid abandons a message that makes no sense, and counts it.
func (m *Message) Invalid() {
	if m.leave(held, done) {
		m.queue.metrics.invalid.Inc()
		m.cancel(nil)
		m.queue.settled()
	}
}

// leave moves the message on and says whether it was in the state it is to leave.
func (m *Message) leave(from, to state) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != from {
		return false
	}
	m.state = to
	return true
}

func (m *Message) isDone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state == done
}

// take waits for the turn to change the visibility.
func (m *Message) take(ctx context.Context) error {
	select {
	case m.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Message) release() { <-m.turn }

// changeVisibility hides the message for so long from now. An invalid handle is ErrLost.
func (m *Message) changeVisibility(ctx context.Context, seconds int32) error {
	_, err := m.queue.api.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl:          &m.queue.cfg.URL,
		ReceiptHandle:     m.handle,
		VisibilityTimeout: seconds,
	})
	if err == nil {
		return nil
	}
	if isHandleInvalid(codeOf(err), err.Error()) {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return withHint(err, "ChangeMessageVisibility")
}
