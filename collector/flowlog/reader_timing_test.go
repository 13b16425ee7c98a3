package flowlog

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// benchmarkFormats are formats of 18 and of 40 fields.
var benchmarkFormats = map[string]flowgen.Format{"18fields": flowgen.BulkFormat18(), "40fields": flowgen.BulkFormat40()}

func benchmarkLog(format flowgen.Format, rows int) []byte {
	return flowgen.Bulk{Format: format, Rows: rows, Remotes: 10_000}.Bytes()
}

func BenchmarkRead(b *testing.B) {
	const rows = 100_000
	for name, format := range benchmarkFormats {
		text := benchmarkLog(format, rows)
		for form, file := range map[string][]byte{"text": text, "gzip": zip(string(text))} {
			b.Run(name+"/"+form, func(b *testing.B) {
				r := NewReader(Config{})
				var record Record
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if err := r.ResetText(bytes.NewReader(file)); err != nil {
						b.Fatal(err)
					}
					n := 0
					err := r.Read(&record)
					for ; err == nil; err = r.Read(&record) {
						n++
					}
					if !errors.Is(err, io.EOF) || n != rows {
						b.Fatalf("got %d rows and %v", n, err)
					}
				}
				b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}
