// Package backoff spaces out attempts at what fails.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Delay returns how long to wait after so many failures in a row, counted from 1: it doubles from first up to most, and the upper half is random, so that
// replicas that failed together do not come back together.
func Delay(first, most time.Duration, failures int) time.Duration {
	const doublings = 30 // Beyond them the product may not fit.
	d := most
	if doubled := first << min(max(failures-1, 0), doublings); failures <= doublings && doubled > 0 {
		d = min(doubled, most)
	}
	return d/2 + rand.N(d/2+1)
}

// Sleep waits and says whether the context let it finish.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
