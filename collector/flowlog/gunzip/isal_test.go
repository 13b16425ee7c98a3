//go:build isal && cgo && linux

package gunzip

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestISALFreesState makes and drops readers whose states would be 400 MB together: what C has allocated goes with the reader. A reader that is reset
// again and again keeps one state.
func TestISALFreesState(t *testing.T) {
	const readers, allowed = 5_000, 100 << 20
	const text = "some text" // It is repeated to fill the state's window.
	file := member{text: strings.Repeat(text, 10_000)}.bytes()
	before := residentBytes(t)
	var reused Reader
	for range readers {
		for _, z := range []*Reader{new(Reader), &reused} {
			if got, err := inflate(z, bytes.NewReader(file), 100_000); err != nil || len(got) != 10_000*len(text) {
				t.Fatalf("got %d bytes and %v", len(got), err)
			}
		}
	}
	deadline := time.Now().Add(time.Minute)
	for {
		runtime.GC()
		grown := residentBytes(t) - before
		if grown < allowed {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are held after %d readers are gone, want less than %d", grown, readers, allowed)
		}
		runtime.Gosched()
	}
}

// residentBytes is the memory of the process, C's included.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(status))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
