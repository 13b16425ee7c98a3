package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// TestEmptyFiles settles files without lines, which have nothing to count and are no failures.
func TestEmptyFiles(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	d := s.start()
	files := [][]byte{nil, flowgen.Gzip(nil), flowgen.Gzip([]byte("\n")), flowgen.Gzip([]byte(natHeader + "\n")), flowgen.Gzip([]byte(natHeader))}
	for i, body := range files {
		s.deliver(logKey(fmt.Sprintf("%04x", i)), body)
	}
	d.await(deleted, float64(len(files)))
	p := d.scrape()
	if got := p.sum("vpcflow_records_total") + p.values["vpcflow_held_records"]; got != 0 {
		t.Errorf("got %v records", got)
	}
	p.check(t, map[string]float64{processed: float64(len(files)), failed: 0, skipped: 0, returned: 0})
	s.depth(0, 0)
	d.ready(http.StatusOK, "OK")
}

// TestOddTextFiles counts the same bytes of files that are not as AWS writes them today as of one that is.
func TestOddTextFiles(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]func(text string) string{
		"as AWS writes them": func(text string) string { return text },
		"carriage returns":   func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") },
		"no last newline":    func(text string) string { return strings.TrimSuffix(text, "\n") },
		"double spaces":      func(text string) string { return strings.ReplaceAll(text, " ", "  ") },
		"a byte order mark":  func(text string) string { return "\xef\xbb\xbf" + text },
		"milliseconds":       func(text string) string { return millisecondTimes.ReplaceAllString(text, "${1}500") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 5)
			d := s.start()
			s.deliver(logKey("aaaa"), flowgen.Gzip([]byte(odd(string(natText(18204, 734003))))))
			d.await(processed, 1)
			p := d.await(deleted, 1)
			p.check(t, natTotals(18204, 734003))
			p.check(t, map[string]float64{failed: 0, `vpcflow_records_total{disposition="malformed"}`: 0})
		})
	}
}

// millisecondTimes finds the times of natText.
var millisecondTimes = regexp.MustCompile(`(17734\d{5})`)

// TestExportedFiles counts what CloudWatch Logs has exported to S3: lines of the log group without a header, behind the time of their events, under keys that
// are not AWS's.
func TestExportedFiles(t *testing.T) {
	t.Parallel()
	header, rows, _ := strings.Cut(string(natText(18204, 734003)), "\n")
	const when = "2026-03-14T09:25:59.000Z "
	exported := when + strings.ReplaceAll(strings.TrimSuffix(rows, "\n"), "\n", "\n"+when) + "\n"
	s := newStand(t, 5)
	s.config.FlowLogs.Format = header
	d := s.start()
	s.deliver("exports/0a1b2c3d-task/eni-0000000000000000a-all/000000.gz", flowgen.Gzip([]byte(exported)))
	d.await(processed, 1)
	p := d.await(deleted, 1)
	p.check(t, map[string]float64{failed: 0, `vpcflow_records_total{disposition="malformed"}`: 0, `vpcflow_records_total{disposition="counted"}`: 2})
	if got := p.sum("vpcflow_nat_bytes_total", "direction", "egress"); got != 18204 {
		t.Errorf("got %v NAT bytes of egress", got)
	}
	s.waitForLog("timestamp version account-id")
}

// TestTransitGatewayFiles skips flow logs of transit gateways, which lie under the same keys as those of VPCs, and says so once.
func TestTransitGatewayFiles(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	d := s.start()
	body := rows("version resource-type account-id tgw-id tgw-attachment-id srcaddr dstaddr bytes",
		"6 TransitGateway 123456789012 tgw-0a tgw-attach-0b 10.0.1.5 10.1.2.7 1000")
	for i := range 3 {
		s.deliver(logKey(fmt.Sprintf("%04x", i)), body)
	}
	s.deliver(logKey("900d"), natFile(1, 2))
	d.await(deleted, 4)
	p := d.scrape()
	p.check(t, natTotals(1, 2))
	p.check(t, map[string]float64{skipped: 3, processed: 1, failed: 0, returned: 0, fileErrors("transit_gateway"): 0})
	s.depth(0, 0)
	if n := strings.Count(s.logs.String(), "Skipping flow log of a transit gateway"); n != 1 {
		t.Errorf("got %d log lines about transit gateways, want 1", n)
	}
}
