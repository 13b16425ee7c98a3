package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// failing makes an S3 hook that answers every GetObject of a key with this suffix with a fault.
func failing(suffix string, fault awstest.S3Fault) awstest.S3Hook {
	return func(r awstest.S3Request) awstest.S3Fault {
		if r.Operation == "GetObject" && strings.HasSuffix(r.Key, suffix) {
			return fault
		}
		return nil
	}
}

// fileErrors is the series of a reason.
func fileErrors(reason string) string {
	return fmt.Sprintf("vpcflow_file_errors_total{reason=%q}", reason)
}

// TestGoneFiles settles files that are out of reach for good.
func TestGoneFiles(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]awstest.S3Hook{
		"never there": nil,
		"NoSuchKey":   failing("", awstest.S3Error(http.StatusNotFound, "NoSuchKey")),
		"archived":    failing("", awstest.S3Error(http.StatusForbidden, "InvalidObjectState")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 5)
			s.cloud.S3.SetHook(hook)
			d := s.start()
			s.send(awstest.S3Event(awstest.Object{Bucket: testBucket, Key: logKey("aaaa"), Size: 100}))
			d.await(deleted, 1)
			p := d.await(missing, 1)
			p.nothingCounted(t)
			p.check(t, map[string]float64{failed: 0, returned: 0, processed: 0})
			s.depth(0, 0)
			d.ready(http.StatusOK, "OK")
		})
	}
}

// TestMissingBucket does not take a missing bucket for a missing file: the endpoint may be the wrong one.
func TestMissingBucket(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	d := s.start()
	s.send(awstest.S3Event(awstest.Object{Bucket: "nowhere", Key: logKey("aaaa"), Size: 100}))
	d.await(returned, 1)
	d.scrape().check(t, map[string]float64{missing: 0, failed: 1, fileErrors("no_such_bucket"): 1, deleted: 0})
	s.depth(0, 1)
}

// TestDenied keeps messages whose files the role may not read, however often they come, and says so.
func TestDenied(t *testing.T) {
	t.Parallel()
	s := newStand(t, 0)
	s.config.SQS.MaxReceives = 1
	s.cloud.S3.SetHook(failing("bad.log.gz", awstest.S3Error(http.StatusForbidden, "AccessDenied")))
	d := s.start()
	for i := range 2 {
		s.deliver(logKey(fmt.Sprintf("%dbad", i)), natFile(1, 2))
	}
	d.await(returned, 2)
	d.ready(http.StatusOK, "OK")
	s.deliver(logKey("2bad"), natFile(1, 2))
	d.await(returned, 3)
	d.ready(http.StatusServiceUnavailable, "s3:GetObject")
	p := d.scrape()
	p.nothingCounted(t)
	p.check(t, map[string]float64{failed: 3, fileErrors("access_denied"): 3, deleted: 0, missing: 0})

	s.deliver(logKey("900d"), natFile(1, 2))
	d.await(processed, 1)
	d.await(deleted, 1)
	d.ready(http.StatusOK, "OK")

	s.passHidden(15*time.Minute - time.Second)
	s.pass(time.Second)
	d.await(returned, 6)
	p = d.await(failed, 6)
	p.check(t, natTotals(1, 2))
	p.check(t, map[string]float64{deleted: 1})
	s.depth(0, 3)
}

// rows is a file with a header and lines.
func rows(header string, lines ...string) []byte {
	return flowgen.Gzip([]byte(header + "\n" + strings.Join(lines, "\n") + "\n"))
}

// damaged returns a file of the gateway's with its bytes changed.
func damaged(change func(file []byte) []byte) []byte { return change(natFile(1000, 2000)) }

// v2Line is a line of AWS's default format.
const v2Line = "2 123456789012 eni-0000000000000000b 10.0.1.5 10.0.2.7 443 50000 6 10 1000 1773480300 1773480359 ACCEPT OK"

