package objstore

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

const bucket = "flow-logs"

// fault answers one request in place of the store.
type fault func(w http.ResponseWriter, r *http.Request, store http.Handler)

// store is an S3 server whose answers to the reading of objects can be spoiled
// one by one.
type store struct {
	t      *testing.T
	mem    http.Handler
	server *httptest.Server

	mu       sync.Mutex
	faults   []fault
	requests []*http.Request
}

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{t: t, mem: gofakes3.New(s3mem.New()).Server()}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	if _, err := s.client("us-east-1").CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		s.mem.ServeHTTP(w, r)
		return
	}
	s.mu.Lock()
	s.requests = append(s.requests, r)
	var f fault
	if len(s.faults) > 0 {
		f, s.faults = s.faults[0], s.faults[1:]
	}
	s.mu.Unlock()
	if f == nil {
		s.mem.ServeHTTP(w, r)
		return
	}
	f(w, r, s.mem)
}

// spoil adds the faults of the next requests; nil is an answer without one.
func (s *store) spoil(faults ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// heal forgets the faults that no request has met.
func (s *store) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// seen returns all requests for objects so far.
func (s *store) seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// headers returns a header of all requests for objects so far.
func (s *store) headers(name string) []string {
	var values []string
	for _, r := range s.seen() {
		values = append(values, r.Header.Get(name))
	}
	return values
}

func (s *store) options(region string) s3.Options {
	return s3.Options{
		Region:       region,
		BaseEndpoint: &s.server.URL,
		UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
		}),
		HTTPClient:                 awshttp.NewBuildableClient(),
		Retryer:                    aws.NopRetryer{},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
}

func (s *store) client(region string) *s3.Client {
	return s3.New(s.options(region))
}

// put writes an object and returns what its notification would say.
func (s *store) put(key string, content []byte) s3event.Object {
	s.t.Helper()
	_, err := s.client("us-east-1").PutObject(context.WithoutCancel(s.t.Context()), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(content), ContentEncoding: aws.String("gzip"),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	sum := md5.Sum(content)
	return s3event.Object{Bucket: bucket, Key: key, Size: int64(len(content)), ETag: hex.EncodeToString(sum[:])}
}

// opened is an S3 whose clock stands still, and what it slept.
type opened struct {
	*S3
	slept  []time.Duration
	timers *timers
}

func (s *store) open(cfg Config) *opened {
	return openWith(func(region string) API {
		if region == "" {
			region = "us-east-1"
		}
		return s.client(region)
	}, cfg)
}

func openWith(client func(region string) API, cfg Config) *opened {
	o := &opened{S3: NewS3(client, slog.New(slog.DiscardHandler), cfg), timers: &timers{}}
	o.sleep = func(ctx context.Context, d time.Duration) error {
		o.slept = append(o.slept, d)
		return ctx.Err()
	}
	o.afterFunc = o.timers.afterFunc
	return o
}

// timers are timers that run down when the test says so.
type timers struct {
	mu  sync.Mutex
	all []*manualTimer
}

type manualTimer struct {
	timers *timers
	f      func()
	active bool
	// inBody is set when the timer watches a body and no longer the answer.
	inBody bool
}

func (ts *timers) afterFunc(_ time.Duration, f func()) timer {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := &manualTimer{timers: ts, f: f, active: true}
	ts.all = append(ts.all, t)
	return t
}

func (t *manualTimer) set(active bool) bool {
	t.timers.mu.Lock()
	defer t.timers.mu.Unlock()
	was := t.active
	t.active = active
	return was
}

func (t *manualTimer) Reset(time.Duration) bool {
	t.timers.mu.Lock()
	t.inBody = true
	t.timers.mu.Unlock()
	return t.set(true)
}

func (t *manualTimer) Stop() bool { return t.set(false) }

func (ts *timers) active() int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	n := 0
	for _, t := range ts.all {
		if t.active {
			n++
		}
	}
	return n
}

// runDown fires what is active, of those that watch a body or of those that
// watch an answer, until the request under way notices.
func (ts *timers) runDown(request context.Context, inBody bool) {
	for request.Err() == nil {
		ts.mu.Lock()
		var due []func()
		for _, t := range ts.all {
			if t.active && t.inBody == inBody {
				t.active = false
				due = append(due, t.f)
			}
		}
		ts.mu.Unlock()
		for _, f := range due {
			f()
		}
		select {
		case <-request.Done():
		case <-time.After(time.Millisecond):
		}
	}
}

// limited passes on a number of bytes of a body and drops the rest.
type limited struct {
	http.ResponseWriter
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	if _, err := l.ResponseWriter.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// cut breaks the connection after some bytes of the body.
func cut(after int) fault {
	return func(w http.ResponseWriter, r *http.Request, store http.Handler) {
		store.ServeHTTP(&limited{w, after}, r)
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(err)
		}
		panic(http.ErrAbortHandler)
	}
}

// short ends the body in good order after some bytes.
func short(after int) fault {
	return func(w http.ResponseWriter, r *http.Request, store http.Handler) {
		store.ServeHTTP(&limited{w, after}, r)
	}
}

// stall sends some bytes of the body, or not even a header for a negative
// number, and then nothing until the client gives up.
func stall(after int, ts *timers) fault {
	return func(w http.ResponseWriter, r *http.Request, store http.Handler) {
		if after >= 0 {
			store.ServeHTTP(&limited{w, after}, r)
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
		}
		ts.runDown(r.Context(), after >= 0)
	}
}

// refuse answers with an error of S3's.
func refuse(status int, code string, header ...string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		if code != "" {
			_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>told by the test</Message></Error>`, code)
		}
	}
}

// answer sends a body of the test's own.
func answer(status int, body string, header ...string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// readAll reads an object to its end and closes it.
func readAll(t *testing.T, r *Reader) ([]byte, error) {
	t.Helper()
	before := r.BytesRead()
	content, err := io.ReadAll(r)
	if int64(len(content)) != r.BytesRead()-before {
		t.Errorf("%d bytes read, but BytesRead grew from %d to %d", len(content), before, r.BytesRead())
	}
	if errors.Is(err, io.EOF) {
		t.Errorf("a failure can be taken for the end of the object: %v", err)
	}
	if err != nil {
		if n, again := r.Read(make([]byte, 1)); n != 0 || !errors.Is(again, err) {
			t.Errorf("a read after error %v returns %d and %v", err, n, again)
		}
	}
	if err := r.Close(); err != nil {
		t.Logf("close: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	return content, err
}

// wantOutcome checks what an error means to a caller.
func wantOutcome(t *testing.T, err, want error, reason string, transient bool) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
	if got := Reason(err); got != reason {
		t.Errorf("reason is %q, want %q, of: %v", got, reason, err)
	}
	if got := Transient(err); got != transient {
		t.Errorf("transient is %v, want %v, of: %v", got, transient, err)
	}
}

// pattern returns bytes of which no piece looks like another.
func pattern(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%08d ", i)
	}
	return b.Bytes()[:n]
}
