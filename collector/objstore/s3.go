package objstore

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
	"github.com/vpcflow/vpcflow_exporter/internal/backoff"
)

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
	// AWS has some forty regions.
	maxClients = 100
	// One queue tells of one bucket, or a few.
	maxBuckets = 10_000
)

// bucketPattern admits bucket names, those of old buckets in us-east-1
// included, and keeps out ARNs, which the SDK would take for access points.
var bucketPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$`)

// regionPattern keeps what a message or a response calls a region from becoming
// part of a host name unseen.
var regionPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+){1,5}$`)

// API is what is used of *s3.Client.
type API interface {
	GetObject(ctx context.Context, input *s3.GetObjectInput, options ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// S3 opens objects in S3 and in stores that speak its protocol. It is safe for
// concurrent use.
type S3 struct {
	newClient func(region string) API
	logger    *slog.Logger
	cfg       Config

	mu      sync.Mutex
	clients map[string]API
	regions map[string]string

	// Tests replace these two.
	sleep     func(ctx context.Context, d time.Duration) error
	afterFunc func(d time.Duration, f func()) timer
}

// timer is what is used of *time.Timer.
type timer interface {
	Reset(d time.Duration) bool
	Stop() bool
}

// NewS3 returns an S3 that takes its clients from client, which is called once
// per region and with "" for the default region. The clients must not bound the
// whole of a request by a timeout, as a body may take as long as it needs.
func NewS3(client func(region string) API, logger *slog.Logger, cfg Config) *S3 {
	return &S3{
		newClient: client,
		logger:    logger,
		cfg:       cfg,
		clients:   make(map[string]API),
		regions:   make(map[string]string),
		sleep:     sleep,
		afterFunc: func(d time.Duration, f func()) timer { return time.AfterFunc(d, f) },
	}
}

// Open requests an object and returns its body as soon as S3 has begun to
// answer. The body lives as long as ctx. The caller closes the Reader.
//
// The object's region is only the first guess: if S3 names another one for the
// bucket, the request is repeated there once and the region kept for the bucket.
//
// The request names no version, as that would need s3:GetObjectVersion in place
// of s3:GetObject, and reads what is there now: the Reader's ETag says what that
// is.
func (s *S3) Open(ctx context.Context, object s3event.Object) (*Reader, error) {
	r, err := s.open(ctx, object)
	if err != nil {
		return nil, fmt.Errorf("get object %q of bucket %q: %w", object.Key, object.Bucket, err)
	}
	return r, nil
}

func (s *S3) open(ctx context.Context, object s3event.Object) (*Reader, error) {
	if !bucketPattern.MatchString(object.Bucket) {
		return nil, fmt.Errorf("%w: not a name of a bucket", ErrNoSuchBucket)
	}
	st := &stream{s3: s, ctx: ctx, bucket: object.Bucket, key: object.Key, size: -1}
	region := s.regionOf(object)
	st.api = s.client(region)
	out, err := st.get(&s3.GetObjectInput{Bucket: &object.Bucket, Key: &object.Key})
	if other := otherRegion(err, region); other != "" {
		s.learn(object.Bucket, other)
		st.api = s.client(other)
		out, err = st.get(&s3.GetObjectInput{Bucket: &object.Bucket, Key: &object.Key})
	}
	if err != nil {
		return nil, err
	}
	st.ifMatch = aws.ToString(out.ETag)
	etag := strings.Trim(st.ifMatch, `"`)
	switch {
	case out.ContentLength != nil:
		st.size = *out.ContentLength
	case etag != "" && etag == object.ETag:
		st.size = object.Size
	}
	return &Reader{body: st, size: st.size, etag: etag}, nil
}

// regionOf returns the region to ask first: the one learned for the bucket, else
// the notification's, else "".
func (s *S3) regionOf(object s3event.Object) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if region, ok := s.regions[object.Bucket]; ok {
		return region
	}
	if regionPattern.MatchString(object.Region) {
		return object.Region
	}
	return ""
}

func (s *S3) learn(bucket, region string) {
	s.mu.Lock()
	known := s.regions[bucket] == region
	if !known && len(s.regions) >= maxBuckets {
		clear(s.regions)
	}
	s.regions[bucket] = region
	s.mu.Unlock()
	if !known {
		s.logger.Info("Learned region of bucket", "bucket", bucket, "region", region)
	}
}

func (s *S3) client(region string) API {
	s.mu.Lock()
	defer s.mu.Unlock()
	api, ok := s.clients[region]
	if !ok {
		// The regions are what messages say. Streams under way keep their clients.
		if len(s.clients) >= maxClients {
			clear(s.clients)
		}
		api = s.newClient(region)
		s.clients[region] = api
	}
	return api
}

// sleep waits, but not longer than ctx lives.
func sleep(ctx context.Context, d time.Duration) error {
	if !backoff.Sleep(ctx, d) {
		return ctx.Err()
	}
	return nil
}
