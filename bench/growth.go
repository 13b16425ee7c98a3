package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// growthRow is the cost of a file that differs from the others in one thing.
type growthRow struct {
	spec
	TextBytes int64   `json:"text_bytes"`
	Seconds   float64 `json:"seconds"`
	PeakBytes int64   `json:"peak_bytes"`
}

// growth are the files of the table of growth: one thing grows at a time.
func growth() []spec {
	file := func(records, remotes int, format flowgen.Format) spec {
		fields := len(format.Fields())
		return spec{
			Title:  fmt.Sprintf("%s records, %s remotes, %d fields", short(records), short(remotes), fields),
			Fields: fields, Remotes: remotes, Files: 1, Records: records, format: format, forms: []form{formText},
		}
	}
	usual := flowgen.BulkFormat18()
	return []spec{
		file(100_000, 10_000, usual), file(1_000_000, 10_000, usual), file(4_000_000, 10_000, usual),
		file(1_000_000, 100, usual), file(1_000_000, 100_000, usual), file(1_000_000, 1_000_000, usual),
		file(1_000_000, 10_000, flowgen.NewFormat(flowgen.FieldNames(5)...)), file(1_000_000, 10_000, flowgen.BulkFormat40()),
	}
}

// short writes a round number as people say it.
func short(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%d million", n/1_000_000)
	case n >= 1000:
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	default:
		return strconv.Itoa(n)
	}
}

// measureGrowth takes the table of growth, and the memory of two workers that read large files at once.
func (s *stand) measureGrowth(ctx context.Context, r *report) error {
	for _, spec := range growth() {
		d, err := s.generate(spec)
		if err != nil {
			return err
		}
		if err := d.warm(); err != nil {
			return err
		}
		row := growthRow{spec: d.spec, TextBytes: d.TextBytes}
		var seconds []float64
		for range s.runs {
			taken, err := s.count(ctx, s.cores.one, 1, d, d.paths[formText])
			if err != nil {
				return err
			}
			seconds = append(seconds, taken.Seconds)
			row.PeakBytes = max(row.PeakBytes, taken.PeakBytes)
		}
		row.Seconds = median(seconds)
		r.Growth = append(r.Growth, row)
		fmt.Fprintf(s.progress, ">> %s: %.2f s\n", d.Title, row.Seconds)
	}
	return s.measureMemory(ctx, r)
}

// measureMemory has two workers read a file of 10 million records and a million remotes each.
func (s *stand) measureMemory(ctx context.Context, r *report) error {
	d, err := s.generate(spec{
		Title: "10 million records, 1 million remotes", Fields: 18, Remotes: 1_000_000, Files: 1, Records: 10_000_000,
		format: flowgen.BulkFormat18(), forms: []form{formGzip},
	})
	if err != nil {
		return err
	}
	file := d.paths[formGzip][0]
	taken, err := s.count(ctx, s.cores.all, 2, d, []string{file, file})
	if err != nil {
		return err
	}
	r.LargePeakBytes = taken.PeakBytes
	return nil
}
