// Package topn ranks identities by bytes in bounded memory and says which of them count into series of their own; the bytes of all others belong to a series
// other. It holds no values and knows no labels, reads no clock and takes no lock: its caller counts where it says.
//
// # Use
//
// An identity is what is ranked, a series is what it is counted in: a destination is a region and an address, and has a series for each direction, path and service.
// An identity is promoted as a whole, so all its series appear together. For each file, or group of files committed together:
//
//	top.Begin(now)
//	for each row {
//		if top.Count(identity, series, bytes) {
//			values[series] += bytes
//		} else {
//			values[other] += bytes
//		}
//	}
//	appeared, left := top.Rank()
//	for _, series := range appeared {
//		values[series] += 0
//	}
//	for _, series := range left {
//		delete(values, series)
//	}
//
// The page then consists of other and of values, which are those of top.Series(). A row with several series, such as its cost beside its bytes, is added once by Add,
// and each series asked for by Counts.
//
// # The life of a series
//
// A series appears at 0, at the end of the file that promotes its identity, or when a promoted identity first needs it. For Hold it stays 0 while its bytes go to
// other, so that every scraper has seen it before it grows; then it counts. When its identity is demoted it stands still, and for Idle stays on the page. An identity
// that is promoted again meanwhile counts at once, for its series never left. Afterwards its series leave the page; should the identity come back, it does so after
// every scrape can have seen that it was gone, at 0, and is held again. So bytes are never moved nor counted twice, no sample goes down while its series is on the page,
// and between two scrapes less than Hold apart the growth of all series and other is that of the total. A restart is told by Resume: time stands still while the page is away.
//
// # Bounds
//
// With Identities = N: at most N identities count, at most 2N are on the page, and at most 2N x SeriesPerIdentity series. If the page is full, the identity that was
// demoted longest leaves before its Idle has passed, but not before Hold has; if there is none, a promotion waits. The sketch has 64N counters, at least 8,192 and at
// most 65,536. A Top of 100 identities takes 1 MiB, 3 MiB after a file of a million keys of 56 bytes. Lowering N takes effect as demoted identities may leave.
//
// # Who is promoted
//
// Each key's bytes decay with two half-lives: 150 seconds show a rise or a silence after one file, an hour shows who is large. Free places go to the heaviest keys, whichever
// came first, if they have 1/100,000 of all bytes. After that a key takes the place of the weakest if it was 1.6 times as large over the last hours, or eight times in one
// file, or 1.3 times in one file while the weakest is missing from it. So one that is just large enough for the middle of the ranks takes up to two hours, one
// among the first fifteen takes one file, and when all large ones change at once they are all replaced after one file.
//
// # Why this sketch
//
// Space-Saving in buckets of eight counters, compared in BenchmarkAlgorithms with 52 KiB for each, an eighth of what a Top uses. Traces of 18 files with 30,000 flows of a
// million remotes, summed by remote or one by one, without and with nine scanned addresses for each remote. How many of the true top 100 are found, by how much
// their volumes are off, and nanoseconds for an update, on a core that others used too:
//
//	trace                    Space-Saving    Space-Saving     Misra-Gries      HeavyKeeper        count-min
//	                         in buckets      with a heap      with purges                         with a heap
//	Zipf 1.05                96  9.5%  77    96  8.7%  295    98  17%  276     98  2.1%  12039    97  0.5%  144
//	Zipf 1.2                 96  2.4%  86    97  3.3%  394    99   7%  218     98  2.0%  11016    96  0.2%  120
//	Zipf 1.05, scans         94  9.8%  76    94   11%  312    94  25%  309    100  0.0%   1599    75  0.6%   88
//	single flows             95  3.5%  63    94  3.5%  172    98  19%   96     99  0.2%   3391    97  0.1%   80
//	single flows, scans      94  7.6%  54    95  6.2%  268    99  29%  187     99  1.0%   1260    83  0.2%  101
//
// With eight times the memory all find 100 on summed traces but count-min (99 with scans), and Space-Saving is off by less than one in a million, so time decides. It also needs no random numbers, its
// volumes are proven from below, and its state is what is in its counters: a journal writes only those that a file touched. Misra-Gries rewrites all of them in each
// purge; HeavyKeeper wears down counters by units of one, where an update here is thousands of bytes; count-min cannot tell a key from what collides with it.
package topn

