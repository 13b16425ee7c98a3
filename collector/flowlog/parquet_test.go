package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/vpcflow/vpcflow_exporter/internal/flowparquet"
)

// whole is all that a test compares of a record.
func whole(r *Record) string { return fmt.Sprintf("%s of %q", values(r), r.Format) }

func values(r *Record) string {
	return fmt.Sprintf("%s %d-%d ports %d,%d path %d direction %d types %d,%d %q %q %q %q %q %q %q %q %q %q %q", summary(r), r.Start, r.End, r.SrcPort, r.DstPort,
		r.TrafficPath, r.Direction, r.InterfaceType, r.NextHopInterfaceType, r.AccountID, r.Region, r.InterfaceID, r.ResourceID, r.VPCID, r.SubnetID,
		r.InstanceID, r.AZID, r.PktSrcAWSService, r.PktDstAWSService, r.Names)
}

// readWhole reads a file from a source.
func readWhole(r *Reader, source io.Reader) (records []string, err error) {
	var record Record
	if err := r.Reset(source); err != nil {
		return nil, err
	}
	for {
		err := r.Read(&record)
		lineError, bad := errors.AsType[*LineError](err)
		switch {
		case bad:
			records = append(records, lineError.Error())
		case err != nil:
			return records, EndOfFile(err)
		default:
			records = append(records, whole(&record))
		}
	}
}

// alphabetical puts the columns of a text file into the order that the Parquet writer gives them, so that formats are equal.
func alphabetical(text []byte) []byte {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	header := strings.Fields(lines[0])
	order := make([]int, len(header))
	for i := range order {
		order[i] = i
	}
	names := func(i int) string { return strings.ReplaceAll(header[i], "-", "_") }
	for i := range order {
		for k := i + 1; k < len(order); k++ {
			if names(order[k]) < names(order[i]) {
				order[i], order[k] = order[k], order[i]
			}
		}
	}
	var out strings.Builder
	for _, line := range lines {
		fields := strings.Fields(line)
		for i, k := range order {
			if i > 0 {
				out.WriteByte(' ')
			}
			out.WriteString(fields[k])
		}
		out.WriteByte('\n')
	}
	return []byte(out.String())
}

func mustParquet(t testing.TB, text []byte, o flowparquet.Options) []byte {
	t.Helper()
	file, err := flowparquet.FromText(text, o)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

var parquetCodecs = []compress.Codec{
	&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Brotli, &parquet.Zstd, &parquet.Lz4Raw,
}

// TestParquetTwins writes random records as text and in all manners of Parquet: the records must be the same, from memory and from a stream.
func TestParquetTwins(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	r := NewReader(Config{MaxFileBytes: 1 << 30})
	for i := range 60 {
		text := alphabetical(randomLog(random, random.IntN(1000)))
		o := flowparquet.Options{
			Types: flowparquet.Types(i % 3), Dashes: random.IntN(2) == 0, Required: random.IntN(2) == 0, Codec: parquetCodecs[i%len(parquetCodecs)],
			RowsInGroup: []int{0, 10 + random.IntN(100), 300}[random.IntN(3)], PageBytes: []int{0, 100 + random.IntN(1000), 10_000}[random.IntN(3)],
			PageVersion: 1 + random.IntN(2), Plain: random.IntN(2) == 0, Delta: random.IntN(4) == 0,
		}
		want, wantErr := readWhole(r, bytes.NewReader(zip(string(text))))
		for i := range want {
			// Rows are counted without the header.
			want[i] = strings.Replace(want[i], fmt.Sprintf("read line %d", i+2), fmt.Sprintf("read row %d", i+1), 1)
		}
		file := mustParquet(t, text, o)
		for name, source := range map[string]io.Reader{"memory": bytes.NewReader(file), "stream": onlyReader{bytes.NewReader(file)}} {
			got, err := readWhole(r, source)
			if Reason(err) != Reason(wantErr) || (err == nil) != (wantErr == nil) {
				t.Fatalf("%s, %+v: got error %v, want %v", name, o, err, wantErr)
			}
			compareRecords(t, fmt.Sprintf("%s, %+v", name, o), got, want)
			if r.Lines() != int64(len(want)) || r.Line() != int64(len(want)) {
				t.Errorf("got %d lines and line %d for %d rows", r.Lines(), r.Line(), len(want))
			}
			if len(want) > 0 && r.InflatedBytes() == 0 {
				t.Error("got no inflated bytes")
			}
		}
	}
}

type onlyReader struct{ io.Reader }

func compareRecords(t *testing.T, name string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d records, want %d", name, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: record %d: got\n%s\nwant\n%s", name, i, got[i], want[i])
		}
	}
}

