package topn_test

import (
	"flag"
	"fmt"
	"runtime"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/topn"
)

var moreSeeds = flag.Int("topn.seeds", 0, "further seeds for the figures of generated traces")

// figureSeeds are a seed that was held out when the constants of the package were chosen on the seeds 1 to 10, and as many from 1 on as -topn.seeds says.
func figureSeeds() []uint64 {
	seeds := []uint64{1001}
	for n := range *moreSeeds {
		seeds = append(seeds, uint64(1+n))
	}
	return seeds
}

// A scenario is what happens in a trace.
type scenario struct {
	name  string
	files int
	setUp func(t *trace)
}

var scenarios = []scenario{
	{"stable", 3 * filesPerDay, func(*trace) {}},
	{"new_heavy_remote", filesPerDay / 2, newHeavyRemote},
	{"scan", filesPerDay / 4, func(t *trace) { t.scans = 9 }},
	{"rotation", 2*filesPerDay + 3*filesPerWindow, rotate},
}

// newHeavyRemote makes a remote arrive in the middle of a window, with 1 % of the flows.
func newHeavyRemote(t *trace) {
	const arrival, newcomer = 6*filesPerWindow + 5, remotes
	t.extra = func(t *trace, file int) {
		for range flowsPerFile / 100 {
			if file >= arrival {
				t.flow(newcomer)
			}
		}
	}
	t.rise = func(r remote, _ int) int {
		if r == newcomer {
			return arrival
		}
		return 0
	}
}

// rotate replaces the top 200 each midnight: half of the new ones were never seen, half are remotes that were small.
func rotate(t *trace) {
	const small = remotes / 2
	t.identity = func(rank uint64, file int) remote {
		day := uint64(file / filesPerDay)
		switch {
		case rank >= 200:
			return remote(rank)
		case rank%2 == 0:
			return remote(remotes + 200*day + rank)
		default:
			return remote(small + 200*day + rank)
		}
	}
	t.rise = func(r remote, file int) int {
		day := remote(file / filesPerDay)
		if r >= remotes || r/200 == small/200+day {
			return file / filesPerDay * filesPerDay
		}
		return 0
	}
}

// TestFigures holds the exposure of 100 identities to its figures: in each window of an hour at least 49 of the true top 50 are exposed and carry 99 % of the
// bytes that the ideal top 50 carries, and fewer than 5 % of the series change on a stable day.
func TestFigures(t *testing.T) {
	for _, s := range scenarios {
		for _, exponent := range []float64{1.05, 1.2} {
			for _, seed := range figureSeeds() {
				t.Run(fmt.Sprintf("%s/%v/%d", s.name, exponent, seed), func(t *testing.T) {
					t.Parallel()
					trace := newTrace(seed, exponent)
					s.setUp(trace)
					f := trace.run(topn.New[remote, remote](topn.DefaultConfig(), hashRemote, start), s.files)
					t.Logf("%d exposed, share %.4f, changes %.3f", f.exposed, f.share, f.changes)
					if f.exposed < 49 || f.share < 0.99 {
						t.Errorf("%d of the top 50 are exposed and carry %.4f of their bytes, want 49 and 0.99", f.exposed, f.share)
					}
					if s.name == "stable" && f.changes >= 0.05 {
						t.Errorf("%.3f of the series changed, want less than 0.05", f.changes)
					}
				})
			}
		}
	}
}

// A pair is a key as large as that of the top pairs: gateway, direction, source and destination.
type pair struct {
	gateway             string
	direction           uint8
	source, destination [2]uint64
}

// A pairSeries is a series, larger than any of the exporter's.
type pairSeries struct {
	service     string
	pair        pair
	destination [2]uint64
}

func hashPair(p pair) uint64 { return p.source[1] ^ p.destination[1]*0x9e3779b97f4a7c15 }

// TestMemory bounds what a Top of 100 large keys takes after a file of a million of them.
func TestMemory(t *testing.T) {
	const limit = 10 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	top := topn.New[pair, pairSeries](topn.DefaultConfig(), hashPair, start)
	for n := range uint64(1_000_000) {
		p := pair{gateway: "eni-0123456789abcdef0", destination: [2]uint64{0, n}}
		top.Count(p, pairSeries{"S3", p, p.destination}, 1000+n%7*100)
	}
	top.Rank()
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d KiB are held, %d KiB were allocated", held>>10, (after.TotalAlloc-before.TotalAlloc)>>10)
	if held >= limit {
		t.Errorf("%d bytes are held, want fewer than %d", held, limit)
	}
	runtime.KeepAlive(top)
}
