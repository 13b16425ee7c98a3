package flowlog

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestParquetGolden reads files that pyarrow has written: testdata/parquet/write.py says how.
func TestParquetGolden(t *testing.T) {
	folder := filepath.Join("testdata", "parquet")
	text, err := os.ReadFile(filepath.Join(folder, "rows.log"))
	if err != nil {
		t.Fatal(err)
	}
	want := goldenRecords(t, zip(string(text)))
	files, err := filepath.Glob(filepath.Join(folder, "*.parquet"))
	if err != nil || len(files) < 9 {
		t.Fatalf("got files %q, error %v", files, err)
	}
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want := want
		if strings.HasSuffix(name, "empty.parquet") {
			want = nil
		}
		if got := goldenRecords(t, file); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// goldenRecords returns the records of a file without its format, which differs in the order of the columns.
func goldenRecords(t *testing.T, file []byte) (records []string) {
	t.Helper()
	r := NewReader(Config{MaxFileBytes: 1 << 20})
	if err := r.Reset(bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	var record Record
	err := r.Read(&record)
	for ; err == nil; err = r.Read(&record) {
		records = append(records, values(&record))
	}
	if EndOfFile(err) != nil {
		t.Fatal(err)
	}
	return records
}
