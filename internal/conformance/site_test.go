//go:build conformance

package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// What all servers are told. Keys are as long as the strictest of them wants.
const (
	region    = "eu-west-3"
	accessKey = "conformance"
	secretKey = "conformance-secret"
)

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
})

// servers are an S3 and an SQS, and how the one tells the other of objects.
type servers struct {
	s3URL, sqsURL string
	s3            *s3.Client
	sqs           *sqs.Client
	// connect makes the bucket announce its objects on the queue. Where it is nil the test announces them, several in a message.
	connect func(t *testing.T, s *site)
	// announced waits until the announcement of an object is on its way, where that comes later than the answer to the upload.
	announced func(t *testing.T, key string)
	// announcesDeletion waits until the announcement of a deletion is on its way; nil where there is none.
	announcesDeletion func(t *testing.T, s *site)
}

func newServers(s3URL, sqsURL string) servers {
	config := aws.Config{Region: region, Credentials: credentials}
	return servers{
		s3URL: s3URL, sqsURL: sqsURL,
		s3: s3.NewFromConfig(config, func(o *s3.Options) {
			o.BaseEndpoint, o.UsePathStyle = &s3URL, true
		}),
		sqs: sqs.NewFromConfig(config, func(o *sqs.Options) { o.BaseEndpoint = &sqsURL }),
	}
}

// shared returns the servers for each part of the suite.
func (s servers) shared(*testing.T) servers { return s }

// A site is a bucket, the queue that hears of its objects, and that queue's dead-letter queue.
type site struct {
	servers
	bucket, queue, dead string
	queueARN            string
	// messages are those that the queue must get, as far as they are known.
	messages int
	batch    []awstest.Object
	// settings are added to the daemon's configuration.
	settings string
}

// newSite makes a bucket and its queues, of names that no other site has. A message becomes a dead letter when it was received so often and would be again.
func (s servers) newSite(t *testing.T, receives int) *site {
	t.Helper()
	name := siteName(t)
	site := &site{servers: s, bucket: name}
	site.dead = site.createQueue(t, name+"-dead", nil)
	site.queue = site.createQueue(t, name, map[string]string{
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, site.arn(t, site.dead), receives),
	})
	site.queueARN = site.arn(t, site.queue)
	_, err := s.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                    &site.bucket,
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: region},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.connect != nil {
		s.connect(t, site)
	}
	return site
}

// siteName makes the test's name one of a bucket and of a queue.
func siteName(t *testing.T) string {
	return strings.NewReplacer("/", "-", "_", "-").Replace(strings.ToLower(t.Name()))
}

func (s *site) createQueue(t *testing.T, name string, attributes map[string]string) string {
	t.Helper()
	out, err := s.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.QueueUrl)
}

func (s *site) arn(t *testing.T, queue string) string {
	t.Helper()
	return s.attributes(t, queue)["QueueArn"]
}

func (s *site) attributes(t *testing.T, queue string) map[string]string {
	t.Helper()
	out, err := s.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &queue, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes
}

// empty waits until the queue has neither visible nor hidden messages.
func (s *site) empty(t *testing.T) {
	t.Helper()
	waitFor(t, "an empty queue", func() bool {
		a := s.attributes(t, s.queue)
		return a["ApproximateNumberOfMessages"] == "0" && a["ApproximateNumberOfMessagesNotVisible"] == "0"
	})
}

// put stores an object and has it announced, by the server or, with the next flush, by the test.
func (s *site) put(t *testing.T, key string, body []byte) {
	t.Helper()
	out, err := s.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(body)})
	if err != nil {
		t.Fatal(err)
	}
	if s.connect != nil {
		s.messages++
		if s.announced != nil {
			s.announced(t, key)
		}
		return
	}
	s.batch = append(s.batch, awstest.Object{
		Bucket: s.bucket, Key: key, Size: int64(len(body)), ETag: strings.Trim(aws.ToString(out.ETag), `"`), Region: region,
	})
}

// objectsPerMessage is how many objects a message names that the test writes.
const objectsPerMessage = 3

// flush announces what the server has not.
func (s *site) flush(t *testing.T) {
	t.Helper()
	for len(s.batch) > 0 {
		n := min(objectsPerMessage, len(s.batch))
		s.send(t, awstest.S3Event(s.batch[:n]...))
		s.batch = s.batch[n:]
	}
}

func (s *site) send(t *testing.T, body string) {
	t.Helper()
	if _, err := s.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &s.queue, MessageBody: &body}); err != nil {
		t.Fatal(err)
	}
	s.messages++
}
