package pipeline

import (
	"fmt"
	"testing"
	"time"
)

// TestDelay checks how long a message stays away after each of its receives: as long as the table says, or up to an eighth less.
func TestDelay(t *testing.T) {
	for _, c := range []struct {
		name     string
		base     time.Duration
		receives int
		want     time.Duration
	}{
		{"transient", transientDelay, 1, 15 * time.Second},
		{"transient", transientDelay, 2, 30 * time.Second},
		{"transient", transientDelay, 6, 8 * time.Minute},
		{"transient", transientDelay, 7, 15 * time.Minute},
		{"permanent", permanentDelay, 1, time.Minute},
		{"permanent", permanentDelay, 2, 2 * time.Minute},
		{"permanent", permanentDelay, 3, 4 * time.Minute},
		{"permanent", permanentDelay, 4, 8 * time.Minute},
		{"permanent", permanentDelay, 5, 15 * time.Minute},
		{"permanent", permanentDelay, 1 << 40, 15 * time.Minute},
		{"a count that SQS did not tell", permanentDelay, 0, time.Minute},
		{"a count that makes no sense", permanentDelay, -1, time.Minute},
	} {
		t.Run(fmt.Sprintf("%s %d", c.name, c.receives), func(t *testing.T) {
			for range 100 {
				if got := delay(c.base, c.receives); got > c.want || got < c.want-c.want/8 {
					t.Fatalf("got %s, want %s or up to an eighth less", got, c.want)
				}
			}
		})
	}
}

// TestPermanentDelays leaves an operator time to look before a dead-letter queue has the message, which AWS's documents suggest after five receives.
func TestPermanentDelays(t *testing.T) {
	var fifth time.Duration
	for receives := 1; receives < 5; receives++ {
		fifth += delay(permanentDelay, receives)
	}
	if fifth < 13*time.Minute {
		t.Errorf("the fifth receive comes %s after the first, want at least 13m", fifth)
	}
}
