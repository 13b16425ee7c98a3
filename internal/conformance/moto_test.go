//go:build conformance

package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// motoAccount is the account that owns everything in moto.
const motoAccount = "123456789012"

// TestMoto uses moto for S3 and SQS, and for each service that can stand between the two: its own notifications, on all the ways that AWS has.
func TestMoto(t *testing.T) {
	t.Parallel()
	if *motoPython == "" {
		t.Fatal("-moto names no interpreter")
	}
	m := startMoto(t)
	for _, way := range []struct {
		name    string
		connect func(t *testing.T, s *site)
		parts   []string
	}{
		{"sqs", m.toQueue, nil},
		{"sns", m.toTopic("false"), []string{"ledger", "keys"}},
		{"sns_raw", m.toTopic("true"), []string{"ledger", "keys"}},
		{"eventbridge", m.toEventBridge, []string{"ledger", "keys", "missing"}},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			servers := newServers(m.url, m.url)
			servers.connect = way.connect
			// A deletion is announced before it is answered.
			servers.announcesDeletion = func(_ *testing.T, s *site) { s.messages++ }
			runSuite(t, servers.shared, way.parts...)
		})
	}
}

// moto is a running server of moto.
type moto struct{ url string }

func startMoto(t *testing.T) moto {
	t.Helper()
	host, port := freeAddress(t)
	m := moto{"http://" + host + ":" + port}
	start(t, nil, *motoPython, "-m", "moto.server", "-H", host, "-p", port).answers(t, m.url)
	return m
}

var motoEvents = []types.Event{"s3:ObjectCreated:*", "s3:ObjectRemoved:*"}

// toQueue has the bucket notify the queue. S3 begins with a test event.
func (m moto) toQueue(t *testing.T, s *site) {
	t.Helper()
	s.notify(t, &types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{{QueueArn: &s.queueARN, Events: motoEvents}}})
	s.messages++
}

// toTopic has the bucket notify a topic to which the queue is subscribed, with or without raw message delivery.
func (m moto) toTopic(raw string) func(t *testing.T, s *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		topic := fmt.Sprintf("arn:aws:sns:%s:%s:%s", region, motoAccount, s.bucket)
		m.sns(t, url.Values{"Action": {"CreateTopic"}, "Name": {s.bucket}})
		m.sns(t, url.Values{
			"Action": {"Subscribe"}, "TopicArn": {topic}, "Protocol": {"sqs"}, "Endpoint": {s.queueARN},
			"Attributes.entry.1.key": {"RawMessageDelivery"}, "Attributes.entry.1.value": {raw},
		})
		s.notify(t, &types.NotificationConfiguration{TopicConfigurations: []types.TopicConfiguration{{TopicArn: &topic, Events: motoEvents}}})
		s.messages++
	}
}

// toEventBridge has the bucket tell EventBridge, where a rule sends the bucket's events to the queue.
func (m moto) toEventBridge(t *testing.T, s *site) {
	t.Helper()
	m.events(t, "PutRule", map[string]any{
		"Name": s.bucket,
		"EventPattern": fmt.Sprintf(
			`{"source":["aws.s3"],"detail-type":["Object Created","Object Deleted"],"detail":{"bucket":{"name":[%q]}}}`, s.bucket),
	})
	m.events(t, "PutTargets", map[string]any{"Rule": s.bucket, "Targets": []map[string]string{{"Id": "queue", "Arn": s.queueARN}}})
	s.notify(t, &types.NotificationConfiguration{EventBridgeConfiguration: new(types.EventBridgeConfiguration)})
}

func (s *site) notify(t *testing.T, configuration *types.NotificationConfiguration) {
	t.Helper()
	_, err := s.s3.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{
		Bucket: &s.bucket, NotificationConfiguration: configuration,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sns sends a request as the clients of SNS do.
func (m moto) sns(t *testing.T, form url.Values) {
	t.Helper()
	form.Set("Version", "2010-03-31")
	m.request(t, "sns", form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
}

// events sends a request as the clients of EventBridge do.
func (m moto) events(t *testing.T, operation string, input any) {
	t.Helper()
	body, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	m.request(t, "events", string(body), http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AWSEvents." + operation}})
}

// request sends a signed request. The SDK's clients of the two services would be dependencies for four requests.
func (m moto) request(t *testing.T, service, body string, header http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	keys, err := credentials.Retrieve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, request, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("ask %s: got status %d, %v: %s", service, response.StatusCode, err, text)
	}
}