// corruptFiles are files of which nothing may be counted.
func corruptFiles() []struct {
	name, reason, format string
	body                 []byte
} {
	malformed := make([]string, 11)
	for i := range malformed {
		malformed[i] = v2Line + " more"
	}
	v2 := strings.Join(defaultFields, " ")
	return []struct {
		name, reason, format string
		body                 []byte
	}{
		{"cut short", "truncated", "", damaged(func(f []byte) []byte { return f[:len(f)-9] })},
		{"cut in the header", "truncated", "", damaged(func(f []byte) []byte { return f[:5] })},
		{"wrong CRC", "corrupt", "", damaged(func(f []byte) []byte { f[len(f)-8] ^= 1; return f })},
		{"wrong length", "corrupt", "", damaged(func(f []byte) []byte { f[len(f)-1] ^= 1; return f })},
		{"wrong block", "corrupt", "", damaged(func(f []byte) []byte { f[10] |= 6; return f })},
		{"second member cut short", "truncated", "", damaged(func(f []byte) []byte { return append(natFile(1, 2), f[:len(f)/2]...) })},
		{"rubbish behind the end", "corrupt", "", damaged(func(f []byte) []byte { return append(f, "rubbish of some length"...) })},
		{"not gzip", "not_gzip", "", []byte(natHeader + "\n")},
		{"one byte", "not_gzip", "", []byte{0x1f}},
		{"too many malformed lines", "too_many_malformed", "", rows(v2, append(malformed, v2Line)...)},
		{"a long line", "line_too_long", "", rows(v2, v2Line, strings.Repeat("x", 64<<10+1))},
		{"a bomb", "file_too_large", "", rows(v2, strings.Repeat("\n", 1<<20))},
		{"no bytes", "unsupported_format", "", rows("version interface-id srcaddr dstaddr", "2 eni-1 10.0.0.1 10.0.0.2")},
		{"no interface", "unsupported_format", "", rows("version srcaddr dstaddr bytes", "2 10.0.0.1 10.0.0.2 5")},
		{"a field twice", "unsupported_format", "", rows(v2+" bytes", v2Line+" 5")},
		{"a transit gateway's log behind a VPC's", "unsupported_format", "", append(natFile(1, 2), rows("version resource-type account-id tgw-id")...)},
		{"no header, and not the default format", "unsupported_format", "", rows(v2Line+" 5", v2Line+" 5")},
		{"no header, and not flow_logs.format", "unsupported_format", "interface-id srcaddr dstaddr bytes", rows(v2Line, v2Line)},
	}
}

// defaultFields is AWS's default format.
var defaultFields = strings.Fields("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status")

// TestCorruptFiles counts nothing of a file that is not whole, gives the message back ever more slowly, and leaves it to the redrive policy.
func TestCorruptFiles(t *testing.T) {
	t.Parallel()
	for _, c := range corruptFiles() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 2)
			s.config.SQS.MaxReceives = 1
			s.config.FlowLogs.MaxFileBytes = 1 << 20
			s.config.FlowLogs.Format = c.format
			d := s.start()
			s.deliver(logKey("aaaa"), c.body)
			d.await(returned, 1)
			p := d.scrape()
			p.nothingCounted(t)
			p.check(t, map[string]float64{failed: 1, fileErrors(c.reason): 1, deleted: 0, processed: 0, missing: 0})

			// A minute, then two, each less up to an eighth.
			s.passHidden(52 * time.Second)
			s.pass(8 * time.Second)
			d.await(returned, 2)
			s.passHidden(104 * time.Second)
			s.pass(16 * time.Second)
			s.waitFor("the message in the dead-letter queue", func() bool {
				visible, _, _ := s.cloud.SQS.Depth(s.dead)
				return visible == 1
			})
			p = d.scrape()
			p.nothingCounted(t)
			p.check(t, map[string]float64{failed: 2, fileErrors(c.reason): 2, deleted: 0})
			s.depth(0, 0)
			d.ready(http.StatusOK, "OK")
		})
	}
}

// TestHeaderlessFiles reads files without a header line by AWS's default format, or by the configured one.
func TestHeaderlessFiles(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, format string
		lines        []string
	}{
		{"default", "", []string{v2Line, v2Line}},
		{"configured", "${bytes} ${srcaddr} ${dstaddr} ${interface-id} ${account-id}", []string{
			"1000 10.0.1.5 10.0.2.7 eni-0000000000000000b 123456789012", "1000 10.0.1.5 10.0.9.9 eni-0000000000000000b 123456789012",
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 5)
			s.config.FlowLogs.Format = c.format
			d := s.start()
			s.deliver(logKey("aaaa"), flowgen.Gzip([]byte(strings.Join(c.lines, "\n"))))
			d.await(processed, 1)
			p := d.scrape()
			if got := p.sum("vpcflow_records_total") + p.values["vpcflow_held_records"]; got != float64(len(c.lines)) {
				t.Errorf("got %v records, want %d", got, len(c.lines))
			}
			p.check(t, map[string]float64{failed: 0, `vpcflow_records_total{disposition="malformed"}`: 0})
		})
	}
}

