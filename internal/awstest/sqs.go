package awstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// maxRequest bounds a request's body: a full batch with every byte escaped fits.
const maxRequest = 16 << 20

// SQS is a server of standard queues that keeps its messages in memory. It is an http.Handler that
// speaks AWS JSON 1.0 and is safe for concurrent use. It accepts any credentials. It has no goroutine
// of its own: what time does (visibility, delays, retention) is worked out when a request comes, and
// a long poll waits in its request. Not simulated: FIFO queues, message attributes, tags, policies,
// and the minute that AWS wants between two purges or between a queue's deletion and its return.
type SQS struct {
	region string
	now    func() time.Time
	closed chan struct{}

	waiting atomic.Int64

	mu       sync.Mutex
	isClosed bool
	hook     SQSHook
	requests map[string]int
	queues   map[string]*queue
	serial   uint64
}

// SQSRequest is what a hook learns of a request before it is answered.
type SQSRequest struct {
	// Operation is the SQS action, as ReceiveMessage or DeleteMessageBatch.
	Operation string
	// Queue is the queue's name, empty where the operation names none.
	Queue string
	// Entries is the number of entries of a batch, zero for other operations.
	Entries int
	// Number counts the requests of this operation from 1, this one included.
	Number int
}

// SQSFault says what is to go wrong with a request; the zero value is a request that goes well. Where
// several fields are set, the first in the order below counts.
type SQSFault struct {
	// Hang never answers and does nothing: the request ends when the client gives up.
	Hang bool
	// Err is answered and nothing is done.
	Err *SQSError
	// Swallow answers that all went well and does nothing: a receive gets no message, a sent or
	// deleted message is not.
	Swallow bool
	// LoseAnswer does what was asked and cuts the connection instead of answering.
	LoseAnswer bool
	// FailEntries makes entries of a batch fail, by their position; the others are done.
	FailEntries map[int]*SQSError
}

// SQSHook decides how one request is answered. It runs before the request touches anything, holding
// no lock, concurrently with itself, so it may call the server.
type SQSHook func(SQSRequest) SQSFault

// NewSQS returns a server without queues. Closing it ends the waiting polls.
func NewSQS(opts Options) *SQS {
	opts = opts.withDefaults()
	return &SQS{
		region:   opts.Region,
		now:      opts.Now,
		closed:   make(chan struct{}),
		requests: map[string]int{},
		queues:   map[string]*queue{},
	}
}

// SetHook installs the hook for all later requests; nil removes it.
func (s *SQS) SetHook(hook SQSHook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// Requests returns how many requests of an operation have come, failed ones included. A batch is one.
func (s *SQS) Requests(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[operation]
}

// Polls returns how many long polls are waiting now.
func (s *SQS) Polls() int { return int(s.waiting.Load()) }

// Wake makes waiting polls look at the clock again. It is needed after an injected clock was moved.
func (s *SQS) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		q.wake()
	}
}

// Close ends waiting polls with an error and refuses later requests. It may be called more than once.
func (s *SQS) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isClosed {
		s.isClosed = true
		close(s.closed)
	}
}

// CreateQueue makes a queue, or finds the one that has this name and these attributes, and returns its
// URL below the base URL. No hook sees it and no request is counted.
func (s *SQS) CreateQueue(baseURL, name string, attributes map[string]string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.createQueue(name, attributes); err != nil {
		return "", fmt.Errorf("create queue %q: %w", name, err)
	}
	return queueURL(baseURL, name), nil
}

// Send puts a message into the queue of this URL. No hook sees it and no request is counted.
func (s *SQS) Send(queueURL, body string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(queueURL)
	if err == nil {
		_, err = s.send(q, sendEntry{MessageBody: body})
	}
	if err != nil {
		return fmt.Errorf("send message to %q: %w", queueURL, err)
	}
	return nil
}

