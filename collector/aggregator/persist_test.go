package aggregator

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

var (
	scenarios = flag.Int("scenarios", 60, "number of random scenarios")
	seed      = flag.Uint64("seed", 0, "seed of the first scenario; 0 takes a random one")
)

// memoryJournal is a Journal that survives what a test does to its aggregator.
type memoryJournal struct {
	records map[journalKey]string
	err     error // err makes Write fail.
	writes  int
}

type journalKey struct{ bucket, key string }

func newMemoryJournal() *memoryJournal { return &memoryJournal{records: make(map[journalKey]string)} }

func (j *memoryJournal) Write(batch Batch) error {
	j.writes++
	if j.err != nil {
		return j.err
	}
	apply(j.records, batch)
	return nil
}

func apply(records map[journalKey]string, batch Batch) {
	for _, c := range batch {
		switch c.Op {
		case Put:
			records[journalKey{c.Bucket, string(c.Key)}] = string(c.Value)
		case Delete:
			delete(records, journalKey{c.Bucket, string(c.Key)})
		case DeletePrefix, Drop:
			maps.DeleteFunc(records, func(k journalKey, _ string) bool {
				return k.bucket == c.Bucket && strings.HasPrefix(k.key, string(c.Key))
			})
		}
	}
}

func (j *memoryJournal) Load(each func(bucket string, key, value []byte) error) error {
	order := func(a, b journalKey) int { return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.key, b.key)) }
	for _, k := range slices.SortedFunc(maps.Keys(j.records), order) {
		if err := each(k.bucket, []byte(k.key), []byte(j.records[k])); err != nil {
			return err
		}
	}
	return nil
}

// dump encodes all that an aggregator holds, whether it has changed or not.
func dump(a *Aggregator) map[journalKey]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.track()
	for _, n := range a.interfaces {
		n.written = nil
		a.touch(n)
	}
	for client := range a.clients.seen {
		a.clients.touch(client)
	}
	for p := range a.clocks {
		a.unwritten.clocks[p] = struct{}{}
	}
	markAll(&a.totals)
	b := a.changes()
	writeDuplicates(&b, a.duplicates.files, nil)
	records := make(map[journalKey]string)
	apply(records, b)
	return records
}

func markAll(t *totals) {
	markTable(&t.packets)
	markTable(&t.bytes)
	markTable(&t.nat)
	markTable(&t.unpriced)
	markTable(&t.flowLogs)
	markTable(&t.places)
	markTable(&t.files)
	markTable(&t.errors)
	markTable(&t.formats)
	markTable(&t.limited)
}

func markTable[K comparable, V any](t *table[K, V]) {
	t.tracks, t.marked, t.dirty = true, make([]bool, len(t.keys)), nil
	for _, key := range t.keys {
		t.at(key, time.Time{})
	}
}

// diff says how the records of two dumps differ.
func diff(got, want map[journalKey]string) string {
	var out strings.Builder
	for k, v := range want {
		if g, ok := got[k]; !ok {
			fmt.Fprintf(&out, "%s %q is missing\n", k.bucket, k.key)
		} else if g != v {
			fmt.Fprintf(&out, "%s %q is %x, want %x\n", k.bucket, k.key, g, v)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			fmt.Fprintf(&out, "%s %q is too much\n", k.bucket, k.key)
		}
	}
	return out.String()
}

type euroPrice struct{}

func (euroPrice) NATPrice(region, _ string) (Price, bool) {
	return Price{USDPerGB: 0.05, BytesPerGB: 1e9}, !strings.HasPrefix(region, "cn-")
}

// A scenarioRun commits the files of a scenario to one aggregator, which may be replaced on the way. Its clock moves with the files, so that created
// timestamps differ.
type scenarioRun struct {
	config Config
	files  int
	now    time.Time
	a      *Aggregator
}

func newRun(s flowgen.Scenario) *scenarioRun {
	r := &scenarioRun{config: DefaultConfig(), now: s.Closing[0].Time.Add(time.Hour)}
	r.config.Vantage = Vantage(s.Vantage)
	for _, g := range s.NATGateways {
		r.config.NATGateways = append(r.config.NATGateways, Gateway{ENI: g.ENI, ID: g.ID, Name: g.Name})
	}
	return r
}

func (r *scenarioRun) clock() time.Time { return r.now.Add(time.Duration(r.files) * time.Millisecond) }

func (r *scenarioRun) open(t *testing.T, journal Journal) {
	t.Helper()
	var err error
	if r.a, err = Open(r.config, euroPrice{}, r.clock, journal); err != nil {
		t.Fatal(err)
	}
}

