//go:build conformance

package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vpcflow/vpcflow_exporter/collector"
	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// TestPrometheus has a Prometheus scrape a page on which a destination is promoted, demoted, disappears and comes back. What the server knows of all destinations has grown by
// as much as the total, whether it makes use of created timestamps or not.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string]struct {
		protocol string
		args     []string
	}{
		"text":               {"PrometheusText0.0.4", nil},
		"OpenMetrics":        {"OpenMetricsText1.0.0", nil},
		"created timestamps": {"PrometheusProto", []string{"--enable-feature=created-timestamp-zero-ingestion"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := newTopPage(t)
			server := startPrometheus(t, page, setup.protocol, setup.args...)
			page.live(t)
			server.check(t, page)
		})
	}
}

const (
	scrapeInterval = 200 * time.Millisecond
	// The hold of a series lasts for some scrapes, and its idle time for many.
	topHold = 3 * scrapeInterval
	topIdle = 15 * scrapeInterval
	// Several files are committed between two scrapes.
	filesPerScrape = 4
)

// A topPage is the page of an aggregator with room for one destination. Its clock goes by scrapes, so that no scrape is late.
type topPage struct {
	began   time.Time
	server  *httptest.Server
	a       *aggregator.Aggregator
	scrapes atomic.Int64
	files   int
}

type noPrice struct{}

func (noPrice) NATPrice(string, string, string) (aggregator.Price, bool) {
	return aggregator.Price{}, false
}

func newTopPage(t *testing.T) *topPage {
	t.Helper()
	config := aggregator.DefaultConfig()
	config.Top = aggregator.TopConfig{Destinations: 1, Hold: topHold, Idle: topIdle}
	p := &topPage{began: time.Now()}
	p.a = aggregator.New(config, noPrice{}, func() time.Time { return p.began.Add(time.Duration(p.scrapes.Load()) * scrapeInterval) })
	prices, err := pricing.New(pricing.Default(), pricing.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector.New(p.a.Snapshot, func() collector.Prices { return prices }, nil))
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		p.scrapes.Add(1)
	}))
	t.Cleanup(p.server.Close)
	return p
}

// send commits files in which destinations get bytes, and waits for the next scrape.
func (p *topPage) send(t *testing.T, bytes map[string]int) {
	t.Helper()
	for range filesPerScrape {
		p.commit(t, bytes)
	}
	p.scraped(t, 1)
}

// scraped waits for so many scrapes to end.
func (p *topPage) scraped(t *testing.T, scrapes int64) {
	t.Helper()
	seen := p.scrapes.Load()
	waitFor(t, "scrapes", func() bool { return p.scrapes.Load() >= seen+scrapes })
}

func (p *topPage) commit(t *testing.T, bytes map[string]int) {
	t.Helper()
	var text strings.Builder
	text.WriteString("interface-id interface-type srcaddr dstaddr bytes flow-direction traffic-path\n")
	for destination, n := range bytes {
		fmt.Fprintf(&text, "eni-1 load_balancer 10.0.1.5 %s %d egress 2\n", destination, n)
	}
	r := flowlog.NewReader(flowlog.Config{})
	if err := r.ResetText(strings.NewReader(text.String())); err != nil {
		t.Fatal(err)
	}
	d := aggregator.NewDelta(classifier.NewNetworks(nil), 1000)
	for record := new(flowlog.Record); ; d.Add(record) {
		if err := r.Read(record); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	p.files++
	file := aggregator.File{Identity: strconv.Itoa(p.files), AccountID: "123456789012", Region: region, FlowLogID: "fl-1"}
	if committed, err := p.a.Commit(file, d); err != nil || !committed {
		t.Fatalf("got %t, %v", committed, err)
	}
}

const first, second = "203.0.113.1", "203.0.113.2"

// live lets the first destination be the largest, then the second one, until the first is off the page, then the first again.
func (p *topPage) live(t *testing.T) {
	t.Helper()
	p.commit(t, map[string]int{"203.0.113.9": 1}) // What a server has never seen, it cannot know to have grown.
	p.scraped(t, 2)
	p.until(t, map[string]int{first: 1000, second: 10}, func(s seen) bool { return s.values[first] >= 5000 })
	p.until(t, map[string]int{first: 1000, second: 1_000_000}, func(s seen) bool { return s.values[second] >= 5_000_000 })
	p.until(t, map[string]int{first: 1000, second: 1_000_000}, func(s seen) bool { return !s.has(first) })
	p.until(t, map[string]int{first: 1e9, second: 1_000_000}, func(s seen) bool { return s.values[first] >= 5e9 })
	p.until(t, map[string]int{first: 1e9, second: 1_000_000}, func(s seen) bool { return !s.has(second) })
	p.scraped(t, 2) // The second one began after the last file.
}

// seen are the destinations on the page.
type seen struct {
	values map[string]uint64
}

func (s seen) has(destination string) bool {
	_, ok := s.values[destination]
	return ok
}

// until sends bytes again and again.
func (p *topPage) until(t *testing.T, bytes map[string]int, done func(seen) bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		p.send(t, bytes)
		s := seen{make(map[string]uint64)}
		for m := range p.a.Snapshot().Destinations() {
			s.values[m.Labels.Destination.Label()] = m.Value
		}
		if done(s) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain, the page has %v", s.values)
		}
	}
}

