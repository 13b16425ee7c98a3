package awstest

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// queue is one queue. The server's lock guards it.
type queue struct {
	settings
	name, arn         string
	created, modified time.Time
	messages          []*message // in the order in which they came
	changed           chan struct{}
}

// message is one message in one queue.
type message struct {
	id, body, md5 string
	sent          time.Time // survives the way to a dead-letter queue, as its receives do
	firstReceived time.Time
	received      time.Time // of the latest receive: the 12 hours count from here
	visibleAt     time.Time
	receives      int
	handle        uint64 // of the latest receive from this queue, zero before it
	source        string // ARN of the queue that gave it up, in a dead-letter queue
}

func newQueue(name, region string, set settings, now time.Time) *queue {
	return &queue{
		settings: set,
		name:     name,
		arn:      "arn:aws:sqs:" + region + ":" + AccountID + ":" + name,
		created:  now,
		modified: now,
		changed:  make(chan struct{}),
	}
}

func newMessage(serial uint64, body string, now time.Time, delay time.Duration) *message {
	sum := md5.Sum([]byte(body))
	return &message{
		id:        fmt.Sprintf("00000000-0000-4000-8000-%012x", serial),
		body:      body,
		md5:       hex.EncodeToString(sum[:]),
		sent:      now,
		visibleAt: now.Add(delay),
	}
}

func (m *message) visible(now time.Time) bool  { return !m.visibleAt.After(now) }
func (m *message) inFlight(now time.Time) bool { return m.handle != 0 && !m.visible(now) }

// wake makes waiting polls look again.
func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *queue) add(m *message) {
	q.messages = append(q.messages, m)
	q.wake()
}

func (q *queue) remove(m *message) {
	if i := slices.Index(q.messages, m); i >= 0 {
		q.messages = slices.Delete(q.messages, i, i+1)
	}
}

// expire drops what is older than the retention period, in flight or not.
func (q *queue) expire(now time.Time) {
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool {
		return now.Sub(m.sent) >= q.retention
	})
}

func (q *queue) depth(now time.Time) (visible, inFlight, delayed int) {
	q.expire(now)
	for _, m := range q.messages {
		switch {
		case m.visible(now):
			visible++
		case m.inFlight(now):
			inFlight++
		default:
			delayed++
		}
	}
	return visible, inFlight, delayed
}

// nextVisible returns when the first hidden message comes into view, zero if none is hidden.
func (q *queue) nextVisible(now time.Time) time.Time {
	var next time.Time
	for _, m := range q.messages {
		if !m.visible(now) && (next.IsZero() || m.visibleAt.Before(next)) {
			next = m.visibleAt
		}
	}
	return next
}

// exhausted says whether the redrive policy takes a message instead of another receive.
func (q *queue) exhausted(m *message) bool {
	return q.redrive != nil && m.receives >= q.redrive.maxReceives
}

// receiptHandle names one receive of one message from one queue.
func (q *queue) receiptHandle(m *message) string {
	return base64.URLEncoding.EncodeToString([]byte(q.arn + "|" + m.id + "|" + strconv.FormatUint(m.handle, 10)))
}

// find returns the message that a handle names, nil if it is deleted or was received again since. A
// handle that this queue cannot have given out is an error.
func (q *queue) find(handle string) (*message, *SQSError) {
	decoded, err := base64.URLEncoding.DecodeString(handle)
	parts := strings.Split(string(decoded), "|")
	if err != nil || len(parts) != 3 || parts[0] != q.arn {
		return nil, sqsErrorf("ReceiptHandleIsInvalid", "The input receipt handle %q is not a valid receipt handle.", handle)
	}
	for _, m := range q.messages {
		if m.id == parts[1] && strconv.FormatUint(m.handle, 10) == parts[2] {
			return m, nil
		}
	}
	return nil, nil
}

// delete removes the message that a handle names. As in SQS, an old handle deletes nothing and is told
// that all went well.
func (q *queue) delete(handle string) *SQSError {
	m, err := q.find(handle)
	if err != nil {
		return err
	}
	if m != nil {
		q.remove(m)
	}
	return nil
}

// changeVisibility hides the message that a handle names for so long from now.
func (q *queue) changeVisibility(handle string, seconds int32, now time.Time) *SQSError {
	timeout := time.Duration(seconds) * time.Second
	if timeout < 0 || timeout > maxVisibility {
		return errParameter(seconds, "VisibilityTimeout", "VisibilityTimeout must be between 0 and 43200.")
	}
	m, err := q.find(handle)
	if err != nil {
		return err
	}
	if m == nil {
		return errParameter(handle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change.")
	}
	if !m.inFlight(now) {
		return sqsErrorf("MessageNotInflight", "The specified message isn't in flight.")
	}
	if now.Add(timeout).After(m.received.Add(maxVisibility)) {
		return errParameter(seconds, "VisibilityTimeout", "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].")
	}
	m.visibleAt = now.Add(timeout)
	q.wake()
	return nil
}