// commit reads a file and commits it.
func (r *scenarioRun) commit(f flowgen.File) error {
	r.files++
	d, err := readFile(f)
	if err != nil {
		return err
	}
	_, err = r.a.Commit(File{Identity: f.Key, AccountID: f.FlowLog.Account, Region: f.FlowLog.Region, FlowLogID: f.FlowLog.ID, Time: f.Time}, d)
	return err
}

func readFile(f flowgen.File) (*Delta, error) {
	reader := flowlog.NewReader(flowlog.Config{})
	if err := reader.Reset(bytes.NewReader(f.Gzip())); err != nil {
		return nil, err
	}
	d := NewDelta(classifier.NewNetworks(nil), 1_000_000)
	var record flowlog.Record
	for {
		err := reader.Read(&record)
		switch {
		case err == nil:
			d.Add(&record)
		case errors.As(err, new(*flowlog.LineError)):
			d.Malformed()
		case errors.Is(err, io.EOF):
			return d, nil
		default:
			return nil, err
		}
	}
}

// TestRestart commits random scenarios with restarts after random files: what a journal holds is all that there is, and the totals with their created timestamps
// are those of a run without restarts.
func TestRestart(t *testing.T) {
	first := cmp.Or(*seed, rand.Uint64())
	t.Logf("seed %d", first)
	for i := range uint64(*scenarios) {
		s := flowgen.Random(first+i, flowgen.Options{})
		random := rand.New(rand.NewPCG(first+i, 1))
		plain, durable := newRun(s), newRun(s)
		journal := newMemoryJournal()
		plain.a = New(plain.config, euroPrice{}, plain.clock)
		durable.open(t, journal)
		for _, f := range slices.Concat(s.Leading, s.Files, s.Closing) {
			if err := cmp.Or(plain.commit(f), durable.commit(f)); err != nil {
				t.Fatal(err)
			}
			if diff := diff(journal.records, dump(durable.a)); diff != "" {
				t.Fatalf("rerun with -seed=%d -scenarios=1: after %s the journal differs from memory:\n%s", first+i, f.Key, diff)
			}
			if random.IntN(3) == 0 {
				writes := journal.writes
				durable.open(t, journal)
				if journal.writes != writes {
					t.Errorf("rerun with -seed=%d -scenarios=1: a restart wrote", first+i)
				}
			}
		}
		if diff := diff(dump(durable.a), dump(plain.a)); diff != "" {
			t.Fatalf("rerun with -seed=%d -scenarios=1: restarts have changed\n%s\n%s", first+i, diff, s)
		}
	}
}

// TestFullJournal lets writes fail at random: a file of a failed write is in no total, comes again, and counts once.
func TestFullJournal(t *testing.T) {
	first := cmp.Or(*seed, rand.Uint64())
	t.Logf("seed %d", first)
	for i := range uint64(max(*scenarios/3, 1)) {
		s := flowgen.Random(first+i, flowgen.Options{})
		random := rand.New(rand.NewPCG(first+i, 2))
		plain, durable := newRun(s), newRun(s)
		journal := newMemoryJournal()
		plain.a = New(plain.config, euroPrice{}, plain.clock)
		durable.open(t, journal)
		for _, f := range slices.Concat(s.Leading, s.Files, s.Closing) {
			if err := plain.commit(f); err != nil {
				t.Fatal(err)
			}
			if random.IntN(2) == 0 {
				failFull(t, durable, journal, f)
				durable.files--
			}
			if err := durable.commit(f); err != nil || durable.a.Err() != nil {
				t.Fatalf("got %v and %v", err, durable.a.Err())
			}
		}
		if diff := diff(dump(durable.a), dump(plain.a)); diff != "" {
			t.Fatalf("rerun with -seed=%d -scenarios=1: failed writes have changed\n%s\n%s", first+i, diff, s)
		}
	}
}

// failFull commits a file and counts another one while the journal is full, and checks that nothing comes of the file.
func failFull(t *testing.T, r *scenarioRun, journal *memoryJournal, f flowgen.File) {
	t.Helper()
	before := r.a.Snapshot()
	journal.err = fmt.Errorf("write: %w", ErrFull)
	if err := r.commit(f); !errors.Is(err, ErrNotWritten) || !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	if r.a.Retry() == nil || !errors.Is(r.a.Err(), ErrFull) {
		t.Fatalf("got %v", r.a.Err())
	}
	if r.a.Snapshot() != before || r.a.Known(f.Key) {
		t.Fatal("a file that was not written is visible")
	}
	if diff := diff(dump(r.a), journal.records); diff != "" {
		t.Fatalf("memory differs from the journal:\n%s", diff)
	}
	journal.err = nil
	r.a.unwritten.sums = 0
	if err := r.a.Retry(); err != nil || r.a.Err() != nil {
		t.Fatalf("got %v", err)
	}
}
