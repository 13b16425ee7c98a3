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
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/topn"
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
	dumpTop(&b, topDestinationsBucket, a.tops.destinations, destinationCodecs)
	dumpTop(&b, topSourcesBucket, a.tops.sources, sourceCodecs)
	dumpTop(&b, topPairsBucket, a.tops.pairs, pairCodecs)
	writeDuplicates(&b, a.duplicates.files, nil)
	records := make(map[journalKey]string)
	apply(records, b)
	return records
}

// counted are the records without what depends on the order of rows within a file, which is that of maps: the last bits of volumes in the sketches, and which of a new destination's
// or source's series appears with the first rows and which with the next ones.
func counted(records map[journalKey]string) map[journalKey]string {
	named := map[string]bool{"destination_bytes": true, "destination_costs": true, "source_bytes": true, "source_costs": true, "pair_bytes": true}
	rest := make(map[journalKey]string, len(records))
	for k, v := range records {
		switch {
		case strings.HasPrefix(k.bucket, "top_"):
		case named[k.bucket]:
			value := decoder{b: []byte(v)}
			value.int() // When it was created.
			if string(value.b) != "\x00" {
				rest[k] = string(value.b)
			}
		default:
			rest[k] = v
		}
	}
	return rest
}

// seededConfig has sketches that are the same in each aggregator, room for everybody, and series that count from the next file on.
func seededConfig() Config {
	c := DefaultConfig()
	c.Top = TopConfig{Destinations: 5000, Sources: 5000, Pairs: 5000, Idle: time.Hour, seed: 1}
	return c
}

// dumpTop writes all of a top, of which a commit may leave some out.
func dumpTop[K, S comparable](b *Batch, bucket string, t *topn.Top[K, S], codecs topn.Codecs[K, S]) {
	for key, value := range t.All(codecs) {
		if len(value) > 0 {
			b.put(bucket, slices.Clone(key), slices.Clone(value))
		}
	}
}

func markAll(t *totals) {
	markTable(&t.destinations)
	markTable(&t.destinationCosts)
	markTable(&t.sources)
	markTable(&t.sourceCosts)
	markTable(&t.pairs)
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
		if t.has(key) {
			t.at(key, time.Time{})
		}
	}
}

