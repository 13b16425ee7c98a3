// Command reader is this exporter's read path as a program of its own: it reads flow log files as often as a worker of the daemon would, and prints one line
// of JSON that says how long it took and what came out. The runner in bench starts it beside the other programs.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"time"
)

// result is what the runner reads of any program that it starts. Records is absent where none were read, NATBytes where nothing was counted.
type result struct {
	Seconds  float64 `json:"seconds"`
	Records  *uint64 `json:"records,omitempty"`
	NATBytes *uint64 `json:"nat_bytes,omitempty"`
	// PeakBytes is the peak of the resident set.
	PeakBytes int64 `json:"peak_bytes,omitempty"`
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("reader", flag.ContinueOnError)
	flags.SetOutput(stderr)
	mode := flags.String("mode", "count", "inflate: only inflate; read: read the records; count: read them into a delta and commit it")
	workers := flags.Int("workers", 1, "workers that share the files")
	profile := flags.String("cpuprofile", "", "file for a CPU profile")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := measure(stdout, *mode, *workers, *profile, flags.Args()); err != nil {
		fmt.Fprintln(stderr, "reader:", err)
		return 1
	}
	return 0
}

func measure(stdout io.Writer, mode string, workers int, profile string, files []string) (err error) {
	read, known := modes[mode]
	if !known {
		return fmt.Errorf("unknown mode %q", mode)
	}
	if profile != "" {
		stop, err := startProfile(profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	begin := time.Now()
	r, err := read(files, workers)
	if err != nil {
		return err
	}
	r.Seconds, r.PeakBytes = time.Since(begin).Seconds(), peakBytes()
	return json.NewEncoder(stdout).Encode(r)
}

func startProfile(name string) (stop func(), err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("create CPU profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		_ = f.Close() // The first error tells more.
		return nil, fmt.Errorf("start CPU profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // A profile that is cut short says so when it is read.
	}, nil
}
