package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
	"github.com/vpcflow/vpcflow_exporter/internal/flowparquet"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// TestScenarioEndToEnd delivers the flow logs of random networks in every envelope, several files at once, and compares the page with the ledger that
// was kept while the traffic was made.
func TestScenarioEndToEnd(t *testing.T) {
	t.Parallel()
	for _, recognition := range []flowgen.Recognition{flowgen.Learned, flowgen.Typed, flowgen.Configured, flowgen.Plain} {
		t.Run(recognition.String(), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			scenario := flowgen.Random(seed, flowgen.Options{Recognition: recognition})
			t.Logf("scenario of %s", scenario)
			s := newStand(t, 5)
			s.now = func() time.Time { return scenario.Closing[0].Time.Add(time.Hour) }
			s.config.Workers = 4
			for _, g := range scenario.NATGateways {
				s.config.FlowLogs.NATGateways = append(s.config.FlowLogs.NATGateways, NATGatewayConfig{ENI: g.ENI, ID: g.ID, Name: g.Name})
			}
			s.config.FlowLogs.NATVantage = string(scenario.Vantage)
			d := s.start()
			messages, deletions := s.announceOthers()
			files := 0
			for _, stage := range [][]flowgen.File{scenario.Leading, scenario.Files, scenario.Closing} {
				messages += s.announce(stage)
				files += len(stage)
				d.await(processed, float64(files))
			}
			p := d.await(deleted, float64(messages))
			checkLedger(t, p, scenario.Ledger, scenario.Gateways...)
			p.check(t, map[string]float64{"vpcflow_held_records": 0, failed: 0, duplicates: 0, skipped: deletions, missing: 0, invalid: 0, returned: 0})
			s.depth(0, 0)
		})
	}
}

// announce stores files and announces them in all envelopes in turn; it returns the number of messages.
func (s *stand) announce(files []flowgen.File) (messages int) {
	s.t.Helper()
	envelopes := []func(awstest.Object) string{
		func(o awstest.Object) string { return awstest.S3Event(o) },
		func(o awstest.Object) string { return awstest.MinIOEvent(o) },
		func(o awstest.Object) string { return awstest.SNSEvent(awstest.S3Event(o)) },
		awstest.EventBridgeEvent,
		func(o awstest.Object) string { return awstest.SNSEvent(awstest.EventBridgeEvent(o)) },
	}
	var batch []awstest.Object
	for i, f := range files {
		key := f.Key
		switch i % 4 {
		case 0:
			key = "our logs/100% of 1+1/" + key
		case 1:
			key = "AWSLogs/aws-account-id=" + f.FlowLog.Account + "/aws-service=vpcflowlogs/aws-region=" + f.FlowLog.Region + "/year=2026/" + f.Key[strings.LastIndexByte(f.Key, '/')+1:]
		}
		object := s.put(key, f.Gzip())
		if i%7 < 2 {
			batch = append(batch, object)
			continue
		}
		s.send(envelopes[i%len(envelopes)](object))
		messages++
	}
	if len(batch) > 0 {
		s.send(awstest.S3Event(batch...))
		messages++
	}
	return messages
}

// announceOthers sends what a queue gets besides news of files: nothing of it counts as bytes. It returns the number of messages, and of deletions of files
// that they announce.
func (s *stand) announceOthers() (messages int, deletions float64) {
	s.t.Helper()
	object := awstest.Object{Bucket: testBucket, Key: logKey("deadbeef"), Region: testRegion, Time: testNow}
	silent := []string{awstest.TestEvent(testBucket), awstest.SNSEvent(awstest.TestEvent(testBucket)), awstest.S3Event()}
	deleting := []string{awstest.RemovedEvent(object), strings.Replace(awstest.EventBridgeEvent(object), "Object Created", "Object Deleted", 1)}
	for _, body := range slices.Concat(silent, deleting) {
		s.send(body)
	}
	return len(silent) + len(deleting), float64(len(deleting))
}

