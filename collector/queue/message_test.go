package queue_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vpcflow/vpcflow_exporter/collector/queue"
	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

func TestHeartbeatKeepsAMessage(t *testing.T) {
	for _, timeout := range []time.Duration{time.Second, 61 * time.Second, 5 * time.Minute} {
		t.Run(timeout.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, queue.Config{VisibilityTimeout: timeout})
				m := b.hold(1)[0]
				for range 1000 {
					time.Sleep(timeout / 49)
					b.wantDepth(0, 1)
				}
				if err := m.Context().Err(); err != nil {
					t.Errorf("the message's context ended with %v", err)
				}
				// One at each half-life of the 1000/49 timeouts.
				if got := b.counter("vpcflow_message_extensions_total"); got != 40 {
					t.Errorf("%v extensions, want 40", got)
				}
				m.Delete()
				synctest.Wait()
				b.wantDepth(0, 0)
				b.wantResults(1, 0, 0)
				if cause := context.Cause(m.Context()); !errors.Is(cause, context.Canceled) {
					t.Errorf("the context of a deleted message ended with %v", cause)
				}
			})
		})
	}
}

// The heartbeat goes on while a deletion does not get through.
func TestHeartbeatUntilDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{VisibilityTimeout: 10 * time.Second})
		down := time.Now().Add(time.Hour)
		b.server.SetHook(answer("DeleteMessageBatch", func(int) awstest.SQSFault {
			if time.Now().Before(down) {
				return unavailable()
			}
			return awstest.SQSFault{}
		}))
		b.hold(1)[0].Delete()
		for time.Now().Before(down) {
			time.Sleep(time.Second)
			b.wantDepth(0, 1)
		}
		time.Sleep(30 * time.Second)
		b.wantDepth(0, 0)
		b.wantResults(1, 0, 0)
		if n := b.server.Requests("DeleteMessageBatch"); n < 120 || n > 260 {
			t.Errorf("%d requests in an hour, want one each 15 to 30 s", n)
		}
	})
}

func TestLostHandle(t *testing.T) {
	extension := func(code, message string) func(*bench) {
		return func(b *bench) {
			fault := awstest.SQSFault{Err: &awstest.SQSError{Code: code, Message: message}}
			b.server.SetHook(answer("ChangeMessageVisibility", always(fault)))
		}
	}
	for name, lose := range map[string]func(*bench){
		"deleted by somebody else": func(b *bench) {
			if _, err := b.client.PurgeQueue(b.t.Context(), &sqs.PurgeQueueInput{QueueUrl: &b.url}); err != nil {
				b.t.Fatal(err)
			}
		},
		"not in flight":  extension("MessageNotInflight", "not in flight"),
		"invalid handle": extension("ReceiptHandleIsInvalid", "not valid"),
		"expired handle": extension("InvalidParameterValue", "Value AQEB for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, queue.Config{VisibilityTimeout: time.Minute})
				m := b.hold(1)[0]
				lose(b)
				time.Sleep(30*time.Second - time.Millisecond)
				if err := m.Context().Err(); err != nil {
					t.Fatalf("the context ended before the heartbeat, with %v", err)
				}
				time.Sleep(time.Millisecond)
				synctest.Wait()
				if cause := context.Cause(m.Context()); !errors.Is(cause, queue.ErrLost) {
					t.Errorf("the context ended with %v, want ErrLost", cause)
				}
				time.Sleep(time.Hour)
				b.wantRequests("ChangeMessageVisibility", 1)
				if err := m.Return(t.Context(), 0); !errors.Is(err, queue.ErrLost) {
					t.Errorf("return: %v, want ErrLost", err)
				}
				b.wantResults(0, 0, 0)
			})
		})
	}
}

