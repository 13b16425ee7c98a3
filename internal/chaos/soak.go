package chaos

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// SoakConfig says how long one process is held under an even load.
type SoakConfig struct {
	Command   func(args ...string) *exec.Cmd
	Seed      uint64
	Files     int
	Durable   bool
	Directory string
	Logf      func(format string, args ...any)
}

// A SoakReport is what a process needed while it read files.
type SoakReport struct {
	Seed    uint64  `json:"seed"`
	Files   int     `json:"files"`
	Seconds float64 `json:"duration_seconds"`
	Durable bool    `json:"durable_state"`
	// Samples are taken when the process has nothing to do.
	Samples []Sample `json:"samples"`
	Ledger  Sums     `json:"ledger"`
	Totals  Sums     `json:"totals"`
	Equal   bool     `json:"totals_equal_ledger"`
}

// A Sample is what a process needs at one time.
type Sample struct {
	Files      uint64 `json:"files"`
	RSS        int    `json:"rss_bytes"`
	Goroutines int    `json:"goroutines"`
	OpenFiles  int    `json:"open_files"`
	State      int    `json:"state_bytes,omitempty"`
}

// Limits of a soak. What a process needs in its first tenth fills caches and pools; from then on only the memory for the names of known files may grow.
const (
	soakSamples   = 40
	soakWarm      = soakSamples / 10
	maxRSSGrowth  = memoryFactor * 16 << 20
	maxGoroutines = 60 // Those of 4 workers with a message each, of their connections, and of a scrape.
	maxOpenFiles  = 40
)

// Soak lets one process read files, none of them twice, and says what it needed. An error says that it needed more with time, or that it counted wrongly.
func Soak(ctx context.Context, config SoakConfig) (SoakReport, error) {
	report := SoakReport{Seed: config.Seed, Durable: config.Durable, Ledger: newReport(Config{}).Ledger, Totals: newReport(Config{}).Totals}
	r, err := newRound(Config{Command: config.Command, Durable: config.Durable, Directory: config.Directory, Logf: config.Logf}, config.Seed, config.Directory)
	if err != nil {
		return report, err
	}
	r.weather.settle()
	r.portion = 64
	s := &soak{round: r, report: &report, scenario: flowgen.Random(config.Seed, flowgen.Options{
		Everyday: true, Start: time.Now().UTC().Truncate(time.Hour).Add(-trafficAge),
	})}
	r.load.scenario = s.scenario
	r.load.want = totals{}
	began := time.Now()
	err = errors.Join(s.run(ctx, config.Files), r.close())
	report.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
	report.Ledger.add(r.load.want)
	report.Totals.add(r.last)
	return report, err
}

type soak struct {
	round    *round
	report   *SoakReport
	scenario flowgen.Scenario
	files    int
}

// run reads the scenario once as it is, and then its traffic again and again as other files.
func (s *soak) run(ctx context.Context, files int) error {
	if err := s.round.start(ctx); err != nil {
		return err
	}
	want := &s.round.load.want
	for _, phase := range [][]flowgen.File{s.scenario.Leading, s.scenario.Files, s.scenario.Closing} {
		if err := s.read(ctx, phase); err != nil {
			return err
		}
	}
	want.ledger.Add(s.scenario.Ledger)
	again := s.scenario.Ledger.Clone()
	for _, f := range append(s.scenario.Leading, s.scenario.Closing...) {
		again.Records[flowgen.NoData] -= uint64(f.Lines)
	}
	cut := s.scenario.CutInto(20, s.report.Seed)
	for n := 1; n <= soakSamples; n++ {
		for s.files < files*n/soakSamples {
			if err := s.read(ctx, cut); err != nil {
				return err
			}
			want.ledger.Add(again)
		}
		if err := s.sample(ctx); err != nil {
			return err
		}
	}
	if err := s.end(ctx); err != nil {
		return err
	}
	s.report.Files = s.files
	if err := s.round.compare(ctx); err != nil {
		return err
	}
	s.report.Equal = true
	return errors.Join(s.flat(), s.round.terminate(ctx))
}

// end lets record time pass, which stood still in traffic of the same minutes again and again: rows that wait for a decision wait no longer.
func (s *soak) end(ctx context.Context) error {
	var closing []flowgen.File
	for _, f := range s.scenario.Closing {
		closing = append(closing, delayed(f, time.Hour))
		s.round.load.want.ledger.Records[flowgen.NoData] += uint64(f.Lines)
	}
	return s.read(ctx, closing)
}

// delayed returns a file whose records are later.
func delayed(f flowgen.File, by time.Duration) flowgen.File {
	var text strings.Builder
	var names []string
	for line := range strings.Lines(string(f.Text)) {
		fields := strings.Fields(line)
		if names == nil {
			names = fields
		}
		for i, name := range names {
			if seconds, err := strconv.ParseInt(fields[i], 10, 64); err == nil && (name == "start" || name == "end") {
				fields[i] = strconv.FormatInt(seconds+int64(by/time.Second), 10)
			}
		}
		text.WriteString(strings.Join(fields, " ") + "\n")
	}
	f.Time, f.Text = f.Time.Add(by), []byte(text.String())
	return f
}

// read has files read, under names that were never there before.
func (s *soak) read(ctx context.Context, files []flowgen.File) error {
	var messages []string
	for _, f := range files {
		key := f.FlowLog.Key(f.Time, fmt.Sprintf("%08x", s.files))
		s.files++
		object, err := s.round.cloud.s3.Put(background, bucket, key, f.Gzip())
		if err != nil {
			return err
		}
		messages = append(messages, awstest.S3Event(object))
		s.round.load.want.processed++
		s.round.load.want.inflated += uint64(len(f.Text))
	}
	return s.round.phase(ctx, messages)
}

// sample takes a sample when all is quiet.
func (s *soak) sample(ctx context.Context) error {
	t, err := s.round.scrape(ctx)
	if err != nil {
		return err
	}
	s.report.Samples = append(s.report.Samples, Sample{
		Files: t.processed, RSS: int(t.gauges["process_resident_memory_bytes"]), Goroutines: int(t.gauges["go_goroutines"]),
		OpenFiles: int(t.gauges["process_open_fds"]), State: int(t.gauges["vpcflow_state_size_bytes"]),
	})
	return nil
}

// flat holds all samples against the limits.
func (s *soak) flat() error {
	warm := 0
	for _, sample := range s.report.Samples[:soakWarm] {
		warm = max(warm, sample.RSS)
	}
	var errs []error
	for i, sample := range s.report.Samples {
		if i >= soakWarm && sample.RSS > warm+maxRSSGrowth || sample.Goroutines > maxGoroutines || sample.OpenFiles > maxOpenFiles {
			errs = append(errs, fmt.Errorf("more is needed than it should be, in the first tenth %d bytes at most: %+v", warm, sample))
		}
	}
	return errors.Join(errs...)
}
