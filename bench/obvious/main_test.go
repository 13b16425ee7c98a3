package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

func TestSum(t *testing.T) {
	for name, format := range map[string]flowgen.Format{"18 fields": flowgen.BulkFormat18(), "40 fields": flowgen.BulkFormat40()} {
		var text, stdout, stderr bytes.Buffer
		want, err := flowgen.Bulk{Format: format, Rows: 2000, Remotes: 100}.Write(&text)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "flow.log.gz")
		if err := os.WriteFile(file, flowgen.Gzip(text.Bytes()), 0o644); err != nil {
			t.Fatal(err)
		}
		if code := run([]string{"-interface=" + flowgen.BulkGatewayENI, "-address=" + flowgen.BulkGatewayAddr, file, file}, &stdout, &stderr); code != 0 {
			t.Fatalf("%s: exit status %d: %s", name, code, stderr.String())
		}
		var r result
		if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || r.Records != 4000 || r.NATBytes != 2*want {
			t.Errorf("%s: got %+v and %v, want %d bytes", name, r, err, 2*want)
		}
	}
}

func TestErrors(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.log")
	if err := os.WriteFile(text, []byte("no gzip"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-unknown"}, {"/no/such/file"}, {text}} {
		var stdout, stderr bytes.Buffer
		if code := run(args, &stdout, &stderr); code == 0 || stderr.Len() == 0 || stdout.Len() > 0 {
			t.Errorf("%q: got exit status %d, %q and %q", args, code, stdout.String(), stderr.String())
		}
	}
}