// diff says how the records of two dumps differ.
func diff(got, want map[journalKey]string) string {
	var out strings.Builder
	// The header of a sketch has the time of the last group, which is written with the next change.
	header := func(k journalKey) bool { return strings.HasPrefix(k.bucket, "top_") && len(k.key) == 1 }
	for k, v := range want {
		if g, ok := got[k]; header(k) {
			continue
		} else if !ok {
			fmt.Fprintf(&out, "%s %q is missing\n", k.bucket, k.key)
		} else if g != v {
			fmt.Fprintf(&out, "%s %q is %x, want %x\n", k.bucket, k.key, g, v)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok && !header(k) {
			fmt.Fprintf(&out, "%s %q is too much\n", k.bucket, k.key)
		}
	}
	return out.String()
}

type euroPrice struct{}

func (euroPrice) NATPrice(_, region, _ string) (Price, bool) {
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
	r := &scenarioRun{config: seededConfig(), now: s.Closing[0].Time.Add(time.Hour)}
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
		if diff := diff(counted(dump(durable.a)), counted(dump(plain.a))); diff != "" {
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
			if random.IntN(2) == 0 {
				plain.a.CountFile(Skipped, "")
				failFull(t, durable, journal, f)
			}
			if err := cmp.Or(plain.commit(f), durable.commit(f)); err != nil || durable.a.Err() != nil {
				t.Fatalf("got %v and %v", err, durable.a.Err())
			}
		}
		if diff := diff(counted(dump(durable.a)), counted(dump(plain.a))); diff != "" {
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
	r.a.CountFile(Skipped, "")
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
	r.files--
	if err := r.a.Retry(); err != nil || r.a.Err() != nil {
		t.Fatalf("got %v", err)
	}
	if _, ok := journal.records[journalKey{reserveBucket, string(reserveKey)}]; ok {
		t.Fatal("the reserve stays")
	}
}

// TestLostJournal ends all commits when a write fails for good.
func TestLostJournal(t *testing.T) {
	s := flowgen.Random(1, flowgen.Options{})
	r, journal := newRun(s), newMemoryJournal()
	r.open(t, journal)
	before := r.a.Snapshot()
	journal.err = errors.New("input/output error")
	for range 2 {
		if err := r.commit(s.Files[0]); !errors.Is(err, journal.err) {
			t.Errorf("got %v", err)
		}
		r.a.CountFile(Skipped, "")
	}
	select {
	case <-r.a.Failed():
	default:
		t.Error("the journal has not failed")
	}
	r.a.Reconfigure(r.config)
	if r.a.Snapshot() != before || !errors.Is(r.a.Err(), journal.err) || r.a.Retry() == nil || r.a.Known(s.Files[0].Key) {
		t.Error("something has happened after the end")
	}
	if _, err := Open(r.config, euroPrice{}, r.clock, &memoryJournal{err: journal.err}); !errors.Is(err, journal.err) {
		t.Errorf("got %v", err)
	}
}

// slowJournal holds the write of a file that comes alone until others wait for the next write, and is full at times.
type slowJournal struct {
	*memoryJournal
	random *rand.Rand
	wait   func() bool
	groups []int // groups are the numbers of files in each write.
}

func (j *slowJournal) Write(batch Batch) error {
	files := 0
	for _, c := range batch {
		if _, ok := parseHour(c.Bucket); ok {
			files++
		}
	}
	// All others may be in this group already, with the same file.
	for yields := 0; yields < 1000 && files < 2 && !j.wait(); yields++ {
		runtime.Gosched()
	}
	if j.err = nil; j.random.IntN(3) == 0 {
		j.err = ErrFull
	}
	if j.err == nil {
		j.groups = append(j.groups, files)
	}
	return j.memoryJournal.Write(batch)
}

// TestGroups commits the same files by several workers at once while the journal is slow and full at times: each file counts once, several share a write, and what
// a worker was told is so.
func TestGroups(t *testing.T) {
	const workers = 6
	s := flowgen.Random(cmp.Or(*seed, 1), flowgen.Options{})
	files := s.Files
	plain, durable := newRun(s), newRun(s)
	plain.a = New(plain.config, euroPrice{}, plain.clock)
	for _, f := range slices.Concat(s.Leading, files, s.Closing) {
		if err := plain.commit(f); err != nil {
			t.Fatal(err)
		}
	}
	var left atomic.Int32
	left.Store(workers)
	journal := &slowJournal{memoryJournal: newMemoryJournal(), random: rand.New(rand.NewPCG(1, 1)), wait: func() bool { return true }}
	durable.files = len(files)
	for {
		// A journal that is full at first is an error of Err.
		if durable.open(t, journal); durable.a.Err() == nil {
			break
		}
	}
	// insist commits a file until the journal takes it.
	insist := func(f flowgen.File) {
		for durable.commit(f) != nil {
			durable.files--
			_ = durable.a.Retry() // Or the next time.
		}
	}
	for _, f := range s.Leading {
		insist(f)
	}
	journal.wait = func() bool {
		durable.a.requests.mu.Lock()
		defer durable.a.requests.mu.Unlock()
		return len(durable.a.requests.waiting) > 0 || left.Load() < workers
	}
	committed := make([]int, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			defer left.Add(-1)
			begin := w * len(files) / workers
			for _, f := range slices.Concat(files[begin:], files[:begin]) {
				d, err := readFile(f)
				if err != nil {
					t.Error(err)
					return
				}
				for {
					ok, err := durable.a.Commit(File{Identity: f.Key, AccountID: f.FlowLog.Account, Region: f.FlowLog.Region, FlowLogID: f.FlowLog.ID, Time: f.Time}, d)
					if err == nil {
						if !durable.a.Known(f.Key) {
							t.Error("a file that was settled is not known")
						}
						if ok {
							committed[w]++
						}
						break
					}
					_ = durable.a.Retry() // Or the next time.
				}
			}
		})
	}
	group.Wait()
	for _, f := range s.Closing {
		insist(f)
	}
	sum := 0
	for _, n := range committed {
		sum += n
	}
	if sum != len(files) {
		t.Errorf("%d files were committed, of %d", sum, len(files))
	}
	if got, want := durable.a.Snapshot().CommittedFiles, plain.a.Snapshot().CommittedFiles; got != want {
		t.Errorf("got %d files, want %d", got, want)
	}
	ledger := func(r *scenarioRun) string {
		var lines []string
		for m := range r.a.Snapshot().NAT() {
			lines = append(lines, fmt.Sprint(m.Labels, m.Value))
		}
		slices.Sort(lines)
		return fmt.Sprint(lines, r.a.Snapshot().Dispositions)
	}
	if got, want := ledger(durable), ledger(plain); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if diff := diff(dump(durable.a), journal.records); diff != "" {
		t.Errorf("memory differs from the journal:\n%s", diff)
	}
	if slices.Max(journal.groups) < 2 {
		t.Errorf("no files shared a write: %v", journal.groups)
	}
}

