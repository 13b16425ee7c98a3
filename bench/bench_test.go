package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// actVariable makes this binary a peer, so that the runner has programs to start that need no compiler.
const actVariable = "BENCH_TEST_ACT"

func TestMain(m *testing.M) {
	if act := os.Getenv(actVariable); act != "" {
		os.Exit(actAs(act, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// actAs is a peer that prints what it is told to, or fails.
func actAs(act string, files []string) int {
	if len(files) != 2 {
		fmt.Fprintf(os.Stderr, "error: want 2 files, got %q\n", files)
		return 1
	}
	if act == "fail" {
		fmt.Fprintln(os.Stderr, "error: cannot reach https://example.com/registry today")
		return 3
	}
	fmt.Println(act)
	return 0
}

// actor is a peer that prints one line.
func actor(name, line string, counts bool) peer {
	return peer{Name: name, form: formGzip, counts: counts, prints: true, command: func(files []string) []string {
		return append([]string{"env", actVariable + "=" + line, os.Args[0]}, files...)
	}}
}

func smallSpec(forms ...form) spec {
	return spec{Title: "small", Fields: 18, Remotes: 100, Files: 2, Records: 1000, format: flowgen.BulkFormat18(), forms: forms}
}

func newStand(t *testing.T) *stand {
	t.Helper()
	return &stand{workshop: &workshop{root: "..", dir: t.TempDir(), progress: io.Discard}, runs: 3, budget: time.Hour}
}

func TestGenerate(t *testing.T) {
	w := newStand(t).workshop
	first, err := w.generate(smallSpec(formGzip, formText))
	if err != nil {
		t.Fatal(err)
	}
	if first.NATBytes == 0 || first.TextBytes < 2000*130 || first.CompressedBytes == 0 || first.CompressedBytes*4 > first.TextBytes {
		t.Errorf("got %+v", first.known)
	}
	for f, paths := range first.paths {
		if len(paths) != 2 {
			t.Errorf("%s: got the files %q", f, paths)
		}
	}
	if err := first.warm(); err != nil {
		t.Error(err)
	}
	kept := first.paths[formGzip][1]
	before, err := os.Stat(kept)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.generate(smallSpec(formGzip, formText))
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(kept); err != nil || !after.ModTime().Equal(before.ModTime()) || again.known != first.known {
		t.Errorf("made again, or known as %+v instead of %+v: %v", again.known, first.known, err)
	}
	if other := smallSpec(formGzip); other.key() == first.key() {
		t.Error("files of other forms have the same folder")
	}
}

func TestRun(t *testing.T) {
	s := newStand(t)
	d, err := s.generate(smallSpec(formGzip))
	if err != nil {
		t.Fatal(err)
	}
	line := func(seconds float64, records int, natBytes uint64) string {
		return fmt.Sprintf(`{"seconds":%g,"records":%d,"nat_bytes":%d}`, seconds, records, natBytes)
	}
	rows, err := s.run(t.Context(), d, []peer{
		actor("right", line(0.5, 2000, d.NATBytes), true), actor("one byte short", line(1, 2000, d.NATBytes-1), true), actor("short", line(1, 1999, 0), false),
		actor("silent", "{}", true), actor("not JSON", "hello", false), actor("fails", "fail", true),
		{Name: "from outside", form: formGzip, command: func([]string) []string { return []string{"echo", "hello"} }},
		{Name: "absent", form: formGzip, command: func([]string) []string { return []string{"/no/such/program"} }},
	})
	if err != nil {
		t.Fatal(err)
	}
	failures := []string{
		"", "the NAT sum is not the generator's", "read 1999 records of 2000", "the NAT sum is not the generator's", "read what it printed", "cannot reach ... today",
		"", "no such file",
	}
	for i, m := range rows {
		if (m.Failure == "") != (failures[i] == "") || !strings.Contains(m.Failure, failures[i]) {
			t.Errorf("%s: got the failure %q, want %q", m.Name, m.Failure, failures[i])
		}
	}
	if m := rows[0]; len(m.Seconds) != 3 || m.RecordsPerSecond != 4000 || m.NATEqual == nil || !*m.NATEqual {
		t.Errorf("got %+v", m)
	}
	if m := rows[6]; len(m.Seconds) != 3 || m.MedianSeconds <= 0 || m.NATEqual != nil {
		t.Errorf("got %+v", m)
	}
}

// TestBudget gives a program less time than it has taken after its first run.
func TestBudget(t *testing.T) {
	s := newStand(t)
	s.budget = 0
	d, err := s.generate(smallSpec(formGzip))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.run(t.Context(), d, []peer{actor("slow", `{"seconds":60}`, false)})
	if err != nil || len(rows[0].Seconds) != 1 || rows[0].MedianSeconds != 60 {
		t.Errorf("got %+v and %v", rows[0], err)
	}
}

// TestStage finds the files of each foreign peer, and leaves alone what has not changed.
func TestStage(t *testing.T) {
	w := newStand(t).workshop
	for name, files := range map[string][]string{
		"duckdb": {"package.json", "main.mjs"}, "vrl": {"Cargo.toml", "src/main.rs"}, "flowlogsreader": {"requirements.txt", "main.py"},
	} {
		dir, err := w.stage(name, files...)
		if err != nil {
			t.Error(err)
			continue
		}
		staged := filepath.Join(dir, files[0])
		if err := os.Chtimes(staged, time.Time{}, time.Unix(1, 0)); err != nil {
			t.Error(err)
		}
		if _, err := w.stage(name, files...); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(staged); err != nil || info.ModTime().Unix() != 1 {
			t.Errorf("%s was written again: %v", staged, err)
		}
	}
	if _, err := w.stage("duckdb", "absent"); err == nil {
		t.Error("a file that is not there is staged")
	}
}

// TestOnce installs once per manifest.
func TestOnce(t *testing.T) {
	w := newStand(t).workshop
	dir := t.TempDir()
	manifest, marks := filepath.Join(dir, "manifest"), filepath.Join(dir, "marks")
	for _, content := range []string{"1", "1", "2"} {
		if err := os.WriteFile(manifest, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := w.once(t.Context(), dir, "manifest", []string{"sh", "-c", "echo >>marks"}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(marks); err != nil || len(b) != 2 {
		t.Errorf("installed %d times: %v", len(b), err)
	}
	if err := os.WriteFile(manifest, []byte("3"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // What failed is tried again.
		if err := w.once(t.Context(), dir, "manifest", []string{"sh", "-c", "exit 1"}); err == nil {
			t.Error("a failed installation is taken for done")
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		before := slices.Clone(c.values)
		if got := median(c.values); got != c.want || !slices.Equal(before, c.values) {
			t.Errorf("median of %v: got %v", before, got)
		}
	}
}

func TestParseTop(t *testing.T) {
	const text = `File: reader
Type: cpu
Duration: 4.92s, Total samples = 4.80s (97.62%)
Showing nodes accounting for 3.50s, 72.92% of 4.80s total
      flat  flat%   sum%        cum   cum%
     1.50s 31.25% 31.25%      2.10s 43.75%  github.com/klauspost/compress/flate.(*decompressor).huffmanBufioReader
     800ms 16.67% 47.92%      0.80s 16.67%  github.com/vpcflow/vpcflow_exporter/collector/aggregator.hash (inline)
     800ms  5.08% 53.00%      0.80s 16.67%  github.com/klauspost/compress/flate.(*dictDecoder).writeCopy
         0     0% 53.00%      4.80s   100%  runtime.main`
	got, err := parseTop(text)
	if err != nil {
		t.Fatal(err)
	}
	functions := []share{{"flate.(*decompressor).huffmanBufioReader", 31.25}, {"aggregator.hash", 16.67}, {"flate.(*dictDecoder).writeCopy", 5.08}, {"runtime.main", 0}}
	if packages := []share{{"flate", 36.33}, {"aggregator", 16.67}}; !slices.Equal(got.Packages, packages) || !slices.Equal(got.Functions, functions) {
		t.Errorf("got %v", got)
	}
	if _, err := parseTop("1s x% 1% 1s 1% main.main"); err == nil {
		t.Error("a percentage that is no number is read")
	}
}

// TestPublish shows a report in its three forms: what is wrong and what is missing must be seen, and wrong figures must not reach the document.
func TestPublish(t *testing.T) {
	dir := t.TempDir()
	o := options{jsonFile: filepath.Join(dir, "figures.json"), document: filepath.Join(dir, "document.md")}
	const before, after = "# Title\n\n<!-- bench -->\n", "<!-- end -->\n\nThe rest.\n"
	if err := os.WriteFile(o.document, []byte(before+"old\n"+after), 0o644); err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	r := &report{Workers: []workersRatio{{"usual", 2, 1}}, LargePeakBytes: 300 << 20}
	r.miss("VRL", errors.New("no cargo"))
	for _, profile := range profiles(options{files: 1, records: 1000}) {
		r.Comparisons = append(r.Comparisons, &comparison{spec: profile, known: known{TextBytes: 147_000, CompressedBytes: 24_500, NATBytes: 42}, Rows: []*measurement{
			{Name: oursGzip, Seconds: []float64{1, 2}, RecordsPerSecond: 1_234_567, MiBPerSecond: 9, RatioToOurs: 1, PeakBytes: 5<<20 - 1, NATEqual: &yes},
			{Name: peerDuckDB, Seconds: []float64{1}, RecordsPerSecond: 123_456.7, RatioToOurs: 0.1, NATEqual: &no, Failure: "too few"},
			{Name: peerVRL, Failure: "crashed"},
		}})
	}
	var out strings.Builder
	if err := publish(r, o, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1,000 records in 1 files, 147 bytes a record, gzip 6.0:1. The gateway forwards 42 bytes.", "| this exporter | 1,234,567 | 9 | 1.00 | 5 | 2 | yes |",
		"| DuckDB | 123,457 | 0 | 0.10 |  | 1 | NO |", "| VRL parse_aws_vpc_flow_log | failed |", "| ours to DuckDB | 10.00 |  |",
		"| two workers to one, usual | 2.00 | 1.85 |", "| 300 MiB | 384 |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if want := "\n### Not measured\n\n- VRL: no cargo\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("the output does not end with %q", want)
	}
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var figures report
	if err := json.Unmarshal([]byte(read(o.jsonFile)), &figures); err != nil || len(figures.Comparisons) != 3 || figures.Comparisons[0].Rows[0].RecordsPerSecond != 1_234_567 {
		t.Errorf("got %+v and %v", figures, err)
	}
	if got, want := read(o.document), before+"\n"+out.String()+"\n"+after; got != want {
		t.Errorf("the document is\n%s", got)
	}
	r.fail("somewhere", r.Comparisons[0].Rows[1])
	if err := publish(r, o, &out); err != nil {
		t.Fatal(err)
	}
	if got := read(o.document); strings.Contains(got, "Wrong figures") || !strings.Contains(out.String(), "\n- somewhere: DuckDB: too few\n") {
		t.Error("wrong figures are in the document, or not in the output")
	}
	o.document = o.jsonFile
	r.Failures = nil
	if err := publish(r, o, io.Discard); err == nil {
		t.Error("a document without the two lines is updated")
	}
}

// TestDocument holds docs/performance.md to being one that can be updated.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(copied, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := updateDocument(copied, "new\n"); err != nil {
		t.Error(err)
	}
}
