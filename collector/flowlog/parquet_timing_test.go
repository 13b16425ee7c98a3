package flowlog

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/vpcflow/vpcflow_exporter/internal/flowparquet"
)

var largeParquet = flag.String("large-parquet", "", "folder for a Parquet file of 100 MiB to measure memory with; it is made there if need be")

// TestParquetAllocs reads in steady state: neither a record nor a page may allocate. Inflating gzip and zstd allocates now and then, once in several pages.
func TestParquetAllocs(t *testing.T) {
	for name, o := range map[string]flowparquet.Options{
		"dictionaries": {Codec: &parquet.Snappy, PageBytes: 4096}, "plain": {Codec: &parquet.Snappy, Plain: true, PageBytes: 4096},
		"delta": {Codec: &parquet.Lz4Raw, Delta: true, PageBytes: 4096}, "strings": {Types: flowparquet.Strings, Dashes: true, PageBytes: 4096},
	} {
		file := bytes.NewReader(mustParquet(t, benchmarkLog(benchmarkFormats["18fields"], 20_000), o))
		r := NewReader(Config{})
		var record Record
		begin := func() {
			if err := rewind(r, file); err != nil {
				t.Fatal(err)
			}
		}
		read := func(rows int) {
			for range rows {
				if err := r.Read(&record); err != nil {
					t.Fatal(err)
				}
			}
		}
		begin()
		read(20_000) // Buffers have their size then.
		begin()
		read(1000)
		if got := testing.AllocsPerRun(1, func() { read(9000) }); got > 0 {
			t.Errorf("%s: got %v allocations for 9,000 records", name, got)
		}
	}
}

// rewind reads a file again.
func rewind(r *Reader, file *bytes.Reader) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return r.Reset(file)
}

// BenchmarkParquetMemory measures what reading a file of 100 MiB takes at most, in a process that does nothing else. Run it twice with
// -large-parquet=FOLDER -benchtime=1x; the first run makes the files.
func BenchmarkParquetMemory(b *testing.B) {
	if *largeParquet == "" {
		b.Skip("no -large-parquet=FOLDER")
	}
	for name, o := range map[string]flowparquet.Options{
		"dictionaries": {Codec: &parquet.Gzip}, "plain": {Codec: &parquet.Gzip, Plain: true, PageBytes: 1 << 20},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				file := openLarge(b, name, o)
				debug.FreeOSMemory()
				_, peak := readLarge(b, NewReader(Config{MaxFileBytes: 16 << 30}), file)
				b.ReportMetric(float64(peak>>20), "MiB-peak")
				if peak > 128<<20 {
					b.Errorf("peak of %d MiB", peak>>20)
				}
				if err := file.Close(); err != nil {
					b.Error(err)
				}
			}
		})
	}
}

// readLarge reads a file as a stream and returns the most memory that was in use.
func readLarge(t testing.TB, r *Reader, file *os.File) (rows int, peak uint64) {
	t.Helper()
	var m runtime.MemStats
	look := func() {
		runtime.ReadMemStats(&m)
		peak = max(peak, m.Sys-m.HeapReleased)
	}
	if err := r.Reset(onlyReader{file}); err != nil {
		t.Fatal(err)
	}
	look()
	var record Record
	err := r.Read(&record)
	for ; err == nil; err = r.Read(&record) {
		if rows++; rows%10_000 == 0 {
			look()
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return rows, peak
}

// openLarge opens a file of about 100 MiB. It is made in a run of its own, whose memory would be measured otherwise.
func openLarge(t testing.TB, name string, o flowparquet.Options) *os.File {
	t.Helper()
	path := filepath.Join(*largeParquet, name+".log.parquet")
	file, err := os.Open(path)
	if err == nil {
		return file
	}
	const rows = 6_500_000
	if err := os.WriteFile(path, mustParquet(t, benchmarkLog(benchmarkFormats["18fields"], rows), o), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Skipf("made %s; run again to measure", path)
	return nil
}

func BenchmarkReadParquet(b *testing.B) {
	const rows = 100_000
	for _, fields := range []string{"18fields", "40fields"} {
		text := benchmarkLog(benchmarkFormats[fields], rows)
		for name, o := range map[string]flowparquet.Options{
			"stored": {}, "gzip": {Codec: &parquet.Gzip}, "snappy": {Codec: &parquet.Snappy}, "plain": {Plain: true},
		} {
			file := bytes.NewReader(mustParquet(b, text, o))
			b.Run(fmt.Sprintf("%s/%s", fields, name), func(b *testing.B) {
				r := NewReader(Config{})
				var record Record
				b.SetBytes(file.Size())
				b.ReportAllocs()
				for b.Loop() {
					if err := rewind(r, file); err != nil {
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
