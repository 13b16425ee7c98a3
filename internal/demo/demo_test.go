package demo_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/demo"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

var began = time.Date(2026, 3, 14, 14, 3, 20, 0, time.UTC)

// cloud keeps what it is given; it is S3 and SQS in one.
type cloud struct {
	mu       sync.Mutex
	objects  map[string][]byte
	messages []string
	// refusePuts and refuseSends are how many of the next calls fail.
	refusePuts, refuseSends int
	puts                    int
	onSend                  func()
}

func (c *cloud) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.puts++
	if c.refusePuts > 0 {
		c.refusePuts--
		return nil, errors.New("slow down")
	}
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	if c.objects == nil {
		c.objects = make(map[string][]byte)
	}
	c.objects[*in.Key] = body
	etag := `"0123456789abcdef"`
	return &s3.PutObjectOutput{ETag: &etag}, nil
}

func (c *cloud) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuseSends > 0 {
		c.refuseSends--
		return nil, errors.New("service unavailable")
	}
	c.messages = append(c.messages, *in.MessageBody)
	if c.onSend != nil {
		c.onSend()
	}
	return &sqs.SendMessageOutput{}, nil
}

func newSimulator(c *cloud, speed float64) *demo.Simulator {
	return demo.New(demo.Config{Speed: speed, Bucket: "logs", QueueURL: "http://queue", Seed: 7, Now: func() time.Time { return began }},
		c, c, slog.New(slog.DiscardHandler))
}

// announced returns the key that a message names, and in which envelope.
func announced(t *testing.T, body string) (key, envelope string) {
	t.Helper()
	var m struct {
		Type, Message string
		Records       []struct {
			EventSource, EventName string
			S3                     struct {
				Bucket struct{ Name string }
				Object struct {
					Key  string
					Size int
				}
			}
		}
		DetailType string `json:"detail-type"`
		Detail     struct {
			Bucket struct{ Name string }
			Object struct{ Key string }
		}
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("message %q: %v", body, err)
	}
	switch {
	case m.Type == "Notification":
		key, _ = announced(t, m.Message)
		return key, "sns"
	case m.DetailType == "Object Created" && m.Detail.Bucket.Name == "logs":
		return m.Detail.Object.Key, "eventbridge"
	case len(m.Records) == 1 && m.Records[0].EventSource == "aws:s3" && m.Records[0].EventName == "ObjectCreated:Put" && m.Records[0].S3.Bucket.Name == "logs":
		raw := m.Records[0].S3.Object.Key
		if strings.Contains(raw, "=") {
			t.Errorf("key %q is not encoded", raw)
		}
		key, err := url.QueryUnescape(raw)
		if err != nil {
			t.Fatal(err)
		}
		return key, "s3"
	default:
		t.Fatalf("message %q is none of the envelopes", body)
		return "", ""
	}
}

var keyPattern = regexp.MustCompile(`^AWSLogs/(123456789012/vpcflowlogs/[a-z0-9-]+/\d{4}/\d\d/\d\d` +
	`|aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=[a-z0-9-]+/year=\d{4}/month=\d\d/day=\d\d)` +
	`/123456789012_vpcflowlogs_([a-z0-9-]+)_(fl-0[0-9a-f]{16})_(\d{8}T\d{4}Z)_[0-9a-f]{8}\.log\.gz$`)

// row is a data line by its columns' names.
type row map[string]string

func rowsOf(t *testing.T, object []byte) []row {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	names := strings.Fields(lines[0])
	var rows []row
	for _, line := range lines[1:] {
		values := strings.Fields(line)
		if len(values) != len(names) {
			t.Fatalf("line %q has %d fields, want %d", line, len(values), len(names))
		}
		one := make(row)
		for i, name := range names {
			one[name] = values[i]
		}
		rows = append(rows, one)
	}
	return rows
}