import (
	"iter"
	"time"
)

// Config bounds a Top. The zero Config exposes nothing.
type Config struct {
	// Identities is how many identities count into their own series at a time. At most twice as many are on the page, with those that were demoted.
	Identities int
	// SeriesPerIdentity bounds the series below one identity; bytes of further ones go to other.
	SeriesPerIdentity int
	// Hold is how long a new series is exposed at 0 before it counts. It has to exceed the interval of scrapes.
	Hold time.Duration
	// Idle is how long a demoted identity's series stay on the page.
	Idle time.Duration
	// Seed makes the places of keys in the sketch unpredictable for who chooses the keys. The same updates with the same seed give the same decisions.
	Seed uint64
}

// DefaultConfig returns the documented defaults for destinations.
func DefaultConfig() Config {
	return Config{Identities: 100, SeriesPerIdentity: 16, Hold: 2 * time.Minute, Idle: 24 * time.Hour}
}

// A Top ranks identities K by bytes and says which of their series S count. It is not safe for concurrent use.
type Top[K, S comparable] struct {
	config Config
	hash   func(K) uint64
	clock  clock
	sketch sketch[K]
	total  struct{ fast, slow float64 } // total are the volumes of all bytes, scaled.

	members []member[S]
	states  [numStates]int // states counts members by state.
	altered []bool         // altered marks members that changed since the last export.
	watch   watch[K, S]

	contest    contest
	appeared   []S
	left       []S
	nextBucket int // nextBucket is where the next export of changed counters begins.
}

// New returns an empty Top. The hash has to be the same for equal keys in every process that reads the state; it need not be good. The first update may come at
// once, its time is now.
func New[K, S comparable](config Config, hash func(K) uint64, now time.Time) *Top[K, S] {
	return newTop[K, S](config, hash, now.UnixNano(), sketchSize(config.Identities))
}

func newTop[K, S comparable](config Config, hash func(K) uint64, now int64, size int) *Top[K, S] {
	return &Top[K, S]{
		config: config, hash: hash, clock: newClock(now),
		sketch: newSketch[K](size),
		watch:  newWatch[K, S](size),
	}
}

// Reconfigure replaces the bounds and times between files. It takes effect with the next Rank. The seed stays, and the sketch does not shrink.
func (t *Top[K, S]) Reconfigure(config Config) {
	config.Seed = t.config.Seed
	t.config = config
	t.grow()
}

// grow makes the sketch as large as the configuration needs. A bucket becomes several, so that each counter finds a place.
func (t *Top[K, S]) grow() {
	size := sketchSize(t.config.Identities)
	old := t.sketch
	if size <= len(old.counters) {
		return
	}
	t.sketch = newSketch[K](size)
	t.watch.heads = make([]int32, size)
	for slot := range old.counters {
		if old.tags[slot] == 0 {
			continue
		}
		c := old.counters[slot]
		hash := t.hashOf(c.key)
		at := t.sketch.emptySlot(hash)
		t.sketch.put(at, hash, c)
		if c.member != 0 {
			t.members[c.member-1].slot = int32(at)
			t.altered[c.member-1] = true
			t.sketch.pin(at, int(c.member)-1)
		}
	}
	t.nextBucket = 0
	for slot := range t.sketch.touched {
		t.sketch.touched[slot], t.sketch.due[slot/ways] = true, true
	}
}

// Count adds bytes to an identity and says where they belong: to the series if true, else to other. The answer is final. It depends on the last Rank, and not on
// what the file has brought so far, so that the order of a file's updates does not matter.
func (t *Top[K, S]) Count(identity K, series S, bytes uint64) bool {
	return t.Counts(t.Add(identity, bytes), series)
}

// A Slot is the place of an identity until the next Add.
type Slot int

