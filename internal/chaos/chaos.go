// Package chaos runs the exporter's own process against S3 and SQS that fail in the ways in which they are known to fail, kills it at chosen points of its
// work, and compares what it has counted in the end with what the traffic generator has booked, to the byte.
//
// The servers are those of internal/awstest and live in the process that runs the chaos, so that they outlive the exporter. In front of them stands a handler
// that sees all traffic: it injects the faults, and it knows from the traffic alone how far the exporter is with a file. The exporter has no hook for any of
// this. It must be a process, since nothing else can be killed at an arbitrary instruction.
//
// One run is a number of rounds. A round is a scenario of internal/flowgen in hundreds of small files, a queue, an empty state and a plan of kills, all from
// one seed; which request meets which fault depends on the order in which requests come, too.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// Config says what is run and how badly it is treated.
type Config struct {
	// Command makes a process of the exporter with these arguments, which is not started yet.
	Command func(args ...string) *exec.Cmd
	// Seed is that of the first round; each further one has the next number.
	Seed uint64
	// Rounds is the least number of rounds. More begin until Duration has passed.
	Rounds   int
	Duration time.Duration
	// Files is roughly the number of files of a round, and Kills how often it kills. Kills want a durable state.
	Files, Kills int
	// Durable gives the exporter a directory for its state.
	Durable bool
	// Patient leaves some requests without an answer until the exporter gives them up, which takes half a minute each.
	Patient bool
	// Directory is for configuration, state and log, and is empty.
	Directory string
	// Logf tells what is going on.
	Logf func(format string, args ...any)
}

// Run runs all rounds. The report is also that of the rounds before an error, which says what did not add up, with the seed of the round.
func Run(ctx context.Context, config Config) (Report, error) {
	if config.Kills > 0 && !config.Durable {
		return Report{}, errors.New("kill the exporter: without a durable state it must not be exact")
	}
	began := time.Now()
	report := newReport(config)
	err := rounds(config.Seed, config.Rounds, config.Duration, config.Directory, func(seed uint64, directory string) error {
		r, err := newRound(config, seed, directory)
		if err == nil {
			err = errors.Join(r.run(ctx), r.close())
			report.add(r)
		}
		report.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
		if err != nil {
			return err
		}
		config.Logf("Round of seed %d: %d files, %d kills, %d faults, totals equal to the ledger after %s",
			seed, report.Files, report.allKills(), report.allFaults(), time.Since(began).Round(time.Second))
		return nil
	})
	report.Equal = err == nil
	return report, err
}

// rounds runs so many rounds, and more until the time is over, each with a seed and a directory of its own. The first error ends them.
func rounds(first uint64, number int, duration time.Duration, directory string, run func(seed uint64, directory string) error) error {
	began := time.Now()
	for n := 0; n < number || time.Since(began) < duration; n++ {
		seed := first + uint64(n)
		if err := run(seed, filepath.Join(directory, fmt.Sprint("round-", n))); err != nil {
			return fmt.Errorf("round of seed %d: %w", seed, err)
		}
	}
	return nil
}
