package awstest

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one request on its way through an operation.
type call struct {
	ctx     context.Context
	baseURL string
	body    []byte
	fault   SQSFault
	undo    func() // set if a lost answer must leave nothing behind
}

func (c *call) clientGone() bool { return c.ctx.Err() != nil }

// takeBack undoes what was done for a client that did not get the answer.
func (c *call) takeBack() {
	if c.undo != nil {
		c.undo()
	}
}

type operation func(*SQS, *call) (any, *SQSError)

// empty is the answer of operations that have nothing to tell.
type empty struct{}

func operations() map[string]operation {
	return map[string]operation{
		"ChangeMessageVisibility":      locked((*SQS).changeMessageVisibility),
		"ChangeMessageVisibilityBatch": locked((*SQS).changeMessageVisibilityBatch),
		"CreateQueue":                  locked((*SQS).createQueueOperation),
		"DeleteMessage":                locked((*SQS).deleteMessage),
		"DeleteMessageBatch":           locked((*SQS).deleteMessageBatch),
		"DeleteQueue":                  locked((*SQS).deleteQueue),
		"GetQueueAttributes":           locked((*SQS).getQueueAttributes),
		"GetQueueUrl":                  locked((*SQS).getQueueURL),
		"ListQueues":                   locked((*SQS).listQueues),
		"PurgeQueue":                   locked((*SQS).purgeQueue),
		"ReceiveMessage":               decoded((*SQS).receiveMessage),
		"SendMessage":                  locked((*SQS).sendMessage),
		"SendMessageBatch":             locked((*SQS).sendMessageBatch),
		"SetQueueAttributes":           locked((*SQS).setQueueAttributes),
		"StartMessageMoveTask":         locked((*SQS).startMessageMoveTask),
	}
}

func decoded[In any](do func(*SQS, *call, In) (any, *SQSError)) operation {
	return func(s *SQS, c *call) (any, *SQSError) {
		var in In
		if err := json.Unmarshal(c.body, &in); err != nil {
			return nil, sqsErrorf("SerializationException", "The body is not what the operation takes: %v.", err)
		}
		return do(s, c, in)
	}
}

func locked[In any](do func(*SQS, *call, In) (any, *SQSError)) operation {
	return decoded(func(s *SQS, c *call, in In) (any, *SQSError) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return do(s, c, in)
	})
}

func (s *SQS) queue(url string) (*queue, *SQSError) {
	if url == "" {
		return nil, errMissing("QueueUrl")
	}
	q, ok := s.queues[queueName(url)]
	if !ok {
		return nil, errQueueDoesNotExist()
	}
	return q, nil
}

func (s *SQS) queueByARN(arn string) *queue {
	for _, q := range s.queues {
		if q.arn == arn {
			return q
		}
	}
	return nil
}

func (s *SQS) queueExists(arn string) bool { return s.queueByARN(arn) != nil }

type nameInput struct {
	QueueName  string            `json:"QueueName"`
	Attributes map[string]string `json:"Attributes"`
}

type urlInput struct {
	QueueURL       string            `json:"QueueUrl"`
	AttributeNames []string          `json:"AttributeNames"`
	Attributes     map[string]string `json:"Attributes"`
}

type urlOutput struct {
	QueueURL string `json:"QueueUrl"`
}

func (s *SQS) createQueueOperation(c *call, in nameInput) (any, *SQSError) {
	if !c.fault.Swallow {
		if err := s.createQueue(in.QueueName, in.Attributes); err != nil {
			return nil, err
		}
	}
	return urlOutput{queueURL(c.baseURL, in.QueueName)}, nil
}

var queueNamePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func (s *SQS) createQueue(name string, attributes map[string]string) *SQSError {
	if !queueNamePattern.MatchString(name) {
		return errParameter(name, "QueueName", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.")
	}
	if q, ok := s.queues[name]; ok {
		for attribute, value := range attributes {
			if q.raw[attribute] != value {
				return sqsErrorf("QueueNameExists", "A queue already exists with the same name and a different value for attribute %s.", attribute)
			}
		}
		return nil
	}
	set, err := parseAttributes(defaultAttributes(), attributes, s.queueExists)
	if err != nil {
		return err
	}
	s.queues[name] = newQueue(name, s.region, set, s.now())
	return nil
}

func (s *SQS) deleteQueue(c *call, in urlInput) (any, *SQSError) {
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if !c.fault.Swallow {
		delete(s.queues, q.name)
		q.wake()
	}
	return empty{}, nil
}

func (s *SQS) purgeQueue(c *call, in urlInput) (any, *SQSError) {
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if !c.fault.Swallow {
		q.messages = nil
	}
	return empty{}, nil
}

func (s *SQS) getQueueURL(c *call, in nameInput) (any, *SQSError) {
	if _, ok := s.queues[in.QueueName]; !ok {
		return nil, errQueueDoesNotExist()
	}
	return urlOutput{queueURL(c.baseURL, in.QueueName)}, nil
}

type listInput struct {
	QueueNamePrefix string `json:"QueueNamePrefix"`
	MaxResults      *int32 `json:"MaxResults"`
	NextToken       string `json:"NextToken"`
}

type listOutput struct {
	QueueURLs []string `json:"QueueUrls,omitempty"`
	NextToken string   `json:"NextToken,omitempty"`
}

// listQueues tells queues in the order of their names; the token is the last name told.
func (s *SQS) listQueues(c *call, in listInput) (any, *SQSError) {
	limit, ok := valueWithin(in.MaxResults, 1000, 1, 1000)
	if !ok {
		return nil, errParameter(limit, "MaxResults", "MaxResults must be an integer between 1 and 1000.")
	}
	var out listOutput
	last := ""
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		if !strings.HasPrefix(name, in.QueueNamePrefix) || name <= in.NextToken {
			continue
		}
		if len(out.QueueURLs) == int(limit) {
			out.NextToken = last
			break
		}
		out.QueueURLs = append(out.QueueURLs, queueURL(c.baseURL, name))
		last = name
	}
	return out, nil
}

func (s *SQS) getQueueAttributes(_ *call, in urlInput) (any, *SQSError) {
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	attributes, err := q.attributes(in.AttributeNames, s.now())
	if err != nil {
		return nil, err
	}
	return struct {
		Attributes map[string]string `json:"Attributes,omitempty"`
	}{attributes}, nil
}

func (s *SQS) setQueueAttributes(c *call, in urlInput) (any, *SQSError) {
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	set, err := parseAttributes(q.raw, in.Attributes, s.queueExists)
	if err != nil {
		return nil, err
	}
	if !c.fault.Swallow {
		q.settings = set
		q.modified = s.now()
		q.wake()
	}
	return empty{}, nil
}

type sendEntry struct {
	ID                string                     `json:"Id"`
	QueueURL          string                     `json:"QueueUrl"`
	MessageBody       string                     `json:"MessageBody"`
	DelaySeconds      *int32                     `json:"DelaySeconds"`
	MessageAttributes map[string]json.RawMessage `json:"MessageAttributes"`
}

func (e sendEntry) entryID() string { return e.ID }

type sentMessage struct {
	ID               string `json:"Id,omitempty"`
	MessageID        string `json:"MessageId"`
	MD5OfMessageBody string `json:"MD5OfMessageBody"`
}

func (s *SQS) sendMessage(c *call, in sendEntry) (any, *SQSError) {
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if c.fault.Swallow {
		return s.sent(in), nil
	}
	return asAny(s.send(q, in))
}