// TestFewMalformedLines counts the rest of a file of which a few lines are malformed.
func TestFewMalformedLines(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	d := s.start()
	lines := make([]string, 10)
	for i := range lines {
		lines[i] = "not a line"
	}
	header, row := "account-id interface-id srcaddr dstaddr bytes flow-direction", testAccount+" eni-0000000000000000b 10.0.1.5 10.0.2.7 1000 egress"
	s.deliver(logKey("aaaa"), rows(header, append(lines, row)...))
	d.await(processed, 1)
	d.scrape().check(t, map[string]float64{
		`vpcflow_records_total{disposition="malformed"}`: 10, `vpcflow_records_total{disposition="counted"}`: 1, `vpcflow_observed_bytes_total{disposition="counted"}`: 1000,
		failed: 0,
	})
	s.waitForLog("Malformed line")
}

// TestDroppedMessages gives up, after max_receives, what can never succeed if the queue has no dead-letter queue.
func TestDroppedMessages(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(s *stand){
		"corrupt file":    func(s *stand) { s.deliver(logKey("aaaa"), []byte("not gzip")) },
		"invalid message": func(s *stand) { s.send("hello") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 0)
			s.config.SQS.MaxReceives = 3
			d := s.start()
			send(s)
			for receives := range 3 {
				if receives > 0 {
					s.pass(s.config.SQS.VisibilityTimeout)
				}
				d.await("vpcflow_messages_received_total", float64(receives+1))
				if receives < 2 {
					s.waitFor("the message to be let go of", func() bool {
						p := d.scrape()
						return p.values[returned]+p.values[invalid] == float64(receives+1)
					})
					s.depth(0, 1)
				}
			}
			p := d.await(deleted, 1)
			p.nothingCounted(t)
			s.waitForLog(`level=ERROR msg="Dropped message, the queue has no redrive policy to keep it"`)
			s.depth(0, 0)
		})
	}
}

// TestHalfGoodMessage counts the good files of a message with a bad one, once, although the whole message comes again.
func TestHalfGoodMessage(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	d := s.start()
	good, bad := s.put(logKey("900d"), natFile(100, 200)), s.put(logKey("0bad"), []byte("not gzip"))
	s.send(awstest.S3Event(bad, good))
	d.await(returned, 1)
	d.scrape().check(t, natTotals(100, 200))
	s.put(bad.Key, natFile(1, 2))
	s.pass(time.Minute)
	p := d.await(deleted, 1)
	p.check(t, map[string]float64{
		processed: 2, duplicates: 1, failed: 1,
		natSeries("vpcflow_nat_bytes_total", "egress"): 101, natSeries("vpcflow_nat_bytes_total", "ingress"): 202,
	})
}

// largeFile is a file of so many kilobytes, compressed, that forwards as many bytes as it returns.
func largeFile(lines int) (file []byte, forwarded int) {
	var text strings.Builder
	text.WriteString(natHeader + "\n")
	for i := range lines {
		n := i*7919%1_000_003 + 1
		forwarded += n
		fmt.Fprintf(&text, "11 %s %s 10.0.1.5 10.0.0.220 10.0.1.5 203.0.%d.%d 10 %d %d %d ACCEPT OK ingress - - nat_gateway\n",
			testAccount, natENI, n%256, n*31%256, n, window.Unix()+int64(n%60), window.Unix()+59)
	}
	return flowgen.Gzip([]byte(text.String())), forwarded
}

// TestBrokenConnections breaks the connection several times in the middle of a file, in both ways in which connections break: it is resumed where it broke.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(n int64) awstest.S3Fault{"reset": awstest.CutAfter, "ended early": awstest.StopAfter} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 5)
			var broken, resumed atomic.Int64
			s.cloud.S3.SetHook(func(r awstest.S3Request) awstest.S3Fault {
				if r.Operation != "GetObject" {
					return nil
				}
				if r.Range != "" {
					resumed.Add(1)
				}
				if broken.Add(1) > 4 {
					return nil
				}
				return fault(3000)
			})
			d := s.start()
			file, forwarded := largeFile(2000)
			s.deliver(logKey("aaaa"), file)
			d.await(processed, 1)
			p := d.await(deleted, 1)
			p.check(t, map[string]float64{
				natSeries("vpcflow_nat_bytes_total", "egress"): float64(forwarded), `vpcflow_records_total{disposition="counted"}`: 2000, failed: 0,
				"vpcflow_file_compressed_bytes_total": float64(len(file)),
			})
			if resumed.Load() == 0 {
				t.Error("nothing was resumed, the test shows nothing")
			}
		})
	}
}

