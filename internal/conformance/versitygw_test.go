//go:build conformance

package conformance

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// TestVersitygw uses versitygw for S3. It announces objects to a web hook, with keys as they are, which hands them to the queue of the other tests.
func TestVersitygw(t *testing.T) {
	t.Parallel()
	cloud, err := awstest.NewCloud(awstest.Options{Region: region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close cloud: %v", err)
		}
	})
	runSuite(t, func(t *testing.T) servers { return startVersitygw(t, cloud.SQSURL) })
}

// TestVersitygwElasticMQ runs the daemon between two servers of which none is this project's.
func TestVersitygwElasticMQ(t *testing.T) {
	t.Parallel()
	elasticMQ := startElasticMQ(t)
	runSuite(t, func(t *testing.T) servers { return startVersitygw(t, elasticMQ) }, "ledger", "keys")
}

// startVersitygw starts a server for one bucket, with its events going to a queue elsewhere. One bucket, because the server writes the bucket's name into an
// event after the request has been answered, when the memory that holds it may already hold the next request's.
func startVersitygw(t *testing.T, sqsURL string) servers {
	t.Helper()
	if *versitygwFile == "" {
		t.Fatal("-versitygw names no program")
	}
	h := &hook{t: t, seen: make(map[string]int)}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	host, port := freeAddress(t)
	servers := newServers("http://"+host+":"+port, sqsURL)
	h.sqs = servers.sqs
	environment := []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey}
	start(t, environment, *versitygwFile, "--port", host+":"+port, "--region", region, "--event-webhook-url", server.URL, "--quiet",
		"posix", "--sidecar", t.TempDir(), t.TempDir()).answers(t, servers.s3URL)
	servers.connect = h.connect
	servers.announced = func(t *testing.T, key string) { h.await(t, "s3:ObjectCreated:Put", key) }
	servers.announcesDeletion = func(t *testing.T, s *site) {
		h.await(t, "s3:ObjectRemoved:Delete", s.bucket)
		s.messages++
	}
	return servers
}

// A hook receives versitygw's events and sends each to the queue.
type hook struct {
	t   *testing.T
	sqs *sqs.Client

	mu    sync.Mutex
	queue string
	test  string         // test is the event with which the server has tried the hook.
	seen  map[string]int // seen are the events not awaited yet, by name.
}

// event is what the hook reads of an event.
type event struct {
	Event   string
	Records []struct{ EventName string }
}

// ServeHTTP implements http.Handler.
func (h *hook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var e event
	if err := errors.Join(err, json.Unmarshal(body, &e)); err != nil {
		h.t.Errorf("read event: %v: %s", err, body)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Event != "" {
		h.test = string(body)
		return
	}
	for _, record := range e.Records {
		if !strings.HasPrefix(record.EventName, "s3:Object") {
			continue // The bucket itself was made.
		}
		text := string(body)
		if _, err := h.sqs.SendMessage(h.t.Context(), &sqs.SendMessageInput{QueueUrl: &h.queue, MessageBody: &text}); err != nil {
			h.t.Errorf("send event: %v", err)
		}
		h.seen[record.EventName]++
	}
}

// connect sends events to the site's queue from now on, beginning with the server's test event.
func (h *hook) connect(t *testing.T, s *site) {
	t.Helper()
	h.mu.Lock()
	h.queue = s.queue
	test := h.test
	h.mu.Unlock()
	if test == "" {
		t.Fatal("the server has not tried the hook")
	}
	s.send(t, test)
}

// await waits for an event that was not awaited before. A test does one thing at a time, so that the event is that of what it has just done.
func (h *hook) await(t *testing.T, name, of string) {
	t.Helper()
	waitFor(t, name+" of "+of, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		seen := h.seen[name] > 0
		if seen {
			h.seen[name]--
		}
		return seen
	})
}
