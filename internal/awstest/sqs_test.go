package awstest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// bench is a server, a client for it that needs no network, and one queue.
type bench struct {
	t      *testing.T
	server *awstest.SQS
	client *sqs.Client
	url    string
}

func newBench(t *testing.T, opts awstest.Options, attributes map[string]string) *bench {
	t.Helper()
	server := awstest.NewSQS(opts)
	t.Cleanup(server.Close)
	b := &bench{t: t, server: server, client: server.InProcessClient(noRetry)}
	b.url = b.create("main", attributes)
	return b
}

func noRetry(o *sqs.Options) { o.RetryMaxAttempts = 1 }

func (b *bench) create(name string, attributes map[string]string) string {
	b.t.Helper()
	out, err := b.client.CreateQueue(b.t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		b.t.Fatalf("create queue: %v", err)
	}
	return *out.QueueUrl
}

func (b *bench) send(url, body string) {
	b.t.Helper()
	if _, err := b.client.SendMessage(b.t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
		b.t.Fatalf("send message: %v", err)
	}
}

func (b *bench) receive(url string, wait, visibility int32) []types.Message {
	b.t.Helper()
	out, err := b.client.ReceiveMessage(b.t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl:                    &url,
		MaxNumberOfMessages:         10,
		WaitTimeSeconds:             wait,
		VisibilityTimeout:           visibility,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	if err != nil {
		b.t.Fatalf("receive message: %v", err)
	}
	return out.Messages
}

func (b *bench) receiveOne(url string, wait, visibility int32) types.Message {
	b.t.Helper()
	got := b.receive(url, wait, visibility)
	if len(got) != 1 {
		b.t.Fatalf("received %d messages, want 1", len(got))
	}
	return got[0]
}

func (b *bench) change(handle *string, seconds int32) error {
	_, err := b.client.ChangeMessageVisibility(b.t.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &b.url, ReceiptHandle: handle, VisibilityTimeout: seconds,
	})
	return err
}

func (b *bench) wantDepth(url string, visible, inFlight, delayed int) {
	b.t.Helper()
	v, f, d := b.server.Depth(url)
	if v != visible || f != inFlight || d != delayed {
		b.t.Fatalf("depth is %d visible, %d in flight, %d delayed, want %d, %d, %d", v, f, d, visible, inFlight, delayed)
	}
}

