package aggregator_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog/gunzip"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// readInto reads a file, gzip or text, into a delta and returns the number of its records.
func readInto(b *testing.B, r *flowlog.Reader, d *aggregator.Delta, record *flowlog.Record, file []byte) int {
	b.Helper()
	if err := r.ResetText(bytes.NewReader(file)); err != nil {
		b.Fatal(err)
	}
	for n := 0; ; n++ {
		if err := r.Read(record); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			b.Fatal(err)
		}
		d.Add(record)
	}
}

// BenchmarkFile reads files into a delta, as a worker does, and commits them, with few and with many remotes, inflated already (text) and not.
func BenchmarkFile(b *testing.B) {
	const rows = 300_000
	for _, remotes := range []int{10_000, 1_000_000} {
		text := flowgen.Bulk{Format: flowgen.BulkFormat18(), Rows: rows, Remotes: remotes}.Bytes()
		for _, form := range []struct {
			name string
			file []byte
		}{{"text", text}, {"gzip", flowgen.Gzip(text)}} {
			for _, commits := range []bool{false, true} {
				b.Run(fmt.Sprintf("remotes=%d/%s/commit=%t", remotes, form.name, commits), func(b *testing.B) {
					networks := classifier.NewNetworks(nil)
					reader, d, a := flowlog.NewReader(flowlog.Config{}), aggregator.NewDelta(networks, 1_000_000), newAggregator(aggregator.DefaultConfig())
					var record flowlog.Record
					readInto(b, reader, d, &record, form.file)
					b.SetBytes(int64(len(text)))
					b.ReportAllocs()
					for b.Loop() {
						d.Reset(networks)
						d.Watch(a.Watch())
						if n := readInto(b, reader, d, &record, form.file); n != rows {
							b.Fatalf("got %d records", n)
						}
						if commits {
							files++
							commitFile(b, a, aggregator.File{Identity: strconv.Itoa(files), AccountID: "123456789012", Region: "eu-west-3", FlowLogID: "fl-1"}, d)
						}
					}
					b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
				})
			}
		}
	}
}

// BenchmarkInflate only inflates the file of BenchmarkFile: the floor under reading it.
func BenchmarkInflate(b *testing.B) {
	const rows = 300_000
	text := flowgen.Bulk{Format: flowgen.BulkFormat18(), Rows: rows, Remotes: 10_000}.Bytes()
	file := flowgen.Gzip(text)
	var r gunzip.Reader
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := r.Reset(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, &r); err != nil || n != int64(len(text)) {
			b.Fatalf("got %d bytes and %v", n, err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(len(text))/float64(len(file)), "inflated/compressed")
}

// sortedServices is a table of the size of AWS's, with a binary search as there.
type sortedServices []uint64

func (sortedServices) Region(flowlog.Addr) string { return "" }

func (s sortedServices) Service(a flowlog.Addr) string {
	i, _ := slices.BinarySearch(s, a.Lo)
	return [4]string{"", "S3", "EC2", "DYNAMODB"}[i%4]
}

// BenchmarkServices reads and commits files whose format does not name services, with and without a table that does.
func BenchmarkServices(b *testing.B) {
	const rows = 300_000
	table := make(sortedServices, 10_000)
	for i := range table {
		table[i] = 0xffff_0000_0000 + uint64(i)<<32/uint64(len(table))
	}
	for _, remotes := range []int{10_000, 1_000_000} {
		text := flowgen.Bulk{Format: flowgen.BulkFormat18(), Rows: rows, Remotes: remotes}.Bytes()
		for name, services := range map[string]func() aggregator.Services{"off": nil, "on": func() aggregator.Services { return table }} {
			b.Run(fmt.Sprintf("remotes=%d/table=%s", remotes, name), func(b *testing.B) {
				networks := classifier.NewNetworks(nil)
				config := aggregator.DefaultConfig()
				config.Services = services
				reader, d, a := flowlog.NewReader(flowlog.Config{}), aggregator.NewDelta(networks, 1_000_000), newAggregator(config)
				var record flowlog.Record
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					d.Reset(networks)
					d.Watch(a.Watch())
					if n := readInto(b, reader, d, &record, text); n != rows {
						b.Fatalf("got %d records", n)
					}
					files++
					commitFile(b, a, aggregator.File{Identity: strconv.Itoa(files), AccountID: "123456789012", Region: "eu-west-3", FlowLogID: "fl-1"}, d)
				}
				b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}
