// Package awstest serves S3 and SQS inside the process, for tests and for the demo, which need no
// account and no network. SQS is written here, because no Go module simulates today's protocol (AWS
// JSON 1.0); S3 is gofakes3 with its memory backend. Both speak the real protocols, so that the real
// SDK is what gets tested, both count the requests they get, and both can be told to fail in the ways
// that AWS fails. Nothing is kept on disk.
package awstest

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// AccountID is the account that owns every queue, as it appears in queue URLs and ARNs.
const AccountID = "123456789012"

// Options say how a Cloud or an SQS server behaves. The zero value is ready to use.
type Options struct {
	// Region is the region in ARNs and event notifications, us-east-1 if empty.
	Region string
	// Now is the clock of both servers, time.Now if nil. After moving it, call SQS.Wake.
	// S3 compares it with the time in a request's signature, so keep it within 15 minutes of the client's.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Cloud is an S3, an SQS and a Price List endpoint, each on a loopback port of its own. It is safe for concurrent use.
type Cloud struct {
	// S3URL, SQSURL and PricingURL are the endpoints' base URLs, without a trailing slash.
	S3URL, SQSURL, PricingURL string
	// S3, SQS and Pricing are the servers behind them: their hooks and request counts.
	S3      *S3
	SQS     *SQS
	Pricing *Pricing

	region  string
	servers Servers
}

// NewCloud starts the endpoints. The caller closes it.
func NewCloud(opts Options) (*Cloud, error) {
	opts = opts.withDefaults()
	c := &Cloud{
		S3:      NewS3(opts),
		SQS:     NewSQS(opts),
		Pricing: NewPricing(),
		region:  opts.Region,
	}
	var err error
	if c.S3URL, err = c.servers.Serve(c.S3); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if c.SQSURL, err = c.servers.Serve(c.SQS); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if c.PricingURL, err = c.servers.Serve(c.Pricing); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close ends all requests, waiting polls included, closes the ports and forgets everything stored.
// It is called once.
func (c *Cloud) Close() error {
	c.SQS.Close()
	return c.servers.Close()
}

// AWSConfig returns a configuration for the SDK's S3, SQS and Pricing clients with static credentials and
// their endpoints. Nothing else of the environment is consulted. The SDK addresses a bucket by path when the
// endpoint is an IP address, so s3.NewFromConfig needs no further option.
func (c *Cloud) AWSConfig(region string) aws.Config {
	return aws.Config{
		Region:        region,
		Credentials:   aws.CredentialsProviderFunc(credentials),
		ConfigSources: []any{endpoints{"S3": c.S3URL, "SQS": c.SQSURL, "Pricing": c.PricingURL}},
	}
}

// S3Client returns an SDK client for the cloud's S3.
func (c *Cloud) S3Client(optFns ...func(*s3.Options)) *s3.Client {
	return s3.NewFromConfig(c.AWSConfig(c.region), optFns...)
}

// SQSClient returns an SDK client for the cloud's SQS.
func (c *Cloud) SQSClient(optFns ...func(*sqs.Options)) *sqs.Client {
	return sqs.NewFromConfig(c.AWSConfig(c.region), optFns...)
}

// CreateBucket makes an empty bucket.
func (c *Cloud) CreateBucket(ctx context.Context, bucket string) error {
	return c.S3.CreateBucket(ctx, bucket)
}

// CreateQueue makes a queue with SQS's attributes, as VisibilityTimeout or RedrivePolicy, and returns its URL.
func (c *Cloud) CreateQueue(name string, attributes map[string]string) (string, error) {
	return c.SQS.CreateQueue(c.SQSURL, name, attributes)
}

// Put stores an object, replacing the one that has the key. See S3.Put.
func (c *Cloud) Put(ctx context.Context, bucket, key string, body []byte) (Object, error) {
	return c.S3.Put(ctx, bucket, key, body)
}

// Send puts a message into the queue. See SQS.Send.
func (c *Cloud) Send(queueURL, body string) error {
	return c.SQS.Send(queueURL, body)
}

// Deliver stores an object and tells the queue about it with an S3 event notification, as a bucket
// configured for it does.
func (c *Cloud) Deliver(ctx context.Context, queueURL, bucket, key string, body []byte) (Object, error) {
	object, err := c.Put(ctx, bucket, key, body)
	if err != nil {
		return Object{}, err
	}
	return object, c.Send(queueURL, S3Event(object))
}

func credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "awstest", SecretAccessKey: "awstest", Source: "awstest"}, nil
}

// endpoints answers the SDK's question for a service's endpoint by the service's SDK id.
type endpoints map[string]string

// GetServiceBaseEndpoint implements the SDK's provider of configured endpoints.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url, ok := e[sdkID]
	return url, ok, nil
}
