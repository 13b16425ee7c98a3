// Command bench measures this exporter's read path beside what people use today, on the same generated files, one after the other on one core, and holds every
// sum to the generator's. It prints Markdown; docs/performance.md shows how to run it and what came out.
//
// Each peer is a program of its own in a folder of its own, started anew for each run. What cannot be installed or built is named at the end of the output.
// Data and builds go to bench/.build.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// options are the command line.
type options struct {
	files, records     int
	runs               int
	budget             time.Duration
	cores              string
	core               int
	growth             bool
	jsonFile, document string
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.files, "files", 4, "files of a profile")
	flags.IntVar(&o.records, "records", 500_000, "records of a file")
	flags.IntVar(&o.runs, "runs", 6, "runs of each program, of which the median counts")
	flags.DurationVar(&o.budget, "budget", time.Minute, "a program that has taken so long for a profile is not started again")
	flags.IntVar(&o.core, "core", -1, "core that programs are pinned to; -1 is the last one that may be used")
	flags.StringVar(&o.cores, "cores", "", "cores of the comparison of one and two workers, as taskset names them; empty: all that may be used")
	flags.BoolVar(&o.growth, "growth", true, "also measure how cost grows with records, remotes and columns, and the profile of the CPU")
	flags.StringVar(&o.jsonFile, "json", "", "file for the figures as JSON")
	flags.StringVar(&o.document, "update", "", "document to put the output into, between <!-- bench --> and <!-- end -->")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := measureAll(ctx, o, stderr)
	if err == nil {
		err = publish(r, o, stdout)
	}
	if err == nil && len(r.Failures) > 0 {
		err = errors.New("some figures are wrong, see above")
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

func measureAll(ctx context.Context, o options, progress io.Writer) (*report, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	w := &workshop{root: root, dir: filepath.Join(root, "bench", ".build"), progress: progress}
	cores, err := chooseCores(o)
	if err != nil {
		return nil, err
	}
	s := &stand{workshop: w, cores: cores, runs: o.runs, budget: o.budget}
	r := newReport(ctx, cores.one != "")
	peers, err := w.peers(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.compare(ctx, o, peers, r); err != nil {
		return nil, err
	}
	if err := s.compareWorkers(ctx, o, r); err != nil {
		return nil, err
	}
	if o.growth {
		if err := s.measureGrowth(ctx, r); err != nil {
			return nil, err
		}
		if err := s.profile(ctx, o, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// publish shows a report in every form that was asked for.
func publish(r *report, o options, stdout io.Writer) error {
	text := r.markdown()
	if _, err := io.WriteString(stdout, text); err != nil {
		return fmt.Errorf("print figures: %w", err)
	}
	if o.jsonFile != "" {
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return fmt.Errorf("encode figures: %w", err)
		}
		if err := os.WriteFile(o.jsonFile, append(b, '\n'), 0o644); err != nil {
			return fmt.Errorf("write figures: %w", err)
		}
	}
	if o.document != "" && len(r.Failures) == 0 {
		return updateDocument(o.document, text)
	}
	return nil
}
