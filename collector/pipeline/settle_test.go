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
		delays   []time.Duration
		receives int
		want     time.Duration
	}{
		{"transient", transientDelays, 1, 15 * time.Second},
		{"transient", transientDelays, 2, time.Minute},
		{"transient", transientDelays, 3, 4 * time.Minute},
		{"transient", transientDelays, 4, 15 * time.Minute},
		{"transient", transientDelays, 1 << 40, 15 * time.Minute},
		{"permanent", permanentDelays, 1, time.Minute},
		{"permanent", permanentDelays, 2, 2 * time.Minute},
		{"permanent", permanentDelays, 3, 4 * time.Minute},
		{"permanent", permanentDelays, 4, 8 * time.Minute},
		{"permanent", permanentDelays, 5, 15 * time.Minute},
		{"permanent", permanentDelays, 1 << 40, 15 * time.Minute},
		{"a count that SQS did not tell", permanentDelays, 0, time.Minute},
		{"a count that makes no sense", permanentDelays, -1, time.Minute},
	} {
		t.Run(fmt.Sprintf("%s %d", c.name, c.receives), func(t *testing.T) {
			for range 100 {
				if got := delay(c.delays, c.receives); got > c.want || got < c.want-c.want/8 {
					t.Fatalf("got %s, want %s or up to an eighth less", got, c.want)
				}
			}
		})
	}
}

// TestDeadLetterQueueWaits outlasts an outage, and leaves an operator time to look, before a redrive policy of five receives has the message.
func TestDeadLetterQueueWaits(t *testing.T) {
	for name, delays := range map[string][]time.Duration{"transient": transientDelays, "permanent": permanentDelays} {
		var fifth time.Duration
		for receives := 1; receives < 5; receives++ {
			fifth += delay(delays, receives)
		}
		if fifth < 13*time.Minute {
			t.Errorf("%s: the fifth receive comes %s after the first, want at least 13m", name, fifth)
		}
	}
}
