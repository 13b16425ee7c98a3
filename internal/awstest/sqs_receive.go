package awstest

import (
	"slices"
	"strconv"
	"time"
)

// A poll that was woken waits a little before it takes messages, so that the news of a client that went
// away a moment before can arrive. Several short waits give it more chances than one long one.
const (
	wakeGrace  = time.Millisecond
	wakeGraces = 5
)

type receiveInput struct {
	QueueURL                    string   `json:"QueueUrl"`
	MaxNumberOfMessages         *int32   `json:"MaxNumberOfMessages"`
	VisibilityTimeout           *int32   `json:"VisibilityTimeout"`
	WaitTimeSeconds             *int32   `json:"WaitTimeSeconds"`
	AttributeNames              []string `json:"AttributeNames"`
	MessageSystemAttributeNames []string `json:"MessageSystemAttributeNames"`
}

type receiveOutput struct {
	Messages []receivedMessage `json:"Messages,omitempty"`
}

type receivedMessage struct {
	MessageID     string            `json:"MessageId"`
	ReceiptHandle string            `json:"ReceiptHandle"`
	MD5OfBody     string            `json:"MD5OfBody"`
	Body          string            `json:"Body"`
	Attributes    map[string]string `json:"Attributes,omitempty"`
}

// receiveMessage takes messages, and waits for the first one if it may. Unlike the other operations it
// does not hold the lock throughout.
func (s *SQS) receiveMessage(c *call, in receiveInput) (any, *SQSError) {
	if c.fault.Swallow {
		return receiveOutput{}, nil
	}
	var deadline time.Time
	for {
		out, poll, err := s.receiveOnce(c, in)
		if err != nil || len(out.Messages) > 0 {
			return out, err
		}
		// The wait is the client's, so it is measured in real time whatever the server's clock says.
		if deadline.IsZero() {
			deadline = time.Now().Add(poll.wait)
		}
		left := time.Until(deadline)
		if left <= 0 || c.clientGone() {
			return out, nil
		}
		if err := s.wait(c, poll, left); err != nil {
			return nil, err
		}
	}
}

// poll is what a receive that found nothing waits for.
type poll struct {
	wait        time.Duration   // how long the queue or the request lets it wait in all
	nextVisible time.Duration   // until a hidden message comes into view, zero if none is hidden
	changed     <-chan struct{} // closed when something else happens to the queue
}

func (s *SQS) wait(c *call, p poll, left time.Duration) *SQSError {
	if p.nextVisible > 0 {
		left = min(left, p.nextVisible)
	}
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-c.ctx.Done():
		return nil
	case <-s.closed:
		return errClosed()
	case <-timer.C:
		return nil
	case <-p.changed:
	}
	for range wakeGraces {
		timer.Reset(wakeGrace)
		select {
		case <-c.ctx.Done():
			return nil
		case <-timer.C:
		}
	}
	return nil
}

func (s *SQS) receiveOnce(c *call, in receiveInput) (receiveOutput, poll, *SQSError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return receiveOutput{}, poll{}, err
	}
	limit, ok := valueWithin(in.MaxNumberOfMessages, 1, 1, maxBatch)
	if !ok {
		return receiveOutput{}, poll{}, errParameter(limit, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
	}
	visibility, ok := secondsWithin(in.VisibilityTimeout, q.visibility, maxVisibility)
	if !ok {
		return receiveOutput{}, poll{}, errParameter(*in.VisibilityTimeout, "VisibilityTimeout", "Must be between 0 and 43200, if provided.")
	}
	wait, ok := secondsWithin(in.WaitTimeSeconds, q.wait, maxWait)
	if !ok {
		return receiveOutput{}, poll{}, errParameter(*in.WaitTimeSeconds, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")
	}
	now := s.now()
	if c.clientGone() {
		return receiveOutput{}, poll{}, nil
	}
	taken, err := s.take(q, int(limit), visibility, wait, now)
	if err != nil {
		return receiveOutput{}, poll{}, err
	}
	out := receiveOutput{}
	for _, t := range taken {
		out.Messages = append(out.Messages, q.describe(t.message, slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames)))
	}
	c.undo = func() { s.giveBack(q, taken) }
	p := poll{wait: wait, changed: q.changed}
	if next := q.nextVisible(now); !next.IsZero() {
		p.nextVisible = next.Sub(now)
	}
	return out, p, nil
}

// taken is a message that was received, by which handle, and what it was before.
type taken struct {
	message *message
	handle  uint64
	before  message
}

// take receives up to limit messages, and passes those that were received too often to the dead-letter queue.
func (s *SQS) take(q *queue, limit int, visibility, wait time.Duration, now time.Time) ([]taken, *SQSError) {
	_, inFlight, _ := q.depth(now)
	if inFlight >= maxInFlight {
		if wait > 0 {
			return nil, nil
		}
		return nil, &SQSError{Status: 403, Code: "OverLimit", Message: "Too many messages in flight."}
	}
	var got []taken
	for _, m := range slices.Clone(q.messages) {
		if len(got) == limit {
			break
		}
		if !m.visible(now) {
			continue
		}
		if q.exhausted(m) && s.redrive(q, m, now) {
			continue
		}
		s.serial++
		got = append(got, taken{message: m, handle: s.serial, before: *m})
		m.handle = s.serial
		m.receives++
		m.received = now
		m.visibleAt = now.Add(visibility)
		if m.firstReceived.IsZero() {
			m.firstReceived = now
		}
	}
	return got, nil
}

// redrive moves a message to the dead-letter queue and says whether there is one.
func (s *SQS) redrive(q *queue, m *message, now time.Time) bool {
	dead := s.queueByARN(q.redrive.DeadLetterTargetARN)
	if dead == nil {
		return false
	}
	q.remove(m)
	moved := *m
	moved.handle = 0
	moved.visibleAt = now
	moved.source = q.arn
	dead.add(&moved)
	return true
}

// giveBack undoes a receive whose answer did not arrive.
func (s *SQS) giveBack(q *queue, got []taken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range got {
		if t.message.handle == t.handle {
			*t.message = t.before
		}
	}
	q.wake()
}

func (q *queue) describe(m *message, names []string) receivedMessage {
	all := map[string]string{
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.firstReceived.UnixMilli(), 10),
		"ApproximateReceiveCount":          strconv.Itoa(m.receives),
		"SenderId":                         "AIDAIENQZJOLO23YVJ4VO",
		"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
	}
	if m.source != "" {
		all["DeadLetterQueueSourceArn"] = m.source
	}
	attributes := map[string]string{}
	for name, value := range all {
		if slices.Contains(names, "All") || slices.Contains(names, name) {
			attributes[name] = value
		}
	}
	return receivedMessage{
		MessageID:     m.id,
		ReceiptHandle: q.receiptHandle(m),
		MD5OfBody:     m.md5,
		Body:          m.body,
		Attributes:    attributes,
	}
}

func valueWithin(given *int32, fallback, low, high int32) (int32, bool) {
	if given == nil {
		return fallback, true
	}
	return *given, *given >= low && *given <= high
}

func secondsWithin(given *int32, fallback, high time.Duration) (time.Duration, bool) {
	if given == nil {
		return fallback, true
	}
	d := time.Duration(*given) * time.Second
	return d, d >= 0 && d <= high
}
