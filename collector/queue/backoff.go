package queue

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second
)

// backoff returns how long to wait after so many failures in a row: it doubles up to 30 s, and the
// upper half is random, so that replicas that failed together do not come back together.
func backoff(failures int) time.Duration {
	d := maxBackoff
	if failures < 7 {
		d = min(firstBackoff<<max(failures-1, 0), maxBackoff)
	}
	return d/2 + rand.N(d/2)
}

// sleep waits and says whether the context let it finish.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// throttleInterval is how often the same complaint is logged.
const throttleInterval = time.Minute

// throttle lets one log line per interval pass and counts the others. The zero value is ready to use.
// It is safe for concurrent use.
type throttle struct {
	mu      sync.Mutex
	next    time.Time
	dropped int
}

// allow says whether to log now, and how many lines were not logged since the last one.
func (t *throttle) allow() (dropped int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if now.Before(t.next) {
		t.dropped++
		return 0, false
	}
	dropped, t.dropped = t.dropped, 0
	t.next = now.Add(throttleInterval)
	return dropped, true
}
