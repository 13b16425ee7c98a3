package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vpcflow/vpcflow_exporter/collector/queue"
	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// bench is an SQS server with one queue, reached by the real SDK without a network, and a consumer of
// it. In a synctest bubble its hours pass at once, and a goroutine that outlives Close fails the test.
type bench struct {
	t      *testing.T
	server *awstest.SQS
	client *sqs.Client
	url    string
	queue  *queue.Queue
	reg    *prometheus.Registry
	log    *bytes.Buffer
}

func noRetry(o *sqs.Options) { o.RetryMaxAttempts = 1 }

func newBench(t *testing.T, cfg queue.Config) *bench {
	t.Helper()
	return newBenchWith(t, cfg, func(api queue.API) queue.API { return api })
}

func newBenchWith(t *testing.T, cfg queue.Config, wrap func(queue.API) queue.API) *bench {
	t.Helper()
	b := &bench{t: t, server: awstest.NewSQS(awstest.Options{}), reg: prometheus.NewPedanticRegistry(), log: &bytes.Buffer{}}
	t.Cleanup(b.server.Close)
	url, err := b.server.CreateQueue("http://sqs", "flow-logs", nil)
	if err != nil {
		t.Fatal(err)
	}
	b.url = url
	b.client = b.server.InProcessClient(noRetry)
	cfg.URL = url
	b.queue = queue.New(cfg, wrap(b.client), slog.New(slog.NewTextHandler(b.log, nil)), b.reg)
	t.Cleanup(func() { _ = b.queue.Close(context.Background()) })
	return b
}

func (b *bench) send(bodies ...string) {
	b.t.Helper()
	for _, body := range bodies {
		if err := b.server.Send(b.url, body); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) receive(limit int) []*queue.Message {
	b.t.Helper()
	messages, err := b.queue.Receive(b.t.Context(), limit)
	if err != nil {
		b.t.Fatalf("receive: %v", err)
	}
	return messages
}

// hold sends and receives n messages.
func (b *bench) hold(n int) []*queue.Message {
	b.t.Helper()
	for i := range n {
		b.send(fmt.Sprintf("body %d", i))
	}
	messages := b.receive(n)
	if len(messages) != n {
		b.t.Fatalf("received %d messages, want %d", len(messages), n)
	}
	return messages
}

func (b *bench) wantDepth(visible, inFlight int) {
	b.t.Helper()
	v, f, _ := b.server.Depth(b.url)
	if v != visible || f != inFlight {
		b.t.Fatalf("queue holds %d visible and %d in flight, want %d and %d", v, f, visible, inFlight)
	}
}

func (b *bench) wantRequests(operation string, want int) {
	b.t.Helper()
	if got := b.server.Requests(operation); got != want {
		b.t.Fatalf("%d requests of %s, want %d", got, operation, want)
	}
}

// wantResults compares vpcflow_messages_total.
func (b *bench) wantResults(deleted, returned, invalid int) {
	b.t.Helper()
	want := fmt.Sprintf(`
# HELP vpcflow_messages_total SQS messages by how they ended here: deleted from the queue, returned to it, or invalid and left to its redrive policy. Replicas add up.
# TYPE vpcflow_messages_total counter
vpcflow_messages_total{result="deleted"} %d
vpcflow_messages_total{result="invalid"} %d
vpcflow_messages_total{result="returned"} %d
`, deleted, invalid, returned)
	if err := testutil.GatherAndCompare(b.reg, strings.NewReader(want), "vpcflow_messages_total"); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) counter(name string) float64 {
	b.t.Helper()
	families, err := b.reg.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	b.t.Fatalf("no metric %s", name)
	return 0
}

// answer returns a hook that answers requests of one operation by their number.
func answer(operation string, fault func(number int) awstest.SQSFault) awstest.SQSHook {
	return func(r awstest.SQSRequest) awstest.SQSFault {
		if r.Operation != operation {
			return awstest.SQSFault{}
		}
		return fault(r.Number)
	}
}

func always(fault awstest.SQSFault) func(int) awstest.SQSFault {
	return func(int) awstest.SQSFault { return fault }
}

func unavailable() awstest.SQSFault {
	return awstest.SQSFault{Err: &awstest.SQSError{Status: 503, Code: "ServiceUnavailable", Message: "busy"}}
}

func TestReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		sent := time.Now()
		for i := range 12 {
			b.send(fmt.Sprintf("body %d", i))
		}
		time.Sleep(time.Minute)
		messages := b.receive(20)
		if len(messages) != 10 {
			t.Fatalf("received %d messages, want 10", len(messages))
		}
		m := messages[0]
		if m.Body != "body 0" || m.ID == "" || m.ReceiveCount != 1 || !m.SentAt.Equal(sent) || !m.ReceivedAt.Equal(time.Now()) {
			t.Errorf("message is %+v", m)
		}
		if m.Context().Err() != nil || m.Exhausted() {
			t.Error("a new message is lost or exhausted")
		}
		if got := b.receive(1); len(got) != 1 {
			t.Errorf("received %d messages, want 1", len(got))
		}
		b.wantDepth(1, 11)
		if got := b.counter("vpcflow_messages_received_total"); got != 11 {
			t.Errorf("%v messages counted, want 11", got)
		}
		if _, err := b.queue.Receive(t.Context(), 0); err == nil {
			t.Error("receiving no messages is no error")
		}
	})
}

func TestReceiveLongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		wantAfter := func(want time.Duration, count int) {
			t.Helper()
			start := time.Now()
			if got := b.receive(5); len(got) != count || time.Since(start).Truncate(10*time.Millisecond) != want {
				t.Errorf("received %d messages after %s, want %d after %s", len(got), time.Since(start), count, want)
			}
		}
		wantAfter(time.Second, 0)
		wantAfter(20*time.Second, 0)
		go func() {
			time.Sleep(3 * time.Second)
			b.send("x")
		}()
		wantAfter(3*time.Second, 1)
	})
}

func TestReceiveErrors(t *testing.T) {
	for name, test := range map[string]struct {
		err  awstest.SQSError
		hint string
	}{
		"missing queue": {awstest.SQSError{Code: "QueueDoesNotExist", Message: "no"}, "check the queue URL"},
		"denied":        {awstest.SQSError{Status: 403, Code: "AccessDenied", Message: "no"}, "allow sqs:ReceiveMessage"},
		"denied key":    {awstest.SQSError{Code: "KMS.AccessDeniedException", Message: "no"}, "allow kms:Decrypt"},
		"expired":       {awstest.SQSError{Status: 403, Code: "ExpiredToken", Message: "no"}, "check the AWS credentials"},
		"busy":          {awstest.SQSError{Status: 503, Code: "ServiceUnavailable", Message: "no"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, queue.Config{})
				if b.queue.Ready() == nil {
					t.Error("the queue is ready before it was read")
				}
				b.receive(1)
				if err := b.queue.Ready(); err != nil {
					t.Errorf("the queue is not ready after it was read: %v", err)
				}
				var broken sync.Map
				broken.Store("now", true)
				b.server.SetHook(answer("ReceiveMessage", func(int) awstest.SQSFault {
					if _, ok := broken.Load("now"); ok {
						return awstest.SQSFault{Err: &test.err}
					}
					return awstest.SQSFault{}
				}))
				go func() {
					time.Sleep(10 * time.Minute)
					err := b.queue.Ready()
					if err == nil || !strings.Contains(err.Error(), test.hint) || !strings.Contains(err.Error(), b.url) {
						t.Errorf("the queue is not ready because of %v, want the URL and the hint %q", err, test.hint)
					}
					broken.Clear()
					b.send("x")
				}()
				start := time.Now()
				if got := b.receive(1); len(got) != 1 {
					t.Fatalf("received %d messages, want 1", len(got))
				}
				if waited := time.Since(start); waited > 10*time.Minute+30*time.Second {
					t.Errorf("received only %s after the queue was back", waited-10*time.Minute)
				}
				// Ten minutes of waits between 15 and 30 s, and the shorter ones before.
				if n := b.server.Requests("ReceiveMessage"); n < 20 || n > 50 {
					t.Errorf("%d requests in ten minutes", n)
				}
				if err := b.queue.Ready(); err != nil {
					t.Errorf("the queue is not ready after recovery: %v", err)
				}
				if n := strings.Count(b.log.String(), "Receiving messages failed"); n < 6 || n > 11 {
					t.Errorf("%d complaints in ten minutes, want about one a minute", n)
				}
				if n := strings.Count(b.log.String(), "Receiving messages works again"); n != 1 {
					t.Errorf("recovery was logged %d times, want once", n)
				}
			})
		})
	}
}

// A server that accepts and never answers does not stop the consumer.
func TestReceiveHangingServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		b.server.SetHook(answer("ReceiveMessage", func(number int) awstest.SQSFault { return awstest.SQSFault{Hang: number == 1} }))
		b.send("x")
		start := time.Now()
		if got := b.receive(1); len(got) != 1 || time.Since(start) > time.Minute {
			t.Errorf("received %d messages after %s", len(got), time.Since(start))
		}
	})
}

func TestReceiveEndsWithContext(t *testing.T) {
	for name, hook := range map[string]awstest.SQSHook{
		"in a poll":    nil,
		"in a backoff": answer("ReceiveMessage", always(unavailable())),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, queue.Config{})
				b.receive(1)
				b.server.SetHook(hook)
				ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
				defer cancel()
				start := time.Now()
				if _, err := b.queue.Receive(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error is %v, want the context's", err)
				}
				if waited := time.Since(start); waited != 7*time.Second {
					t.Errorf("returned after %s, want 7s", waited)
				}
				if hook == nil && b.queue.Ready() != nil {
					t.Error("a poll that was ended makes the queue unreadable")
				}
			})
		})
	}
}

func TestHasRedrivePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		b.server.SetHook(answer("GetQueueAttributes", func(number int) awstest.SQSFault {
			if number == 1 {
				return awstest.SQSFault{Err: &awstest.SQSError{Status: 403, Code: "AccessDenied", Message: "no"}}
			}
			return awstest.SQSFault{}
		}))
		if _, err := b.queue.HasRedrivePolicy(t.Context()); err == nil || !strings.Contains(err.Error(), "allow sqs:GetQueueAttributes") {
			t.Errorf("error is %v, want the hint", err)
		}
		for range 3 {
			if has, err := b.queue.HasRedrivePolicy(t.Context()); has || err != nil {
				t.Errorf("answer is %v, %v, want no", has, err)
			}
		}
		b.wantRequests("GetQueueAttributes", 2)
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		if _, err := b.server.CreateQueue("http://sqs", "dead", nil); err != nil {
			t.Fatal(err)
		}
		policy := map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":3}`}
		if _, err := b.client.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &b.url, Attributes: policy}); err != nil {
			t.Fatal(err)
		}
		if has, err := b.queue.HasRedrivePolicy(t.Context()); !has || err != nil {
			t.Errorf("answer is %v, %v, want yes", has, err)
		}
	})
}

func TestCloseFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		messages := b.hold(3)
		messages[0].Delete()
		messages[1].Delete()
		synctest.Wait()
		b.wantRequests("DeleteMessageBatch", 0)
		if err := b.queue.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
		b.wantDepth(0, 1)
		b.wantResults(2, 0, 0)
		if cause := context.Cause(messages[2].Context()); !errors.Is(cause, queue.ErrClosed) {
			t.Errorf("the context of a message that was not settled ended with %v, want ErrClosed", cause)
		}
		if _, err := b.queue.Receive(t.Context(), 1); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("receive from a closed queue: %v, want ErrClosed", err)
		}
		messages[2].Delete()
		b.wantDepth(0, 1)
		if err := b.queue.Close(t.Context()); err != nil {
			t.Errorf("close again: %v", err)
		}
	})
}

func TestCloseRetriesWithinItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		b.server.SetHook(answer("DeleteMessageBatch", func(number int) awstest.SQSFault {
			if number <= 3 {
				return unavailable()
			}
			return awstest.SQSFault{}
		}))
		b.hold(1)[0].Delete()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := b.queue.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		b.wantDepth(0, 0)
	})
}

func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		b.server.SetHook(answer("DeleteMessageBatch", always(awstest.SQSFault{Hang: true})))
		b.hold(1)[0].Delete()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if err := b.queue.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 were not deleted") {
			t.Errorf("close: %v, want the deadline and the number of messages", err)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("close took %s, want 5s", took)
		}
		if err := b.queue.Close(t.Context()); err != nil {
			t.Errorf("close again: %v", err)
		}
	})
}

func TestCloseEndsReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		b.receive(1)
		ended := make(chan error)
		go func() {
			_, err := b.queue.Receive(t.Context(), 1)
			ended <- err
		}()
		time.Sleep(time.Second)
		start := time.Now()
		if err := b.queue.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-ended; !errors.Is(err, queue.ErrClosed) || time.Since(start) != 0 {
			t.Errorf("receive ended after %s with %v, want ErrClosed at once", time.Since(start), err)
		}
	})
}

// Two consumers with several workers each, over a real network: every message is worked on once.
func TestConsumersShareAQueue(t *testing.T) {
	cloud, err := awstest.NewCloud(awstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	url, err := cloud.CreateQueue("flow-logs", nil)
	if err != nil {
		t.Fatal(err)
	}
	const total = 300
	for i := range total {
		if err := cloud.Send(url, strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	seen := map[string]int{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	work := func(q *queue.Queue) {
		for ctx.Err() == nil {
			messages, err := q.Receive(ctx, 3)
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("receive: %v", err)
			}
			for _, m := range messages {
				mu.Lock()
				seen[m.Body]++
				if len(seen) == total {
					cancel()
				}
				mu.Unlock()
				m.Delete()
			}
		}
	}
	var workers sync.WaitGroup
	var queues []*queue.Queue
	for range 2 {
		q := queue.New(queue.Config{URL: url}, cloud.SQSClient(), slog.New(slog.DiscardHandler), nil)
		queues = append(queues, q)
		for range 4 {
			workers.Go(func() { work(q) })
		}
	}
	workers.Wait()
	for _, q := range queues {
		if err := q.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	for body, times := range seen {
		if times != 1 {
			t.Errorf("message %s was worked on %d times", body, times)
		}
	}
	if visible, inFlight, _ := cloud.SQS.Depth(url); len(seen) != total || visible+inFlight != 0 {
		t.Errorf("%d of %d messages seen, %d visible and %d in flight are left", len(seen), total, visible, inFlight)
	}
	if err := cloud.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	buf := make([]byte, 1<<20)
	if stacks := string(buf[:runtime.Stack(buf, true)]); strings.Contains(stacks, "collector/queue.(*") {
		t.Errorf("goroutines are left:\n%s", stacks)
	}
}