// checkLedger compares the page with what must have been counted, dollars included.
func checkLedger(t *testing.T, p page, want flowgen.Ledger, gateways ...*flowgen.Gateway) {
	t.Helper()
	if diff := want.Diff(ledgerOf(t, p)); diff != "" {
		t.Errorf("page differs from the ledger:\n%s", diff)
	}
	if got := p.sum("vpcflow_records_total") + p.values["vpcflow_held_records"]; got != float64(want.TotalRecords()) {
		t.Errorf("got %v records in all, want %d", got, want.TotalRecords())
	}
	costs, unpriced := map[flowgen.NATKey]float64{}, map[string]uint64{}
	for key, n := range want.NATBytes {
		if slices.ContainsFunc(gateways, func(g *flowgen.Gateway) bool {
			return g.Label() == key.NATGateway && g.IsInstance() && g.VPC.FlowLog.Format.Has("instance-id")
		}) {
			continue // AWS charges no processing for an instance.
		}
		rate, ok := pricing.Default().Price(key.Region, pricing.NATGB)
		if !ok {
			unpriced[key.Region] += n
			continue
		}
		costs[key] = float64(n) / (1 << 30) * rate.USD
	}
	for _, s := range p.samples {
		switch s.Name {
		case "vpcflow_nat_cost_usd_total":
			key := natKey(s.Labels)
			if cost, ok := costs[key]; !ok || cost != s.Value {
				t.Errorf("cost of %+v: got %v, want %v", key, s.Value, cost)
			}
			delete(costs, key)
		case "vpcflow_unpriced_bytes_total":
			region := s.Labels["region"]
			if float64(unpriced[region]) != s.Value {
				t.Errorf("unpriced bytes in %s: got %v, want %d", region, s.Value, unpriced[region])
			}
			delete(unpriced, region)
		}
	}
	if len(costs)+len(unpriced) > 0 {
		t.Errorf("missing costs of %v, missing unpriced bytes of %v", costs, unpriced)
	}
}

// TestRawKeys reads a file whose name is not AWS's, under a key that needs every kind of encoding, once by each envelope.
func TestRawKeys(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	d := s.start()
	key := "raw/a=b/c d+e/100%/%2B/é&?#;,/file.gz"
	for i, envelope := range []func(awstest.Object) string{
		func(o awstest.Object) string { return awstest.S3Event(o) },
		func(o awstest.Object) string { return awstest.MinIOEvent(o) },
		awstest.EventBridgeEvent,
		func(o awstest.Object) string { return awstest.SNSEvent(awstest.S3Event(o)) },
	} {
		s.send(envelope(s.put(strconv.Itoa(i)+key, natFile(100, 200))))
	}
	d.await(processed, 4)
	p := d.await(deleted, 4)
	// A key that is not AWS's does not tell the region, and neither do these rows.
	for direction, want := range map[string]float64{"egress": 400, "ingress": 800} {
		if got := p.sum("vpcflow_nat_bytes_total", "account_id", testAccount, "region", "unknown", "nat_gateway", natENI, "direction", direction); got != want {
			t.Errorf("got %v bytes of direction %s, want %v", got, direction, want)
		}
	}
	p.check(t, map[string]float64{failed: 0, missing: 0, invalid: 0, skipped: 0, duplicates: 0, `vpcflow_unpriced_bytes_total{region="unknown"}`: 1200})
	if n := strings.Count(s.logs.String(), "Region without a price"); n != 1 {
		t.Errorf("got %d warnings of a region without a price, want 1", n)
	}
}

// TestParquetFile delivers a Parquet file under the name that AWS gives it, twice.
func TestParquetFile(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	d := s.start()
	file, err := flowparquet.FromText(natText(1000, 50_000), flowparquet.Options{Codec: &parquet.Gzip})
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSuffix(logKey("aaaa"), ".log.gz") + ".log.parquet"
	s.deliver(key, file)
	d.await(processed, 1)
	s.deliver("copy/"+key, file)
	d.await(duplicates, 1)
	p := d.await(deleted, 2)
	p.check(t, natTotals(1000, 50_000))
	p.check(t, map[string]float64{failed: 0, skipped: 0})
	s.deliver(logKey("bbbb"), file[:len(file)-20])
	d.await(failed, 1).check(t, map[string]float64{fileErrors("truncated"): 1})
}