// Nowhere is the Slot of an identity none of whose series count.
const Nowhere Slot = noSlot

// Add is the first half of Count: it adds bytes to an identity. Most identities are Nowhere.
func (t *Top[K, S]) Add(identity K, bytes uint64) Slot {
	if t.config.Identities == 0 {
		return Nowhere
	}
	fast, slow := float64(bytes)*t.clock.fast, float64(bytes)*t.clock.slow
	t.total.fast += fast
	t.total.slow += slow
	slot := t.sketch.add(t.hashOf(identity), identity, fast, slow)
	if slot == noSlot {
		return Nowhere
	}
	c := &t.sketch.counters[slot]
	if c.member == 0 && c.proven() < t.watch.above {
		return Nowhere
	}
	return Slot(slot)
}

// Counts is the second half of Count, for one series of the update or several, such as its cost beside its bytes.
func (t *Top[K, S]) Counts(at Slot, series S) bool {
	if at == Nowhere {
		return false
	}
	c := &t.sketch.counters[at]
	if c.member != 0 && t.members[c.member-1].state == promoted {
		return t.countsNow(int(c.member-1), series)
	}
	if c.proven() >= t.watch.above {
		t.remember(int(at), series)
	}
	return false
}

func (t *Top[K, S]) hashOf(identity K) uint64 { return mix(t.hash(identity) ^ t.config.Seed) }

// remember watches a series. The bar is too low when a file brings far more than the one before, or is the first: then it rises until what is watched is few.
func (t *Top[K, S]) remember(slot int, series S) {
	for t.watch.full() {
		bar := max(2*t.watch.above, promotedShare*t.total.fast)
		if bar == 0 {
			return // Nobody has sent a byte.
		}
		t.watch.raise(bar, t.config.SeriesPerIdentity, func(slot int, key K) float64 {
			if c := &t.sketch.counters[slot]; c.key == key {
				return c.proven()
			}
			return -1
		})
	}
	if c := &t.sketch.counters[slot]; c.proven() >= t.watch.above {
		t.watch.add(slot, c.key, series, t.config.SeriesPerIdentity)
	}
}

// countsNow says whether a series of a promoted member counts. A new one appears, and waits.
func (t *Top[K, S]) countsNow(number int, series S) bool {
	m := &t.members[number]
	for i := range m.lines {
		if m.lines[i].series == series {
			return t.clock.now >= m.lines[i].from
		}
	}
	return t.appear(number, series) && t.config.Hold <= 0
}

// appear exposes a series at 0.
func (t *Top[K, S]) appear(number int, series S) bool {
	m := &t.members[number]
	if len(m.lines) >= t.config.SeriesPerIdentity {
		return false
	}
	m.lines = append(m.lines, line[S]{series, t.clock.now, t.clock.now + int64(t.config.Hold)})
	t.appeared = append(t.appeared, series)
	t.altered[number] = true
	return true
}

// An Identity is one that has series on the page.
type Identity[K comparable] struct {
	Key K
	// Promoted says that it is among the top; otherwise it was, and its series stand still.
	Promoted bool
	// Since is when that began.
	Since time.Time
}

// Identities yields the identities on the page.
func (t *Top[K, S]) Identities() iter.Seq[Identity[K]] {
	return func(yield func(Identity[K]) bool) {
		for i := range t.members {
			m := &t.members[i]
			if m.onPage() && !yield(Identity[K]{t.sketch.counters[m.slot].key, m.state == promoted, time.Unix(0, m.since)}) {
				return
			}
		}
	}
}

// A Series is one on the page. What is in it the caller knows: 0 if nothing was counted into it since it was created.
type Series[S comparable] struct {
	Series  S
	Created time.Time
}

// Series yields all series on the page, those of demoted identities included.
func (t *Top[K, S]) Series() iter.Seq[Series[S]] {
	return func(yield func(Series[S]) bool) {
		for i := range t.members {
			for _, l := range t.members[i].lines {
				if !yield(Series[S]{l.series, time.Unix(0, l.created)}) {
					return
				}
			}
		}
	}
}
