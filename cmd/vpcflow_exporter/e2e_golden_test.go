package main

import (
	"compress/gzip"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// goldenFiles are the flow logs of the golden page, in testdata/e2e: AWS's documented conversation through a zonal gateway, seen six times, with another one
// to S3 and a scan; its documented one through a regional gateway; traffic that passes none, and half an hour of silence that proves it; a gateway in a
// region without a price; and a row that waits for a decision.
var goldenFiles = []struct {
	file string
	log  flowgen.FlowLog
}{
	{"zonal.log", flowgen.FlowLog{ID: "fl-0a", Account: "123456789012", Region: "eu-west-3"}},
	{"regional.log", flowgen.FlowLog{ID: "fl-0b", Account: "123456789012", Region: "eu-west-3", Layout: flowgen.LayoutHive}},
	{"internal.log", flowgen.FlowLog{ID: "fl-0a", Account: "123456789012", Region: "eu-west-3", Layout: flowgen.LayoutHourly}},
	{"later.log", flowgen.FlowLog{ID: "fl-0a", Account: "123456789012", Region: "eu-west-3"}},
	{"unpriced.log", flowgen.FlowLog{ID: "fl-0c", Account: "210987654321", Region: "cn-north-1", Layout: flowgen.LayoutHiveHourly}},
	{"undecided.log", flowgen.FlowLog{ID: "fl-0a", Account: "123456789012", Region: "eu-west-3"}},
}

// goldenPage runs a daemon over the golden files and returns its page.
func goldenPage(t *testing.T) page {
	t.Helper()
	s := newStand(t, 5)
	s.config.Workers = 1
	s.config.FlowLogs.NATGateways = []NATGatewayConfig{{ENI: "eni-0000000000000000e", ID: "nat-0e", Name: "shanghai \"main\""}}
	d := s.start()
	for i, g := range goldenFiles {
		text, err := os.ReadFile(filepath.Join("testdata", "e2e", g.file))
		if err != nil {
			t.Fatal(err)
		}
		s.deliver(g.log.Key(window, "000"+string(rune('a'+i))), stored(text))
		d.await(processed, float64(i+1))
	}
	d.await(deleted, float64(len(goldenFiles)))
	s.send(awstest.S3Event(awstest.Object{Bucket: testBucket, Key: logKey("0bad")}))
	d.await(missing, 1)
	s.deliver(logKey("0bae"), []byte("no flow log"))
	d.await(failed, 1)
	d.await(returned, 1)
	return d.await(deleted, float64(len(goldenFiles)+1))
}

// stored is a gzip file without compression, whose length no version of Go changes.
func stored(text []byte) []byte { return flowgen.GzipLevel(text, gzip.NoCompression) }

// TestMetricsPage compares the whole page for fixed input with testdata/e2e/metrics.prom. What changes from run to run is masked, and its names stay.
// Refresh it with: go test ./cmd/vpcflow_exporter -run TestMetricsPage -update.
func TestMetricsPage(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "e2e", "metrics.prom")
	got := maskPage(goldenPage(t).text)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lineDiff(string(want), got) {
		t.Errorf("page differs from %s: %s", golden, line)
	}
}

// TestMetricsPageLint holds the page to Prometheus's rules of naming.
func TestMetricsPageLint(t *testing.T) {
	t.Parallel()
	problems, err := promlint.New(strings.NewReader(goldenPage(t).text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestOpenMetricsPage asks for the newer format too, with and without created timestamps.
func TestOpenMetricsPage(t *testing.T) {
	t.Parallel()
	for _, created := range []bool{false, true} {
		s := newStand(t, 5)
		var args []string
		if created {
			args = append(args, "--web.openmetrics-created")
		}
		d := s.start(args...)
		s.deliver(logKey("aaaa"), natFile(1, 2))
		d.await(processed, 1)
		_, text := d.request(http.MethodGet, "/metrics", "Accept", "application/openmetrics-text; version=1.0.0")
		if !strings.HasSuffix(text, "# EOF\n") {
			t.Errorf("page does not end as OpenMetrics wants it: %q", text[max(0, len(text)-100):])
		}
		line := fmt.Sprintf("%s %s\n", natSeries("vpcflow_nat_bytes_created", "egress"), strconv.FormatFloat(float64(testNow.Unix()), 'g', -1, 64))
		if got := strings.Contains(text, line); got != created {
			t.Errorf("got created timestamps %t, want %t with %q", got, created, line)
		}
	}
}

// masked are the families whose values change from run to run.
var masked = regexp.MustCompile(`^(vpcflow_build_info|vpcflow_config_last_reload_success_timestamp_seconds|vpcflow_enrichment_lookups_total|vpcflow_file_duration_seconds|vpcflow_queue_messages)(_|\{| |$)`)

// foreign are the families of the libraries: what they show depends on Go's version and the operating system, so that of them only the types are compared,
// and of process_* none.
var foreign = regexp.MustCompile(`^(go|promhttp)_`)

// maskPage makes a page comparable.
func maskPage(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		name := fields[0]
		comment := name == "#"
		if comment {
			name = fields[2]
		}
		switch {
		case strings.HasPrefix(name, "process_"):
			continue
		case foreign.MatchString(name):
			if !comment || fields[1] != "TYPE" {
				continue
			}
		case !comment && strings.HasPrefix(name, "vpcflow_build_info"):
			line = "vpcflow_build_info{*} 1\n"
		case !comment && masked.MatchString(name):
			line = line[:strings.LastIndexByte(line, ' ')] + " *\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

// lineDiff returns the lines that only one of two texts has, with a sign before each; and whether the common ones stand in another order.
func lineDiff(want, got string) []string {
	var diff []string
	wantLines, gotLines := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, line := range wantLines {
		if !slices.Contains(gotLines, line) {
			diff = append(diff, "- "+line)
		}
	}
	for _, line := range gotLines {
		if !slices.Contains(wantLines, line) {
			diff = append(diff, "+ "+line)
		}
	}
	if len(diff) == 0 && want != got {
		diff = append(diff, "lines in another order, or more often")
	}
	return diff
}

// TestMaskPage shows that masking hides values, and only those of the families it is meant for.
func TestMaskPage(t *testing.T) {
	t.Parallel()
	const text = "# HELP go_goroutines Number of goroutines.\n# TYPE go_goroutines gauge\ngo_goroutines 12\n# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 3\n" +
		"vpcflow_build_info{version=\"1\"} 1\nvpcflow_file_duration_seconds_bucket{le=\"1\"} 5\nvpcflow_queue_messages{state=\"a b\"} 7\n" +
		"vpcflow_nat_bytes_total{region=\"eu-west-3\"} 8\n"
	const want = "# TYPE go_goroutines gauge\nvpcflow_build_info{*} 1\nvpcflow_file_duration_seconds_bucket{le=\"1\"} *\nvpcflow_queue_messages{state=\"a b\"} *\n" +
		"vpcflow_nat_bytes_total{region=\"eu-west-3\"} 8\n"
	if got := maskPage(text); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if diff := lineDiff("a\nb\n", "a\nc\n"); !slices.Equal(diff, []string{"- b", "+ c"}) {
		t.Errorf("got difference %q", diff)
	}
	if diff := lineDiff("a\nb\n", "b\na\n"); len(diff) != 1 {
		t.Errorf("got difference %q", diff)
	}
}
