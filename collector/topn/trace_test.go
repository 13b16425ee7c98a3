package topn_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/topn"
)

const (
	fileTime       = 5 * time.Minute // A file holds the traffic of 5 minutes and is committed at their end.
	filesPerWindow = 12              // A window is an hour.
	filesPerDay    = 288
	flowsPerFile   = 30_000 // The flow log of a gateway with some 10,000 remotes in a file.
	remotes        = 1_000_000
	// From here on the numbers of remotes are those of scanned addresses, which come once.
	scanned = 1 << 32
)

// A remote is the number of a remote address.
type remote uint64

func hashRemote(r remote) uint64 { return uint64(r) }

// An update is what a file says of a remote: its flows added up.
type update struct {
	remote remote
	bytes  uint64
}

// A trace generates files. Flows choose a remote by Zipf's law; their sizes are log-normal with a standard deviation of 1.3 times the mean of some 4,900 bytes.
type trace struct {
	rng   *rand.Rand
	zipf  *rand.Zipf
	sizes [1 << 12]uint64
	sums  []uint64 // sums are the bytes of remotes in the file, by remote.
	seen  []remote

	// identity is who has that rank in that file.
	identity func(rank uint64, file int) remote
	// rise is the first file in which a remote is as large as it is then.
	rise func(r remote, file int) int
	// extra adds more flows to a file.
	extra func(t *trace, file int)
	// scans is the number of scanned addresses for each remote in a file.
	scans int
}

// newTrace returns a stable trace.
func newTrace(seed uint64, exponent float64) *trace {
	rng := rand.New(rand.NewPCG(seed, 0x70b5))
	t := &trace{
		rng: rng, zipf: rand.NewZipf(rng, exponent, 1, remotes-1),
		sums:     make([]uint64, 2*remotes),
		identity: func(rank uint64, _ int) remote { return remote(rank) },
		rise:     func(remote, int) int { return 0 },
	}
	for i := range t.sizes {
		t.sizes[i] = uint64(40 + 3000*math.Exp(rng.NormFloat64()))
	}
	return t
}

func (t *trace) flow(r remote) {
	if t.sums[r] == 0 {
		t.seen = append(t.seen, r)
	}
	t.sums[r] += t.sizes[t.rng.Uint32()%uint32(len(t.sizes))]
}

// file generates a file.
func (t *trace) file(n int, updates []update) []update {
	for range flowsPerFile {
		t.flow(t.identity(t.zipf.Uint64(), n))
	}
	if t.extra != nil {
		t.extra(t, n)
	}
	for _, r := range t.seen {
		updates = append(updates, update{r, t.sums[r]})
		t.sums[r] = 0
	}
	for range t.scans * len(t.seen) {
		updates = append(updates, update{scanned + remote(t.rng.Uint64()), 40 + t.rng.Uint64N(20)})
	}
	if t.scans > 0 {
		t.rng.Shuffle(len(updates), func(i, j int) { updates[i], updates[j] = updates[j], updates[i] })
	}
	t.seen = t.seen[:0]
	return updates
}

// figures are what an exposure is judged by.
type figures struct {
	exposed int     // exposed is how many of the true top 50 were promoted at the end of a window, in the worst one.
	share   float64 // share of the bytes that the ideal top 50 carries went to their own series, in the worst window.
	changes float64 // changes are series that came plus series that went on the third day, in parts of those on the page.
}

// run feeds files to a top and judges it. A remote's bytes are measured from the file after the one in which it rose: that one's end promotes it, and it is held
// for less than the time to the next one.
func (t *trace) run(top *topn.Top[remote, remote], files int) figures {
	f := figures{exposed: 50, share: 1}
	measured, own := make([]uint64, 2*remotes), make([]uint64, 2*remotes)
	page := make(map[remote]bool)
	var updates []update
	changed := 0
	for n := range files {
		updates = t.file(n, updates[:0])
		top.Begin(start.Add(time.Duration(n+1) * fileTime))
		for _, u := range updates {
			counts := top.Count(u.remote, u.remote, u.bytes)
			if u.remote >= scanned || n <= t.rise(u.remote, n) {
				continue
			}
			measured[u.remote] += u.bytes
			if counts {
				own[u.remote] += u.bytes
			}
		}
		top.Rank()
		c := changesOf(page, top)
		if n >= 2*filesPerDay {
			changed += c
		}
		if n%filesPerWindow == filesPerWindow-1 {
			f.window(top, measured, own)
		}
	}
	f.changes = float64(changed) / float64(len(page))
	return f
}

var start = time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)

// changesOf counts the series that came or went, and brings the page up to date.
func changesOf(page map[remote]bool, top *topn.Top[remote, remote]) int {
	n := 0
	now := make(map[remote]bool, len(page))
	for s := range top.Series() {
		now[s.Series] = true
		if !page[s.Series] {
			n++
		}
	}
	for r := range page {
		if !now[r] {
			n++
			delete(page, r)
		}
	}
	for r := range now {
		page[r] = true
	}
	return n
}

// window judges a window and begins the next one.
func (f *figures) window(top *topn.Top[remote, remote], measured, own []uint64) {
	ideal := heaviest(measured, 50)
	counting := make(map[remote]bool)
	for i := range top.Identities() {
		counting[i.Key] = i.Promoted
	}
	exposed, all, shown := 0, uint64(0), uint64(0)
	for _, r := range ideal {
		all += measured[r]
		shown += own[r]
		if counting[r] {
			exposed++
		}
	}
	f.exposed = min(f.exposed, exposed)
	f.share = min(f.share, float64(shown)/float64(max(all, 1)))
	clear(measured)
	clear(own)
}

// heaviest returns the n remotes with the most bytes.
func heaviest(bytes []uint64, n int) []remote {
	var top []remote
	least := uint64(0)
	for r, b := range bytes {
		if b <= least {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, b, func(r remote, b uint64) int {
			if bytes[r] >= b {
				return -1
			}
			return 1
		})
		top = slices.Insert(top, at, remote(r))
		if len(top) > n {
			top = top[:n]
			least = bytes[top[n-1]]
		}
	}
	return top
}
