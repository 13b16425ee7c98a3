package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/collector/queue"
	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// A rig is a pipeline that reads files from a folder and messages from a queue, one at a time as the test asks for it. Its cloud's clock stands.
type rig struct {
	t          *testing.T
	root       string
	cloud      *awstest.Cloud
	queueURL   string
	queue      *queue.Queue
	aggregator *aggregator.Aggregator
	pipeline   *Pipeline
	registry   *prometheus.Registry
	onCommit   func() // onCommit runs after each commit, before anything else is done about it.
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, root: t.TempDir(), registry: prometheus.NewRegistry(), onCommit: func() {}}
	began := time.Now()
	cloud, err := awstest.NewCloud(awstest.Options{Now: func() time.Time { return began }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close cloud: %v", err)
		}
	})
	r.cloud = cloud
	if r.queueURL, err = cloud.CreateQueue("flow-logs", nil); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	pricer := NewPricer(pricing.NewBook(newPrices(t, pricing.DefaultConfig())), logger)
	r.aggregator = aggregator.New(aggregator.DefaultConfig(), pricer, time.Now)
	r.queue = queue.New(queue.Config{URL: r.queueURL}, cloud.SQSClient(), logger, r.registry)
	commits := uint64(0)
	now := func() time.Time {
		// The pipeline asks for the time right after it has committed a file.
		if n := r.aggregator.Snapshot().CommittedFiles; n > commits {
			commits = n
			r.onCommit()
		}
		return began
	}
	r.pipeline = New(DefaultConfig(), r.queue, objstore.NewDir(r.root), r.aggregator, logger, r.registry, now)
	return r
}

// put stores files and sends one message about all of them. Their only row is that of an interface which is no gateway.
func (r *rig) put(keys ...string) {
	r.t.Helper()
	var objects []awstest.Object
	for _, key := range keys {
		body := flowgen.Gzip([]byte("account-id interface-id srcaddr dstaddr bytes end flow-direction\n123456789012 eni-0a 10.0.1.5 10.0.2.7 1000 1773480359 egress\n"))
		if strings.HasPrefix(key, "bad") {
			body = []byte("not gzip")
		}
		if err := os.WriteFile(filepath.Join(r.root, key), body, 0o600); err != nil {
			r.t.Fatal(err)
		}
		objects = append(objects, awstest.Object{Bucket: "logs", Key: key, ETag: key})
	}
	if err := r.cloud.Send(r.queueURL, awstest.S3Event(objects...)); err != nil {
		r.t.Fatal(err)
	}
}

// handle receives the message and works on it, then closes the queue as a shutdown does.
func (r *rig) handle(ctx context.Context) {
	r.t.Helper()
	messages, err := r.queue.Receive(r.t.Context(), 1)
	if err != nil || len(messages) != 1 {
		r.t.Fatalf("got %d messages, %v", len(messages), err)
	}
	newWorker(r.pipeline).handle(ctx, messages[0])
	if err := r.queue.Close(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

// check compares how messages ended, how many files were committed, and how many messages the queue has, visible and hidden.
func (r *rig) check(deleted, returned int, committed uint64, visible, hidden int) {
	r.t.Helper()
	expected := fmt.Sprintf(`
# HELP vpcflow_messages_total SQS messages by how they ended here: deleted from the queue, returned to it, or invalid and left to its redrive policy. Replicas add up.
# TYPE vpcflow_messages_total counter
vpcflow_messages_total{result="deleted"} %d
vpcflow_messages_total{result="invalid"} 0
vpcflow_messages_total{result="returned"} %d
`, deleted, returned)
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(expected), "vpcflow_messages_total"); err != nil {
		r.t.Error(err)
	}
	if got := r.aggregator.Snapshot().CommittedFiles; got != committed {
		r.t.Errorf("got %d files committed, want %d", got, committed)
	}
	gotVisible, gotHidden, _ := r.cloud.SQS.Depth(r.queueURL)
	if gotVisible != visible || gotHidden != hidden {
		r.t.Errorf("got %d visible and %d hidden messages, want %d and %d", gotVisible, gotHidden, visible, hidden)
	}
}

// TestGraceEndsAfterCommit ends the grace of a shutdown right after a commit. A message whose files are all committed is deleted all the same, or they
// would count again; one with a file that is not goes back at once.
func TestGraceEndsAfterCommit(t *testing.T) {
	for _, c := range []struct {
		name               string
		keys               []string
		committed          uint64
		deleted, returned  int
		visible, inFlights int
	}{
		{"only file", []string{"a.gz"}, 1, 1, 0, 0, 0},
		{"first of two files", []string{"a.gz", "b.gz"}, 1, 0, 1, 1, 0},
		{"after a corrupt file", []string{"bad.gz", "a.gz"}, 1, 0, 1, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			ctx, drop := context.WithCancelCause(t.Context())
			defer drop(nil)
			r.onCommit = func() { drop(errShutdown) }
			r.put(c.keys...)
			r.handle(ctx)
			r.check(c.deleted, c.returned, c.committed, c.visible, c.inFlights)
		})
	}
}

