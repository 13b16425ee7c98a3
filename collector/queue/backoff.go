package queue

import (
	"sync"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/backoff"
)

const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second
)

// delay returns how long to wait after so many failures in a row.
func delay(failures int) time.Duration { return backoff.Delay(firstBackoff, maxBackoff, failures) }

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
