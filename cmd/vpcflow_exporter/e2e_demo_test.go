package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/demo"
)

// TestDemoTraffic lets the demo's simulator publish three quarters of an hour and compares the page with its ledger after every step: bytes and dollars through
// gateways are always all there, whatever is undecided is held, and nothing else is missing.
func TestDemoTraffic(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	d := s.start()
	simulator := demo.New(demo.Config{Speed: 1, Bucket: testBucket, QueueURL: s.queue, Seed: 7, Now: s.now},
		s.cloud.S3Client(), s.cloud.SQSClient(), slog.New(slog.NewTextHandler(s.logs, nil)))
	var p page
	for from := testNow.Add(-45 * time.Minute); from.Before(testNow); from = from.Add(15 * time.Minute) {
		simulator.Step(t.Context(), from, from.Add(15*time.Minute))
		p = d.await(deleted, float64(s.cloud.SQS.Requests("SendMessage")))
		want, got := simulator.Ledger(), ledgerOf(t, p)
		if lines := p.sum("vpcflow_records_total") + p.values["vpcflow_held_records"]; lines != float64(want.TotalRecords()) {
			t.Errorf("until %s: got %v lines, want %d", from, lines, want.TotalRecords())
		}
		if got.TotalNATBytes() != want.TotalNATBytes() {
			t.Errorf("until %s: got %d NAT bytes, want %d", from, got.TotalNATBytes(), want.TotalNATBytes())
		}
		if p.values["vpcflow_held_records"] == 0 {
			checkLedger(t, p, want)
		}
	}
	p.check(t, map[string]float64{"vpcflow_held_records": 0, failed: 0, duplicates: 0, skipped: 0, missing: 0, invalid: 0, returned: 0})
	checkLedger(t, p, simulator.Ledger())
	if gateways := p.sum("vpcflow_nat_gateway_info"); gateways != 5 {
		t.Errorf("got %v gateways, want 5", gateways)
	}
}

var metricsLink = regexp.MustCompile(`Metrics +http://(\S+)/metrics`)

// TestRunDemo runs the program as --demo does until dollars are on the page.
func TestRunDemo(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--demo", "--web.listen-address=127.0.0.1:0", "--log.level=debug")
	s := &stand{t: t, logs: &program.stderr}
	var link []string
	s.waitFor("the address", func() bool {
		link = metricsLink.FindStringSubmatch(program.stdout.String())
		return link != nil
	})
	d := &daemon{stand: s, client: &http.Client{Transport: new(http.Transport)}, at: link[1]}
	defer d.client.CloseIdleConnections()
	for _, want := range []string{
		fmt.Sprintf("http://%s/\n", d.at), fmt.Sprintf("http://%s/metrics\n", d.at),
		fmt.Sprintf("curl -s http://%s/metrics | grep -E '^vpcflow_(nat_cost_usd_total|nat_bytes_total|records_total)'", d.at),
	} {
		if !strings.Contains(program.stdout.String(), want) {
			t.Errorf("output does not contain %q", want)
		}
	}
	s.waitFor("dollars", func() bool { return d.scrape().sum("vpcflow_nat_cost_usd_total") > 0 })
	d.ready(http.StatusOK, "OK")
	s.waitFor("names of destinations", func() bool {
		p := d.scrape()
		return p.sum("vpcflow_destination_info", "aws_region", "eu-west-3") > 0 && p.sum("vpcflow_destination_info", "network", "payment-provider") > 0
	})
	s.waitFor("the first dollars at the terminal", func() bool { return strings.Contains(program.stdout.String(), "First NAT dollars: ") })
	if status, body := d.request(http.MethodPost, "/-/reload"); status != http.StatusInternalServerError || !strings.Contains(body, "demo") {
		t.Errorf("reload: got %d %q", status, body)
	}
	p := d.scrape()
	p.check(t, map[string]float64{failed: 0, missing: 0, invalid: 0, skipped: 0})
	program.cancel(nil)
	program.exit(exitOK)
}
