package gunzip

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// benchmarkText is a flow log of 18 fields, some 147 bytes a record.
func benchmarkText(rows int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for i := range rows {
		start := 1773480300 + i*5/rows*60
		remote, client := fmt.Sprintf("52.0.%d.%d", rng.IntN(40), rng.IntN(256)), fmt.Sprintf("10.0.1.%d", 1+rng.IntN(200))
		fmt.Fprintf(&b, "5 123456789012 eni-0123456789abcdef0 %s 10.0.0.220 %d 443 6 %d %d %d %d ACCEPT OK %s %s ingress -\n", client,
			32768+rng.IntN(20000), 1+rng.IntN(2000), 40+rng.IntN(3_000_000), start, start+59, client, remote)
	}
	return b.Bytes()
}

// BenchmarkReader inflates a file into blocks as large as flowlog's.
func BenchmarkReader(b *testing.B) {
	text := benchmarkText(300_000)
	for _, level := range []int{gzip.NoCompression, gzip.BestSpeed, gzip.DefaultCompression} {
		file := compressed(b, level, text)
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
func compressed(t testing.TB, level int, texts ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, text := range texts {
		w, err := gzip.NewWriterLevel(&out, level)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}
