package topn_test

import (
	"encoding/binary"
	"errors"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/topn"
)

// A series of the tests is one of several below a remote.
type series struct {
	remote remote
	kind   uint8
}

func parseRemote(b []byte) (remote, error) {
	if len(b) != 8 {
		return 0, errors.New("not 8 bytes")
	}
	return remote(binary.BigEndian.Uint64(b)), nil
}

func parseSeries(b []byte) (series, error) {
	if len(b) != 9 {
		return series{}, errors.New("not 9 bytes")
	}
	return series{remote(binary.BigEndian.Uint64(b)), b[8]}, nil
}

var codecs = topn.Codecs[remote, series]{
	Identity: topn.Codec[remote]{
		Append: func(b []byte, r remote) []byte { return binary.BigEndian.AppendUint64(b, uint64(r)) },
		Parse:  parseRemote,
	},
	Series: topn.Codec[series]{
		Append: func(b []byte, s series) []byte {
			return append(binary.BigEndian.AppendUint64(b, uint64(s.remote)), s.kind)
		},
		Parse: parseSeries,
	},
}

// A store is what a durable copy holds: the last value of each key.
type store map[string]string

func (s store) write(records iter.Seq2[[]byte, []byte]) {
	for key, value := range records {
		if len(value) == 0 {
			delete(s, string(key))
		} else {
			s[string(key)] = string(value)
		}
	}
}

// all yields the records in the order of their keys.
func (s store) all(yield func(key, value []byte) bool) {
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if !yield([]byte(key), []byte(s[key])) {
			return
		}
	}
}

// A ledger does what the aggregator does: it counts where the top says.
type ledger struct {
	top    *topn.Top[remote, series]
	values map[series]uint64
	other  uint64
	total  uint64
}

type row struct {
	series series
	bytes  uint64
}

// commit counts a file and returns which rows went to their own series.
func (l *ledger) commit(now time.Time, rows []row) []bool {
	l.top.Begin(now)
	own := make([]bool, len(rows))
	for i, r := range rows {
		l.total += r.bytes
		if own[i] = l.top.Count(r.series.remote, r.series, r.bytes); own[i] {
			l.values[r.series] += r.bytes
		} else {
			l.other += r.bytes
		}
	}
	appeared, left := l.top.Rank()
	for _, s := range appeared {
		l.values[s] += 0
	}
	for _, s := range left {
		delete(l.values, s)
	}
	return own
}

// A page is what a scrape reads.
type page struct {
	values       map[series]uint64
	created      map[series]time.Time
	other, total uint64
}

func (l *ledger) scrape() page {
	p := page{make(map[series]uint64), make(map[series]time.Time), l.other, l.total}
	maps.Copy(p.values, l.values)
	for s := range l.top.Series() {
		p.created[s.Series] = s.Created
	}
	return p
}

// compare holds two pages of consecutive scrapes to what Prometheus makes of them: raw samples only grow, and their growth adds up.
func (p page) compare(t *testing.T, before page) {
	t.Helper()
	if len(p.values) != len(p.created) {
		t.Fatalf("%d values for %d series", len(p.values), len(p.created))
	}
	grown := p.other - before.other
	if p.other < before.other {
		t.Fatalf("other went down from %d to %d", before.other, p.other)
	}
	for s, value := range p.values {
		old, known := before.values[s]
		switch {
		case !known && value != 0:
			t.Fatalf("%v appeared at %d", s, value)
		case value < old:
			t.Fatalf("%v went down from %d to %d", s, old, value)
		case known && p.created[s] != before.created[s]:
			t.Fatalf("%v was created at %s and at %s", s, before.created[s], p.created[s])
		}
		grown += value - old
	}
	if grown != p.total-before.total {
		t.Fatalf("the series grew by %d, the total by %d", grown, p.total-before.total)
	}
}

// A randomTrace makes files whose heavy remotes come, go and come back.
type randomTrace struct {
	rng    *rand.Rand
	weight [60]uint64
}

func (r *randomTrace) file() []row {
	for range r.rng.IntN(4) {
		r.weight[r.rng.IntN(len(r.weight))] = 1 << r.rng.IntN(34)
	}
	var rows []row
	for range r.rng.IntN(120) {
		who := r.rng.IntN(len(r.weight))
		rows = append(rows, row{series{remote(who), uint8(r.rng.IntN(5))}, r.rng.Uint64N(r.weight[who] + 1)})
	}
	for range r.rng.IntN(30) {
		rows = append(rows, row{series{remote(r.rng.Uint64()), 0}, 40})
	}
	return rows
}

