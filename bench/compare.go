package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// profiles are the datasets of the comparison. The first is the one that figures without a profile are of.
func profiles(o options) []spec {
	both := []form{formGzip, formText}
	return []spec{
		{Title: "18 fields, 10,000 remotes", Fields: 18, Remotes: 10_000, Files: o.files, Records: o.records, format: flowgen.BulkFormat18(), forms: both},
		{Title: "18 fields, 1 million remotes", Fields: 18, Remotes: 1_000_000, Files: o.files, Records: o.records, format: flowgen.BulkFormat18(), forms: both},
		{Title: "40 fields, 10,000 remotes", Fields: 40, Remotes: 10_000, Files: o.files, Records: o.records, format: flowgen.BulkFormat40(), forms: both},
	}
}

// A comparison is all programs on one dataset.
type comparison struct {
	spec
	known
	Rows []*measurement `json:"rows"`
}

func (c *comparison) row(name string) *measurement {
	for _, m := range c.Rows {
		if m.Name == name && len(m.Seconds) > 0 {
			return m
		}
	}
	return nil
}

// compare runs all peers on all profiles.
func (s *stand) compare(ctx context.Context, o options, peers []peer, r *report) error {
	for _, profile := range profiles(o) {
		d, err := s.generate(profile)
		if err != nil {
			return err
		}
		rows, err := s.run(ctx, d, peers)
		if err != nil {
			return err
		}
		c := &comparison{spec: d.spec, known: d.known, Rows: rows}
		ours := c.row(oursGzip)
		for _, m := range rows {
			if ours != nil {
				m.RatioToOurs = m.RecordsPerSecond / ours.RecordsPerSecond
			}
			r.fail(d.Title, m)
		}
		r.Comparisons = append(r.Comparisons, c)
	}
	return nil
}

// workersRatio is how much faster two workers read the same files than one.
type workersRatio struct {
	Title      string  `json:"title"`
	OneSeconds float64 `json:"one_seconds"`
	TwoSeconds float64 `json:"two_seconds"`
}

func (w workersRatio) ratio() float64 { return w.OneSeconds / w.TwoSeconds }

// compareWorkers reads the first two profiles with one and with two workers on all cores, turn by turn.
func (s *stand) compareWorkers(ctx context.Context, o options, r *report) error {
	if !s.cores.many {
		r.miss("two workers", errors.New("there is one core to run on"))
		return nil
	}
	for _, profile := range profiles(o)[:2] {
		d, err := s.generate(profile)
		if err != nil {
			return err
		}
		var seconds [2][]float64
		for range s.runs {
			for workers := range seconds {
				taken, err := s.count(ctx, s.cores.all, workers+1, d, d.paths[formGzip])
				if err != nil {
					return err
				}
				seconds[workers] = append(seconds[workers], taken.Seconds)
			}
		}
		r.Workers = append(r.Workers, workersRatio{Title: d.Title, OneSeconds: median(seconds[0]), TwoSeconds: median(seconds[1])})
	}
	return nil
}

// count runs this exporter's reader with so many workers and as many threads as two of them use, and fails if its sum is wrong.
func (s *stand) count(ctx context.Context, on string, workers int, d *dataset, files []string, flags ...string) (sample, error) {
	command := append([]string{filepath.Join(s.dir, "bin", "reader"), "-mode=count", "-workers=" + strconv.Itoa(workers)}, flags...)
	var environment []string
	if on != s.cores.one {
		environment = []string{"GOMAXPROCS=2"}
	}
	taken, err := s.start(ctx, on, true, append(command, files...), environment...)
	if err != nil {
		return sample{}, fmt.Errorf("count %s: %w", d.Title, err)
	}
	if times := uint64(len(files)) / uint64(d.Files); taken.NATBytes == nil || *taken.NATBytes != d.NATBytes*times {
		return sample{}, fmt.Errorf("count %s: the NAT sum is not the generator's", d.Title)
	}
	return taken, nil
}