// TestDuplicates announces one file in all ways in which it may come twice.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	const up, down = 1000, 3000
	cases := []struct {
		name       string
		send       func(s *stand)
		duplicates float64
		messages   float64
	}{
		{"two messages", func(s *stand) {
			object := s.put(logKey("aaaa"), natFile(up, down))
			s.send(awstest.S3Event(object))
			s.send(awstest.EventBridgeEvent(object))
		}, 1, 2},
		{"one message", func(s *stand) {
			object := s.put(logKey("aaaa"), natFile(up, down))
			s.send(awstest.S3Event(object, object, object))
		}, 2, 1},
		{"another prefix", func(s *stand) {
			s.deliver(logKey("aaaa"), natFile(up, down))
			s.deliver("copies/"+logName("aaaa"), natFile(up, down))
		}, 1, 2},
		{"another bucket", func(s *stand) {
			if err := s.cloud.CreateBucket(t.Context(), "replica"); err != nil {
				t.Fatal(err)
			}
			s.deliver(logKey("aaaa"), natFile(up, down))
			object, err := s.cloud.Put(s.t.Context(), "replica", logKey("aaaa"), natFile(up, down))
			if err != nil {
				t.Fatal(err)
			}
			s.send(awstest.S3Event(object))
		}, 1, 2},
		{"a name of somebody else's", func(s *stand) {
			// The region is needed to find the gateway's series; AWS's folders tell it.
			object := s.put("AWSLogs/"+testAccount+"/vpcflowlogs/"+testRegion+"/merged.gz", natFile(up, down))
			s.send(awstest.S3Event(object))
			s.send(awstest.SNSEvent(awstest.S3Event(object)))
		}, 1, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 5)
			d := s.start()
			c.send(s)
			d.await(deleted, c.messages)
			p := d.await(duplicates, c.duplicates)
			p.check(t, natTotals(up, down))
			p.check(t, map[string]float64{failed: 0, returned: 0})
			s.depth(0, 0)
		})
	}
}

// TestDuplicateInTwoHands lets two workers read the same file at once: the second commit must notice. Both have begun to read when their connections
// break, and may go on together.
func TestDuplicateInTwoHands(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	held := newGate("")
	s.cloud.S3.SetHook(func(r awstest.S3Request) awstest.S3Fault {
		if r.Operation == "GetObject" && r.Range == "" {
			return awstest.StopAfter(50)
		}
		return held.hook(r)
	})
	object := s.put(logKey("aaaa"), natFile(1000, 3000))
	s.send(awstest.S3Event(object))
	s.send(awstest.S3Event(object))
	d := s.start()
	held.hold(t, 2)
	held.open()
	d.await(deleted, 2)
	p := d.await(duplicates, 1)
	p.check(t, natTotals(1000, 3000))
}

// TestReplacedObject reads a new content under an old key, if the name is not AWS's.
func TestReplacedObject(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	d := s.start()
	key := "AWSLogs/" + testAccount + "/vpcflowlogs/" + testRegion + "/latest.gz"
	s.deliver(key, natFile(100, 200))
	d.await(processed, 1)
	s.deliver(key, natFile(1000, 2000))
	p := d.await(processed, 2)
	p.check(t, map[string]float64{natSeries("vpcflow_nat_bytes_total", "egress"): 1100, natSeries("vpcflow_nat_bytes_total", "ingress"): 2200})
}

// TestReplacedBeforeRead replaces an object after it was announced: the first message gets the new content, which the second must not count again.
func TestReplacedBeforeRead(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.Workers = 1
	d := s.start()
	key := "AWSLogs/" + testAccount + "/vpcflowlogs/" + testRegion + "/latest.gz"
	first := s.put(key, natFile(100, 200))
	second := s.put(key, natFile(1000, 2000))
	s.send(awstest.S3Event(first))
	d.await(deleted, 1)
	s.send(awstest.S3Event(second))
	d.await(deleted, 2)
	d.await(duplicates, 1).check(t, natTotals(1000, 2000))
}

// TestInvalidMessages leaves what is no notification to the redrive policy, and goes on.
func TestInvalidMessages(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	d := s.start()
	bodies := []string{
		"hello", "{}", "[]", "null", `"text"`, `{"Records":1}`, `{"Records":[{}]}`, strings.Repeat("{\"a\":", 2000), "\x7f\u2028{",
		`{"Type":"SubscriptionConfirmation","Message":"confirm","SubscribeURL":"https://sns.us-east-1.amazonaws.com/","TopicArn":"arn:aws:sns:us-east-1:123456789012:x"}`,
		`{"Type":"Notification","Message":"You have been unsubscribed."}`,
		`{"Records":[{"eventVersion":"1.0","eventSource":"aws:ses","ses":{}}]}`,
		`{"detail-type":"Scheduled Event","source":"aws.events","detail":{}}`,
		strings.Replace(awstest.S3Event(awstest.Object{Bucket: testBucket, Key: "k.gz"}), `"k.gz"`, `""`, 1),
	}
	for _, body := range bodies {
		s.send(body)
	}
	s.deliver(logKey("aaaa"), natFile(1, 2))
	d.await(invalid, float64(len(bodies)))
	p := d.await(deleted, 1)
	p.check(t, natTotals(1, 2))
	p.check(t, map[string]float64{failed: 0, returned: 0})
	s.depth(0, len(bodies))
	s.pass(s.config.SQS.VisibilityTimeout + time.Second)
	s.waitFor("the messages in the dead-letter queue", func() bool {
		visible, _, _ := s.cloud.SQS.Depth(s.dead)
		return visible == len(bodies)
	})
	d.scrape().check(t, map[string]float64{invalid: float64(len(bodies))})
}

