package backoff

import (
	"context"
	"testing"
	"time"
)

func TestDelay(t *testing.T) {
	for _, c := range []struct {
		first, most time.Duration
		failures    int
		want        time.Duration // want is the longest delay.
	}{
		{time.Second, time.Minute, 0, time.Second},
		{time.Second, time.Minute, 1, time.Second},
		{time.Second, time.Minute, 2, 2 * time.Second},
		{time.Second, time.Minute, 6, 32 * time.Second},
		{time.Second, time.Minute, 7, time.Minute},
		{time.Second, time.Minute, 1 << 40, time.Minute},
		{time.Hour, 24 * time.Hour, 30, 24 * time.Hour},
		{5 * time.Second, 5 * time.Minute, 63, 5 * time.Minute},
	} {
		for range 200 {
			if got := Delay(c.first, c.most, c.failures); got < c.want/2 || got > c.want {
				t.Fatalf("after %d failures: got %s, want %s to %s", c.failures, got, c.want/2, c.want)
			}
		}
	}
}

func TestSleep(t *testing.T) {
	if !Sleep(t.Context(), time.Nanosecond) {
		t.Error("a sleep that nothing ends did not finish")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if Sleep(ended, time.Hour) {
		t.Error("a sleep went on after its context")
	}
}
