package chaos

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

const (
	region        = "eu-west-3"
	bucket        = "logs"
	replicaBucket = "logs-replica"
	queueName     = "flow-logs"
	deadName      = "dead"
)

// background is for calls of servers in this process, which take no time.
var background = context.Background()

// A cloud is S3 and SQS behind the handlers that make them fail. Its queue's clock can be moved.
type cloud struct {
	s3     *awstest.S3
	sqs    *awstest.SQS
	client *sqs.Client // client goes past the faults.

	s3URL, sqsURL string
	queue, dead   string
	moved         atomic.Int64
	servers       awstest.Servers
}

func newCloud() (*cloud, error) {
	c := &cloud{}
	c.s3 = awstest.NewS3(awstest.Options{Region: region})
	c.sqs = awstest.NewSQS(awstest.Options{Region: region, Now: func() time.Time { return time.Now().Add(time.Duration(c.moved.Load())) }})
	c.client = c.sqs.InProcessClient()
	return c, errors.Join(c.s3.CreateBucket(background, bucket), c.s3.CreateBucket(background, replicaBucket))
}

// serve opens both endpoints and makes the queues.
func (c *cloud) serve(s3, sqs http.Handler) (err error) {
	if c.s3URL, err = c.servers.Serve(s3); err != nil {
		return err
	}
	if c.sqsURL, err = c.servers.Serve(sqs); err != nil {
		return err
	}
	if c.dead, err = c.sqs.CreateQueue(c.sqsURL, deadName, nil); err != nil {
		return err
	}
	return c.createQueue()
}

// createQueue makes the queue. Its dead-letter queue gets nothing before redriveAfter says so, since a message's number of receives says nothing here.
func (c *cloud) createQueue() (err error) {
	c.queue, err = c.sqs.CreateQueue(c.sqsURL, queueName, map[string]string{"RedrivePolicy": redrivePolicy(1000)})
	return err
}

func redrivePolicy(receives int) string {
	return `{"deadLetterTargetArn":"arn:aws:sqs:` + region + ":" + awstest.AccountID + ":" + deadName + `","maxReceiveCount":` + strconv.Itoa(receives) + `}`
}

// redriveAfter changes the number of receives after which a message goes to the dead-letter queue.
func (c *cloud) redriveAfter(receives int) error {
	_, err := c.client.SetQueueAttributes(background, &sqs.SetQueueAttributesInput{
		QueueUrl: &c.queue, Attributes: map[string]string{"RedrivePolicy": redrivePolicy(receives)},
	})
	return err
}

// deleteQueue deletes the queue with all that is in it.
func (c *cloud) deleteQueue() error {
	_, err := c.client.DeleteQueue(background, &sqs.DeleteQueueInput{QueueUrl: &c.queue})
	return err
}

// deadLetters returns what is in the dead-letter queue.
func (c *cloud) deadLetters() (bodies []string, err error) {
	for {
		out, err := c.client.ReceiveMessage(background, &sqs.ReceiveMessageInput{QueueUrl: &c.dead, MaxNumberOfMessages: 10, VisibilityTimeout: 3600})
		if err != nil || len(out.Messages) == 0 {
			return bodies, err
		}
		for _, m := range out.Messages {
			bodies = append(bodies, *m.Body)
		}
	}
}

// expire makes all messages visible that are hidden since somebody has them or has given them back.
func (c *cloud) expire() {
	c.moved.Add(int64(visibilitySeconds * time.Second))
	c.sqs.Wake()
}

// environment is what the exporter needs to find the cloud, and nothing else of AWS.
func (c *cloud) environment(attempts int) []string {
	return []string{
		"AWS_ENDPOINT_URL_S3=" + c.s3URL, "AWS_ENDPOINT_URL_SQS=" + c.sqsURL, "AWS_REGION=" + region,
		"AWS_ACCESS_KEY_ID=chaos", "AWS_SECRET_ACCESS_KEY=chaos", "AWS_SESSION_TOKEN=", "AWS_PROFILE=", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=", "AWS_SHARED_CREDENTIALS_FILE=", "AWS_MAX_ATTEMPTS=" + strconv.Itoa(attempts),
	}
}

func (c *cloud) close() error {
	c.sqs.Close()
	return c.servers.Close()
}