// randomLog returns a text file with a random subset of the fields.
func randomLog(random *rand.Rand, rows int) []byte {
	needed := map[Field]bool{FieldSrcAddr: true, FieldDstAddr: true, FieldBytes: true, FieldInterfaceID: true}
	var fields []Field
	for _, i := range random.Perm(int(numFields)) {
		if f := Field(i); needed[f] || random.IntN(2) == 0 {
			fields = append(fields, f)
		}
	}
	var b bytes.Buffer
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f.String())
	}
	for range rows {
		b.WriteByte('\n')
		for i, f := range fields {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(randomValue(random, f))
		}
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func randomValue(random *rand.Rand, f Field) string {
	if random.IntN(20) == 0 {
		return "-"
	}
	switch f {
	case FieldSrcAddr, FieldDstAddr, FieldPktSrcAddr, FieldPktDstAddr:
		if random.IntN(10) == 0 {
			return fmt.Sprintf("2001:db8::%x", 1+random.IntN(1000))
		}
		return fmt.Sprintf("10.%d.%d.7", random.IntN(3), random.IntN(250))
	case FieldBytes, FieldPackets:
		return strconv.FormatInt(random.Int64N(1<<random.IntN(44)), 10)
	case FieldStart, FieldEnd:
		return strconv.Itoa(1_773_480_000 + random.IntN(600))
	case FieldVersion, FieldSrcPort, FieldDstPort, FieldProtocol, FieldTCPFlags, FieldTrafficPath, FieldEncryptionStatus:
		return strconv.Itoa(random.IntN(256))
	case FieldAccountID:
		return fmt.Sprintf("%012d", random.Int64N(1_000_000_000_000))
	case FieldFlowDirection:
		return []string{"ingress", "egress"}[random.IntN(2)]
	case FieldAction:
		return []string{"ACCEPT", "REJECT"}[random.IntN(2)]
	case FieldLogStatus:
		return []string{"OK", "NODATA", "SKIPDATA"}[random.IntN(3)]
	case FieldInterfaceType, FieldNextHopInterfaceType:
		return []string{"nat_gateway", "vpc_endpoint", "lambda"}[random.IntN(3)]
	default:
		return fmt.Sprintf("%s-%0*d", f, 1+random.IntN(8), random.IntN(100))
	}
}

// TestParquetMalformedRows holds values of all types to the rules of text.
func TestParquetMalformedRows(t *testing.T) {
	type row struct {
		Interface string  `parquet:"interface_id"`
		Src       string  `parquet:"srcaddr"`
		Dst       *string `parquet:"dstaddr,optional"`
		Bytes     int64   `parquet:"bytes"`
		Packets   int32   `parquet:"packets"`
		Start     string  `parquet:"start"`
	}
	dst := "10.0.0.2"
	good := row{"eni-1", "10.0.0.1", &dst, 5, 1, "6"}
	for _, test := range []struct {
		change func(*row)
		want   string
	}{
		{func(r *row) { r.Bytes = -5 }, `read row 2: bytes "-5": not a number of bytes or packets`},
		{func(r *row) { r.Bytes = MaxRecordBytes + 1 }, `read row 2: bytes "17592186044417": not a number of bytes or packets`},
		{func(r *row) { r.Packets = -1 }, `read row 2: packets "-1": not a number of bytes or packets`},
		{func(r *row) { r.Start = "soon" }, `read row 2: start "soon": not a time in Unix seconds`},
		{func(r *row) { r.Src = "10.0.0.256" }, `read row 2: srcaddr "10.0.0.256": not an IP address`},
		{func(r *row) { r.Src = "" }, `read row 2: srcaddr "": not an IP address`},
		{func(r *row) { r.Src = "-" }, `read row 2: srcaddr "": missing in a data row`},
		{func(r *row) { r.Dst = nil }, `read row 2: dstaddr "": missing in a data row`},
	} {
		bad := good
		test.change(&bad)
		got, err := readWhole(NewReader(Config{}), bytes.NewReader(writeRows(t, []row{good, bad, good})))
		if err != nil || len(got) != 3 || got[1] != test.want || got[0] != got[2] {
			t.Errorf("got %q and %v, want %q between two equal records", got, err, test.want)
		}
	}
}

// writeRows writes structures as a Parquet file.
func writeRows[T any](t testing.TB, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// minimal has the columns without which nothing can be counted.
type minimal struct {
	Interface string `parquet:"interface_id"`
	Src       string `parquet:"srcaddr"`
	Dst       string `parquet:"dstaddr"`
	Bytes     int64  `parquet:"bytes"`
}

func minimalRows(n int) []minimal {
	rows := make([]minimal, n)
	for i := range rows {
		rows[i] = minimal{fmt.Sprintf("eni-%d", i%7), fmt.Sprintf("10.0.%d.%d", i/250%250, i%250), "198.51.100.7", int64(i)}
	}
	return rows
}

func TestParquetTooManyMalformed(t *testing.T) {
	for _, test := range []struct {
		good, bad int
		fails     bool
	}{
		{0, 10, false}, {0, 11, true}, {1089, 11, false}, {1088, 11, true},
	} {
		rows := minimalRows(test.good + test.bad)
		for i := range test.bad {
			rows[i].Bytes = -1
		}
		r := NewReader(Config{})
		got, err := readWhole(r, bytes.NewReader(writeRows(t, rows)))
		if errors.Is(err, ErrTooManyMalformed) != test.fails || len(got) != test.good+test.bad || r.Lines() != int64(len(rows)) {
			t.Errorf("%d good and %d bad rows: got %v after %d rows, want failure %t", test.good, test.bad, err, r.Lines(), test.fails)
		}
	}
}

func TestParquetFormats(t *testing.T) {
	type nested struct {
		minimal
		Tags struct {
			Name string `parquet:"name"`
		} `parquet:"tags"`
	}
	type repeated struct {
		minimal
		Tags []string `parquet:"tags"`
	}
	type floating struct {
		Interface string  `parquet:"interface_id"`
		Src       string  `parquet:"srcaddr"`
		Dst       string  `parquet:"dstaddr"`
		Bytes     float64 `parquet:"bytes"`
	}
	type noBytes struct {
		Interface string `parquet:"interface_id"`
		Src       string `parquet:"srcaddr"`
		Dst       string `parquet:"dstaddr"`
	}
	type transitGateway struct {
		Gateway string `parquet:"tgw_id"`
		Src     string `parquet:"srcaddr"`
		Dst     string `parquet:"dstaddr"`
		Bytes   int64  `parquet:"bytes"`
	}
	type twice struct {
		minimal
		Other int64 `parquet:"interface-id"`
	}
	for name, file := range map[string][]byte{
		"nested": writeRows(t, []nested{{}}), "repeated": writeRows(t, []repeated{{}}), "floating": writeRows(t, []floating{{}}),
		"no bytes": writeRows(t, []noBytes{{}}), "twice": writeRows(t, []twice{{}}),
	} {
		_, err := readWhole(NewReader(Config{}), bytes.NewReader(file))
		if !errors.Is(err, ErrUnsupportedFormat) || Reason(err) != "unsupported_format" {
			t.Errorf("%s: got %v, want %v", name, err, ErrUnsupportedFormat)
		}
	}
	if _, err := readWhole(NewReader(Config{}), bytes.NewReader(writeRows(t, []transitGateway{{}}))); !errors.Is(err, ErrTransitGateway) {
		t.Errorf("transit gateway: got %v", err)
	}
}

func TestParquetUnknownColumns(t *testing.T) {
	type row struct {
		minimal
		Future float64 `parquet:"future field"`
		Flag   bool    `parquet:"flag"`
	}
	file := writeRows(t, []row{{minimal: minimalRows(1)[0]}})
	r := NewReader(Config{})
	var record Record
	if err := errors.Join(r.Reset(bytes.NewReader(file)), r.Read(&record)); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%q", record.Format.Unknown()), `["future_field" "flag"]`; got != want {
		t.Errorf("got unknown columns %s, want %s", got, want)
	}
	if got, want := record.Format.String(), "interface-id srcaddr dstaddr bytes future_field flag"; got != want {
		t.Errorf("got format %q, want %q", got, want)
	}
}

func TestParquetIntegers(t *testing.T) {
	type row struct {
		Account   int64  `parquet:"account_id"`
		Interface int32  `parquet:"interface_id"`
		Src       string `parquet:"srcaddr"`
		Dst       string `parquet:"dstaddr"`
		Bytes     uint32 `parquet:"bytes"`
		Packets   uint64 `parquet:"packets"`
	}
	file := writeRows(t, []row{{12_345_678_901, 7, "10.0.0.1", "10.0.0.2", 4_000_000_000, 3}})
	r := NewReader(Config{})
	var record Record
	if err := errors.Join(r.Reset(bytes.NewReader(file)), r.Read(&record)); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%s %s %d %d", record.AccountID, record.InterfaceID, record.Bytes, record.Packets), "012345678901 7 4000000000 3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParquetBadFiles(t *testing.T) {
	file := writeRows(t, minimalRows(5000), parquet.Compression(&parquet.Gzip), parquet.PageBufferSize(4096))
	damaged := bytes.Clone(file)
	for i := range 64 {
		damaged[2000+i] ^= 0x5a
	}
	noFooter := append(bytes.Clone(file[:len(file)-8]), "\xff\xff\xff\x7fPAR1"...)
	long := minimalRows(1)
	long[0].Interface = strings.Repeat("x", MaxLineBytes+1)
	for name, test := range map[string]struct {
		file   []byte
		config Config
		want   error
	}{
		"cut short":         {file[:len(file)/2], Config{}, ErrTruncated},
		"magic only":        {[]byte("PAR1"), Config{}, ErrTruncated},
		"magic twice":       {[]byte("PAR1PAR1"), Config{}, ErrTruncated},
		"empty footer":      {[]byte("PAR1\x00\x00\x00\x00PAR1"), Config{}, ErrCorrupt},
		"no footer":         {noFooter, Config{}, ErrCorrupt},
		"encrypted":         {[]byte("PAR1\x00\x00\x00\x00PARE"), Config{}, ErrUnsupportedFormat},
		"damaged page":      {damaged, Config{}, ErrCorrupt},
		"inflates too far":  {file, Config{MaxFileBytes: 60_000}, ErrFileTooLarge},
		"is too large":      {file, Config{MaxFileBytes: 10_000}, ErrFileTooLarge},
		"value is too long": {writeRows(t, long), Config{}, ErrLineTooLong},
	} {
		for kind, source := range map[string]io.Reader{"memory": bytes.NewReader(test.file), "stream": onlyReader{bytes.NewReader(test.file)}} {
			_, err := readWhole(NewReader(test.config), source)
			if !errors.Is(err, test.want) || Reason(err) == "" {
				t.Errorf("%s from %s: got %v, want %v", name, kind, err, test.want)
			}
		}
	}
}

// TestParquetSpool checks what is left of temporary files and what is said where none can be written.
func TestParquetSpool(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	file := writeRows(t, minimalRows(100))
	r := NewReader(Config{})
	if err := r.Reset(onlyReader{bytes.NewReader(file)}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("got files %v while one is read, error %v", left, err)
	}
	if _, err := readWhole(r, onlyReader{bytes.NewReader(file)}); err != nil {
		t.Fatal(err)
	}
	if r.parquet.spool.file != nil {
		t.Error("spooled file is open after the end")
	}
	broken := errors.New("connection reset")
	if err := r.Reset(&failingReader{file[:len(file)/2], broken}); !errors.Is(err, broken) || Reason(err) != "" || r.parquet.spool.file != nil {
		t.Errorf("got %v with reason %q, want the source's error, no reason and a closed file", err, Reason(err))
	}
	t.Setenv("TMPDIR", folder+"/none")
	err := r.Reset(onlyReader{bytes.NewReader(file)})
	if err == nil || !strings.Contains(err.Error(), "TMPDIR") || Reason(err) != "" {
		t.Errorf("got %v with reason %q, want a word about TMPDIR and no reason", err, Reason(err))
	}
}

// TestParquetReaderGoesOn reads text after Parquet with one reader, and Parquet after a file that was given up.
func TestParquetReaderGoesOn(t *testing.T) {
	r := NewReader(Config{})
	file := writeRows(t, minimalRows(10))
	var record Record
	if err := errors.Join(r.Reset(onlyReader{bytes.NewReader(file)}), r.Read(&record)); err != nil {
		t.Fatal(err)
	}
	const text = "interface-id srcaddr dstaddr bytes\neni-1 10.0.0.1 10.0.0.2 5\n"
	if got, err := readWhole(r, bytes.NewReader(zip(text))); err != nil || len(got) != 1 {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := readWhole(r, bytes.NewReader(file)); err != nil || len(got) != 10 {
		t.Errorf("got %d records, %v", len(got), err)
	}
}

// FuzzParquet reads foreign bytes: no panic, no endless loop, and always a reason.
func FuzzParquet(f *testing.F) {
	f.Add([]byte("PAR1\x00\x00\x00\x00PAR1"))
	for i, codec := range parquetCodecs {
		f.Add(writeRows(f, minimalRows(20), parquet.Compression(codec), parquet.DataPageVersion(1+i%2)))
	}
	for seed := range uint64(6) {
		text := randomLog(rand.New(rand.NewPCG(seed, 1)), 30)
		f.Add(mustParquet(f, text, flowparquet.Options{Types: flowparquet.Types(seed % 3), Delta: seed%2 == 0, Plain: seed%3 == 0, RowsInGroup: 10, PageBytes: 100}))
	}
	r := NewReader(Config{MaxFileBytes: 1 << 20}) // So much is read within a moment.
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) < 4 || string(file[:4]) != "PAR1" {
			return
		}
		records, err := readWhole(r, bytes.NewReader(file))
		if err != nil && Reason(err) == "" {
			t.Errorf("no reason for %v", err)
		}
		if int64(len(records)) != r.Lines() {
			t.Errorf("got %d records of %d lines", len(records), r.Lines())
		}
	})
}