// TestShortBody fails a file whose store sends less than it promised and cannot go on: that may pass, so the message comes again, as often as it takes.
func TestShortBody(t *testing.T) {
	t.Parallel()
	s := newStand(t, 0)
	s.config.SQS.MaxReceives = 1
	file, forwarded := largeFile(2000)
	var whole atomic.Bool
	s.cloud.S3.SetHook(func(r awstest.S3Request) awstest.S3Fault {
		switch {
		case r.Operation != "GetObject" || whole.Load():
			return nil
		case r.Range == "":
			return awstest.StopAfter(int64(len(file)) - 1)
		default:
			// The store does not know ranges and sends all of it again.
			return func(w http.ResponseWriter, request *http.Request, proper http.Handler) {
				request.Header.Del("Range")
				proper.ServeHTTP(w, request)
			}
		}
	})
	d := s.start()
	s.deliver(logKey("aaaa"), file)
	d.await(returned, 1)
	p := d.scrape()
	p.nothingCounted(t)
	p.check(t, map[string]float64{failed: 1, fileErrors("truncated_body"): 1, deleted: 0})
	s.passHidden(13 * time.Second)
	whole.Store(true)
	s.pass(2 * time.Second)
	d.await(processed, 1)
	d.scrape().check(t, map[string]float64{natSeries("vpcflow_nat_bytes_total", "egress"): float64(forwarded)})
}

// TestThrottledStore waits out a store that asks for patience or has a fault of its own.
func TestThrottledStore(t *testing.T) {
	t.Parallel()
	for reason, fault := range map[string]awstest.S3Fault{
		"throttled":    awstest.S3Error(http.StatusServiceUnavailable, "SlowDown"),
		"server_error": awstest.S3Error(http.StatusInternalServerError, "InternalError"),
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 0)
			s.config.SQS.MaxReceives = 1
			s.cloud.S3.SetHook(failing("", fault))
			d := s.start()
			s.deliver(logKey("aaaa"), natFile(100, 200))
			d.await(returned, 1)
			s.pass(15 * time.Second)
			d.await(returned, 2)
			p := d.scrape()
			p.nothingCounted(t)
			p.check(t, map[string]float64{failed: 2, fileErrors(reason): 2, deleted: 0})
			s.cloud.S3.SetHook(nil)
			s.passHidden(52 * time.Second)
			s.pass(8 * time.Second)
			d.await(processed, 1)
			d.await(deleted, 1).check(t, natTotals(100, 200))
			d.ready(http.StatusOK, "OK")
		})
	}
}

// pausingWriter sends the first half of what is written, and the rest after a pause.
type pausingWriter struct {
	http.ResponseWriter
	pause func()
}

// Write implements io.Writer.
func (w *pausingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:len(p)/2])
	if err != nil {
		return n, err
	}
	if err := http.NewResponseController(w.ResponseWriter).Flush(); err != nil {
		return n, err
	}
	w.pause()
	m, err := w.ResponseWriter.Write(p[len(p)/2:])
	return n + m, err
}

// TestStallingStore reads a file whose second half takes its time: the message stays hidden meanwhile, and other files are read.
func TestStallingStore(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.SQS.VisibilityTimeout = 8 * time.Second // Half of it is how late a heartbeat may come.
	held := newGate("0510.log.gz")
	s.cloud.S3.SetHook(func(r awstest.S3Request) awstest.S3Fault {
		if held.hook(r) == nil {
			return nil
		}
		return func(w http.ResponseWriter, request *http.Request, proper http.Handler) {
			proper.ServeHTTP(&pausingWriter{w, func() { held.wait(request) }}, request)
		}
	})
	d := s.start()
	s.deliver(logKey("0510"), natFile(1000, 2000))
	held.hold(t, 1)
	for i := range 5 {
		s.deliver(logKey(strconv.Itoa(i)), natFile(10, 20))
	}
	d.await(processed, 5)
	p := d.await("vpcflow_message_extensions_total", 1)
	p.check(t, map[string]float64{natSeries("vpcflow_nat_bytes_total", "egress"): 50, processed: 5})
	held.open()
	d.await(processed, 6)
	p = d.await(deleted, 6)
	p.check(t, map[string]float64{
		natSeries("vpcflow_nat_bytes_total", "egress"): 1050, natSeries("vpcflow_nat_bytes_total", "ingress"): 2100, "vpcflow_messages_received_total": 6,
		failed: 0, duplicates: 0,
	})
}