// total returns the bytes of all traffic.
func (p *topPage) total() (n uint64) {
	for m := range p.a.Snapshot().Bytes() {
		n += m.Value
	}
	return n
}

// A prometheusServer is where a Prometheus answers.
type prometheusServer string

// startPrometheus starts a server that scrapes one page.
func startPrometheus(t *testing.T, p *topPage, protocol string, args ...string) prometheusServer {
	t.Helper()
	if *prometheusFile == "" {
		t.Fatal("-prometheus names no program")
	}
	dir := t.TempDir()
	config := fmt.Sprintf(`
global: {scrape_interval: %s, scrape_timeout: %s, scrape_protocols: [%s]}
scrape_configs:
  - job_name: vpcflow
    metrics_path: /
    static_configs: [{targets: [%q]}]
`, scrapeInterval, scrapeInterval, protocol, strings.TrimPrefix(p.server.URL, "http://"))
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	host, port := freeAddress(t)
	address := "http://" + host + ":" + port
	start(t, nil, *prometheusFile, append([]string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + host + ":" + port,
	}, args...)...).answers(t, address)
	return prometheusServer(address)
}

// A rawSeries is all samples of one series.
type rawSeries struct {
	Metric map[string]string
	Values [][2]any // Values are pairs of a time and a value as text.
}

func (s prometheusServer) query(t *testing.T, query string) []rawSeries {
	t.Helper()
	response, err := http.Get(string(s) + "/api/v1/query?query=" + url.QueryEscape(query)) //nolint:noctx // The test's end kills the server.
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Data struct{ Result []rawSeries }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Data.Result
}

// increase is what increase() sees before it extrapolates: how much a series has grown, where a sample below the one before is a counter that began anew.
func (s rawSeries) increase(t *testing.T) (sum float64) {
	t.Helper()
	before := 0.0
	for i, v := range s.Values {
		value, err := strconv.ParseFloat(v[1].(string), 64)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case i == 0:
		case value < before:
			sum += value
		default:
			sum += value - before
		}
		before = value
	}
	return sum
}

// check compares what the server has seen of the destinations with the total.
func (s prometheusServer) check(t *testing.T, p *topPage) {
	t.Helper()
	sum := 0.0
	growth := make(map[string]float64)
	for _, series := range s.query(t, "vpcflow_destination_bytes_total[1h]") {
		growth[series.Metric["destination"]] += series.increase(t)
		sum += series.increase(t)
	}
	if want := float64(p.total() - 1); sum != want && sum != want+1 { // With created timestamps, the first byte is growth too.
		t.Errorf("destinations have grown by %.0f, want %.0f: %v", sum, want, growth)
	}
	if growth[first] < 5e9 || growth[second] < 5e6 || growth["other"] < 1000 {
		t.Errorf("got %v: the page tests nothing", growth)
	}
}
