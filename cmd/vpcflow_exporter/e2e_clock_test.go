package main

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// TestClockSteps sets the daemon's clock forward and back while files come: none is lost or counted twice. A clock that is wrong by more than max_age makes files
// stale, which are skipped and counted as such; what was counted before is known afterwards all the same.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, durable := range []bool{false, true} {
		s := newStand(t, 5)
		if durable {
			s.config.State.Path = filepath.Join(t.TempDir(), "state")
		}
		var step atomic.Int64
		s.now = func() time.Time { return testNow.Add(time.Duration(step.Load())) }
		d := s.start()
		first := s.put(logKey("0"), natFile(1, 10))
		s.send(awstest.S3Event(first))
		d.await(processed, 1)
		files, again := 1.0, 0.0
		for i, offset := range []time.Duration{3 * time.Hour, -3 * time.Hour, 0, 5 * day, -5 * day, 0} {
			step.Store(int64(offset))
			s.send(awstest.S3Event(first))
			again++
			d.await(duplicates, again)
			s.deliver(logKey(string(rune('a'+i))), natFile(1, 10))
			files++
			p := d.await(processed, files)
			p.check(t, map[string]float64{
				natSeries("vpcflow_nat_bytes_total", "egress"): files, natSeries("vpcflow_nat_bytes_total", "ingress"): 10 * files,
				failed: 0, skipped: 0, "vpcflow_held_records": 0,
			})
		}
		step.Store(int64(60 * day))
		s.send(awstest.S3Event(first))
		d.await(skipped, 1)
		step.Store(0)
		s.send(awstest.S3Event(first))
		p := d.await(duplicates, again+1)
		p.check(t, map[string]float64{processed: files, natSeries("vpcflow_nat_bytes_total", "egress"): files})
		d.stop()
	}
}
