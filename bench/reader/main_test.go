package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

const rows = 2000

// writeFiles writes files and returns their names and what their gateway forwards.
func writeFiles(t *testing.T, format flowgen.Format) (names []string, natBytes uint64) {
	return writeBulk(t, flowgen.Bulk{Format: format, Rows: rows, Remotes: 100})
}

func writeBulk(t *testing.T, bulk flowgen.Bulk) (names []string, natBytes uint64) {
	t.Helper()
	for bulk.File = range 3 {
		var text bytes.Buffer
		n, err := bulk.Write(&text)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "flow.log.gz")
		if err := os.WriteFile(name, flowgen.Gzip(text.Bytes()), 0o644); err != nil {
			t.Fatal(err)
		}
		names, natBytes = append(names, name), natBytes+n
	}
	return names, natBytes
}

// String shows a result as the program prints it.
func (r result) String() string {
	b, _ := json.Marshal(r) // It is made of numbers.
	return string(b)
}

// runReader runs the program and returns what it says.
func runReader(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(args, &stdout, &stderr); code != 0 {
		t.Fatalf("%q: exit status %d: %s", args, code, stderr.String())
	}
	var r result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Seconds <= 0 {
		t.Errorf("%q took no time", args)
	}
	if runtime.GOOS == "linux" && (r.PeakBytes < 1<<20 || r.PeakBytes > 16<<30) {
		t.Errorf("%q: got a peak of %d bytes", args, r.PeakBytes)
	}
	return r
}

// TestSums holds the reader to the generator in each format, with one worker and with two.
func TestSums(t *testing.T) {
	for name, format := range map[string]flowgen.Format{
		"18 fields": flowgen.BulkFormat18(), "40 fields": flowgen.BulkFormat40(), "all fields": flowgen.NewFormat(flowgen.FieldNames(11)...),
	} {
		files, want := writeFiles(t, format)
		for _, workers := range []string{"1", "2"} {
			r := runReader(t, append([]string{"-workers=" + workers}, files...)...)
			if r.Records == nil || *r.Records != 3*rows || r.NATBytes == nil || *r.NATBytes != want {
				t.Errorf("%s, %s workers: want %d records and %d bytes, got %s", name, workers, 3*rows, want, r)
			}
		}
	}
}

// TestManyRemotes reads files whose remotes are nearly all different: the gateway is recognised all the same, in whatever order they come.
func TestManyRemotes(t *testing.T) {
	files, want := writeBulk(t, flowgen.Bulk{Format: flowgen.BulkFormat18(), Rows: 30_000, Remotes: 1 << 24})
	for range files {
		if r := runReader(t, files...); *r.NATBytes != want {
			t.Errorf("got %d bytes, want %d", *r.NATBytes, want)
		}
		files = append(files[1:], files[0])
	}
}

func TestModes(t *testing.T) {
	files, natBytes := writeFiles(t, flowgen.BulkFormat18())
	if r := runReader(t, append([]string{"-mode=read"}, files...)...); r.Records == nil || *r.Records != 3*rows || r.NATBytes != nil {
		t.Errorf("read: got %s", r)
	}
	if r := runReader(t, append([]string{"-mode=inflate"}, files...)...); r.Records != nil || r.NATBytes != nil {
		t.Errorf("inflate: got %s", r)
	}
	profile := filepath.Join(t.TempDir(), "cpu.prof")
	if r := runReader(t, "-cpuprofile="+profile, files[0], files[1], files[2], files[0], files[1], files[2]); *r.NATBytes != 2*natBytes {
		t.Errorf("files that are named twice do not count twice: got %d, want %d", *r.NATBytes, 2*natBytes)
	}
	if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
		t.Errorf("no profile: %v", err)
	}
}

func TestErrors(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "damaged.log.gz")
	text := flowgen.Bulk{Format: flowgen.BulkFormat18(), Rows: rows, Remotes: 100}.Bytes()
	if err := os.WriteFile(damaged, flowgen.Gzip(text)[:1000], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-mode=guess", damaged}, 1, `unknown mode "guess"`},
		{[]string{"/no/such/file"}, 1, "no such file"},
		{[]string{damaged}, 1, "cut short"},
		{[]string{"-mode=read", damaged}, 1, "cut short"},
		{[]string{"-mode=inflate", damaged}, 1, "unexpected EOF"},
		{[]string{"-cpuprofile=/no/such/folder/file", damaged}, 1, "create CPU profile"},
		{[]string{"-unknown"}, 2, "not defined"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(c.args, &stdout, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.want) || stdout.Len() > 0 {
			t.Errorf("%q: got exit status %d, %q and %q", c.args, code, stdout.String(), stderr.String())
		}
	}
}
