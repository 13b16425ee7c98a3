package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// fillUp leaves a small file system no space, and returns what gives it back.
func fillUp(t *testing.T, directory string) (makeRoom func()) {
	t.Helper()
	ballast := filepath.Join(directory, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v", err)
	}
	return func() {
		t.Helper()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
}

// manyInterfaces is a file that needs some room in the state: of 2,000 interfaces without traffic.
func manyInterfaces() []byte {
	text := []byte("account-id interface-id srcaddr dstaddr bytes end log-status\n")
	for i := range 2000 {
		text = fmt.Appendf(text, "123456789012 eni-%05x - - - 1773480359 NODATA\n", i)
	}
	return flowgen.Gzip(text)
}

// TestStateFull leaves the state no space: nothing is counted or lost, and readiness says why until there is space again.
func TestStateFull(t *testing.T) {
	s := newStand(t, 5)
	s.config.State.Path = smallFileSystem(t)
	s.config.Workers = 1 // Another one would be receiving already.
	d := s.start()
	d.ready(http.StatusOK, "OK")
	makeRoom := fillUp(t, s.config.State.Path)
	s.deliver(logKey("1"), manyInterfaces())
	d.ready(http.StatusServiceUnavailable, "no file is counted: ")
	d.ready(http.StatusServiceUnavailable, "no space left for the state")
	d.await(returned, 1).nothingCounted(t)
	s.waitForLog("Stopped receiving until the state can be written")
	if p := d.scrape(); p.values[failed] != 0 {
		t.Errorf("a count is visible that a kill would take back: %v", p.values[failed])
	}
	makeRoom()
	d.ready(http.StatusOK, "OK")
	d.await(failed, 1).check(t, map[string]float64{`vpcflow_file_errors_total{reason="state"}`: 1})
	s.pass(time.Minute)
	d.await(processed, 1).check(t, map[string]float64{`vpcflow_records_total{disposition="no_data"}`: 2000})
	s.depth(0, 0)
}

// TestStateFullUnderClaim has the state full when a file is claimed: its replica counts it once there is space again, with no message about it.
func TestStateFullUnderClaim(t *testing.T) {
	t.Parallel()
	s := newClaimStand(t)
	s.config.State.Path = smallFileSystem(t)
	s.config.Workers = 1
	owner := s.owner()
	d := s.start()
	d.ready(http.StatusOK, "OK")
	makeRoom := fillUp(t, s.config.State.Path)
	s.deliver(logKey("1"), manyInterfaces())
	d.await(returned, 1).nothingCounted(t)
	if got, done := s.claim(logKey("1")); got != owner || done {
		t.Errorf("got a claim of %q, done %t", got, done)
	}
	makeRoom()
	d.ready(http.StatusOK, "OK")
	s.send(awstest.TestEvent(testBucket)) // The worker is free after its poll.
	d.await(processed, 1).check(t, map[string]float64{`vpcflow_records_total{disposition="no_data"}`: 2000})
	s.waitFor("the claim", func() bool {
		_, done := s.claim(logKey("1"))
		return done
	})
}

// smallFileSystem mounts a file system of 4 MiB, which takes the right to do so.
func smallFileSystem(t *testing.T) (directory string) {
	t.Helper()
	directory = t.TempDir()
	if err := syscall.Mount("none", directory, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mount a file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return directory
}
