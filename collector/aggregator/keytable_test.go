package aggregator

import (
	"math/rand/v2"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// TestKeyTable adds random keys and compares with a map, several times with the same table, small and large.
func TestKeyTable(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	type key struct {
		group   uint32
		address flowlog.Addr
	}
	var table keyTable
	for _, size := range []int{0, 1, 500, 300_000, 10, 40, 2000} {
		table.reset()
		want := make(map[key]Counts)
		for range size {
			k := key{1 + rng.Uint32N(40), flowlog.V4(rng.Uint32N(uint32(size)))}
			switch rng.IntN(10) {
			case 0:
				k.address = flowlog.Addr{}
			case 1:
				k.address = flowlog.Addr{Hi: 0x20010db8 << 32, Lo: rng.Uint64N(50)}
			case 2:
				k.group = maxGroups
			}
			c := Counts{1, rng.Uint64N(1000), 3}
			sum := want[k]
			sum.add(c)
			want[k] = sum
			counts, at := table.find(table.key(k.group, k.address))
			if counts == nil {
				counts = table.add(table.key(k.group, k.address), at)
			}
			counts.add(c)
		}
		if table.used != len(want) {
			t.Errorf("%d keys: the table has %d, want %d", size, table.used, len(want))
		}
		for row := range table.all {
			k := key{row.group, row.address}
			if *row.counts != want[k] {
				t.Fatalf("%d keys: %+v has %+v, want %+v", size, k, *row.counts, want[k])
			}
			delete(want, k)
		}
		if len(want) > 0 {
			t.Errorf("%d keys: %d are missing", size, len(want))
		}
	}
}

func TestIDTable(t *testing.T) {
	var table idTable
	for range 3 {
		want := make(map[uint64]uint32)
		rng := rand.New(rand.NewPCG(1, 1))
		for range 5000 {
			key := 1 + rng.Uint64N(3000)
			id, added := table.id(key)
			if old, known := want[key]; known == added || known && old != id || added && int(id) != len(want)+1 {
				t.Fatalf("key %d: got %d %t, want %d %t", key, id, added, old, !known)
			}
			want[key] = id
		}
		table.reset()
	}
}

// TestAddressSample adds the same addresses in two orders: the samples are the same, and hold the smallest hashes.
func TestAddressSample(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	addresses := make([]flowlog.Addr, 3000)
	for i := range addresses {
		addresses[i] = flowlog.V4(rng.Uint32N(2000))
	}
	var forward, backward, merged, half addressSample
	for i, a := range addresses {
		forward.add(a)
		backward.add(addresses[len(addresses)-1-i])
		if i%2 == 0 {
			half.add(a)
		} else {
			merged.add(a)
		}
	}
	merged.merge(&half)
	if len(forward.sorted) != sampleSize {
		t.Fatalf("got %d addresses", len(forward.sorted))
	}
	largest := forward.sorted[sampleSize-1].hash
	for i, a := range forward.sorted {
		if a != backward.sorted[i] || a != merged.sorted[i] || !forward.has(a.address) {
			t.Fatalf("samples differ at %d", i)
		}
	}
	for _, a := range addresses {
		if hashAddr(a) < largest && !forward.has(a) {
			t.Fatalf("%s is missing", a)
		}
	}
	if !forward.meets(&half) || forward.meets(&addressSample{}) {
		t.Error("samples meet where they have an address in common")
	}
}