// send puts a message into the queue.
func (s *SQS) send(q *queue, e sendEntry) (sentMessage, *SQSError) {
	if e.MessageBody == "" {
		return sentMessage{}, errMissing("MessageBody")
	}
	if len(e.MessageAttributes) > 0 {
		return sentMessage{}, sqsErrorf("UnsupportedOperation", "Message attributes are not simulated.")
	}
	if len(e.MessageBody) > q.maxBody {
		return sentMessage{}, sqsErrorf("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", q.maxBody)
	}
	if strings.ContainsFunc(e.MessageBody, forbiddenRune) {
		return sentMessage{}, sqsErrorf("InvalidMessageContents", "The message contains characters outside the allowed set.")
	}
	delay, ok := secondsWithin(e.DelaySeconds, q.delay, maxDelay)
	if !ok {
		return sentMessage{}, errParameter(*e.DelaySeconds, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
	}
	sent := s.sent(e)
	q.add(newMessage(s.serial, e.MessageBody, s.now(), delay))
	return sent, nil
}

// sent counts a message and returns the answer to the one who sent it.
func (s *SQS) sent(e sendEntry) sentMessage {
	s.serial++
	m := newMessage(s.serial, e.MessageBody, time.Time{}, 0)
	return sentMessage{ID: e.ID, MessageID: m.id, MD5OfMessageBody: m.md5}
}

// forbiddenRune is the set of characters that SQS refuses: those that XML 1.0 does not have.
func forbiddenRune(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

type handleEntry struct {
	ID                string `json:"Id"`
	QueueURL          string `json:"QueueUrl"`
	ReceiptHandle     string `json:"ReceiptHandle"`
	VisibilityTimeout *int32 `json:"VisibilityTimeout"`
}

func (e handleEntry) entryID() string { return e.ID }

func (s *SQS) deleteMessage(c *call, in handleEntry) (any, *SQSError) {
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if c.fault.Swallow {
		return empty{}, nil
	}
	return empty{}, q.delete(in.ReceiptHandle)
}

func (s *SQS) changeMessageVisibility(c *call, in handleEntry) (any, *SQSError) {
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if in.VisibilityTimeout == nil {
		return nil, errMissing("VisibilityTimeout")
	}
	if c.fault.Swallow {
		return empty{}, nil
	}
	return empty{}, q.changeVisibility(in.ReceiptHandle, *in.VisibilityTimeout, s.now())
}

type moveInput struct {
	SourceARN      string `json:"SourceArn"`
	DestinationARN string `json:"DestinationArn"`
}

type moveOutput struct {
	TaskHandle string `json:"TaskHandle"`
}

// startMessageMoveTask moves the visible messages of a dead-letter queue back, at once. They become
// new messages, with a new id, time and receive count.
func (s *SQS) startMessageMoveTask(c *call, in moveInput) (any, *SQSError) {
	source := s.queueByARN(in.SourceARN)
	if source == nil {
		return nil, &SQSError{Status: 404, Code: "ResourceNotFoundException", Message: "The resource that you specified for the SourceArn parameter doesn't exist."}
	}
	if !s.isDeadLetterQueue(in.SourceARN) {
		return nil, errParameter(in.SourceARN, "SourceArn", "Source queue must be configured as a Dead Letter Queue.")
	}
	if in.DestinationARN != "" && !s.queueExists(in.DestinationARN) {
		return nil, &SQSError{Status: 404, Code: "ResourceNotFoundException", Message: "The resource that you specified for the DestinationArn parameter doesn't exist."}
	}
	s.serial++
	out := moveOutput{TaskHandle: "task-" + strconv.FormatUint(s.serial, 10)}
	if c.fault.Swallow {
		return out, nil
	}
	now := s.now()
	source.expire(now)
	for _, m := range slices.Clone(source.messages) {
		destination := s.queueByARN(in.DestinationARN)
		if in.DestinationARN == "" {
			destination = s.queueByARN(m.source)
		}
		if destination == nil || !m.visible(now) {
			continue
		}
		source.remove(m)
		s.serial++
		destination.add(newMessage(s.serial, m.body, now, 0))
	}
	return out, nil
}

func (s *SQS) isDeadLetterQueue(arn string) bool {
	for _, q := range s.queues {
		if q.redrive != nil && q.redrive.DeadLetterTargetARN == arn {
			return true
		}
	}
	return false
}

// asAny gives a result the type that all operations return.
func asAny[T any](v T, err *SQSError) (any, *SQSError) { return v, err }
