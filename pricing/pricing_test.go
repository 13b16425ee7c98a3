package pricing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

func TestCost(t *testing.T) {
	tests := []struct {
		bytes                uint64
		usdPerGB, bytesPerGB float64
		want                 float64
	}{
		{0, 0.045, DefaultBytesPerGB, 0},
		{1 << 30, 0.045, DefaultBytesPerGB, 0.045},
		{1 << 40, 0.05, DefaultBytesPerGB, 51.2},
		{1 << 30, 0, DefaultBytesPerGB, 0},
		{1e9, 0.045, 1e9, 0.045},
		{math.MaxUint64, 1, DefaultBytesPerGB, 1 << 34},
	}
	for _, test := range tests {
		if got := Cost(test.bytes, test.usdPerGB, test.bytesPerGB); math.Abs(got-test.want) > 1e-12*test.want {
			t.Errorf("cost of %d bytes at %v per %v is %v, want %v", test.bytes, test.usdPerGB, test.bytesPerGB, got, test.want)
		}
	}
}

// TestDecimalGigabytes holds the figure that the documentation of
// DefaultBytesPerGB gives.
func TestDecimalGigabytes(t *testing.T) {
	more := Cost(1e15, 0.045, 1e9)/Cost(1e15, 0.045, DefaultBytesPerGB) - 1
	if got := fmt.Sprintf("%.1f", more*100); got != "7.4" {
		t.Errorf("decimal gigabytes cost %s %% more, want 7.4", got)
	}
}

// TestCostIsMonotonic draws byte counts; more bytes never cost less, and nothing
// is negative.
func TestCostIsMonotonic(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 10_000 {
		a, b := rng.Uint64()>>rng.IntN(64), rng.Uint64()>>rng.IntN(64)
		low, high := Cost(min(a, b), 0.0558, DefaultBytesPerGB), Cost(max(a, b), 0.0558, DefaultBytesPerGB)
		if low < 0 || low > high {
			t.Fatalf("%d bytes cost %v, %d bytes %v", min(a, b), low, max(a, b), high)
		}
	}
}

// TestBookSwaps lets readers take prices while they are swapped. A snapshot has
// the same price in all regions, so a mixture of two would show.
func TestBookSwaps(t *testing.T) {
	regions := []string{"eu-west-3", "us-east-1", "xx-test-1"}
	snapshot := func(usd float64) *Prices {
		overrides := make(map[string]map[string]float64)
		for _, region := range regions {
			overrides[region] = map[string]float64{"nat_gb": usd}
		}
		p, err := New(Default(), Config{BytesPerGB: usd + 1, Overrides: overrides})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	snapshots := make([]*Prices, 100)
	for i := range snapshots {
		snapshots[i] = snapshot(float64(i))
	}
	book := NewBook(snapshots[0])

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := 0.0
			for last < 99 {
				p := book.Prices()
				usd, _ := p.NATPerGB(regions[0])
				for _, region := range regions {
					if other, ok := p.NATPerGB(region); !ok || other != usd || p.BytesPerGB() != usd+1 {
						t.Errorf("one snapshot has prices %v and %v, and %v bytes per GB", usd, other, p.BytesPerGB())
						return
					}
				}
				if usd < last {
					t.Errorf("price %v came after %v", usd, last)
					return
				}
				last = usd
			}
		})
	}
	for _, p := range snapshots[1:] {
		book.Swap(p)
	}
	wg.Wait()
}