// TestHostileStrings puts into every column that becomes a label what a label must not hold, or what would break a page.
func TestHostileStrings(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.FlowLogs.NATGateways = []NATGatewayConfig{{ENI: "eni-0c0ffee0c0ffee000", ID: "nat-0c0ffee", Name: "a \"quoted\" \\ name\nof \xff bytes"}}
	d := s.start()
	evil := []string{
		"a\"b", "a\\b", "a\tb", "a\x00b", "\xff\xfe\x80", "a\x1b[31mb", "{}", "a=\"b\",c=\"", "\u202e\u2066", strings.Repeat("x", 10<<10), "é", "#", "a\rb",
	}
	const header = "account-id interface-id vpc-id subnet-id az-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes packets start end pkt-src-aws-service " +
		"pkt-dst-aws-service interface-type region resource-id next-hop-interface-type"
	var text strings.Builder
	text.WriteString(header + "\n")
	want := 0
	row := func(account, eni, id, service, kind, resource string) {
		fmt.Fprintf(&text, "%s %s %s %s %s 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 1 %d %d - %s %s %s %s %s\n",
			account, eni, id, id, id, window.Unix(), window.Unix()+59, service, kind, id, resource, id)
		want += 1000
	}
	for _, e := range evil {
		row(testAccount, natENI, "-", e, "nat_gateway", "-")
		row(e, "eni-0c0ffee0c0ffee000", e, "S3", "nat_gateway", "-")
		row(testAccount, e, e, "S3", "nat_gateway", "-")
		row(testAccount, "-", "-", "S3", "regional_nat_gateway", "nat-"+e)
	}
	s.deliver(logKey("aaaa"), flowgen.Gzip([]byte(text.String())))
	d.await(deleted, 1)
	p := d.scrape()
	p.check(t, map[string]float64{processed: 1, failed: 0})
	for _, name := range []string{"vpcflow_nat_bytes_total", "vpcflow_bytes_total"} {
		if got := p.sum(name); got != float64(want) {
			t.Errorf("%s: got %v in all, want %d", name, got, want)
		}
	}
	if cost, list := p.sum("vpcflow_nat_cost_usd_total"), float64(want)/(1<<30)*0.05; math.Abs(cost-list) > list*1e-12 {
		t.Errorf("got %v USD, want %v", cost, list)
	}
	for _, sample := range p.samples {
		for name, value := range sample.Labels {
			if len(value) > 128 || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && name != "name" || c == '\ufffd' }) {
				t.Errorf("%s has label %s=%q", sample.Name, name, value)
			}
		}
	}
	if status, text := d.request(http.MethodGet, "/-/ready"); status != http.StatusOK {
		t.Errorf("got readiness %d %s", status, text)
	}
}

// TestUnwantedFiles skips and settles what the configuration or the key excludes, without asking S3 for it.
func TestUnwantedFiles(t *testing.T) {
	t.Parallel()
	old := logNameAt(testNow.Add(-7*24*time.Hour-time.Minute), "aaaa")
	young := logNameAt(testNow.Add(-7*24*time.Hour+time.Minute), "aaaa")
	cases := []struct {
		name   string
		key    string
		change func(*FlowLogsConfig)
		want   string
	}{
		{"older than max_age", "AWSLogs/" + old, nil, skipped},
		{"just within max_age", "AWSLogs/" + young, nil, processed},
		{"max_age off", "AWSLogs/" + old, func(c *FlowLogsConfig) { c.MaxAge = 0 }, processed},
		{"an age that the name does not tell", "old.gz", nil, processed},
		{"another account", logKey("aaaa"), func(c *FlowLogsConfig) { c.Accounts = []string{"210987654321"} }, skipped},
		{"the account", logKey("aaaa"), func(c *FlowLogsConfig) { c.Accounts = []string{"210987654321", testAccount} }, processed},
		{"another region", logKey("aaaa"), func(c *FlowLogsConfig) { c.Regions = []string{"us-east-1"} }, skipped},
		{"the region", logKey("aaaa"), func(c *FlowLogsConfig) { c.Regions = []string{testRegion} }, processed},
		{"another flow log", logKey("aaaa"), func(c *FlowLogsConfig) { c.FlowLogIDs = []string{"fl-0"} }, skipped},
		{"the flow log", logKey("aaaa"), func(c *FlowLogsConfig) { c.FlowLogIDs = []string{"fl-0123456789abcdef0"} }, processed},
		{"CloudTrail", "AWSLogs/" + testAccount + "/CloudTrail/eu-west-3/2026/03/14/" + testAccount + "_CloudTrail_eu-west-3_20260314T0925Z_aaaa.json.gz", nil, skipped},
		{"a folder", "AWSLogs/", nil, skipped},
		{"a text", "AWSLogs/README.txt", nil, skipped},
		{"AWS's test object", "AWSLogs/aws-programmatic-access-test-object", nil, skipped},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 5)
			if c.change != nil {
				c.change(&s.config.FlowLogs)
			}
			d := s.start()
			s.deliver(c.key, natFile(1, 2))
			d.await(deleted, 1)
			p := d.await(c.want, 1)
			requests := s.cloud.S3.Requests("GetObject")
			if c.want == skipped {
				p.nothingCounted(t)
				p.check(t, map[string]float64{processed: 0, failed: 0})
				if requests != 0 {
					t.Errorf("got %d requests for an unwanted file", requests)
				}
			}
			s.depth(0, 0)
		})
	}
}