// until polls a condition for as long as it may take.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// errorCode returns the code of an error that the service answered.
func errorCode(err error) string {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return coded.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestSQSErrors(t *testing.T) {
	b := newBench(t, awstest.Options{}, nil)
	missing := strings.Replace(b.url, "main", "missing", 1)
	bogus := "bogus"
	for name, test := range map[string]struct {
		do   func(ctx context.Context) error
		want string
	}{
		"get missing queue": {func(ctx context.Context) error {
			_, err := b.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: new("missing")})
			return err
		}, "AWS.SimpleQueueService.NonExistentQueue"},
		"receive from missing queue": {func(ctx context.Context) error {
			_, err := b.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &missing})
			return err
		}, "AWS.SimpleQueueService.NonExistentQueue"},
		"too many messages": {func(ctx context.Context) error {
			_, err := b.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &b.url, MaxNumberOfMessages: 11})
			return err
		}, "InvalidParameterValue"},
		"wait too long": {func(ctx context.Context) error {
			_, err := b.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &b.url, WaitTimeSeconds: 21})
			return err
		}, "InvalidParameterValue"},
		"visibility too long on receive": {func(ctx context.Context) error {
			_, err := b.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &b.url, VisibilityTimeout: 43201})
			return err
		}, "InvalidParameterValue"},
		"visibility too long": {func(context.Context) error { return b.change(&bogus, 43201) }, "InvalidParameterValue"},
		"bad handle":          {func(context.Context) error { return b.change(&bogus, 10) }, "ReceiptHandleIsInvalid"},
		"delete bad handle": {func(ctx context.Context) error {
			_, err := b.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &b.url, ReceiptHandle: &bogus})
			return err
		}, "ReceiptHandleIsInvalid"},
		"body too long": {func(ctx context.Context) error {
			_, err := b.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &b.url, MessageBody: new(strings.Repeat("x", 1<<20+1))})
			return err
		}, "InvalidParameterValue"},
		"control character": {func(ctx context.Context) error {
			_, err := b.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &b.url, MessageBody: new("a\x01b")})
			return err
		}, "InvalidMessageContents"},
		"delay too long": {func(ctx context.Context) error {
			_, err := b.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &b.url, MessageBody: new("x"), DelaySeconds: 901})
			return err
		}, "InvalidParameterValue"},
		"message attributes": {func(ctx context.Context) error {
			_, err := b.client.SendMessage(ctx, &sqs.SendMessageInput{
				QueueUrl: &b.url, MessageBody: new("x"),
				MessageAttributes: map[string]types.MessageAttributeValue{"a": {DataType: new("String"), StringValue: new("b")}},
			})
			return err
		}, "AWS.SimpleQueueService.UnsupportedOperation"},
		"unknown attribute": {func(ctx context.Context) error {
			_, err := b.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &b.url, AttributeNames: []types.QueueAttributeName{"Nope"}})
			return err
		}, "InvalidAttributeName"},
		"attribute out of bounds": {func(ctx context.Context) error {
			_, err := b.client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &b.url, Attributes: map[string]string{"VisibilityTimeout": "43201"}})
			return err
		}, "InvalidAttributeValue"},
		"redrive to nowhere": {func(ctx context.Context) error {
			_, err := b.client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &b.url, Attributes: map[string]string{
				"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:nowhere","maxReceiveCount":2}`,
			}})
			return err
		}, "InvalidParameterValue"},
		"same name, other attributes": {func(ctx context.Context) error {
			_, err := b.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: new("main"), Attributes: map[string]string{"VisibilityTimeout": "31"}})
			return err
		}, "QueueAlreadyExists"},
		"bad name": {func(ctx context.Context) error {
			_, err := b.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: new("main.fifo")})
			return err
		}, "InvalidParameterValue"},
		"move from a queue that is no dead-letter queue": {func(ctx context.Context) error {
			_, err := b.client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: new("arn:aws:sqs:us-east-1:123456789012:main")})
			return err
		}, "InvalidParameterValue"},
		"empty batch": {func(ctx context.Context) error {
			_, err := b.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &b.url, Entries: []types.DeleteMessageBatchRequestEntry{}})
			return err
		}, "AWS.SimpleQueueService.EmptyBatchRequest"},
		"batch of 11": {func(ctx context.Context) error {
			_, err := b.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &b.url, Entries: make11()})
			return err
		}, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"},
		"repeated id": {func(ctx context.Context) error {
			entries := make11()[:2]
			entries[1].Id = entries[0].Id
			_, err := b.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &b.url, Entries: entries})
			return err
		}, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"},
		"bad id": {func(ctx context.Context) error {
			entries := make11()[:1]
			entries[0].Id = new("a b")
			_, err := b.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &b.url, Entries: entries})
			return err
		}, "AWS.SimpleQueueService.InvalidBatchEntryId"},
		"batch too long": {func(ctx context.Context) error {
			half := strings.Repeat("x", 1<<19+1)
			_, err := b.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &b.url, Entries: []types.SendMessageBatchRequestEntry{
				{Id: new("a"), MessageBody: &half}, {Id: new("b"), MessageBody: &half},
			}})
			return err
		}, "AWS.SimpleQueueService.BatchRequestTooLong"},
		"unknown operation": {func(ctx context.Context) error {
			_, err := b.client.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: &b.url})
			return err
		}, "UnknownOperationException"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := errorCode(test.do(t.Context())); got != test.want {
				t.Errorf("error code is %q, want %q", got, test.want)
			}
		})
	}
	if _, err := b.client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: new("missing")}); !isType[*types.QueueDoesNotExist](err) {
		t.Errorf("error is %T, want the SDK's QueueDoesNotExist", err)
	}
	if err := b.change(&bogus, 10); !isType[*types.ReceiptHandleIsInvalid](err) {
		t.Errorf("error is %T, want the SDK's ReceiptHandleIsInvalid", err)
	}
}

func isType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func make11() []types.DeleteMessageBatchRequestEntry {
	var entries []types.DeleteMessageBatchRequestEntry
	for i := range 11 {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: new(strconv.Itoa(i)), ReceiptHandle: new("bogus")})
	}
	return entries
}

func TestSQSVisibility(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, awstest.Options{}, nil)
		b.send(b.url, "x")
		first := b.receiveOne(b.url, 0, 10)
		b.wantDepth(b.url, 0, 1, 0)
		time.Sleep(10*time.Second - time.Millisecond)
		if got := b.receive(b.url, 0, 10); len(got) != 0 {
			t.Fatalf("received %d messages before the timeout ended", len(got))
		}
		start := time.Now()
		second := b.receiveOne(b.url, 20, 10)
		if waited := time.Since(start); waited != time.Millisecond {
			t.Errorf("poll waited %s for the message to come back, want 1ms", waited)
		}
		if got := second.Attributes["ApproximateReceiveCount"]; got != "2" {
			t.Errorf("receive count is %q, want 2", got)
		}
		if first.Attributes["ApproximateFirstReceiveTimestamp"] != second.Attributes["ApproximateFirstReceiveTimestamp"] {
			t.Error("the second receive changed the time of the first")
		}

		if err := b.change(first.ReceiptHandle, 10); errorCode(err) != "InvalidParameterValue" {
			t.Errorf("old handle extends with %v, want InvalidParameterValue", err)
		}
		if err := b.delete(first.ReceiptHandle); err != nil {
			t.Errorf("old handle deletes with %v, want success", err)
		}
		b.wantDepth(b.url, 0, 1, 0)

		time.Sleep(11 * time.Second)
		if err := b.change(second.ReceiptHandle, 10); errorCode(err) != "AWS.SimpleQueueService.MessageNotInflight" {
			t.Errorf("handle of a visible message extends with %v, want MessageNotInflight", err)
		}
		if err := b.delete(second.ReceiptHandle); err != nil {
			t.Errorf("handle of a visible message deletes with %v, want success", err)
		}
		b.wantDepth(b.url, 0, 0, 0)
	})
}

func (b *bench) delete(handle *string) error {
	_, err := b.client.DeleteMessage(b.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &b.url, ReceiptHandle: handle})
	return err
}

func TestSQSTwelveHoursCountFromTheReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, awstest.Options{}, nil)
		b.send(b.url, "x")
		got := b.receiveOne(b.url, 0, 30)
		time.Sleep(time.Second)
		err := b.change(got.ReceiptHandle, 43200)
		if errorCode(err) != "InvalidParameterValue" || !strings.Contains(err.Error(), "VisibilityTimeout is invalid") {
			t.Fatalf("12 hours, a second after the receive: %v, want InvalidParameterValue", err)
		}
		if err := b.change(got.ReceiptHandle, 43195); err != nil {
			t.Fatalf("extend: %v", err)
		}
		time.Sleep(11 * time.Hour)
		if err := b.change(got.ReceiptHandle, 3601); err == nil {
			t.Error("visibility was extended beyond 12 hours from the receive")
		}
		b.wantDepth(b.url, 0, 1, 0)
	})
}

func TestSQSDelayAndRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, awstest.Options{}, map[string]string{"DelaySeconds": "5", "MessageRetentionPeriod": "60"})
		b.send(b.url, "queue's delay")
		if _, err := b.client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &b.url, MessageBody: new("own delay"), DelaySeconds: 9}); err != nil {
			t.Fatal(err)
		}
		b.wantDepth(b.url, 0, 0, 2)
		start := time.Now()
		if got := b.receiveOne(b.url, 20, 30); *got.Body != "queue's delay" {
			t.Errorf("received %q first", *got.Body)
		}
		if got := b.receiveOne(b.url, 20, 30); *got.Body != "own delay" || time.Since(start) != 9*time.Second {
			t.Errorf("received %q after %s, want the other after 9s", *got.Body, time.Since(start))
		}
		time.Sleep(51 * time.Second)
		b.send(b.url, "late")
		b.wantDepth(b.url, 0, 0, 1)
	})
}

func TestSQSRedrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, awstest.Options{}, nil)
		dead := b.create("dead", nil)
		deadARN, mainARN := "arn:aws:sqs:us-east-1:123456789012:dead", "arn:aws:sqs:us-east-1:123456789012:main"
		if _, err := b.client.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &b.url, Attributes: map[string]string{
			"RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":"2"}`,
		}}); err != nil {
			t.Fatal(err)
		}
		b.send(b.url, "poison")
		sent := b.receiveOne(b.url, 0, 1)
		b.receiveOne(b.url, 20, 1)
		if got := b.receive(b.url, 3, 1); len(got) != 0 {
			t.Fatalf("received %d messages after the second receive", len(got))
		}
		got := b.receiveOne(dead, 0, 1)
		want := map[string]string{
			"ApproximateReceiveCount": "3", "DeadLetterQueueSourceArn": mainARN,
			"SentTimestamp": sent.Attributes["SentTimestamp"], "SenderId": sent.Attributes["SenderId"],
			"ApproximateFirstReceiveTimestamp": sent.Attributes["ApproximateFirstReceiveTimestamp"],
		}
		if !maps.Equal(got.Attributes, want) {
			t.Errorf("attributes in the dead-letter queue are %v, want %v", got.Attributes, want)
		}

		time.Sleep(2 * time.Second)
		if _, err := b.client.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: &deadARN}); err != nil {
			t.Fatal(err)
		}
		again := b.receiveOne(b.url, 0, 1)
		if again.Attributes["ApproximateReceiveCount"] != "1" || *again.MessageId == *sent.MessageId {
			t.Error("a message moved back is not a new one")
		}
		b.wantDepth(dead, 0, 0, 0)
	})
}

