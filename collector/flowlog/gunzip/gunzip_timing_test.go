package gunzip

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// benchmarkText is a flow log of 18 fields, some 147 bytes a record.
func benchmarkText(rows int) []byte {
	return flowgen.Bulk{Format: flowgen.BulkFormat18(), Rows: rows, Remotes: 10_000}.Bytes()
}

// BenchmarkReader inflates a file into blocks as large as flowlog's.
func BenchmarkReader(b *testing.B) {
	text := benchmarkText(300_000)
	for _, level := range []int{gzip.NoCompression, gzip.BestSpeed, gzip.DefaultCompression} {
		file := compressed(level, text)
		b.Run(fmt.Sprintf("level=%d", level), func(b *testing.B) {
			var z Reader
			block := make([]byte, 256<<10)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				err := z.Reset(bytes.NewReader(file))
				total := 0
				for err == nil {
					var n int
					n, err = z.Read(block)
					total += n
				}
				if err != io.EOF || total != len(text) { //nolint:errorlint // Only the bare one is the clean end.
					b.Fatalf("got %d bytes and %v", total, err)
				}
			}
			b.ReportMetric(float64(len(text))/float64(len(file)), "inflated/compressed")
		})
	}
}

// compressed returns the texts as the members of a gzip file.
func compressed(level int, texts ...[]byte) (file []byte) {
	for _, text := range texts {
		file = append(file, flowgen.GzipLevel(text, level)...)
	}
	return file
}