func TestExtensionFails(t *testing.T) {
	for name, test := range map[string]struct {
		fault awstest.SQSFault
		last  int
		lost  bool
	}{
		"for a while":    {unavailable(), 3, false},
		"for too long":   {unavailable(), 1000, true},
		"without answer": {awstest.SQSFault{Hang: true}, 1000, true},
		"once silently":  {awstest.SQSFault{Hang: true}, 1, false},
		"answer lost":    {awstest.SQSFault{LoseAnswer: true}, 2, false},
		"for permission": {awstest.SQSFault{Err: &awstest.SQSError{Status: 403, Code: "AccessDenied", Message: "no"}}, 1000, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, queue.Config{VisibilityTimeout: time.Minute})
				b.server.SetHook(answer("ChangeMessageVisibility", func(number int) awstest.SQSFault {
					if number <= test.last {
						return test.fault
					}
					return awstest.SQSFault{}
				}))
				m := b.hold(1)[0]
				time.Sleep(time.Minute - time.Millisecond)
				if err := m.Context().Err(); err != nil {
					t.Fatalf("the context ended while the message was hidden, with %v", err)
				}
				time.Sleep(time.Millisecond)
				synctest.Wait()
				if lost := errors.Is(context.Cause(m.Context()), queue.ErrLost); lost != test.lost {
					t.Errorf("the context ended with %v, want lost %v", context.Cause(m.Context()), test.lost)
				}
				if b.log.Len() == 0 {
					t.Error("nothing was logged")
				}
				if name == "for permission" && !strings.Contains(b.log.String(), "allow sqs:ChangeMessageVisibility") {
					t.Errorf("no hint is logged: %s", b.log)
				}
				if !test.lost {
					time.Sleep(time.Hour)
					b.wantDepth(0, 1)
				}
			})
		})
	}
}

func TestTwelveHours(t *testing.T) {
	for _, timeout := range []time.Duration{5 * time.Minute, 7 * time.Hour, 12 * time.Hour, 100 * time.Hour} {
		t.Run(timeout.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, queue.Config{VisibilityTimeout: timeout})
				m := b.hold(1)[0]
				<-m.Context().Done()
				if held := time.Since(m.ReceivedAt); held != 43_195*time.Second {
					t.Errorf("the message was held for %s, want 43195s", held)
				}
				if cause := context.Cause(m.Context()); !errors.Is(cause, queue.ErrLost) || !strings.Contains(cause.Error(), "12 hours") {
					t.Errorf("the context ended with %v, want ErrLost for the 12 hours", cause)
				}
				if n := b.server.Requests("ChangeMessageVisibility"); float64(n) != b.counter("vpcflow_message_extensions_total") {
					t.Errorf("only %v of %d extensions succeeded", b.counter("vpcflow_message_extensions_total"), n)
				}
			})
		})
	}
}

// SQS may count the 12 hours a little differently: what it then refuses is the end of extending, not
// of the message.
func TestTwelveHoursRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{VisibilityTimeout: time.Minute})
		fault := awstest.SQSFault{Err: &awstest.SQSError{
			Code:    "InvalidParameterValue",
			Message: "Value 60 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
		}}
		b.server.SetHook(answer("ChangeMessageVisibility", always(fault)))
		m := b.hold(1)[0]
		<-m.Context().Done()
		if held := time.Since(m.ReceivedAt); held != time.Minute || !errors.Is(context.Cause(m.Context()), queue.ErrLost) {
			t.Errorf("the message was held for %s and lost with %v, want a minute", held, context.Cause(m.Context()))
		}
		b.wantRequests("ChangeMessageVisibility", 1)
	})
}

