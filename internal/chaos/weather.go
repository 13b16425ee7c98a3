package chaos

import (
	"maps"
	"math/rand/v2"
	"sync"
	"time"
)

// The weather decides which request meets which fault. It is safe for concurrent use.
type weather struct {
	mu   sync.Mutex
	rng  *rand.Rand
	calm bool
	// clear is closed when the weather becomes calm: what stalls goes on then.
	clear  chan struct{}
	faults map[string]int
	// severity scales all probabilities.
	severity float64
}

func newWeather(rng *rand.Rand) *weather {
	return &weather{rng: rng, clear: make(chan struct{}), faults: map[string]int{}, severity: 0.4 + rng.Float64()}
}

// A chance is a kind of fault and how many of a thousand requests it meets.
type chance struct {
	kind    string
	permill float64
}

// draw returns the kind of fault that a request meets, "" for none.
func (w *weather) draw(chances []chance) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm {
		return ""
	}
	dice := w.rng.Float64() * 1000
	for _, c := range chances {
		dice -= c.permill * w.severity
		if dice < 0 {
			w.faults[c.kind]++
			return c.kind
		}
	}
	return ""
}

// intN returns a number below n.
func (w *weather) intN(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

// between returns a duration.
func (w *weather) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.intN(int(high-low)))
}

// count counts a fault that was not drawn.
func (w *weather) count(kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[kind]++
}

// settle ends all faults.
func (w *weather) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.calm {
		w.calm = true
		close(w.clear)
	}
}

func (w *weather) counts() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.faults)
}