// step is the time to the next commit: mostly less than the hold, sometimes days.
func (r *randomTrace) step() time.Duration {
	switch r.rng.IntN(60) {
	case 0:
		return time.Duration(r.rng.Int64N(int64(72 * time.Hour)))
	case 1, 2, 3:
		return time.Duration(r.rng.Int64N(int64(time.Hour)))
	default:
		return time.Duration(r.rng.Int64N(int64(4 * time.Minute)))
	}
}

func randomConfig(rng *rand.Rand) topn.Config {
	return topn.Config{
		Identities: 1 + rng.IntN(8), SeriesPerIdentity: 1 + rng.IntN(5),
		Hold: time.Duration(rng.Int64N(int64(4 * time.Minute))), Idle: time.Minute + time.Duration(rng.Int64N(int64(3*time.Hour))),
		Seed: rng.Uint64(),
	}
}

// randomTraces runs a test on random traces, each with a seed that it prints.
func randomTraces(t *testing.T, run func(t *testing.T, trace *randomTrace)) {
	for range 40 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 0))
		trace := &randomTrace{rng: rng}
		if !t.Run("", func(t *testing.T) {
			t.Logf("seed %d", seed)
			run(t, trace)
		}) {
			return
		}
	}
}

// TestPageAddsUp scrapes random traces at random times, never more than the hold apart: whatever is promoted, demoted, dropped or comes back, the growth of the
// samples adds up to that of the total, a series appears at 0 and never goes down, and the bounds hold.
func TestPageAddsUp(t *testing.T) {
	appeared, left, own := 0, 0, uint64(0)
	randomTraces(t, func(t *testing.T, trace *randomTrace) {
		config := randomConfig(trace.rng)
		config.Hold += time.Minute
		l := ledger{top: topn.New[remote, series](config, hashRemote, start), values: make(map[series]uint64)}
		now := start
		scrape, last := start, l.scrape()
		for range 500 {
			next := now.Add(trace.step())
			// In a gap of days, the last scrapes before the next commit and the first ones after this one tell all.
			for n := 0; scrape.Before(next); n++ {
				if late := next.Add(-2 * config.Hold); n == 3 && scrape.Before(late) {
					scrape = late
				}
				p := l.scrape()
				p.compare(t, last)
				scrape = scrape.Add(config.Hold/2 + time.Duration(trace.rng.Int64N(int64(config.Hold/2))))
				for s := range p.values {
					if _, known := last.values[s]; !known {
						appeared++
					}
				}
				for s := range last.values {
					if _, stays := p.values[s]; !stays {
						left++
					}
				}
				last = p
			}
			now = next
			l.commit(now, trace.file())
			checkBounds(t, l.top, config)
			if len(l.values) > 2*config.Identities*config.SeriesPerIdentity {
				t.Fatalf("%d values are kept", len(l.values))
			}
		}
		own += l.total - l.other
	})
	if appeared == 0 || left == 0 || own == 0 {
		t.Errorf("%d series appeared, %d left, %d bytes were theirs: the traces test nothing", appeared, left, own)
	}
}

func checkBounds(t *testing.T, top *topn.Top[remote, series], config topn.Config) {
	t.Helper()
	below := make(map[remote]int)
	seen := make(map[series]bool)
	for s := range top.Series() {
		if seen[s.Series] {
			t.Fatalf("%v is on the page twice", s.Series)
		}
		seen[s.Series] = true
		if below[s.Series.remote]++; below[s.Series.remote] > config.SeriesPerIdentity {
			t.Fatalf("remote %d has %d series", s.Series.remote, below[s.Series.remote])
		}
	}
	promoted, all := 0, 0
	for i := range top.Identities() {
		delete(below, i.Key)
		all++
		if i.Promoted {
			promoted++
		}
	}
	if promoted > config.Identities || all > 2*config.Identities {
		t.Fatalf("%d identities are promoted, %d on the page, for %d", promoted, all, config.Identities)
	}
	if len(below) > 0 {
		t.Fatalf("series of remotes that are not on the page: %v", below)
	}
}