func TestFileHours(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 30, 0, 0, time.UTC)
	const day, week = 24 * time.Hour, 7 * 24 * time.Hour
	for _, test := range []struct {
		name   string
		file   time.Time
		maxAge time.Duration
		bucket string
		keeps  time.Duration // keeps is from the end of the hour on.
	}{
		{"named", now.Add(-5 * time.Hour), week, "files/2026-03-14T07", 8 * day},
		{"named in the future", now.Add(5 * time.Hour), week, "files/2026-03-14T12", 8 * day},
		{"not named", time.Time{}, week, "unnamed_files/2026-03-14T12", 15 * day},
		{"any age", now.Add(-1000 * time.Hour), 0, "unnamed_files/2026-03-14T12", 15 * day},
	} {
		h := hourOf(File{Time: test.file}, test.maxAge, now)
		if got, ok := parseHour(test.bucket); h.bucket() != test.bucket || !ok || got != h {
			t.Errorf("%s: got %s, read as %v", test.name, h.bucket(), got)
		}
		end := time.Unix(3600*(int64(h.hour)+1), 0)
		if h.expired(test.maxAge, end.Add(test.keeps)) || !h.expired(test.maxAge, end.Add(test.keeps+1)) {
			t.Errorf("%s: does not expire after %s", test.name, test.keeps)
		}
	}
	for _, bucket := range []string{"", "files/", "files/2026-03-14T7", "files/2026-03-14T07:00", "bytes", "unnamed_files/x"} {
		if h, ok := parseHour(bucket); ok {
			t.Errorf("%q is read as %v", bucket, h)
		}
	}
}

// TestForgottenFiles commits files over days: those that cannot come again are forgotten, in memory and in the journal, and so are the oldest ones beyond the limit,
// which is told.
func TestForgottenFiles(t *testing.T) {
	clock := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	journal := newMemoryJournal()
	config := seededConfig()
	config.Duplicates = 10 * 24
	a, err := Open(config, euroPrice{}, func() time.Time { return clock }, journal)
	if err != nil {
		t.Fatal(err)
	}
	commit := func() {
		t.Helper()
		d := NewDelta(classifier.NewNetworks(nil), 1000)
		if ok, err := a.Commit(File{Identity: clock.String(), Time: clock}, d); err != nil || !ok {
			t.Fatalf("got %t, %v", ok, err)
		}
	}
	known := func(ago time.Duration) bool { return a.Known(clock.Add(-ago).String()) }
	hours := func() int {
		buckets := make(map[string]bool)
		for k := range journal.records {
			if _, ok := parseHour(k.bucket); ok {
				buckets[k.bucket] = true
			}
		}
		return len(buckets)
	}
	for range 20 * 24 {
		commit()
		clock = clock.Add(time.Hour)
	}
	if !known(8*24*time.Hour) || known(9*24*time.Hour) || hours() > 8*24+2 || len(a.TakeFindings()) != 0 {
		t.Errorf("got %d hours", hours())
	}
	config.Duplicates = 100
	a.Reconfigure(config)
	commit()
	if findings := a.TakeFindings(); len(findings) != 1 || findings[0].Kind != FindingForgottenFiles || hours() != 100 || !known(90*time.Hour) || known(110*time.Hour) {
		t.Errorf("got %d hours and %v", hours(), findings)
	}
	if diff := diff(dump(a), journal.records); diff != "" {
		t.Errorf("memory differs from the journal:\n%s", diff)
	}
}