// Depth returns how many messages of the queue of this URL are visible, in flight and delayed, exactly.
// All are zero for a queue that does not exist.
func (s *SQS) Depth(queueURL string) (visible, inFlight, delayed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(queueURL)
	if err != nil {
		return 0, 0, 0
	}
	return q.depth(s.now())
}

// InProcessClient returns an SDK client that calls the server directly instead of through the network.
// It works inside a testing/synctest bubble, where hours pass at once.
func (s *SQS) InProcessClient(optFns ...func(*sqs.Options)) *sqs.Client {
	cfg := aws.Config{
		Region:       s.region,
		Credentials:  aws.CredentialsProviderFunc(credentials),
		BaseEndpoint: aws.String("http://sqs.in-process"),
		HTTPClient:   inProcess{s},
	}
	return sqs.NewFromConfig(cfg, optFns...)
}

// ServeHTTP answers one SQS request.
func (s *SQS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		answerError(w, sqsErrorf("InvalidRequest", "The body cannot be read: %v.", err))
		return
	}
	handle, known := operations()[operation]
	if r.Method != http.MethodPost || service != "AmazonSQS" || !known {
		answerError(w, sqsErrorf("UnknownOperationException", "The operation %q is not known.", r.Header.Get("X-Amz-Target")))
		return
	}
	call := &call{ctx: r.Context(), baseURL: "http://" + r.Host, body: body}
	call.fault = s.begin(operation, body)
	if call.fault.Hang {
		hang(r)
	}
	if call.fault.Err != nil {
		answerError(w, call.fault.Err)
		return
	}
	result, apiErr := handle(s, call)
	if call.fault.LoseAnswer {
		panic(http.ErrAbortHandler)
	}
	if call.clientGone() {
		call.takeBack()
		panic(http.ErrAbortHandler)
	}
	if apiErr != nil {
		answerError(w, apiErr)
		return
	}
	if err := answer(w, http.StatusOK, result); err != nil {
		call.takeBack()
	}
}

// begin counts a request and asks the hook about it.
func (s *SQS) begin(operation string, body []byte) SQSFault {
	var peek struct {
		QueueURL  string            `json:"QueueUrl"`
		QueueName string            `json:"QueueName"`
		Entries   []json.RawMessage `json:"Entries"`
	}
	// What does not decode is refused by the operation itself.
	_ = json.Unmarshal(body, &peek)
	request := SQSRequest{Operation: operation, Queue: peek.QueueName, Entries: len(peek.Entries)}
	if peek.QueueURL != "" {
		request.Queue = queueName(peek.QueueURL)
	}
	s.mu.Lock()
	s.requests[operation]++
	request.Number = s.requests[operation]
	hook, isClosed := s.hook, s.isClosed
	s.mu.Unlock()
	if isClosed {
		return SQSFault{Err: errClosed()}
	}
	if hook == nil {
		return SQSFault{}
	}
	return hook(request)
}

func errClosed() *SQSError {
	return &SQSError{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "The server is closed."}
}

func answerError(w http.ResponseWriter, e *SQSError) {
	fault := "Sender"
	if !e.senderFault() {
		fault = "Receiver"
	}
	w.Header().Set("x-amzn-query-error", e.queryCode()+";"+fault)
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	// A client that has gone away needs no error.
	_ = answer(w, status, errorBody{Type: "com.amazonaws.sqs#" + e.Code, Message: e.Message})
}

type errorBody struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
}

// answer writes a response through to the connection, so that an error says that it did not get there.
func answer(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encode SQS response: %w", err))
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	// With its length the answer is complete once it has arrived; in chunks, its end would come later and could get lost.
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("x-amzn-RequestId", "00000000-0000-0000-0000-000000000000")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write response: %w", err)
	}
	if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("flush response: %w", err)
	}
	return nil
}

func queueURL(baseURL, name string) string {
	return baseURL + "/" + AccountID + "/" + name
}

func queueName(queueURL string) string {
	return queueURL[strings.LastIndexByte(queueURL, '/')+1:]
}
