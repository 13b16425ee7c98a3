package state

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
)

// TestFull fills a file system of 1 MiB. It needs the right to mount one; TestFileSizeLimit needs nothing.
func TestFull(t *testing.T) {
	directory := t.TempDir()
	if err := syscall.Mount("none", directory, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount a file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(directory, 0); err != nil {
			t.Error(err)
		}
	})
	s := open(t, directory)
	want := fill(t, s, 200)
	closeState(t, s)
	s = open(t, directory)
	if got, err := loaded(s); err != nil || got.String() != want.String() {
		t.Fatalf("got %v and other records after a restart", err)
	}
	// What was dropped makes room for what comes.
	drop := aggregator.Batch{{Op: aggregator.Drop, Bucket: "bucket-0"}, {Op: aggregator.Drop, Bucket: "bucket-1"}}
	if err := s.Write(drop); err != nil {
		t.Fatal(err)
	}
	want.apply(drop)
	writeSome(t, s, want, 200)
	closeState(t, s)
}

// TestFileSizeLimit lets writes fail by a limit on the size of files, and succeed when it is gone.
func TestFileSizeLimit(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, t.TempDir())
	defer closeState(t, s)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 8 << 20, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer restore()
	want := fill(t, s, 4000)
	restore()
	writeSome(t, s, want, 4000)
}

// fill writes until there is no space, and checks that the file holds what was written before, however often a write fails.
func fill(t *testing.T, s *State, size int) model {
	t.Helper()
	want := make(model)
	for i := 0; ; i++ {
		if i > 1000 {
			t.Fatal("the file system does not fill up")
		}
		batch := bulk(i, size)
		err := s.Write(batch)
		if err == nil {
			want.apply(batch)
			continue
		}
		if !errors.Is(err, aggregator.ErrFull) {
			t.Fatalf("got %v after %d writes", err, i)
		}
		t.Logf("full after %d writes: %v", i, err)
		break
	}
	for i := range 5 {
		if err := s.Write(bulk(2000+i, size)); !errors.Is(err, aggregator.ErrFull) {
			t.Fatalf("got %v", err)
		}
		if got, err := loaded(s); err != nil || got.String() != want.String() {
			t.Fatalf("got %v and other records", err)
		}
	}
	return want
}

func bulk(i, size int) aggregator.Batch {
	var batch aggregator.Batch
	for j := range 200 {
		batch = append(batch, aggregator.Change{Bucket: fmt.Sprintf("bucket-%d", i%10), Key: fmt.Appendf(nil, "%04d/%04d", j, i), Value: make([]byte, size)})
	}
	return batch
}

func writeSome(t *testing.T, s *State, want model, size int) {
	t.Helper()
	batch := bulk(5000, size)
	if err := s.Write(batch); err != nil {
		t.Fatal(err)
	}
	want.apply(batch)
	if got, err := loaded(s); err != nil || got.String() != want.String() {
		t.Fatalf("got %v and other records", err)
	}
}