// TestForgottenInterfaces lets what has had no rows for a day be forgotten, and interfaces beyond their bound: in memory and in the journal.
func TestForgottenInterfaces(t *testing.T) {
	s := flowgen.Random(cmp.Or(*seed, 1), flowgen.Options{})
	r, journal := newRun(s), newMemoryJournal()
	r.open(t, journal)
	for _, f := range slices.Concat(s.Leading, s.Files, s.Closing) {
		if err := r.commit(f); err != nil {
			t.Fatal(err)
		}
	}
	before := len(r.a.interfaces)
	r.now = r.now.Add(72 * time.Hour)
	f := s.Closing[0]
	f.Key, f.Time = "later", r.now
	f.Text = fmt.Appendf(nil, "account-id interface-id srcaddr dstaddr bytes end log-status\n999999999999 eni-late - - - %d NODATA\n", r.now.Unix())
	if err := r.commit(f); err != nil {
		t.Fatal(err)
	}
	if before < 2 || len(r.a.interfaces) != 1 || len(r.a.clients.seen) != 0 || len(r.a.clocks) != 1 {
		t.Errorf("got %d interfaces, before %d, %d clients and %d clocks", len(r.a.interfaces), before, len(r.a.clients.seen), len(r.a.clocks))
	}
	if diff := diff(dump(r.a), journal.records); diff != "" {
		t.Errorf("memory differs from the journal:\n%s", diff)
	}
}

// TestReconfigureIsWritten changes the configuration between files, in the running aggregator and at a restart, which must be the same.
func TestReconfigureIsWritten(t *testing.T) {
	first := cmp.Or(*seed, rand.Uint64())
	t.Logf("seed %d", first)
	for i := range uint64(max(*scenarios/3, 1)) {
		s := flowgen.Random(first+i, flowgen.Options{})
		random := rand.New(rand.NewPCG(first+i, 4))
		reloaded, restarted := newRun(s), newRun(s)
		journal, other := newMemoryJournal(), newMemoryJournal()
		reloaded.open(t, journal)
		restarted.open(t, other)
		for _, f := range slices.Concat(s.Leading, s.Files, s.Closing) {
			if err := cmp.Or(reloaded.commit(f), restarted.commit(f)); err != nil {
				t.Fatal(err)
			}
			if random.IntN(2) == 0 {
				reloaded.config = randomConfig(random, reloaded)
				reloaded.a.Reconfigure(reloaded.config)
				restarted.config = reloaded.config
				restarted.open(t, other)
			}
			if diff := diff(journal.records, dump(reloaded.a)); diff != "" {
				t.Fatalf("rerun with -seed=%d -scenarios=1: after %s the journal differs from memory:\n%s", first+i, f.Key, diff)
			}
		}
		if diff := diff(counted(other.records), counted(journal.records)); diff != "" {
			t.Fatalf("rerun with -seed=%d -scenarios=1: a restart differs from a reload:\n%s", first+i, diff)
		}
	}
}

// randomConfig names some interfaces as gateways, or none.
func randomConfig(random *rand.Rand, r *scenarioRun) Config {
	config := r.config
	config.Vantage = []Vantage{VantageAuto, VantageGateway, VantageClient}[random.IntN(3)]
	config.NATGateways = nil
	for _, name := range slices.SortedFunc(maps.Keys(r.a.interfaces), compareNames) {
		if random.IntN(4) == 0 {
			config.NATGateways = append(config.NATGateways, Gateway{ENI: name.id})
		}
	}
	return config
}
