package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/logging"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/chaos"
	"github.com/vpcflow/vpcflow_exporter/internal/exposition"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
	"github.com/vpcflow/vpcflow_exporter/internal/testlog"
)

// The end-to-end tests run the daemon as newApp makes it, in this process, against S3 and SQS of internal/awstest: real SDK, real protocols. They read
// its numbers as Prometheus does, from the page, and wait for what must come with a deadline. No test waits for a delay of minutes: the cloud's clock
// stands, and is moved to make messages visible again.

const (
	testBucket  = "logs"
	testAccount = "123456789012"
	testRegion  = "eu-west-3"
	// A test waits so long for what must come. It is no measure of speed.
	patience = 60 * time.Second
	// It looks so often.
	glance = 5 * time.Millisecond
)

// window is the time in the names of test files, and testNow the daemon's clock an hour later.
var (
	window  = time.Date(2026, 3, 14, 9, 25, 0, 0, time.UTC)
	testNow = window.Add(time.Hour)
)

// A stand is the surroundings of one test's daemon: endpoints with a bucket and a queue, a configuration, and a log.
type stand struct {
	t      *testing.T
	cloud  *awstest.Cloud
	passed atomic.Int64 // passed is how far the cloud's clock, which stands otherwise, was moved.
	queue  string
	dead   string // dead is the dead-letter queue, "" where there is none.
	config Config
	now    func() time.Time
	logs   *testlog.Buffer
}