// TestStateChangesNothing loads a copy in the middle of a random trace, from a store that was written piece by piece, and runs both on.
func TestStateChangesNothing(t *testing.T) {
	randomTraces(t, func(t *testing.T, trace *randomTrace) {
		config := randomConfig(trace.rng)
		l := ledger{top: topn.New[remote, series](config, hashRemote, start), values: make(map[series]uint64)}
		now, durable := start, make(store)
		var copied *ledger
		for n := range 400 {
			now = now.Add(trace.step())
			rows := trace.file()
			own := l.commit(now, rows)
			if copied != nil {
				if got := copied.commit(now, rows); !slices.Equal(got, own) {
					t.Fatalf("file %d: the copy counts differently", n)
				}
				if got, want := slices.Collect(copied.top.Series()), slices.Collect(l.top.Series()); !slices.Equal(got, want) {
					t.Fatalf("file %d: the copy's page is %v, want %v", n, got, want)
				}
			}
			durable.write(l.top.Changed(codecs, math.MaxInt))
			if n%100 == 50 {
				whole := make(store)
				whole.write(l.top.All(codecs))
				if !maps.Equal(whole, durable) {
					t.Fatalf("file %d: what changed does not add up to the whole", n)
				}
				top, err := topn.Load(config, hashRemote, codecs, durable.all)
				if err != nil {
					t.Fatal(err)
				}
				copied = &ledger{top: top, values: maps.Clone(l.values)}
			}
		}
	})
}

// TestLaggingCounters loads from a store that gets few counters of each file: all series are there, they count as they would have, and nothing else does.
func TestLaggingCounters(t *testing.T) {
	behind := 0
	randomTraces(t, func(t *testing.T, trace *randomTrace) {
		config := randomConfig(trace.rng)
		l := ledger{top: topn.New[remote, series](config, hashRemote, start), values: make(map[series]uint64)}
		now, durable := start, make(store)
		for n := range 200 {
			now = now.Add(trace.step())
			l.commit(now, trace.file())
			durable.write(l.top.Changed(codecs, 1+trace.rng.IntN(3)))
			if n%10 != 0 {
				continue
			}
			top, err := topn.Load(config, hashRemote, codecs, durable.all)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := slices.Collect(top.Identities()), slices.Collect(l.top.Identities()); !slices.Equal(got, want) {
				t.Fatalf("file %d: the copy has %v on its page, want %v", n, got, want)
			}
			copied, whole := make(store), make(store)
			copied.write(top.All(codecs))
			if !maps.Equal(copied, durable) {
				t.Fatalf("file %d: what was loaded is not what was stored", n)
			}
			again, err := topn.Load(config, hashRemote, codecs, func(yield func(key, value []byte) bool) {
				whole.write(l.top.All(codecs))
				durable = maps.Clone(whole)
				whole.all(yield)
			})
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(copied, whole) {
				behind++
			}
			rows, next := trace.file(), now.Add(trace.step())
			copyOf := ledger{top: top, values: maps.Clone(l.values)}
			original := ledger{top: again, values: maps.Clone(l.values)}
			if got, want := copyOf.commit(next, rows), original.commit(next, rows); !slices.Equal(got, want) {
				t.Fatalf("file %d: the copy counts differently", n)
			}
		}
	})
	if behind == 0 {
		t.Error("no store was behind: the traces test nothing")
	}
}

// TestOrderWithinFile counts the same files in two orders: each row's bytes go to the same place.
func TestOrderWithinFile(t *testing.T) {
	randomTraces(t, func(t *testing.T, trace *randomTrace) {
		config := randomConfig(trace.rng)
		config.SeriesPerIdentity = 5
		l := ledger{top: topn.New[remote, series](config, hashRemote, start), values: make(map[series]uint64)}
		now := start
		for n := range 30 {
			now = now.Add(trace.step())
			rows := trace.file()
			durable := make(store)
			durable.write(l.top.All(codecs))
			top, err := topn.Load(config, hashRemote, codecs, durable.all)
			if err != nil {
				t.Fatal(err)
			}
			backwards := ledger{top: top, values: make(map[series]uint64)}
			reversed := slices.Clone(rows)
			slices.Reverse(reversed)
			got := backwards.commit(now, reversed)
			slices.Reverse(got)
			if want := l.commit(now, rows); !slices.Equal(got, want) {
				t.Fatalf("file %d: the order of rows matters", n)
			}
		}
	})
}