// TestGraceEndsBefore counts nothing of a message whose work begins after the grace.
func TestGraceEndsBefore(t *testing.T) {
	r := newRig(t)
	ctx, drop := context.WithCancelCause(t.Context())
	drop(errShutdown)
	r.put("a.gz")
	r.handle(ctx)
	r.check(0, 1, 0, 1, 0)
}

// TestLostAfterCommit loses a message right after a commit, as its heartbeat would notice. With all its files committed it is deleted if SQS still allows it;
// with a file missing it is left to its new owner: neither returned nor deleted.
func TestLostAfterCommit(t *testing.T) {
	for _, c := range []struct {
		name      string
		keys      []string
		deleted   int
		hidden    int
		committed uint64
	}{
		{"only file", []string{"a.gz"}, 1, 0, 1},
		{"first of two files", []string{"a.gz", "b.gz"}, 0, 1, 1},
		{"after a corrupt file", []string{"bad.gz", "a.gz"}, 0, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			ctx, lose := context.WithCancelCause(t.Context())
			defer lose(nil)
			r.onCommit = func() { lose(errors.Join(errors.New("receipt handle is invalid"), queue.ErrLost)) }
			r.put(c.keys...)
			r.handle(ctx)
			r.check(c.deleted, 0, c.committed, 0, c.hidden)
		})
	}
}

// fullJournal has no space until told otherwise.
type fullJournal struct {
	full    bool
	written int
}

func (j *fullJournal) Write(aggregator.Batch) error {
	if j.full {
		return fmt.Errorf("write: %w", aggregator.ErrFull)
	}
	j.written++
	return nil
}

func (j *fullJournal) Load(func(bucket string, key, value []byte) error) error { return nil }

// TestFullState gives a message back while the state has no space, does not receive until there is some, and then goes on.
func TestFullState(t *testing.T) {
	r := newRig(t)
	journal := &fullJournal{}
	a, err := aggregator.Open(aggregator.DefaultConfig(), NewPricer(pricing.NewBook(newPrices(t, pricing.DefaultConfig())), r.pipeline.logger), time.Now, journal)
	if err != nil {
		t.Fatal(err)
	}
	r.aggregator, r.pipeline.aggregator, r.pipeline.stateRetry = a, a, time.Millisecond
	journal.full = true
	r.put("a.gz")
	r.handle(t.Context())
	r.check(0, 1, 0, 0, 1)
	if err := r.pipeline.Ready(); !errors.Is(err, aggregator.ErrFull) {
		t.Errorf("got ready %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	r.pipeline.awaitState(stopped)
	if a.Err() == nil {
		t.Error("the state can be written")
	}
	journal.full = false
	r.pipeline.awaitState(t.Context())
	if err := r.pipeline.Ready(); errors.Is(err, aggregator.ErrFull) {
		t.Errorf("got ready %v", err)
	}
	// What failed meanwhile is counted now.
	for m := range a.Snapshot().FileErrors() {
		if m.Labels != "state" || m.Value != 1 {
			t.Errorf("got %d errors for reason %s", m.Value, m.Labels)
		}
	}
	for m := range a.Snapshot().Files() {
		if want := uint64(0); m.Labels == aggregator.Failed && m.Value != 1 || m.Labels != aggregator.Failed && m.Value != want {
			t.Errorf("got %d files %s", m.Value, m.Labels)
		}
	}
}
