package queue_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vpcflow/vpcflow_exporter/collector/queue"
	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

func TestDeleteBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		messages := append(b.hold(10), b.hold(4)...)

		for _, m := range messages[:3] {
			m.Delete()
		}
		time.Sleep(time.Second - time.Millisecond)
		b.wantRequests("DeleteMessageBatch", 0)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		b.wantRequests("DeleteMessageBatch", 1)
		b.wantDepth(0, 11)

		for _, m := range messages[3:13] {
			m.Delete()
		}
		synctest.Wait()
		b.wantRequests("DeleteMessageBatch", 2)
		b.wantDepth(0, 1)

		messages[13].Delete()
		synctest.Wait()
		b.wantRequests("DeleteMessageBatch", 3)
		b.wantDepth(0, 0)
		b.wantResults(14, 0, 0)
	})
}

// Deletions wait for nobody once the last message is given back.
func TestDeleteWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		messages := b.hold(2)
		messages[0].Delete()
		synctest.Wait()
		b.wantRequests("DeleteMessageBatch", 0)
		messages[1].Abandon()
		synctest.Wait()
		b.wantRequests("DeleteMessageBatch", 1)
		b.wantDepth(0, 1)
	})
}

func TestDeleteFailures(t *testing.T) {
	entry := func(status int, code string) awstest.SQSFault {
		return awstest.SQSFault{FailEntries: map[int]*awstest.SQSError{1: {Status: status, Code: code, Message: "no"}}}
	}
	for name, test := range map[string]struct {
		fault    awstest.SQSFault
		deleted  int
		requests int
	}{
		"one entry":           {entry(500, "InternalError"), 3, 2},
		"one entry for good":  {entry(400, "ReceiptHandleIsInvalid"), 2, 1},
		"one entry forbidden": {entry(403, "AccessDenied"), 3, 2},
		"the whole batch":     {unavailable(), 3, 2},
		"no answer":           {awstest.SQSFault{Hang: true}, 3, 2},
		"the answer lost":     {awstest.SQSFault{LoseAnswer: true}, 3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, queue.Config{VisibilityTimeout: 10 * time.Second})
				b.server.SetHook(answer("DeleteMessageBatch", func(number int) awstest.SQSFault {
					if number == 1 {
						return test.fault
					}
					return awstest.SQSFault{}
				}))
				for _, m := range b.hold(3) {
					m.Delete()
				}
				for range 60 {
					time.Sleep(time.Second)
					if visible, _, _ := b.server.Depth(b.url); visible > 3-test.deleted {
						t.Fatal("a message came back before it was deleted")
					}
				}
				b.wantDepth(3-test.deleted, 0)
				b.wantResults(test.deleted, 0, 0)
				b.wantRequests("DeleteMessageBatch", test.requests)
				if n := strings.Count(b.log.String(), "Deleting messages failed"); n != 1 {
					t.Errorf("%d complaints, want one", n)
				}
			})
		})
	}
}

// forgetful is SQS that once does not say what became of the first entry.
type forgetful struct {
	queue.API
	done bool
}

func (f *forgetful) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, optFns ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	out, err := f.API.DeleteMessageBatch(ctx, in, optFns...)
	if err == nil && !f.done {
		f.done = true
		out.Successful = out.Successful[1:]
	}
	return out, err
}

func TestDeleteUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBenchWith(t, queue.Config{}, func(api queue.API) queue.API { return &forgetful{API: api} })
		for _, m := range b.hold(3) {
			m.Delete()
		}
		time.Sleep(5 * time.Second)
		b.wantRequests("DeleteMessageBatch", 2)
		b.wantResults(3, 0, 0)
	})
}

// A message that was lost after its work was done is deleted all the same, but not forever.
func TestDeleteLost(t *testing.T) {
	for name, fault := range map[string]awstest.SQSFault{
		"in time":  {},
		"too late": unavailable(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, queue.Config{VisibilityTimeout: time.Minute})
				m := b.hold(1)[0]
				b.server.SetHook(answer("ChangeMessageVisibility", always(unavailable())))
				<-m.Context().Done()
				b.wantDepth(1, 0)
				b.server.SetHook(answer("DeleteMessageBatch", always(fault)))
				m.Delete()
				time.Sleep(time.Hour)
				b.wantRequests("DeleteMessageBatch", 1)
			})
		})
	}
}

// While deletions do not get through, nothing more is received: the messages would pile up.
func TestDeleteBacklogStopsReceiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		denied := awstest.SQSFault{Err: &awstest.SQSError{Status: 403, Code: "AccessDenied", Message: "no"}}
		b.server.SetHook(answer("DeleteMessageBatch", always(denied)))
		for range 200 {
			b.send("x")
		}
		received := make(chan int)
		go func() {
			defer close(received)
			for {
				messages, err := b.queue.Receive(t.Context(), 10)
				if err != nil {
					return
				}
				for _, m := range messages {
					m.Delete()
				}
				received <- len(messages)
			}
		}()
		total := 0
		for total < 100 {
			total += <-received
		}
		time.Sleep(10 * time.Minute)
		b.wantDepth(100, 100)
		if err := b.queue.Ready(); err == nil || !strings.Contains(err.Error(), "allow sqs:DeleteMessage") {
			t.Errorf("the queue is not ready because of %v, want the deletions", err)
		}
		b.server.SetHook(nil)
		for total < 200 {
			total += <-received
		}
		time.Sleep(time.Minute - time.Second)
		if err := b.queue.Ready(); err != nil {
			t.Errorf("the queue is not ready: %v", err)
		}
		go func() { _ = b.queue.Close(context.Background()) }()
		for range received {
		}
		b.wantDepth(0, 0)
		b.wantResults(200, 0, 0)
	})
}
