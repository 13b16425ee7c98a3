// Package claim lets several replicas of the exporter agree on who counts a file.
//
// A claim is an object in S3 under a key that stands for the file. It is made by a put that succeeds only if there is no such object, so that of all replicas
// one has the file, for ever: nothing takes a claim over, and no claim ends by itself. Its owner is a durable state and not a process. The owner overwrites the
// claim as done when the file is durably in its totals. As long as it has not, only the owner can know whether the file is in them, so everybody else leaves
// the file alone.
package claim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/internal/backoff"
)

// API is what is used of *s3.Client.
type API interface {
	PutObject(ctx context.Context, input *s3.PutObjectInput, options ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(ctx context.Context, input *s3.GetObjectInput, options ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	ListObjectsV2(ctx context.Context, input *s3.ListObjectsV2Input, options ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
}

// Config says where claims are and whose they are.
type Config struct {
	Bucket, Prefix string
	// Owner is 32 hexadecimal digits that belong to one durable state: whoever claims with them knows all files that were counted under them.
	Owner string
}

// A File is what an owner needs to read a file again. Identity is its identity for the recognition of duplicates, as it was read.
type File struct {
	Identity string `json:"identity"`
	Bucket   string `json:"bucket"`
	Key      string `json:"key"`
	Region   string `json:"region,omitempty"`
	ETag     string `json:"etag,omitempty"`
}

// A Standing is whose a file is.
type Standing int

// The standings. Own means that this owner may count the file, unless it has. Foreign means that only another owner knows whether it is counted. Done means that
// it is, by whomever.
const (
	Unclaimed Standing = iota
	Own
	Foreign
	Done
)

// A Claim is what an object under a file's key says.
type Claim struct {
	Standing Standing
	// Owner is empty for Unclaimed.
	Owner string
	// Key is that of the claim's object.
	Key string
}

// Claims are the claims of all replicas that share a bucket and a prefix. They are safe for concurrent use.
type Claims struct {
	config    Config
	newClient func(region string) API
	logger    *slog.Logger
	metrics   *metrics
	now       func() time.Time
	proven    atomic.Bool // proven: the store has refused to make an object a second time.

	mu     sync.Mutex
	api    API
	region string
}

// New returns the claims, and makes no request. Its clients come from client, which is called with "" for the default region, and again if the bucket is in another
// one.
func New(config Config, client func(region string) API, logger *slog.Logger, reg prometheus.Registerer) *Claims {
	return &Claims{config: config, newClient: client, logger: logger, metrics: newMetrics(reg), now: time.Now, api: client("")}
}

// Owner returns the owner's name.
func (c *Claims) Owner() string { return c.config.Owner }

// Location returns where the claims are.
func (c *Claims) Location() string { return "s3://" + c.config.Bucket + "/" + c.config.Prefix }

// Key returns the key of a file's claim.
func (c *Claims) Key(identity string) string {
	sum := sha256.Sum256([]byte(identity))
	return c.config.Prefix + hex.EncodeToString(sum[:])
}

const (
	// A request that was refused in passing, or whose answer got lost, is repeated so often. The SDK has its own repetitions of each.
	attempts   = 4
	minBackoff = 50 * time.Millisecond
	maxBackoff = time.Second
	// The longest that a call waits for S3, and for the answer to one request.
	callTimeout    = 30 * time.Second
	attemptTimeout = 10 * time.Second
)

// Take claims a file, unless it is claimed. After an error, which is one of package objstore, the file may be this owner's or not: Take must be called again
// until it says whose it is, and S3 may carry the request out later.
func (c *Claims) Take(ctx context.Context, file File) (Claim, error) {
	if err := c.prove(ctx); err != nil {
		return Claim{}, fmt.Errorf("claim file %q: %w", file.Identity, err)
	}
	key, body := c.Key(file.Identity), encode(c.config.Owner, file, c.now())
	var claim Claim
	err := c.repeat(ctx, "put", func(ctx context.Context, api API) error {
		err := c.put(ctx, api, key, body, true)
		if objstore.Status(err) != http.StatusPreconditionFailed {
			claim = Claim{Own, c.config.Owner, key}
			return err
		}
		// Perhaps it is the answer to a request before this one that got lost, so that it is this owner's.
		claim, err = c.get(ctx, api, key)
		if err == nil && claim.Standing == Unclaimed {
			err = errReleased
		}
		return err
	})
	if err != nil {
		return Claim{}, fmt.Errorf("claim file %q: %w", file.Identity, err)
	}
	c.metrics.count(claim)
	return claim, nil
}

// errReleased says that a claim has gone between two requests.
var errReleased = errors.New("claim was released meanwhile")

// Look says whose a file is.
func (c *Claims) Look(ctx context.Context, identity string) (claim Claim, err error) {
	err = c.repeat(ctx, "get", func(ctx context.Context, api API) error {
		claim, err = c.get(ctx, api, c.Key(identity))
		return err
	})
	if err != nil {
		return Claim{}, fmt.Errorf("look for claim of file %q: %w", identity, err)
	}
	return claim, nil
}

// Finish says that a file is durably in this owner's totals, or that it can never be in anybody's.
func (c *Claims) Finish(ctx context.Context, identity string) error {
	body := encodeDone(c.config.Owner)
	err := c.repeat(ctx, "finish", func(ctx context.Context, api API) error { return c.put(ctx, api, c.Key(identity), body, false) })
	if err != nil {
		return fmt.Errorf("finish claim of file %q: %w", identity, err)
	}
	return nil
}

// repeat makes a request, in the bucket's region, until it is answered or hopeless.
func (c *Claims) repeat(ctx context.Context, operation string, request func(ctx context.Context, api API) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for n := 1; ; n++ {
		api, region := c.client()
		attempt, end := context.WithTimeout(ctx, attemptTimeout)
		err := request(attempt, api)
		end()
		if err == nil {
			return nil
		}
		moved := c.follow(err, region)
		err = explain(ctx, err)
		if ctx.Err() != nil || n == attempts || !moved && !objstore.Transient(err) || !backoff.Sleep(ctx, backoff.Delay(minBackoff, maxBackoff, n)) {
			c.metrics.errors.WithLabelValues(operation).Inc()
			return err
		}
	}
}

// explain returns an error as one of package objstore, unless it is none of a request.
func explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errStrange):
		return err
	case errors.Is(err, errUnconditional):
		return fmt.Errorf("%w: %w", objstore.ErrDenied, err)
	case errors.Is(err, errReleased), objstore.Status(err) == http.StatusConflict:
		// Two requests about one key have met. It is over at once.
		return fmt.Errorf("%w: %w", objstore.ErrServer, err)
	}
	err = objstore.Explain(ctx, err)
	if errors.Is(err, objstore.ErrDenied) {
		return fmt.Errorf("%w (%w)", errPermissions, err)
	}
	return err
}

// errPermissions says what a refused request of this package needs.
var errPermissions = errors.New("claims need s3:PutObject and s3:GetObject on their objects, and s3:ListBucket on their bucket")

func (c *Claims) client() (api API, region string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.api, c.region
}

// follow goes to the region in which S3 says that the bucket is.
func (c *Claims) follow(err error, used string) bool {
	region := objstore.OtherRegion(err, used)
	if region == "" {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.api, c.region = c.newClient(region), region
	c.logger.Info("Learned region of bucket", "bucket", c.config.Bucket, "region", region)
	return true
}

// isClaim says whether an object's key may be that of a claim.
func (c *Claims) isClaim(key string) bool {
	name, ok := strings.CutPrefix(key, c.config.Prefix)
	if !ok || len(name) != hex.EncodedLen(sha256.Size) {
		return false
	}
	_, err := hex.DecodeString(name)
	return err == nil
}
