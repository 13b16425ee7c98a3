package flowgen_test

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// TestBulk holds the shape of the benchmarks' files, so that figures of different days are of the same rows: their length, how well they compress, and how
// many remotes they name.
func TestBulk(t *testing.T) {
	const rows = 30_000
	for _, c := range []struct {
		name                      string
		format                    flowgen.Format
		remotes                   int
		fields                    int
		shortest, longest         float64 // Bytes a record.
		leastRemotes, mostRemotes int
		leastRatio, mostRatio     float64
	}{
		{"18 fields", flowgen.BulkFormat18(), 10_000, 18, 145, 149, 3_700, 4_100, 5.5, 7.5},
		{"40 fields", flowgen.BulkFormat40(), 10_000, 40, 240, 290, 3_700, 4_100, 6, 13},
		{"many remotes", flowgen.BulkFormat18(), 1_000_000, 18, 145, 150, 4_900, 5_000, 4.5, 7},
	} {
		bulk := flowgen.Bulk{Format: c.format, Rows: rows, Remotes: c.remotes}
		text := bulk.Bytes()
		header, body, _ := bytes.Cut(text, []byte("\n"))
		if got := len(bytes.Fields(header)); got != c.fields {
			t.Errorf("%s: got %d fields", c.name, got)
		}
		if got := float64(len(body)) / rows; got < c.shortest || got > c.longest {
			t.Errorf("%s: got %.1f bytes a record", c.name, got)
		}
		if got := bytes.Count(body, []byte("\n")); got != rows {
			t.Errorf("%s: got %d rows", c.name, got)
		}
		if got := float64(len(text)) / float64(len(flowgen.Gzip(text))); got < c.leastRatio || got > c.mostRatio {
			t.Errorf("%s: compresses %.1f to 1", c.name, got)
		}
		remotes := make(map[string]bool)
		for field := range bytes.FieldsSeq(body) {
			if bytes.HasPrefix(field, []byte("52.")) {
				remotes[string(field)] = true
			}
		}
		if got := len(remotes); got < c.leastRemotes || got > c.mostRemotes {
			t.Errorf("%s: got %d remotes", c.name, got)
		}
		if !bytes.Equal(text, bulk.Bytes()) {
			t.Errorf("%s: the same values give other bytes", c.name)
		}
		bulk.File++
		if bytes.Equal(text, bulk.Bytes()) {
			t.Errorf("%s: the next file holds the same rows", c.name)
		}
	}
}

// TestBulkSum adds up the text by the rule that a person would write: at the gateway's interface, rows between the gateway's own address and another one whose
// packets have not that address at the same end.
func TestBulkSum(t *testing.T) {
	var text bytes.Buffer
	natBytes, err := flowgen.Bulk{Format: flowgen.BulkFormat18(), Rows: 1000, Remotes: 10_000}.Write(&text)
	if err != nil {
		t.Fatal(err)
	}
	var want uint64
	for line := range strings.Lines(text.String()) {
		f := strings.Fields(line)
		if f[2] != flowgen.BulkGatewayENI {
			continue
		}
		src, dst, pktSrc, pktDst := f[3], f[4], f[14], f[15]
		if dst == flowgen.BulkGatewayAddr && pktDst != dst || src == flowgen.BulkGatewayAddr && pktSrc != src {
			n, err := strconv.ParseUint(f[9], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			want += n
		}
	}
	if natBytes != want || want == 0 {
		t.Errorf("got %d forwarded bytes, the rows say %d", natBytes, want)
	}
}

func TestBulkErrors(t *testing.T) {
	for _, remotes := range []int{0, -1, 1<<24 + 1} {
		if _, err := (flowgen.Bulk{Format: flowgen.BulkFormat18(), Rows: 1, Remotes: remotes}).Write(&bytes.Buffer{}); err == nil {
			t.Errorf("%d remotes: got no error", remotes)
		}
	}
	for _, rows := range []int{0, 1000} { // The header fails, and a full buffer.
		_, err := flowgen.Bulk{Format: flowgen.BulkFormat18(), Rows: rows, Remotes: 1}.Write(fullDisk{})
		if !errors.Is(err, errFull) {
			t.Errorf("%d rows: got %v", rows, err)
		}
	}
}

var errFull = errors.New("no space left")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
