package topn_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/topn"
)

// fileOfPairs is a file of a million updates, of which half are of remotes by Zipf's law and half of ones that come once.
func fileOfPairs() ([]pair, []uint64) {
	rng := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(rng, 1.05, 1, remotes-1)
	pairs, bytes := make([]pair, 1<<20), make([]uint64, 1<<20)
	for i := range pairs {
		pairs[i] = pair{"eni-0123456789abcdef0", 1, [2]uint64{0, rng.Uint64N(200)}, [2]uint64{0, zipf.Uint64()}}
		if i%2 == 0 {
			pairs[i].destination[0] = rng.Uint64()
		}
		bytes[i] = 40 + rng.Uint64N(10_000)
	}
	return pairs, bytes
}

// BenchmarkCount counts a file of a million keys.
func BenchmarkCount(b *testing.B) {
	pairs, bytes := fileOfPairs()
	top := topn.New[pair, pair](topn.DefaultConfig(), hashPair, start)
	now := start
	b.ReportAllocs()
	own := 0
	for i := 0; b.Loop(); i++ {
		n := i & (len(pairs) - 1)
		if n == 0 {
			now = now.Add(5 * time.Minute)
			top.Begin(now)
		}
		if top.Count(pairs[n], pairs[n], bytes[n]) {
			own++
		}
		if n == len(pairs)-1 {
			top.Rank()
		}
	}
	b.StopTimer()
	if b.N > 3*len(pairs) && own == 0 {
		b.Error("nothing was counted into a series of its own")
	}
}

// BenchmarkRank ends a file of a hundred keys: what a small file costs besides its keys.
func BenchmarkRank(b *testing.B) {
	pairs, bytes := fileOfPairs()
	top := topn.New[pair, pair](topn.DefaultConfig(), hashPair, start)
	for i, p := range pairs {
		top.Count(p, p, bytes[i])
	}
	top.Rank()
	now := start
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Second)
		top.Begin(now)
		for j := range 100 {
			n := (100*i + j) & (len(pairs) - 1)
			top.Count(pairs[n], pairs[n], bytes[n])
		}
		top.Rank()
	}
}

// BenchmarkSeries reads the page.
func BenchmarkSeries(b *testing.B) {
	top := topn.New[remote, series](topn.DefaultConfig(), hashRemote, start)
	for n := range 2 {
		top.Begin(start.Add(time.Duration(n) * fileTime))
		for r := range remote(100) {
			top.Count(r, series{r, 0}, 1000)
			top.Count(r, series{r, 1}, 1000)
		}
		top.Rank()
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n = 0
		for range top.Series() {
			n++
		}
	}
	if n != 200 {
		b.Errorf("got %d series, want 200", n)
	}
}

// TestCountAllocatesNothing counts files of known sizes again and again: neither their keys nor their ends allocate.
func TestCountAllocatesNothing(t *testing.T) {
	trace := newTrace(1, 1.05)
	updates := trace.file(0, nil)
	top := topn.New[remote, remote](topn.DefaultConfig(), hashRemote, start)
	now := start
	run := func() {
		now = now.Add(fileTime)
		top.Begin(now)
		for _, u := range updates {
			top.Count(u.remote, u.remote, u.bytes)
		}
		top.Rank()
	}
	for range 5 {
		run()
	}
	if n := testing.AllocsPerRun(10, run); n > 0 {
		t.Errorf("a file allocates %.0f times", n)
	}
}