func TestSQSLongPoll(t *testing.T) {
	for name, test := range map[string]struct {
		happen func(b *bench, handle *string)
		want   time.Duration
	}{
		"nothing":               {func(*bench, *string) {}, 20 * time.Second},
		"a send":                {func(b *bench, _ *string) { b.send(b.url, "y") }, 3*time.Second + 5*time.Millisecond},
		"a give-back":           {func(b *bench, handle *string) { _ = b.change(handle, 0) }, 3*time.Second + 5*time.Millisecond},
		"a shorter visibility":  {func(b *bench, handle *string) { _ = b.change(handle, 4) }, 7 * time.Second},
		"a send with a delay":   {func(b *bench, _ *string) { b.sendDelayed("y", 5) }, 8 * time.Second},
		"a deletion meanwhile":  {func(b *bench, handle *string) { _ = b.delete(handle) }, 20 * time.Second},
		"the server's end":      {func(b *bench, _ *string) { b.server.Close() }, 3 * time.Second},
		"a move from elsewhere": {func(b *bench, _ *string) { b.deadLetterBack() }, 3*time.Second + 5*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, awstest.Options{}, nil)
				b.send(b.url, "x")
				handle := b.receiveOne(b.url, 0, 600).ReceiptHandle
				start := time.Now()
				go func() {
					time.Sleep(3 * time.Second)
					test.happen(b, handle)
				}()
				_, err := b.client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &b.url, WaitTimeSeconds: 20})
				if waited := time.Since(start); waited != test.want {
					t.Errorf("poll ended after %s with %v, want %s", waited, err, test.want)
				}
				synctest.Wait()
			})
		})
	}
}

