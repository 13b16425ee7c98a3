package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/vpcflow/vpcflow_exporter/collector"
	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/pipeline"
	"github.com/vpcflow/vpcflow_exporter/collector/state"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

var (
	stateScenarios = flag.Int("state.scenarios", 15, "number of random scenarios with a state file")
	stateSeed      = flag.Uint64("state.seed", 0, "seed of the first scenario with a state file; 0 takes a random one")
)

// A counting is an aggregator, and its page, that files are committed to. Its clock moves with the files, so that created timestamps differ.
type counting struct {
	t      *testing.T
	config aggregator.Config
	prices *pricing.Prices
	began  time.Time
	files  int
	*aggregator.Aggregator
}

func newCounting(t *testing.T, s flowgen.Scenario) *counting {
	t.Helper()
	prices, err := pricing.New(pricing.Default(), pricing.Config{BytesPerGB: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{t: t, prices: prices, config: aggregator.DefaultConfig(), began: s.Closing[0].Time.Add(time.Hour)}
	c.config.Vantage = aggregator.Vantage(s.Vantage)
	// Room for all: which of several equals is among the largest is left to chance.
	c.config.Top = aggregator.TopConfig{Destinations: 5000, Sources: 5000, Pairs: 5000, Idle: time.Hour}
	for _, g := range s.NATGateways {
		c.config.NATGateways = append(c.config.NATGateways, aggregator.Gateway{ENI: g.ENI, ID: g.ID, Name: g.Name})
	}
	return c
}

func (c *counting) now() time.Time { return c.began.Add(time.Duration(c.files) * time.Second) }

func (c *counting) pricer() *pipeline.Pricer {
	return pipeline.NewPricer(pricing.NewBook(c.prices), slog.New(slog.DiscardHandler))
}

// open goes on from a state file.
func (c *counting) open(directory string) *state.State {
	c.t.Helper()
	s, err := state.Open(directory, prometheus.NewRegistry())
	if err != nil {
		c.t.Fatal(err)
	}
	if c.Aggregator, err = aggregator.Open(c.config, c.pricer(), c.now, s); err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *counting) commit(f flowgen.File) {
	c.t.Helper()
	c.files++
	d := aggregator.NewDelta(classifier.NewNetworks(nil), 1_000_000)
	reader := flowlog.NewReader(flowlog.Config{})
	if err := reader.Reset(bytes.NewReader(f.Gzip())); err != nil {
		c.t.Fatal(err)
	}
	var record flowlog.Record
	for {
		err := reader.Read(&record)
		if errors.Is(err, io.EOF) {
			break
		}
		if _, malformed := errors.AsType[*flowlog.LineError](err); malformed {
			d.Malformed()
		} else if err != nil {
			c.t.Fatal(err)
		} else {
			d.Add(&record)
		}
	}
	file := aggregator.File{
		Identity: f.Key, AccountID: f.FlowLog.Account, Region: f.FlowLog.Region, FlowLogID: f.FlowLog.ID, Time: f.Time,
		CompressedBytes: int64(len(f.Text)), InflatedBytes: int64(len(f.Text)),
	}
	if committed, err := c.Commit(file, d); err != nil || !committed {
		c.t.Fatalf("file %s: got committed %t, %v", f.Key, committed, err)
	}
}

// page is what a scrape gets, with created timestamps.
func (c *counting) page() string {
	c.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector.New(c.Snapshot, func() collector.Prices { return c.prices }, nil))
	families, err := registry.Gather()
	if err != nil {
		c.t.Fatal(err)
	}
	var text strings.Builder
	encoder := expfmt.NewEncoder(&text, expfmt.NewFormat(expfmt.TypeOpenMetrics), expfmt.WithCreatedLines())
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			c.t.Fatal(err)
		}
	}
	return strings.Join(slices.DeleteFunc(strings.SplitAfter(text.String(), "\n"), mayVary), "")
}

// mayVary says whether a line of a page depends on the order of rows within a file, which is that of maps: whether a series of one of the largest appears with the first bytes of a file,
// or with the next ones, which it is given; or whether a source has been seen since a restart, without which nothing is said of it.
func mayVary(line string) bool {
	if strings.HasPrefix(line, "vpcflow_source_info{") {
		return true
	}
	largest := strings.Contains(line, "destination=") && !strings.Contains(line, `destination="other"`) || strings.Contains(line, "source=") && !strings.Contains(line, `source="other"`)
	return largest && (strings.Contains(line, "_created{") || strings.HasSuffix(line, " 0.0\n"))
}

// TestRestartsChangeNothing commits random scenarios with restarts after random files: in order, or from a copy of the file as it is after a commit, which is what a
// killed process leaves. The page is that of a run without restarts and without a state, created timestamps included.
func TestRestartsChangeNothing(t *testing.T) {
	first := cmp.Or(*stateSeed, rand.Uint64())
	t.Logf("seed %d", first)
	for i := range uint64(*stateScenarios) {
		s := flowgen.Random(first+i, flowgen.Options{})
		random := rand.New(rand.NewPCG(first+i, 3))
		plain, durable := newCounting(t, s), newCounting(t, s)
		plain.Aggregator = aggregator.New(plain.config, plain.pricer(), plain.now)
		directory := t.TempDir()
		file := durable.open(directory)
		for _, f := range slices.Concat(s.Leading, s.Files, s.Closing) {
			plain.commit(f)
			durable.commit(f)
			if random.IntN(8) == 0 {
				plain.CountFile(aggregator.Failed, "truncated")
				durable.CountFile(aggregator.Failed, "truncated")
			}
			switch random.IntN(8) {
			case 0:
				closeState(t, file)
				file = durable.open(directory)
			case 1:
				directory = copyState(t, directory)
				closeState(t, file)
				file = durable.open(directory)
			}
		}
		if got, want := durable.page(), plain.page(); got != want {
			t.Errorf("rerun with -state.seed=%d -state.scenarios=1: %s\nrestarts have changed\n%s", first+i, s, strings.Join(lineDiff(want, got), "\n"))
		}
		closeState(t, file)
	}
}

func closeState(t *testing.T, s *state.State) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// copyState copies the file of a state that is in use.
func copyState(t *testing.T, directory string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(directory, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := os.WriteFile(filepath.Join(to, "state.db"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}