// refuseExtension answers as SQS does whose message has become another consumer's.
func refuseExtension(r awstest.SQSRequest) awstest.SQSFault {
	if r.Operation == "ChangeMessageVisibility" {
		return awstest.SQSFault{Err: &awstest.SQSError{Code: "ReceiptHandleIsInvalid", Message: "The input receipt handle is invalid."}}
	}
	return awstest.SQSFault{}
}

// TestLostMessage loses the right to a message while its file is read: nothing of the file may count, since whoever has the message now counts it.
func TestLostMessage(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.SQS.VisibilityTimeout = 2 * time.Second
	held := newGate("")
	s.cloud.S3.SetHook(held.hook)
	s.cloud.SQS.SetHook(refuseExtension)
	d := s.start()
	s.deliver(logKey("aaaa"), natFile(1000, 2000))
	held.hold(t, 1)
	s.waitForLog("Lost message")
	p := d.scrape()
	p.nothingCounted(t)
	p.check(t, map[string]float64{processed: 0, failed: 0, returned: 0, deleted: 0, "vpcflow_message_extensions_total": 0})

	s.cloud.SQS.SetHook(nil)
	held.open()
	s.pass(2 * time.Second)
	d.await(deleted, 1)
	p = d.scrape()
	p.check(t, natTotals(1000, 2000))
	p.check(t, map[string]float64{"vpcflow_messages_received_total": 2, failed: 0, duplicates: 0})
	s.depth(0, 0)
}

// TestLostHalfway loses the right to a message between two of its files: the committed one stays, and is a duplicate when the message comes again.
func TestLostHalfway(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.SQS.VisibilityTimeout = 2 * time.Second
	held := newGate("5ec0.log.gz")
	s.cloud.S3.SetHook(held.hook)
	s.cloud.SQS.SetHook(refuseExtension)
	d := s.start()
	s.send(awstest.S3Event(s.put(logKey("f125"), natFile(1000, 2000)), s.put(logKey("5ec0"), natFile(1, 2))))
	held.hold(t, 1)
	s.waitForLog("Lost message")
	p := d.scrape()
	p.check(t, natTotals(1000, 2000))
	p.check(t, map[string]float64{failed: 0, returned: 0, deleted: 0, invalid: 0})
	s.depth(0, 1)

	s.cloud.SQS.SetHook(nil)
	held.open()
	s.pass(2 * time.Second)
	d.await(deleted, 1)
	p = d.await(duplicates, 1)
	p.check(t, map[string]float64{
		processed: 2, failed: 0, returned: 0, "vpcflow_messages_received_total": 2,
		natSeries("vpcflow_nat_bytes_total", "egress"): 1001, natSeries("vpcflow_nat_bytes_total", "ingress"): 2002,
	})
	s.depth(0, 0)
}

// TestLostBeforeDelete finds the receipt handle invalid only when the message is to be deleted: the deletion is not counted nor tried again, and the file is
// a duplicate when the message comes again.
func TestLostBeforeDelete(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.cloud.SQS.SetHook(func(r awstest.SQSRequest) awstest.SQSFault {
		if r.Operation == "DeleteMessageBatch" && r.Number == 1 {
			return awstest.SQSFault{FailEntries: map[int]*awstest.SQSError{0: {Code: "ReceiptHandleIsInvalid", Message: "The input receipt handle is invalid."}}}
		}
		return awstest.SQSFault{}
	})
	d := s.start()
	s.deliver(logKey("aaaa"), natFile(1000, 2000))
	d.await(processed, 1)
	s.waitForLog("Deleting messages failed")
	s.depth(0, 1)
	d.scrape().check(t, map[string]float64{deleted: 0, returned: 0, invalid: 0})
	s.pass(s.config.SQS.VisibilityTimeout)
	d.await(deleted, 1)
	p := d.await(duplicates, 1)
	p.check(t, natTotals(1000, 2000))
	s.depth(0, 0)
	if n := s.cloud.SQS.Requests("DeleteMessageBatch"); n != 2 {
		t.Errorf("got %d requests to delete, want 2", n)
	}
}