func (b *bench) sendDelayed(body string, seconds int32) {
	_, err := b.client.SendMessage(b.t.Context(), &sqs.SendMessageInput{QueueUrl: &b.url, MessageBody: &body, DelaySeconds: seconds})
	if err != nil {
		b.t.Errorf("send message: %v", err)
	}
}

// deadLetterBack makes the bench's queue the destination of a move task.
func (b *bench) deadLetterBack() {
	ctx := b.t.Context()
	dead, err := b.server.CreateQueue("http://sqs", "dead", nil)
	if err != nil {
		b.t.Errorf("create queue: %v", err)
	}
	if _, err := b.server.CreateQueue("http://sqs", "other", map[string]string{
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":3}`,
	}); err != nil {
		b.t.Errorf("create queue: %v", err)
	}
	if err := b.server.Send(dead, "moved"); err != nil {
		b.t.Error(err)
	}
	if _, err := b.client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{
		SourceArn: new("arn:aws:sqs:us-east-1:123456789012:dead"), DestinationArn: new("arn:aws:sqs:us-east-1:123456789012:main"),
	}); err != nil {
		b.t.Errorf("start move task: %v", err)
	}
}

func TestSQSInjectedClock(t *testing.T) {
	var mu sync.Mutex
	now := time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	b := newBench(t, awstest.Options{Now: clock}, nil)
	b.send(b.url, "x")
	b.receiveOne(b.url, 0, 600)
	got := make(chan int)
	go func() { got <- len(b.receive(b.url, 20, 600)) }()
	until(t, "the poll waits", func() bool { return b.server.Polls() == 1 })
	mu.Lock()
	now = now.Add(601 * time.Second)
	mu.Unlock()
	b.server.Wake()
	if n := <-got; n != 1 {
		t.Errorf("received %d messages after the clock was moved, want 1", n)
	}
}

func TestSQSQueues(t *testing.T) {
	b := newBench(t, awstest.Options{Region: "eu-west-3"}, nil)
	ctx := t.Context()
	if again := b.create("main", nil); again != b.url {
		t.Errorf("creating a queue again gives %q, want %q", again, b.url)
	}
	b.create("other", map[string]string{"VisibilityTimeout": "120"})
	var urls []string
	pages := sqs.NewListQueuesPaginator(b.client, &sqs.ListQueuesInput{MaxResults: new(int32(1))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		urls = append(urls, page.QueueUrls...)
	}
	if len(urls) != 2 || !strings.HasSuffix(urls[0], "/main") || !strings.HasSuffix(urls[1], "/other") {
		t.Errorf("queues are %q", urls)
	}
	out, err := b.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl:       &urls[1],
		AttributeNames: []types.QueueAttributeName{"VisibilityTimeout", "RedrivePolicy", "QueueArn"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"VisibilityTimeout": "120", "QueueArn": "arn:aws:sqs:eu-west-3:123456789012:other"}
	if !maps.Equal(out.Attributes, want) {
		t.Errorf("attributes are %v, want %v", out.Attributes, want)
	}
	b.send(b.url, "x")
	if _, err := b.client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: &b.url}); err != nil {
		t.Fatal(err)
	}
	b.wantDepth(b.url, 0, 0, 0)
	if _, err := b.client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &b.url}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: new("main")}); !isType[*types.QueueDoesNotExist](err) {
		t.Errorf("deleted queue is found with %v", err)
	}
}
