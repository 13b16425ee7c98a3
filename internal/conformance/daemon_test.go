//go:build conformance

package conformance

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/chaos"
	"github.com/vpcflow/vpcflow_exporter/internal/exposition"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// A daemon is the exporter as an operator runs it.
type daemon struct {
	t       *testing.T
	process *process
	url     string
	// expected are the files and messages that are to fail, by series.
	expected map[string]float64
}

var listening = regexp.MustCompile(`msg="Listening on" address=(127\.0\.0\.1:[0-9]+)`)

// startDaemon runs the daemon on the site's queue. The scenario says what to configure.
func (s *site) startDaemon(t *testing.T, scenario flowgen.Scenario) *daemon {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte(s.config(scenario)), 0o600); err != nil {
		t.Fatal(err)
	}
	environment := []string{"AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_ENDPOINT_URL_S3=" + s.s3URL}
	d := &daemon{t: t, process: start(t, environment, binary, "--config.file="+config, "--web.listen-address=127.0.0.1:0", "--log.level=debug")}
	waitFor(t, "the daemon's address", func() bool {
		if d.process.hasEnded() {
			t.Fatalf("daemon has ended: %v", d.process.err)
		}
		m := listening.FindStringSubmatch(d.process.output.String())
		if m != nil {
			d.url = "http://" + m[1]
		}
		return m != nil
	})
	return d
}

// config is the daemon's configuration file. Messages of a poll that the server took for alive come back soon; the traffic may be of any age.
func (s *site) config(scenario flowgen.Scenario) string {
	var b strings.Builder
	fmt.Fprintf(&b, "sqs: {queue_url: %q, visibility_timeout: 10s}\nworkers: 4\nenrichment: {ip_ranges: \"\"}\nflow_logs:\n  max_age: 0s\n", s.queue)
	if scenario.Vantage != "" {
		fmt.Fprintf(&b, "  nat_vantage: %s\n", scenario.Vantage)
	}
	if len(scenario.NATGateways) > 0 {
		b.WriteString("  nat_gateways:\n")
	}
	for _, g := range scenario.NATGateways {
		fmt.Fprintf(&b, "    - {eni: %q, id: %q, name: %q}\n", g.ENI, g.ID, g.Name)
	}
	b.WriteString(s.settings)
	return b.String()
}

// terminate ends the daemon as an orchestrator does, after the last scrape.
func (d *daemon) terminate() {
	d.t.Helper()
	d.scrape()
	d.process.terminate(d.t)
}

// The results that the tests wait for.
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

// await waits until series have their values and returns the page after. It fails if one goes beyond, or if what was not expected to fail does.
func (d *daemon) await(want map[string]float64) page {
	d.t.Helper()
	waitFor(d.t, fmt.Sprintf("%v", want), func() bool {
		p, reached := d.scrape(), true
		for _, series := range []string{failed, missing, invalid} {
			if got := p.values[series]; got > d.expected[series] {
				d.t.Fatalf("%s: got %v, want %v at most; the page is\n%s", series, got, d.expected[series], p.text)
			}
		}
		for series, value := range want {
			if got := p.values[series]; got > value {
				d.t.Fatalf("%s: got %v, want %v; the page is\n%s", series, got, value, p.text)
			}
			reached = reached && p.values[series] == value
		}
		return reached
	})
	// Counters of the queue may be younger than the totals on a page.
	return d.scrape()
}

// A page is what one scrape has shown.
type page struct {
	text   string // text are the lines of the exporter's own series.
	values map[string]float64
	ledger flowgen.Ledger
}

// scrape reads the page as Prometheus does. One that Prometheus would refuse fails the test.
func (d *daemon) scrape() page {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url+"/metrics", http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK {
		d.t.Fatalf("scrape: got status %d, %v", response.StatusCode, err)
	}
	return parsePage(d.t, string(text))
}

func parsePage(t *testing.T, text string) page {
	t.Helper()
	samples, err := exposition.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	ledger, err := chaos.ParseLedger(text)
	if err != nil {
		t.Fatal(err)
	}
	p := page{text: exposition.Own(text), values: make(map[string]float64), ledger: ledger}
	for _, s := range samples {
		p.values[s.Series] = s.Value
	}
	return p
}

// check compares the page with the ledger, and with what else must be on it; a series that is missing is 0.
func (p page) check(t *testing.T, want flowgen.Ledger, others map[string]float64) {
	t.Helper()
	if diff := want.Diff(p.ledger); diff != "" {
		t.Errorf("page differs from the ledger (- ledger, + page):\n%s", diff)
	}
	for series, value := range others {
		if got := p.values[series]; got != value {
			t.Errorf("%s: got %v, want %v", series, got, value)
		}
	}
	if t.Failed() {
		t.Logf("page at %s:\n%s", time.Now().Format(time.RFC3339), p.text)
	}
}
