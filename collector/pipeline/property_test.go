package pipeline

import (
	"cmp"
	"context"
	"flag"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
	"github.com/vpcflow/vpcflow_exporter/internal/flowparquet"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

var (
	scenarios = flag.Int("scenarios", 300, "number of random scenarios")
	seed      = flag.Uint64("seed", 0, "seed of the first scenario; 0 takes a random one")
)

// manyScenarios are so many that something of everything is among them.
const manyScenarios = 300

// firstSeed returns the seed of the first scenario, and prints it.
func firstSeed(t *testing.T) uint64 {
	t.Helper()
	first := cmp.Or(*seed, rand.Uint64())
	t.Logf("seed %d", first)
	return first
}

// TestScenarios reads random networks' flow logs in random column orders and subsets, cut into random files, and compares the totals with the ledger
// that was kept while the traffic was made.
func TestScenarios(t *testing.T) {
	first := firstSeed(t)
	for i := range uint64(*scenarios) {
		s := flowgen.Random(first+i, flowgen.Options{})
		got := readScenario(t, s, s.Files)
		if diff := s.Ledger.Diff(got); diff != "" {
			t.Fatalf("rerun with -seed=%d -scenarios=1: %s\n%s", first+i, s, diff)
		}
	}
}

// TestScenariosInOtherFiles cuts the same rows in other ways: the totals must not depend on it.
func TestScenariosInOtherFiles(t *testing.T) {
	first := firstSeed(t)
	for i := range uint64(max(*scenarios/10, 1)) {
		s := flowgen.Random(first+i, flowgen.Options{})
		for cut := range uint64(3) {
			got := readScenario(t, s, s.Recut(cut))
			if diff := s.Ledger.Diff(got); diff != "" {
				t.Fatalf("rerun with -seed=%d -scenarios=1: cut %d of %s\n%s", first+i, cut, s, diff)
			}
		}
	}
}

// TestScenariosCutAnyhow shuffles the same rows over all windows and cuts them into files of a few rows, of some, and of all: the totals must not depend on it.
func TestScenariosCutAnyhow(t *testing.T) {
	first := firstSeed(t)
	for i := range uint64(max(*scenarios/30, 1)) {
		s := flowgen.Random(first+i, flowgen.Options{})
		for _, rows := range []int{3, 40, 100_000} {
			got := readScenario(t, s, s.CutInto(rows, first+i))
			if diff := s.Ledger.Diff(got); diff != "" {
				t.Fatalf("rerun with -seed=%d -scenarios=1: files of %d rows of %s\n%s", first+i, rows, s, diff)
			}
		}
	}
}

// TestScenariosInParquet reads the same rows from Parquet files of all types and codecs. Files with malformed lines, which Parquet cannot hold, stay text.
func TestScenariosInParquet(t *testing.T) {
	first := firstSeed(t)
	written := 0
	for i := range uint64(max(*scenarios/6, 1)) {
		s := flowgen.Random(first+i, flowgen.Options{})
		random := rand.New(rand.NewPCG(first+i, 0))
		got := readStored(t, s, s.Files, nil, func(f flowgen.File) (string, []byte) {
			body, err := flowparquet.FromText(f.Text, randomParquet(random))
			if err != nil {
				return f.Key, f.Gzip()
			}
			written++
			return strings.TrimSuffix(f.Key, ".log.gz") + ".log.parquet", body
		})
		if diff := s.Ledger.Diff(got); diff != "" {
			t.Fatalf("rerun with -seed=%d -scenarios=1: %s\n%s", first+i, s, diff)
		}
	}
	if written == 0 && *scenarios >= manyScenarios {
		t.Error("no file was Parquet")
	}
}

func randomParquet(random *rand.Rand) flowparquet.Options {
	codecs := []compress.Codec{&parquet.Gzip, &parquet.Snappy, &parquet.Zstd, &parquet.Uncompressed}
	return flowparquet.Options{
		Types: flowparquet.Types(random.IntN(3)), Dashes: random.IntN(2) == 0, Required: random.IntN(2) == 0, Codec: codecs[random.IntN(len(codecs))],
		RowsInGroup: random.IntN(2) * 10, PageBytes: random.IntN(2) * 200, PageVersion: 1 + random.IntN(2), Plain: random.IntN(2) == 0, Delta: random.IntN(4) == 0,
	}
}

// readScenario reads files from a folder, by the file path that the daemon takes, and returns what was counted.
func readScenario(t *testing.T, s flowgen.Scenario, files []flowgen.File) flowgen.Ledger {
	t.Helper()
	return readStored(t, s, files, nil, func(f flowgen.File) (string, []byte) { return f.Key, f.Gzip() })
}

// readStored reads files as they are stored under keys, with a table of services or none.
func readStored(t *testing.T, s flowgen.Scenario, files []flowgen.File, services func() aggregator.Services, store func(flowgen.File) (key string, body []byte)) flowgen.Ledger {
	t.Helper()
	root := t.TempDir()
	now := func() time.Time { return s.Closing[0].Time.Add(time.Hour) }
	config := aggregator.DefaultConfig()
	config.Vantage, config.Services = aggregator.Vantage(s.Vantage), services
	for _, g := range s.NATGateways {
		config.NATGateways = append(config.NATGateways, aggregator.Gateway{ENI: g.ENI, ID: g.ID, Name: g.Name})
	}
	pricer := NewPricer(pricing.NewBook(newPrices(t, pricing.DefaultConfig())), slog.New(slog.DiscardHandler))
	a := aggregator.New(config, pricer, now)
	p := New(DefaultConfig(), nil, objstore.NewDir(root), a, slog.New(slog.DiscardHandler), nil, now)
	w := newWorker(p)
	for _, f := range slices.Concat(s.Leading, files, s.Closing) {
		key, body := store(f)
		path := filepath.Join(root, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, body, 0o644); err != nil {
			t.Fatal(err)
		}
		file, err := w.read(context.Background(), s3event.Object{Bucket: "logs", Key: key, Size: -1})
		if err != nil {
			t.Fatalf("read %s: %v", key, err)
		}
		if committed, err := a.Commit(file, w.delta); err != nil || !committed {
			t.Fatalf("file %s: got committed %t, %v", key, committed, err)
		}
	}
	return ledger(t, a.Snapshot())
}

// ledger turns a snapshot into the generator's terms, and checks that nothing is left waiting.
func ledger(t *testing.T, s *aggregator.Snapshot) flowgen.Ledger {
	t.Helper()
	got := flowgen.Ledger{
		NATBytes: map[flowgen.NATKey]uint64{}, Bytes: map[flowgen.BytesKey]uint64{}, Packets: map[flowgen.PacketsKey]uint64{},
		Records: map[flowgen.Disposition]uint64{}, ObservedBytes: map[flowgen.Disposition]uint64{},
	}
	for m := range s.Bytes() {
		l := m.Labels
		got.Bytes[flowgen.BytesKey{
			AccountID: l.AccountID, Region: l.Region, Direction: flowgen.Direction(l.Direction.String()),
			Path: flowgen.Path(l.Path.String()), Service: l.AWSService,
		}] = m.Value
	}
	for m := range s.Packets() {
		l := m.Labels
		got.Packets[flowgen.PacketsKey{
			AccountID: l.AccountID, Region: l.Region, Direction: flowgen.Direction(l.Direction.String()),
			Path: flowgen.Path(l.Path.String()),
		}] = m.Value
	}
	instances := map[string]bool{}
	for _, g := range s.Gateways {
		instances[g.NATGateway] = g.Kind == "instance"
	}
	for m := range s.NAT() {
		l := m.Labels
		got.NATBytes[flowgen.NATKey{
			AccountID: l.AccountID, Region: l.Region, NATGateway: l.NATGateway,
			Direction: flowgen.Direction(l.Direction.String()), Service: l.AWSService,
		}] = m.Value.Bytes
		free := instances[l.NATGateway] || strings.HasPrefix(l.Region, "cn-")
		if cost, priced := m.Value.CostUSD(); priced == free || priced && (cost < 0 || cost == 0 && m.Value.Bytes > 0) {
			t.Errorf("got cost %g, priced %t, for %d bytes in %s", cost, priced, m.Value.Bytes, l.Region)
		}
	}
	for d, c := range s.Dispositions {
		got.Records[flowgen.Disposition(classifier.Disposition(d).String())] = c.Records
		got.ObservedBytes[flowgen.Disposition(classifier.Disposition(d).String())] = c.Bytes
	}
	if s.Held.Records != 0 {
		t.Errorf("got %d records held at the end", s.Held.Records)
	}
	return got
}
