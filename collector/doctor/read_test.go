package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

func zip(text string) string { return string(flowgen.Gzip([]byte(text))) }

const rows = "2 123456789012 eni-1 10.0.0.1 198.51.100.7 1 443 6 10 840 1620140661 1620140721 ACCEPT OK\n" +
	"2 123456789012 eni-1 - - - - - - - 1620140661 1620140721 - NODATA\n" +
	"2 123456789012 eni-1 - - - - - - - 1620140661 1620140721 - SKIPDATA\n" +
	"2 123456789012 eni-1 10.0.0.1 198.51.100.7 1 443 6 10 840 1620140661 1620140721 REJECT OK\n" +
	"broken\n"

const header = flowlog.DefaultFormat + "\n"

func TestRead(t *testing.T) {
	whole := Sample{Lines: 5, Accepted: 1, Rejected: 1, NoData: 1, SkipData: 1, Malformed: 1, Whole: true}
	headerless := whole
	headerless.Headerless = true
	for name, test := range map[string]struct {
		file   string
		fields int // fields is 0 where no format is found.
		sample Sample
		err    error
	}{
		"gzip":            {zip(header + rows), 14, whole, nil},
		"text":            {header + rows, 14, whole, nil},
		"no last newline": {strings.TrimSuffix(header+rows, "\n"), 14, whole, nil},
		"no header":       {rows, 14, headerless, nil},
		"exported from CloudWatch": {
			zip("2021-05-04T15:04:21.000Z " + strings.Replace(rows, "\n", "\n2021-05-04T15:04:21.000Z ", 4)), 15, headerless, nil,
		},
		"header only":       {header, 14, Sample{Whole: true}, nil},
		"cut short":         {zip(header + rows)[:80], 0, Sample{}, flowlog.ErrTruncated},
		"transit gateway":   {"version resource-type account-id tgw-id\n", 0, Sample{}, flowlog.ErrTransitGateway},
		"unsupported":       {zip("version srcaddr dstaddr\n"), 0, Sample{}, flowlog.ErrUnsupportedFormat},
		"something else":    {"hello\n", 0, Sample{}, flowlog.ErrUnsupportedFormat},
		"long line of text": {header + strings.Repeat("x", 2<<20), 14, Sample{}, flowlog.ErrLineTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			d, sample, err := Read(strings.NewReader(test.file), flowlog.Config{}, Options{})
			if !errors.Is(err, test.err) || test.err == nil && err != nil {
				t.Errorf("got error %v, want %v", err, test.err)
			}
			if d.Fields != test.fields || sample != test.sample {
				t.Errorf("got %d fields and %+v, want %d and %+v", d.Fields, sample, test.fields, test.sample)
			}
		})
	}
	if d, _, err := Read(strings.NewReader("PAR1....PAR1"), flowlog.Config{}, Options{}); err == nil || d.Header != "" {
		t.Errorf("got %+v, %v of a Parquet file without columns", d, err)
	}
	for name, file := range map[string]string{"no bytes": "", "gzip of nothing": zip(""), "newlines": "\n\n"} {
		if _, _, err := Read(strings.NewReader(file), flowlog.Config{}, Options{}); err == nil || !strings.Contains(err.Error(), "no lines") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

// countingReader counts what is read of an endless file.
type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// TestReadStopsEarly reads the beginning of a large file only, and says that it has.
func TestReadStopsEarly(t *testing.T) {
	var text strings.Builder
	text.WriteString(header)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		text.WriteString("2 123456789012 eni-1 10.0.0.1 198.51.100.7 1 443 6 10 " + strconv.Itoa(rng.IntN(1<<30)) + " 1620140661 1620140721 ACCEPT OK\n")
	}
	for name, file := range map[string]string{"gzip": zip(text.String()), "text": text.String()} {
		source := &countingReader{r: strings.NewReader(file)}
		d, sample, err := Read(source, flowlog.Config{}, Options{})
		if err != nil || d.Fields != 14 || sample != (Sample{Lines: sampleLines, Accepted: sampleLines}) {
			t.Errorf("%s: got %d fields, %+v, %v", name, d.Fields, sample, err)
		}
		if limit := 512 << 10; source.n > limit || source.n >= len(file) {
			t.Errorf("%s: read %d of %d bytes, want at most %d", name, source.n, len(file), limit)
		}
	}
}

// TestReadKeepsErrorOfSource does not take trouble with the source for a matter of the file.
func TestReadKeepsErrorOfSource(t *testing.T) {
	broken := errors.New("connection reset")
	for _, file := range []string{"", header + rows} {
		_, _, err := Read(io.MultiReader(strings.NewReader(file), failing{broken}), flowlog.Config{}, Options{})
		if !errors.Is(err, broken) {
			t.Errorf("got %v, want the source's error", err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestWrite shows the parts that a report has and has not.
func TestWrite(t *testing.T) {
	for name, test := range map[string]struct {
		report   Report
		has, not []string
	}{
		"nothing missing": {
			Report{Diagnosis: Examine(parse(t, Recommended), Options{})},
			[]string{"NAT bytes can be exact.\n", "has all recommended fields"},
			[]string{"Off,", "--log-format", "Unknown", "looked at", "flow_logs.format"},
		},
		"default format of a file": {
			Report{Diagnosis: Examine(parse(t, flowlog.DefaultFormat+" future-field"), Options{}), Sample: &Sample{Lines: 7, Accepted: 7, Headerless: true}},
			[]string{
				"NAT bytes cannot be exact.\n", `Unknown fields are ignored: ["future-field"].`, "--log-format '" + LogFormat(strings.Fields(Recommended)) + "'\n",
				"The first 7 data lines were looked at: 7 accepted", "--flowlogs.explain", "flow_logs.format", "Missing are 20 fields: pkt-srcaddr,",
			},
			[]string{"All 7"},
		},
		"conditional, whole file": {
			Report{Diagnosis: Examine(parse(t, analyzer), Options{}), Sample: &Sample{Lines: 7, Whole: true}},
			[]string{"under conditions", "All 7 data lines", "- instance-id: NAT instances\n    a NAT instance"},
			[]string{"flow_logs.format"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var text, document bytes.Buffer
			if err := errors.Join(test.report.WriteText(&text), test.report.WriteJSON(&document)); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.has {
				if !strings.Contains(text.String(), want) {
					t.Errorf("no %q in\n%s", want, &text)
				}
			}
			for _, unwanted := range test.not {
				if strings.Contains(text.String(), unwanted) {
					t.Errorf("%q in\n%s", unwanted, &text)
				}
			}
			var back Report
			if err := json.Unmarshal(document.Bytes(), &back); err != nil || back.NATBytes != test.report.NATBytes || back.LogFormat != test.report.LogFormat {
				t.Errorf("got %v from\n%s", err, &document)
			}
			if strings.Contains(document.String(), "null") {
				t.Errorf("null in\n%s", &document)
			}
		})
	}
}
