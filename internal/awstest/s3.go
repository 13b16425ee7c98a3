package awstest

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

// S3 is an S3 server that keeps its objects in memory. It is an http.Handler for path-style requests
// and is safe for concurrent use. It accepts any credentials.
type S3 struct {
	region  string
	now     func() time.Time
	backend *s3mem.Backend
	handler http.Handler

	mu        sync.Mutex
	hook      S3Hook
	requests  map[string]int
	sequencer uint64
}

// S3Request is what a hook learns of a request before it is answered.
type S3Request struct {
	// Operation is the S3 action: GetObject, HeadObject, PutObject, ListObjectsV2 and so on.
	Operation string
	// Bucket and Key are decoded, and empty where the operation has none.
	Bucket, Key string
	// Range is the Range header.
	Range string
	// Number counts the requests of this operation from 1, this one included.
	Number int
}

// S3Hook decides how one request is answered: nil means properly. It runs before the request touches
// anything, holding no lock, concurrently with itself, so it may call S3.Put to replace an object
// between two requests.
type S3Hook func(S3Request) S3Fault

// NewS3 returns an S3 server without buckets. It owns no goroutine and needs no closing.
func NewS3(opts Options) *S3 {
	opts = opts.withDefaults()
	s := &S3{region: opts.Region, now: opts.Now, requests: map[string]int{}}
	clock := timeSource(opts.Now)
	s.backend = s3mem.New(s3mem.WithTimeSource(clock))
	s.handler = &oneWrite{next: gofakes3.New(s.backend, gofakes3.WithTimeSource(clock)).Server()}
	return s
}

// SetHook installs the hook for all later requests; nil removes it.
func (s *S3) SetHook(hook S3Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// Requests returns how many requests of an operation have come, failed ones included.
func (s *S3) Requests(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[operation]
}

// ServeHTTP answers one S3 request.
func (s *S3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A client that S3 has refused because of its clock learns of S3's by this.
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	request := S3Request{
		Operation: s3Operation(r, bucket, key),
		Bucket:    bucket,
		Key:       key,
		Range:     r.Header.Get("Range"),
	}
	s.mu.Lock()
	s.requests[request.Operation]++
	request.Number = s.requests[request.Operation]
	hook := s.hook
	s.mu.Unlock()
	if hook != nil {
		if fault := hook(request); fault != nil {
			fault(w, r, s.handler)
			return
		}
	}
	s.handler.ServeHTTP(w, r)
}

// CreateBucket makes an empty bucket; one that exists is an error.
func (s *S3) CreateBucket(ctx context.Context, bucket string) error {
	if err := s.backend.CreateBucket(ctx, bucket); err != nil {
		return fmt.Errorf("create bucket %q: %w", bucket, err)
	}
	return nil
}

// Put stores an object, replacing the one that has the key, and describes it for the event bodies. It
// does not go through HTTP: no hook sees it and no request is counted. The body may be reused.
func (s *S3) Put(ctx context.Context, bucket, key string, body []byte) (Object, error) {
	if _, err := s.backend.PutObject(ctx, bucket, key, map[string]string{}, bytes.NewReader(body), int64(len(body))); err != nil {
		return Object{}, fmt.Errorf("put object %q in bucket %q: %w", key, bucket, err)
	}
	s.mu.Lock()
	s.sequencer++
	sequencer := s.sequencer
	s.mu.Unlock()
	sum := md5.Sum(body)
	return Object{
		Bucket:    bucket,
		Key:       key,
		Size:      int64(len(body)),
		ETag:      hex.EncodeToString(sum[:]),
		Sequencer: fmt.Sprintf("%018X", sequencer),
		Region:    s.region,
		Time:      s.now(),
	}, nil
}

// s3Operation names the action of a path-style request, "Other" if it is none that this project uses.
func s3Operation(r *http.Request, bucket, key string) string {
	query := r.URL.Query()
	switch {
	case bucket == "":
		return "ListBuckets"
	case key == "":
		return bucketOperation(r.Method, query)
	default:
		return objectOperation(r, query)
	}
}

func bucketOperation(method string, query url.Values) string {
	switch {
	case method == http.MethodGet && query.Get("list-type") == "2":
		return "ListObjectsV2"
	case method == http.MethodGet && query.Has("location"):
		return "GetBucketLocation"
	case method == http.MethodGet && query.Has("versioning"):
		return "GetBucketVersioning"
	case method == http.MethodGet && query.Has("versions"):
		return "ListObjectVersions"
	case method == http.MethodGet:
		return "ListObjects"
	case method == http.MethodHead:
		return "HeadBucket"
	case method == http.MethodPut && query.Has("versioning"):
		return "PutBucketVersioning"
	case method == http.MethodPut:
		return "CreateBucket"
	case method == http.MethodDelete:
		return "DeleteBucket"
	case method == http.MethodPost && query.Has("delete"):
		return "DeleteObjects"
	default:
		return "Other"
	}
}

func objectOperation(r *http.Request, query url.Values) string {
	switch {
	case query.Has("uploadId") || query.Has("uploads"):
		return "MultipartUpload"
	case r.Method == http.MethodGet:
		return "GetObject"
	case r.Method == http.MethodHead:
		return "HeadObject"
	case r.Method == http.MethodPut && r.Header.Get("x-amz-copy-source") != "":
		return "CopyObject"
	case r.Method == http.MethodPut:
		return "PutObject"
	case r.Method == http.MethodDelete:
		return "DeleteObject"
	default:
		return "Other"
	}
}

// timeSource makes a clock function the clock of gofakes3.
type timeSource func() time.Time

// Now implements gofakes3.TimeSource.
func (t timeSource) Now() time.Time { return t() }

// Since implements gofakes3.TimeSource.
func (t timeSource) Since(at time.Time) time.Duration { return t().Sub(at) }