// bytes returns a row's bytes, 0 where it has none.
func (r row) bytes() uint64 {
	n, err := strconv.ParseUint(r["bytes"], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// natLeg says whether the row is leg A or D at a NAT gateway, as the row itself tells it.
func (r row) natLeg() bool {
	private := func(name string) bool { return strings.HasPrefix(r[name], "10.") }
	if r["log-status"] != "OK" || private("pkt-srcaddr") == private("pkt-dstaddr") {
		return false
	}
	switch r["interface-type"] {
	case "nat_gateway":
		return private("srcaddr") && private("dstaddr")
	case "regional_nat_gateway":
		return true
	default:
		return false
	}
}

func TestStep(t *testing.T) {
	c := new(cloud)
	s := newSimulator(c, 1)
	from := began.Add(-5 * time.Minute)
	s.Step(t.Context(), from, began)
	first := len(c.messages)
	if first < 6 {
		t.Errorf("the first step announced %d files, want at least one per flow log and window", first)
	}
	s.Step(t.Context(), began, began.Add(10*time.Second))
	if len(c.messages) <= first || len(c.messages) != len(c.objects) {
		t.Fatalf("%d messages after the first step, %d after the second, for %d objects", first, len(c.messages), len(c.objects))
	}

	logs := make(map[string]bool)
	for _, body := range c.messages {
		key, _ := announced(t, body)
		m := keyPattern.FindStringSubmatch(key)
		object, found := c.objects[key]
		if m == nil || !found {
			t.Fatalf("message names %q, which is not AWS's name of a stored object", key)
		}
		logs[m[3]] = true
		named, err := time.Parse("20060102T1504Z", m[4])
		if err != nil {
			t.Fatal(err)
		}
		checkTimes(t, rowsOf(t, object), named, from, began.Add(10*time.Second))
	}
	if len(logs) != 3 {
		t.Errorf("files of flow logs %v, want 3", logs)
	}
}

// checkTimes checks that a file's rows end in the five minutes from its name's time on, within what was simulated.
func checkTimes(t *testing.T, rows []row, named, from, to time.Time) {
	t.Helper()
	for _, r := range rows {
		begin, err1 := strconv.ParseInt(r["start"], 10, 64)
		end, err2 := strconv.ParseInt(r["end"], 10, 64)
		if err1 != nil || err2 != nil || begin > end || begin < from.Unix() || end > to.Unix() ||
			end < named.Unix() || end >= named.Add(flowgen.FileWindow).Unix() {
			t.Fatalf("row %v does not belong into a file of %s", r, named)
		}
	}
}

func TestLedgerEqualsWhatIsWritten(t *testing.T) {
	c := new(cloud)
	s := newSimulator(c, 1)
	s.Step(t.Context(), began.Add(-5*time.Minute), began)
	s.Step(t.Context(), began, began.Add(4*time.Minute))
	var lines, nat, noData, skipData, rejected uint64
	for _, object := range c.objects {
		for _, r := range rowsOf(t, object) {
			lines++
			if r.natLeg() {
				nat += r.bytes()
			}
			switch {
			case r["log-status"] == "NODATA":
				noData++
			case r["log-status"] == "SKIPDATA":
				skipData++
			case r["action"] == "REJECT":
				rejected++
			}
		}
	}
	ledger := s.Ledger()
	for name, n := range map[string][2]uint64{
		"data lines": {lines, ledger.TotalRecords()},
		"NAT bytes":  {nat, ledger.TotalNATBytes()},
		"no_data":    {noData, ledger.Records[flowgen.NoData]},
		"skip_data":  {skipData, ledger.Records[flowgen.SkipData]},
		"rejected":   {rejected, ledger.Records[flowgen.Rejected]},
	} {
		if n[0] != n[1] {
			t.Errorf("%s: %d written, %d in the ledger", name, n[0], n[1])
		}
	}
	for _, d := range []flowgen.Disposition{
		flowgen.Counted, flowgen.NATPublicLeg, flowgen.ClientView, flowgen.ReceiverSide, flowgen.NoData, flowgen.Rejected,
	} {
		if ledger.Records[d] == 0 {
			t.Errorf("no row is %s", d)
		}
	}
	if got := ledger.Records[flowgen.Malformed]; got != 0 {
		t.Errorf("%d malformed lines", got)
	}
	for _, p := range []flowgen.Path{flowgen.PathNAT, flowgen.PathInternetGateway, flowgen.PathGatewayEndpoint, flowgen.PathInternal, flowgen.PathUnknown} {
		if !slices.ContainsFunc(keys(ledger.Bytes), func(k flowgen.BytesKey) bool { return k.Path == p }) {
			t.Errorf("no bytes took path %s", p)
		}
	}
}

func keys[K comparable, V any](m map[K]V) []K {
	var all []K
	for k := range m {
		all = append(all, k)
	}
	return all
}

// natRate returns the bytes per second that gateways forward in a step of the simulator.
func natRate(t *testing.T, s *demo.Simulator, from, to time.Time) float64 {
	t.Helper()
	before := s.Ledger().TotalNATBytes()
	s.Step(t.Context(), from, to)
	return float64(s.Ledger().TotalNATBytes()-before) / to.Sub(from).Seconds()
}

func TestAJobRunsAwayAfterTwoMinutes(t *testing.T) {
	s := newSimulator(new(cloud), 1)
	calm := natRate(t, s, began.Add(90*time.Second), began.Add(110*time.Second))
	wild := natRate(t, s, began.Add(130*time.Second), began.Add(150*time.Second))
	over := natRate(t, s, began.Add(40*time.Minute), began.Add(40*time.Minute+20*time.Second))
	if wild < 1.5*calm || over > 1.5*calm {
		t.Errorf("NAT rates are %.0f, %.0f and %.0f bytes a second; want a spike in the middle", calm, wild, over)
	}
	// Tens of dollars an hour at some 0.05 a GB.
	if perHour := calm * 3600 / (1 << 30) * 0.05; perHour < 10 || perHour > 60 {
		t.Errorf("an hour costs about %.2f dollars", perHour)
	}
}

func TestEveryEnvelopeOccurs(t *testing.T) {
	c := new(cloud)
	s := newSimulator(c, 1)
	s.Step(t.Context(), began, began.Add(2*time.Hour))
	count := make(map[string]int)
	for _, body := range c.messages {
		_, envelope := announced(t, body)
		count[envelope]++
	}
	if count["sns"] == 0 || count["eventbridge"] == 0 || count["s3"] < 3*(count["sns"]+count["eventbridge"]) {
		t.Errorf("got envelopes %v", count)
	}
}

func TestRefusedFilesAreDeliveredLater(t *testing.T) {
	for name, c := range map[string]*cloud{"S3": {refusePuts: 2}, "SQS": {refuseSends: 2}} {
		t.Run(name, func(t *testing.T) {
			s := newSimulator(c, 1)
			for i := range 2 {
				s.Step(t.Context(), began.Add(time.Duration(i)*10*time.Second), began.Add(time.Duration(i+1)*10*time.Second))
				if n := s.Ledger().TotalRecords(); n != 0 || len(c.messages) != 0 {
					t.Fatalf("after refused step %d: %d records in the ledger, %d messages", i, n, len(c.messages))
				}
			}
			s.Step(t.Context(), began.Add(20*time.Second), began.Add(30*time.Second))

			undisturbed := newSimulator(new(cloud), 1)
			for i := range 3 {
				undisturbed.Step(t.Context(), began.Add(time.Duration(i)*10*time.Second), began.Add(time.Duration(i+1)*10*time.Second))
			}
			var lines uint64
			for _, object := range c.objects {
				lines += uint64(len(rowsOf(t, object)))
			}
			if got := s.Ledger().TotalRecords(); got != lines || len(c.messages) != len(c.objects) {
				t.Errorf("%d records in the ledger, %d lines in %d objects, %d messages", got, lines, len(c.objects), len(c.messages))
			}
			if c.refuseSends == 0 && name == "SQS" && c.puts != len(c.objects) {
				t.Errorf("%d puts of %d objects: a stored object was stored again", c.puts, len(c.objects))
			}
			// What is retried comes from the same traffic.
			if want, got := undisturbed.Ledger().Records[flowgen.ClientView], s.Ledger().Records[flowgen.ClientView]; want == 0 || got < want/2 {
				t.Errorf("%d client views after retries, %d without", got, want)
			}
		})
	}
}

func TestStepEndsWithItsContext(t *testing.T) {
	c := new(cloud)
	ctx, cancel := context.WithCancel(t.Context())
	c.onSend = cancel
	s := newSimulator(c, 1)
	s.Step(ctx, began, began.Add(24*time.Hour))
	if n := len(c.messages); n > 20 {
		t.Errorf("%d messages after the context ended", n)
	}
}

func TestRun(t *testing.T) {
	for _, speed := range []float64{0, 1, 288} {
		c := new(cloud)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		c.onSend = func() {
			if len(c.messages) == 6 {
				cancel()
			}
		}
		s := newSimulator(c, speed)
		if err := s.Run(ctx); err != nil {
			t.Errorf("speed %v: Run ended with %v", speed, err)
		}
		if len(c.messages) < 6 || s.Ledger().TotalNATBytes() == 0 {
			t.Errorf("speed %v: no NAT bytes in the first %d files", speed, len(c.messages))
		}
		oldest := began
		for _, object := range c.objects {
			for _, r := range rowsOf(t, object) {
				at, err := strconv.ParseInt(r["start"], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				if start := time.Unix(at, 0); start.Before(oldest) {
					oldest = start
				}
			}
		}
		if back, want := began.Sub(oldest), time.Duration(max(speed, 1)*float64(5*time.Minute)); back > want || back < want-time.Minute {
			t.Errorf("speed %v: the traffic begins %s ago, want %s", speed, back, want)
		}
		cancel()
	}
}

// TestRealProtocols writes through the SDK to servers that speak S3's and SQS's protocols, and reads back.
func TestRealProtocols(t *testing.T) {
	servers, err := awstest.NewCloud(awstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := servers.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	if err := servers.CreateBucket(ctx, "logs"); err != nil {
		t.Fatal(err)
	}
	queueURL, err := servers.CreateQueue("flow-logs", nil)
	if err != nil {
		t.Fatal(err)
	}
	objects, messages := servers.S3Client(), servers.SQSClient()
	s := demo.New(demo.Config{Speed: 1, Bucket: "logs", QueueURL: queueURL}, objects, messages, slog.New(slog.DiscardHandler))
	now := time.Now()
	s.Step(ctx, now.Add(-6*time.Minute), now)

	var lines uint64
	for lines < s.Ledger().TotalRecords() {
		out, err := messages.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &queueURL, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			t.Fatalf("the queue is empty after %d of %d lines", lines, s.Ledger().TotalRecords())
		}
		for _, m := range out.Messages {
			key, _ := announced(t, *m.Body)
			object, err := objects.GetObject(ctx, &s3.GetObjectInput{Bucket: new("logs"), Key: &key})
			if err != nil {
				t.Fatalf("object %q: %v", key, err)
			}
			body, err := io.ReadAll(object.Body)
			if err != nil {
				t.Fatal(err)
			}
			if err := object.Body.Close(); err != nil {
				t.Fatal(err)
			}
			lines += uint64(len(rowsOf(t, body)))
		}
	}
	if got := s.Ledger().TotalRecords(); got != lines || got == 0 {
		t.Errorf("%d records in the ledger, %d lines read", got, lines)
	}
}
