package topn

import (
	"math"
	"time"
)

const (
	// Volumes are kept twice. The fast one forgets half in this time: half a file of 5 minutes, so that it shows a rise or a silence after one file.
	fastHalfLife = 150 * time.Second
	// The slow one forgets half in this time; it tells who is large whatever one file holds.
	slowHalfLife = time.Hour
	// Scales grow to 2 to this power before volumes are written anew. Together with bytes of 64 bits that stays far from the largest float64.
	maxExponent = 512
)

// A clock weighs bytes by age with forward decay: instead of shrinking what is old, it gives what is new a weight that grows with time, so that a volume changes
// only when bytes come. A volume divided by the scale of now is the decayed one. Times are nanoseconds.
type clock struct {
	now, epoch int64
	fast, slow float64 // The scales at now; 1 at epoch.
}

func newClock(now int64) clock { return clock{now: now, epoch: now, fast: 1, slow: 1} }

// advance moves the clock, never back. When the scales are spent it starts a new epoch and says by which factors all volumes shrink.
func (c *clock) advance(now int64) (fast, slow float64, renewed bool) {
	c.now = max(c.now, now)
	age := float64(c.now - c.epoch)
	c.fast = math.Exp2(age / float64(fastHalfLife))
	c.slow = math.Exp2(age / float64(slowHalfLife))
	if age/float64(fastHalfLife) < maxExponent {
		return 1, 1, false
	}
	fast, slow = math.Exp2(-age/float64(fastHalfLife)), math.Exp2(-age/float64(slowHalfLife))
	c.epoch, c.fast, c.slow = c.now, 1, 1
	return fast, slow, true
}

// A rate is a key's bytes a second, by the fast and by the slow volume. Under a steady flow both tend to the true rate, fast with the unrest of single files: just
// after a file of 5 minutes it is 1.85 times the true one, after a key's first file 1.39 times.
type rate struct {
	fast, slow float64
}

// units returns the scaled volumes of one byte a second.
func (c *clock) units() rate {
	return rate{c.fast * fastHalfLife.Seconds() / math.Ln2, c.slow * slowHalfLife.Seconds() / math.Ln2}
}