func TestReturn(t *testing.T) {
	for name, test := range map[string]struct {
		held, delay, want time.Duration
	}{
		"at once":            {0, 0, 0},
		"negative":           {0, -time.Minute, 0},
		"after a delay":      {0, 90 * time.Second, 90 * time.Second},
		"part of a second":   {0, 100 * time.Millisecond, time.Second},
		"after a long work":  {time.Hour, 15 * time.Minute, 15 * time.Minute},
		"cut to the 12 h":    {43_000 * time.Second, 15 * time.Minute, 195 * time.Second},
		"more than possible": {0, 1000 * time.Hour, 43_195 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, queue.Config{})
				m := b.hold(1)[0]
				time.Sleep(test.held)
				synctest.Wait()
				if err := m.Return(t.Context(), test.delay); err != nil {
					t.Fatalf("return: %v", err)
				}
				extensions := b.server.Requests("ChangeMessageVisibility")
				b.wantResults(0, 1, 0)
				if m.Context().Err() == nil {
					t.Error("the context of a returned message goes on")
				}
				if test.want > 0 {
					time.Sleep(test.want - time.Millisecond)
					b.wantDepth(0, 1)
					time.Sleep(time.Millisecond)
				}
				b.wantDepth(1, 0)
				b.wantRequests("ChangeMessageVisibility", extensions)
				if got := b.receive(1); got[0].ReceiveCount != 2 || got[0].ID != m.ID {
					t.Errorf("received %+v, want the same a second time", got[0])
				}
			})
		})
	}
}

// An extension that is on its way must not hide the message after it was given back.
func TestReturnWaitsForExtension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{VisibilityTimeout: time.Minute})
		b.server.SetHook(answer("ChangeMessageVisibility", func(number int) awstest.SQSFault {
			if number == 1 {
				time.Sleep(5 * time.Second)
			}
			return awstest.SQSFault{}
		}))
		m := b.hold(1)[0]
		time.Sleep(31 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := m.Return(t.Context(), 0); err != nil {
			t.Errorf("return: %v", err)
		}
		if waited := time.Since(start); waited != 4*time.Second {
			t.Errorf("return took %s, want the 4s that the extension needed", waited)
		}
		b.wantDepth(1, 0)
		<-ctx.Done()

		again := b.receive(1)[0]
		if err := again.Return(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("return with an ended context: %v", err)
		}
		time.Sleep(time.Minute)
		b.wantDepth(1, 0)
	})
}

func TestReturnFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{VisibilityTimeout: time.Minute})
		m := b.hold(1)[0]
		b.server.SetHook(answer("ChangeMessageVisibility", always(unavailable())))
		if err := m.Return(t.Context(), 0); err == nil || errors.Is(err, queue.ErrLost) {
			t.Errorf("return: %v, want the server's error", err)
		}
		b.server.SetHook(nil)
		b.wantResults(0, 0, 0)
		time.Sleep(time.Minute)
		b.wantDepth(1, 0)
	})
}

func TestAbandonAndInvalid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{VisibilityTimeout: time.Minute, MaxReceives: 2})
		messages := b.hold(2)
		messages[0].Abandon()
		messages[1].Invalid()
		b.wantResults(0, 0, 1)
		time.Sleep(time.Minute - time.Millisecond)
		b.wantDepth(0, 2)
		time.Sleep(time.Millisecond)
		b.wantDepth(2, 0)
		b.wantRequests("ChangeMessageVisibility", 0)
		for _, m := range messages {
			if cause := context.Cause(m.Context()); !errors.Is(cause, context.Canceled) {
				t.Errorf("the context ended with %v", cause)
			}
		}
		for _, m := range b.receive(2) {
			if !m.Exhausted() {
				t.Error("a message at its second receive of two is not exhausted")
			}
		}
	})
}

// Only the first settlement counts.
func TestSettledTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		messages := b.hold(3)
		messages[0].Delete()
		messages[1].Abandon()
		if err := messages[2].Return(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			m.Delete()
			m.Abandon()
			m.Invalid()
			if err := m.Return(t.Context(), 0); !errors.Is(err, queue.ErrSettled) {
				t.Errorf("return of a settled message: %v, want ErrSettled", err)
			}
		}
		time.Sleep(2 * time.Second)
		b.wantDepth(0, 2)
		b.wantResults(1, 1, 0)
		b.wantRequests("DeleteMessageBatch", 1)
	})
}
