package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// visibilitySeconds is the exporter's visibility timeout, the least that it takes.
const visibilitySeconds = 10

// Faults that any request of SQS may meet, per mill.
var anyChances = []chance{
	{"sqs_unavailable", 8},    // Status 503.
	{"sqs_internal_error", 6}, // Status 500.
	{"sqs_throttled", 6},      // Status 400, RequestThrottled.
	{"sqs_too_many", 4},       // Status 429.
}

// Faults of single operations, per mill.
var sqsChances = map[string][]chance{
	"ReceiveMessage": {
		{"receive_answer_lost", 15}, // The messages are received, and the answer gets lost.
	},
	"DeleteMessageBatch": {
		{"delete_answer_lost", 80},    // The messages are deleted, and the answer gets lost.
		{"delete_without_effect", 50}, // The answer says deleted, and they are not.
		{"delete_entry_failed", 80},   // Some are not deleted, and the answer says so.
	},
	"ChangeMessageVisibility": {
		{"visibility_answer_lost", 50},
		{"visibility_handle_refused", 50},
	},
}

// Faults of the connection and of the queue, per mill.
var linkChances = []chance{
	{"sqs_reset", 6},           // The connection is reset in place of an answer, and nothing is done.
	{"sqs_silent", 4},          // The request is not answered for long.
	{"visibility_expired", 12}, // All messages in work come into view for others.
	{"receive_reversed", 150},  // Messages come in another order, where several come.
}

// sqsHook is an awstest.SQSHook.
func (w *weather) sqsHook(r awstest.SQSRequest) awstest.SQSFault {
	own, known := sqsChances[r.Operation]
	if !known {
		return awstest.SQSFault{}
	}
	switch w.draw(slices.Concat(own, anyChances)) {
	case "sqs_unavailable":
		return awstest.SQSFault{Err: &awstest.SQSError{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"}}
	case "sqs_internal_error":
		return awstest.SQSFault{Err: &awstest.SQSError{Status: http.StatusInternalServerError, Code: "InternalError"}}
	case "sqs_throttled":
		return awstest.SQSFault{Err: &awstest.SQSError{Code: "RequestThrottled"}}
	case "sqs_too_many":
		return awstest.SQSFault{Err: &awstest.SQSError{Status: http.StatusTooManyRequests, Code: "ThrottlingException"}}
	case "receive_answer_lost", "delete_answer_lost", "visibility_answer_lost":
		return awstest.SQSFault{LoseAnswer: true}
	case "delete_without_effect":
		return awstest.SQSFault{Swallow: true}
	case "delete_entry_failed":
		return awstest.SQSFault{FailEntries: map[int]*awstest.SQSError{
			w.intN(max(r.Entries, 1)): {Status: http.StatusInternalServerError, Code: "InternalError"},
		}}
	case "visibility_handle_refused":
		return awstest.SQSFault{Err: &awstest.SQSError{Code: "ReceiptHandleIsInvalid", Message: "The input receipt handle is invalid."}}
	default:
		return awstest.SQSFault{}
	}
}

// faultySQS stands in front of SQS, knows which files a receipt handle stands for, and sees deletions.
type faultySQS struct {
	proper  http.Handler
	weather *weather
	killer  *killer
	patient bool
	// expire makes all messages in work visible.
	expire func()
	// keysOf returns the files that a message tells of.
	keysOf func(body string) []string

	mu      sync.Mutex
	handles map[string][]string
}

// ServeHTTP implements http.Handler.
func (f *faultySQS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	request, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if f.killer.saw(requestCounts, "") {
		panic(http.ErrAbortHandler)
	}
	answer := &answerWriter{ResponseWriter: w}
	switch f.weather.draw(linkChances) {
	case "sqs_reset":
		reset(w)
	case "sqs_silent":
		stall(f.weather, f.patient, r)
	case "visibility_expired":
		f.expire()
	case "receive_reversed":
		answer.change = reversed
	}
	switch operation {
	case "ReceiveMessage":
		change := answer.change
		answer.change = func(body []byte) []byte {
			f.received(body)
			if change == nil {
				return body
			}
			return change(body)
		}
	case "ChangeMessageVisibility":
		request = hurried(request)
	case "DeleteMessageBatch":
		f.deletion(answer, request)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(request)), int64(len(request))
	f.proper.ServeHTTP(answer, r)
	if operation == "DeleteMessageBatch" && f.killer.saw(deleteTold, "") {
		panic(http.ErrAbortHandler)
	}
}

// deletion watches a deletion: it may be the last that comes of its client.
func (f *faultySQS) deletion(answer *answerWriter, request []byte) {
	var batch struct {
		Entries []struct{ ReceiptHandle string }
	}
	if json.Unmarshal(request, &batch) == nil {
		for _, e := range batch.Entries {
			for _, key := range f.keys(e.ReceiptHandle) {
				f.killer.settled(key, BeforeDelete)
			}
		}
	}
	if f.killer.saw(deleteAsked, "") {
		panic(http.ErrAbortHandler)
	}
	answer.change = func(body []byte) []byte {
		if f.killer.saw(deleteDone, "") {
			panic(http.ErrAbortHandler)
		}
		return body
	}
}

// received remembers what handles stand for.
func (f *faultySQS) received(answer []byte) {
	var out struct {
		Messages []struct{ ReceiptHandle, Body string }
	}
	if json.Unmarshal(answer, &out) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range out.Messages {
		f.handles[m.ReceiptHandle] = f.keysOf(m.Body)
	}
}

func (f *faultySQS) keys(handle string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.handles[handle]
}

// hurried shortens the delay of a message that is given back, which may be 15 minutes. An extension stays.
func hurried(request []byte) []byte {
	var in map[string]any
	if json.Unmarshal(request, &in) != nil {
		return request
	}
	seconds, ok := in["VisibilityTimeout"].(float64)
	if !ok || seconds <= visibilitySeconds {
		return request
	}
	in["VisibilityTimeout"] = min(int(seconds)/60, 1)
	out, err := json.Marshal(in)
	if err != nil {
		panic(fmt.Errorf("encode request: %w", err))
	}
	return out
}

// reversed turns the order of the messages in an answer.
func reversed(answer []byte) []byte {
	var out struct {
		Messages []json.RawMessage `json:"Messages,omitempty"`
	}
	if json.Unmarshal(answer, &out) != nil || len(out.Messages) < 2 {
		return answer
	}
	slices.Reverse(out.Messages)
	turned, err := json.Marshal(out)
	if err != nil || len(turned) != len(answer) {
		return answer // The length is on its way already.
	}
	return turned
}

// An answerWriter passes an answer on that is written at once, changed. Error answers go through the same way.
type answerWriter struct {
	http.ResponseWriter
	change func([]byte) []byte
}

// Unwrap lets http.ResponseController find the connection.
func (a *answerWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Write implements io.Writer.
func (a *answerWriter) Write(p []byte) (int, error) {
	if a.change == nil {
		return a.ResponseWriter.Write(p)
	}
	n, err := a.ResponseWriter.Write(a.change(p))
	return min(n, len(p)), err
}