// TestForeignEvents counts a record that announces something else than a new file as skipped, in every envelope, and reads the files beside it.
func TestForeignEvents(t *testing.T) {
	t.Parallel()
	object := awstest.Object{Bucket: testBucket, Key: logKey("dead"), Region: testRegion, Time: testNow}
	eventBridge := strings.Replace(awstest.EventBridgeEvent(object), "Object Created", "Object Deleted", 1)
	cases := []struct {
		name               string
		body               func(file awstest.Object) string
		skipped, processed float64
	}{
		{"deletion", func(awstest.Object) string { return awstest.RemovedEvent(object) }, 1, 0},
		{"two deletions", func(awstest.Object) string { return awstest.RemovedEvent(object, object) }, 2, 0},
		{"deletion through SNS", func(awstest.Object) string { return awstest.SNSEvent(awstest.RemovedEvent(object)) }, 1, 0},
		{"deletion through EventBridge", func(awstest.Object) string { return eventBridge }, 1, 0},
		{"deletion through EventBridge and SNS", func(awstest.Object) string { return awstest.SNSEvent(eventBridge) }, 1, 0},
		{"deletion beside a file", func(file awstest.Object) string { return mixedEvent(file, object) }, 1, 1},
		{"test event", func(awstest.Object) string { return awstest.TestEvent(testBucket) }, 0, 0},
		{"no records", func(awstest.Object) string { return awstest.S3Event() }, 0, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 5)
			d := s.start()
			s.send(c.body(s.put(logKey("aaaa"), natFile(1, 2))))
			p := d.await(deleted, 1)
			p.check(t, map[string]float64{skipped: c.skipped, processed: c.processed, failed: 0, missing: 0, invalid: 0, returned: 0, duplicates: 0})
			s.depth(0, 0)
		})
	}
}

// mixedEvent announces a new file and the deletion of another one in one message.
func mixedEvent(file, removed awstest.Object) string {
	const records = `{"Records":[`
	first := strings.TrimSuffix(awstest.S3Event(file), "]}")
	return first + "," + strings.TrimPrefix(awstest.RemovedEvent(removed), records)
}

// TestNoHalfFiles scrapes while files are committed: every page holds whole files only, and all of its numbers belong together.
func TestNoHalfFiles(t *testing.T) {
	t.Parallel()
	const files, up, down = 150, 1_000_003, 7_000_001
	s := newStand(t, 5)
	s.config.Workers = 4
	d := s.start()
	var objects []awstest.Object
	for i := range files {
		objects = append(objects, s.put(logKey(fmt.Sprintf("%08x", i)), natFile(up, down)))
	}
	for i := 0; i < files; i += 5 {
		s.send(awstest.S3Event(objects[i : i+5]...))
	}
	seen := map[float64]bool{}
	for n := 0.0; n < files; {
		p := d.scrape()
		n = p.values[processed]
		seen[n] = true
		want := map[string]float64{}
		if n > 0 {
			for series, value := range natTotals(up, down) {
				want[series] = n * value
			}
			want["vpcflow_held_records"] = 0
		}
		p.check(t, want)
		if nat, paths := p.sum("vpcflow_nat_bytes_total"), p.sum("vpcflow_bytes_total", "path", "nat"); nat != paths || nat != n*(up+down) {
			t.Errorf("after %v files: got %v bytes through gateways and %v on path nat, want %v", n, nat, paths, n*(up+down))
		}
		if t.Failed() {
			t.Fatalf("page after %v files:\n%s", n, p.own())
		}
	}
	if len(seen) < 3 {
		t.Errorf("saw only %d different pages, the test shows nothing", len(seen))
	}
	d.await(deleted, files/5)
}
