package topn

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Each algorithm gets about the same memory: an eighth of what the package takes, where they differ.
const (
	comparedCounters = minCounters / 8
	comparedBytes    = 53 * comparedCounters
)

var algorithms = []struct {
	name string
	make func() heavyHitters
}{
	{"space_saving_ways", func() heavyHitters { return newSetAssociative(comparedCounters) }},
	{"space_saving_heap", func() heavyHitters { return newSpaceSaving(comparedBytes / 64) }},
	{"misra_gries", func() heavyHitters { return newMisraGries(comparedBytes / 24) }},
	{"heavy_keeper", func() heavyHitters { return newHeavyKeeper(1<<10, 300) }},
	{"count_min", func() heavyHitters { return newCountMin(1<<10, 300) }},
}

// comparedTraces are an hour and a half of files: the sums of 30,000 flows by remote, and of nine times as many scanned addresses; and flows one by one, as if a remote
// were spread over many rows of its file.
var comparedTraces = []struct {
	name     string
	exponent float64
	scans    int
	single   bool
}{
	{"zipf_1.05", 1.05, 0, false},
	{"zipf_1.2", 1.2, 0, false},
	{"scan", 1.05, 9, false},
	{"single_flows", 1.05, 0, true},
	{"single_flows_scan", 1.05, 9, true},
}

type weighted struct {
	key   uint64
	bytes float64
}

func comparedFile(rng *rand.Rand, zipf *rand.Zipf, scans int, single bool) []weighted {
	var updates []weighted
	at := make(map[uint64]int)
	for range 30_000 {
		key, bytes := zipf.Uint64(), 40+3000*math.Exp(rng.NormFloat64())
		if i, ok := at[key]; ok && !single {
			updates[i].bytes += bytes
			continue
		}
		at[key] = len(updates)
		updates = append(updates, weighted{key, bytes})
	}
	for range scans * len(at) {
		updates = append(updates, weighted{rng.Uint64() | 1<<63, 40})
	}
	rng.Shuffle(len(updates), func(i, j int) { updates[i], updates[j] = updates[j], updates[i] })
	return updates
}

// BenchmarkAlgorithms compares what finds heavy keys on the same traces with the same decay and memory: how many of the true top 100 of the decayed weights are among
// the algorithm's top 100 after the last file, how far its weights of the true ones are off, and what an update takes.
func BenchmarkAlgorithms(b *testing.B) {
	for _, trace := range comparedTraces {
		rng := rand.New(rand.NewPCG(1, 1))
		zipf := rand.NewZipf(rng, trace.exponent, 1, 1_000_000-1)
		files := make([][]weighted, 18)
		for n := range files {
			files[n] = comparedFile(rng, zipf, trace.scans, trace.single)
		}
		truth := trueWeights(files)
		for _, a := range algorithms {
			b.Run(fmt.Sprintf("%s/%s", trace.name, a.name), func(b *testing.B) {
				var h heavyHitters
				updates := 0
				for range b.N {
					h, updates = a.make(), 0
					for n, file := range files {
						scale := fileScale(n)
						for _, u := range file {
							h.add(u.key, u.bytes*scale)
						}
						updates += len(file)
					}
				}
				b.StopTimer()
				recall, off := judge(h, truth)
				b.ReportMetric(recall, "of_100")
				b.ReportMetric(100*off, "%off")
				b.ReportMetric(float64(h.bytes()>>10), "KiB")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(updates), "ns/update")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// fileScale is the weight of a byte in the file of that number.
func fileScale(n int) float64 { return math.Exp2(float64(n) * 300 / fastHalfLife.Seconds()) }

func trueWeights(files [][]weighted) map[uint64]float64 {
	truth := make(map[uint64]float64)
	for n, file := range files {
		for _, u := range file {
			truth[u.key] += u.bytes * fileScale(n)
		}
	}
	return truth
}

// judge returns how many of the true top 100 are in the estimated top 100, and the mean error of their estimates as a part of the true weights; a key that is not held
// is off by all of its weight.
func judge(h heavyHitters, truth map[uint64]float64) (recall, off float64) {
	held := make(map[uint64]float64)
	h.estimates(func(key uint64, weight float64) { held[key] = weight })
	ideal, found := top100(truth), top100(held)
	for _, key := range ideal {
		if slices.Contains(found, key) {
			recall++
		}
		off += math.Abs(held[key]-truth[key]) / truth[key] / 100
	}
	return recall, off
}

func top100(weights map[uint64]float64) []uint64 {
	keys := make([]uint64, 0, len(weights))
	for key := range weights {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b uint64) int { return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b)) })
	return keys[:min(100, len(keys))]
}