// newStand makes a queue that moves a message to a dead-letter queue after so many receives; 0 is a queue without one.
func newStand(t *testing.T, receives int) *stand {
	t.Helper()
	s := &stand{t: t, config: offlineConfig(), now: func() time.Time { return testNow }, logs: new(testlog.Buffer)}
	began := time.Now()
	cloud, err := awstest.NewCloud(awstest.Options{Region: testRegion, Now: func() time.Time { return began.Add(time.Duration(s.passed.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	s.cloud = cloud
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close cloud: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the daemon:\n%s", s.logs)
		}
	})
	if err := cloud.CreateBucket(t.Context(), testBucket); err != nil {
		t.Fatal(err)
	}
	attributes := map[string]string{}
	if receives > 0 {
		s.dead = s.createQueue("dead", nil)
		attributes["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":"arn:aws:sqs:%s:%s:dead","maxReceiveCount":%d}`, testRegion, awstest.AccountID, receives)
	}
	s.queue = s.createQueue("flow-logs", attributes)
	s.config.SQS.QueueURL = s.queue
	s.config.Workers = 2
	return s
}

// Nothing in the environment of the tests makes a daemon ask IPinfo for names.
func init() {
	for _, name := range tokenVariables {
		if err := os.Unsetenv(name); err != nil {
			panic(err)
		}
	}
}

// offlineConfig is the default configuration without sources of names on the network.
func offlineConfig() Config {
	config := DefaultConfig()
	config.Enrichment.IPRanges = ""
	return config
}

func (s *stand) createQueue(name string, attributes map[string]string) string {
	s.t.Helper()
	url, err := s.cloud.CreateQueue(name, attributes)
	if err != nil {
		s.t.Fatal(err)
	}
	return url
}

// awsConfig is the cloud's configuration of the SDK, whose own retries are kept but do not take seconds.
func (s *stand) awsConfig() aws.Config {
	config := s.cloud.AWSConfig(testRegion)
	config.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 5 * time.Millisecond })
	}
	config.ClientLogMode = aws.LogRetries
	config.Logger = logging.NewStandardLogger(s.logs)
	return config
}

// put stores an object.
func (s *stand) put(key string, body []byte) awstest.Object {
	s.t.Helper()
	object, err := s.cloud.Put(s.t.Context(), testBucket, key, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return object
}

func (s *stand) send(body string) {
	s.t.Helper()
	if err := s.cloud.Send(s.queue, body); err != nil {
		s.t.Fatal(err)
	}
}

// deliver stores an object and announces it as S3 does.
func (s *stand) deliver(key string, body []byte) {
	s.t.Helper()
	s.send(awstest.S3Event(s.put(key, body)))
}

// pass moves the cloud's clock. S3 refuses signatures that are 15 minutes old by then.
func (s *stand) pass(d time.Duration) {
	s.passed.Add(int64(d))
	s.cloud.SQS.Wake()
}

// passHidden moves the cloud's clock and checks that this makes no message visible: it looks before any poll is woken.
func (s *stand) passHidden(d time.Duration) {
	s.t.Helper()
	s.passed.Add(int64(d))
	if visible, _, _ := s.cloud.SQS.Depth(s.queue); visible != 0 {
		s.t.Errorf("%d messages became visible too early", visible)
	}
	s.cloud.SQS.Wake()
}

// waitFor waits until a condition holds.
func (s *stand) waitFor(what string, condition func() bool) {
	s.t.Helper()
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			s.t.Fatalf("waited %s in vain for %s", patience, what)
		}
	}
}

// waitForLog waits for a line in the daemon's log.
func (s *stand) waitForLog(text string) {
	s.t.Helper()
	s.waitFor(fmt.Sprintf("log line %q", text), func() bool { return strings.Contains(s.logs.String(), text) })
}

// depth waits until the queue holds so many messages that are visible and in flight.
func (s *stand) depth(visible, inFlight int) {
	s.t.Helper()
	var gotVisible, gotInFlight int
	s.waitFor(fmt.Sprintf("%d visible and %d hidden messages", visible, inFlight), func() bool {
		gotVisible, gotInFlight, _ = s.cloud.SQS.Depth(s.queue)
		return gotVisible == visible && gotInFlight == inFlight
	})
}

// A daemon is a running app.
type daemon struct {
	*stand
	app     *app
	at      string // at is the address of the web server.
	client  *http.Client
	hangups chan os.Signal
	cancel  context.CancelCauseFunc
	ended   chan struct{}
	err     error // err is what run returned, once ended is closed.
}

// start runs a daemon with the stand's configuration and further arguments until the test ends.
func (s *stand) start(args ...string) *daemon {
	s.t.Helper()
	f, _, err := parseFlags(append([]string{"--web.listen-address=127.0.0.1:0"}, args...), io.Discard, io.Discard)
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := newApp(f, s.config, s.awsConfig(), slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	d := &daemon{
		stand: s, app: a, at: a.address(), client: &http.Client{Transport: new(http.Transport)},
		hangups: make(chan os.Signal), cancel: cancel, ended: make(chan struct{}),
	}
	go func() {
		d.err = a.run(ctx, d.hangups)
		close(d.ended)
	}()
	s.t.Cleanup(d.stop)
	return d
}

// stop ends the daemon as Ctrl-C does and waits for it. Stopping one that has ended does nothing.
func (d *daemon) stop() {
	d.t.Helper()
	d.cancel(nil)
	d.wait()
	d.client.CloseIdleConnections()
}

// wait waits until run has returned, which must be without an error.
func (d *daemon) wait() {
	d.t.Helper()
	select {
	case <-d.ended:
	case <-time.After(patience):
		d.t.Errorf("run did not end within %s", patience)
		return
	}
	if d.err != nil {
		d.t.Errorf("run: %v", d.err)
	}
}

// request sends one request to the daemon's web server, with headers given as names and values in turn. An error of the connection is status 0.
func (d *daemon) request(method, path string, headers ...string) (status int, body string) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, "http://"+d.at+path, http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := d.client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// ready waits until readiness has this status and its text contains reason.
func (d *daemon) ready(status int, reason string) {
	d.t.Helper()
	var gotStatus int
	var got string
	d.waitFor(fmt.Sprintf("readiness %d %q", status, reason), func() bool {
		gotStatus, got = d.request(http.MethodGet, "/-/ready")
		return gotStatus == status && strings.Contains(got, reason)
	})
}

// scrape reads the page once.
func (d *daemon) scrape() page {
	d.t.Helper()
	status, text := d.request(http.MethodGet, "/metrics")
	if status != http.StatusOK {
		d.t.Fatalf("scrape: got status %d: %s", status, text)
	}
	return parsePage(d.t, text)
}

// await scrapes until a series has reached a value, and returns the page after. It fails if the series goes beyond.
func (d *daemon) await(series string, want float64) page {
	d.t.Helper()
	var p page
	reached := time.Now().Add(patience)
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for {
		p = d.scrape()
		switch got := p.values[series]; {
		case got == want:
			// The page before is no snapshot of the whole: counters of the queue may be younger than the totals on it.
			return d.scrape()
		case got > want, time.Now().After(reached):
			d.t.Fatalf("%s: got %v, want %v; the page is\n%s", series, got, want, p.own())
		}
		<-ticker.C
	}
}

// The series that most tests wait for.
const (
	processed  = `vpcflow_files_total{result="processed"}`
	duplicates = `vpcflow_files_total{result="duplicate"}`
	skipped    = `vpcflow_files_total{result="skipped"}`
	missing    = `vpcflow_files_total{result="missing"}`
	failed     = `vpcflow_files_total{result="failed"}`
	deleted    = `vpcflow_messages_total{result="deleted"}`
	returned   = `vpcflow_messages_total{result="returned"}`
	invalid    = `vpcflow_messages_total{result="invalid"}`
)

// A page is what one scrape has shown.
type page struct {
	text    string
	values  map[string]float64 // values is by series, as name{label="value",...} with labels in the order of the page.
	samples []exposition.Sample
}

// parsePage reads a page in Prometheus's text format; one that Prometheus would refuse fails the test.
func parsePage(t *testing.T, text string) page {
	t.Helper()
	samples, err := exposition.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	p := page{text: text, values: make(map[string]float64), samples: samples}
	for _, s := range samples {
		p.values[s.Series] = s.Value
	}
	return p
}

// sum adds up the series of a metric that have the labels, given as names and values in turn.
func (p page) sum(name string, labels ...string) float64 {
	total := 0.0
	for _, s := range p.samples {
		if s.Name == name && hasLabels(s, labels) {
			total += s.Value
		}
	}
	return total
}

func hasLabels(s exposition.Sample, labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		if s.Labels[labels[i]] != labels[i+1] {
			return false
		}
	}
	return true
}

// own returns the page's lines of the exporter's own series.
func (p page) own() string { return exposition.Own(p.text) }

// check compares series with what they must be; one that is missing is 0.
func (p page) check(t *testing.T, want map[string]float64) {
	t.Helper()
	for _, series := range slices.Sorted(maps.Keys(want)) {
		if got := p.values[series]; got != want[series] {
			t.Errorf("%s: got %v, want %v", series, got, want[series])
		}
	}
}

// nothingCounted checks that no file has left a trace.
func (p page) nothingCounted(t *testing.T) {
	t.Helper()
	for _, s := range p.samples {
		switch s.Name {
		case "vpcflow_records_total", "vpcflow_observed_bytes_total", "vpcflow_held_records", "vpcflow_packets_total", "vpcflow_bytes_total",
			"vpcflow_nat_bytes_total", "vpcflow_nat_cost_usd_total", "vpcflow_file_compressed_bytes_total", "vpcflow_file_decompressed_bytes_total",
			"vpcflow_nat_gateway_info", "vpcflow_last_record_timestamp_seconds", "vpcflow_delivery_lag_seconds":
			if s.Value != 0 {
				t.Errorf("%s: got %v, want nothing", s.Series, s.Value)
			}
		}
	}
}

// The rows of most tests are those of one zonal gateway, as AWS documents them.
const (
	natHeader = "version account-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr packets bytes start end action log-status flow-direction " +
		"pkt-src-aws-service pkt-dst-aws-service interface-type"
	natENI = "eni-0a1b2c3d4e5f60718"
)

// natFile is a file with legs A to D of a conversation through a gateway: up bytes of it go to the remote, down come back. It has four data lines.
func natFile(up, down int) []byte { return flowgen.Gzip(natText(up, down)) }

func natText(up, down int) []byte {
	start, end := window.Unix(), window.Unix()+59
	row := func(src, dst, pktSrc, pktDst string, bytes int, direction string) string {
		return fmt.Sprintf("11 %s %s %s %s %s %s 10 %d %d %d ACCEPT OK %s - - nat_gateway\n", testAccount, natENI, src, dst, pktSrc, pktDst, bytes, start, end, direction)
	}
	return []byte(natHeader + "\n" +
		row("10.0.1.5", "10.0.0.220", "10.0.1.5", "203.0.113.5", up, "ingress") +
		row("10.0.0.220", "203.0.113.5", "10.0.0.220", "203.0.113.5", up, "egress") +
		row("203.0.113.5", "10.0.0.220", "203.0.113.5", "10.0.0.220", down, "ingress") +
		row("10.0.0.220", "10.0.1.5", "203.0.113.5", "10.0.1.5", down, "egress"))
}

// natSeries returns the series of natFile's gateway: vpcflow_nat_bytes_total or vpcflow_nat_cost_usd_total.
func natSeries(name, direction string) string {
	return fmt.Sprintf(`%s{account_id=%q,aws_service="none",direction=%q,nat_gateway=%q,region=%q}`, name, testAccount, direction, natENI, testRegion)
}

// natTotals is what natFile adds to the page.
func natTotals(up, down int) map[string]float64 {
	return map[string]float64{
		natSeries("vpcflow_nat_bytes_total", "egress"):               float64(up),
		natSeries("vpcflow_nat_bytes_total", "ingress"):              float64(down),
		`vpcflow_records_total{disposition="counted"}`:               2,
		`vpcflow_records_total{disposition="nat_public_leg"}`:        2,
		`vpcflow_observed_bytes_total{disposition="counted"}`:        float64(up + down),
		`vpcflow_observed_bytes_total{disposition="nat_public_leg"}`: float64(up + down),
		processed: 1,
	}
}

// logName returns the name that AWS gives a test file.
func logName(hash string) string { return logNameAt(window, hash) }

func logNameAt(at time.Time, hash string) string {
	log := flowgen.FlowLog{ID: "fl-0123456789abcdef0", Account: testAccount, Region: testRegion}
	return log.FileName(at, hash)
}

// logKey returns the key that AWS gives a test file.
func logKey(hash string) string {
	return "AWSLogs/" + testAccount + "/vpcflowlogs/" + testRegion + "/2026/03/14/" + logName(hash)
}

// A gate holds answers to GetObject back.
type gate struct {
	arrived chan string // arrived gets the path of each request that is held.
	opened  chan struct{}
	only    string // only is the suffix of the keys to hold; "" holds all.
}

func newGate(only string) *gate {
	return &gate{arrived: make(chan string, 100), opened: make(chan struct{}), only: only}
}

// hook is an awstest.S3Hook.
func (g *gate) hook(r awstest.S3Request) awstest.S3Fault {
	if r.Operation != "GetObject" || !strings.HasSuffix(r.Key, g.only) {
		return nil
	}
	return func(w http.ResponseWriter, request *http.Request, proper http.Handler) {
		g.wait(request)
		proper.ServeHTTP(w, request)
	}
}

// wait holds a request until the gate is opened or the client has gone.
func (g *gate) wait(request *http.Request) {
	g.arrived <- request.URL.Path
	select {
	case <-g.opened:
	case <-request.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// hold waits until so many requests are held.
func (g *gate) hold(t *testing.T, requests int) {
	t.Helper()
	deadline := time.After(patience)
	for range requests {
		select {
		case <-g.arrived:
		case <-deadline:
			t.Fatal("the daemon did not ask for the object")
		}
	}
}

func (g *gate) open() { close(g.opened) }

// ledgerOf returns a page in the terms of the traffic generator.
func ledgerOf(t *testing.T, p page) flowgen.Ledger {
	t.Helper()
	ledger, err := chaos.ParseLedger(p.text)
	if err != nil {
		t.Fatal(err)
	}
	return ledger
}

func natKey(l map[string]string) flowgen.NATKey {
	return flowgen.NATKey{
		AccountID: l["account_id"], Region: l["region"], NATGateway: l["nat_gateway"], Direction: flowgen.Direction(l["direction"]), Service: l["aws_service"],
	}
}
