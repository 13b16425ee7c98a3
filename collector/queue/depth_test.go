package queue_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vpcflow/vpcflow_exporter/collector/queue"
	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// wantQueueMessages scrapes the depth of the queue; negative numbers stand for no series.
func (b *bench) wantQueueMessages(visible, inFlight, delayed int) {
	b.t.Helper()
	want := ""
	if visible >= 0 {
		want = fmt.Sprintf(`
# HELP vpcflow_queue_messages Messages in the SQS queue, roughly: visible to consumers, in flight with one of them, or delayed. Every replica shows the same queue.
# TYPE vpcflow_queue_messages gauge
vpcflow_queue_messages{state="delayed"} %d
vpcflow_queue_messages{state="in_flight"} %d
vpcflow_queue_messages{state="visible"} %d
`, delayed, inFlight, visible)
	}
	if err := testutil.GatherAndCompare(b.reg, strings.NewReader(want), "vpcflow_queue_messages"); err != nil {
		b.t.Fatal(err)
	}
}

func TestQueueMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		b.server.SetHook(answer("GetQueueAttributes", func(number int) awstest.SQSFault {
			switch number {
			case 1:
				return unavailable()
			case 4:
				return awstest.SQSFault{Hang: true}
			default:
				return awstest.SQSFault{}
			}
		}))
		b.hold(1)
		b.send("x", "y")

		b.wantQueueMessages(-1, -1, -1)
		time.Sleep(29 * time.Second)
		b.wantQueueMessages(-1, -1, -1)
		b.wantRequests("GetQueueAttributes", 1)
		time.Sleep(time.Second)
		b.wantQueueMessages(2, 1, 0)

		b.send("z")
		time.Sleep(29 * time.Second)
		b.wantQueueMessages(2, 1, 0)
		b.wantRequests("GetQueueAttributes", 2)
		time.Sleep(time.Second)
		b.wantQueueMessages(3, 1, 0)

		b.send("late")
		time.Sleep(30 * time.Second)
		start := time.Now()
		b.wantQueueMessages(3, 1, 0)
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("a scrape waited %s for a server that does not answer, want 2s", took)
		}
		b.wantQueueMessages(3, 1, 0)
		b.wantRequests("GetQueueAttributes", 4)
		time.Sleep(time.Minute)
		b.wantQueueMessages(4, 1, 0)

		if err := b.queue.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		b.wantQueueMessages(4, 1, 0)
		b.wantRequests("GetQueueAttributes", 5)
		if n := strings.Count(b.log.String(), "Reading the depth of the queue failed"); n != 2 {
			t.Errorf("%d complaints, want 2", n)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, queue.Config{})
		b.wantResults(0, 0, 0)
		problems, err := testutil.GatherAndLint(b.reg)
		if err != nil || len(problems) > 0 {
			t.Errorf("lint: %v, %v", problems, err)
		}
		// Without a registry, nothing is registered and everything works.
		q := queue.New(queue.Config{URL: b.url}, b.client, slog.New(slog.DiscardHandler), nil)
		if _, err := q.Receive(t.Context(), 1); err != nil {
			t.Error(err)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
