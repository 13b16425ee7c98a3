package flowlog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
	"github.com/vpcflow/vpcflow_exporter/internal/flowparquet"
)

// zip returns the members as one gzip file.
func zip(members ...string) (file []byte) {
	for _, m := range members {
		file = append(file, flowgen.Gzip([]byte(m))...)
	}
	return file
}

// line is what a test checks of a record.
func summary(r *Record) string {
	return fmt.Sprintf("%s>%s %s>%s bytes=%d packets=%d status=%d rejected=%t", r.SrcAddr, r.DstAddr, r.PktSrcAddr, r.PktDstAddr,
		r.Bytes, r.Packets, r.Status, r.Rejected)
}

// readAll reads a file with the given reader, twice, because a reader is reused: both times must give the same.
func readAll(t *testing.T, r *Reader, file []byte) (records, lineErrors []string, err error) {
	t.Helper()
	for pass := range 2 {
		var got, bad []string
		var record Record
		err = r.Reset(bytes.NewReader(file))
		for err == nil {
			err = r.Read(&record)
			var lineError *LineError
			switch {
			case errors.As(err, &lineError):
				bad = append(bad, lineError.Error())
				err = nil
			case err == nil:
				got = append(got, summary(&record))
			}
		}
		if pass == 1 && (fmt.Sprint(got) != fmt.Sprint(records) || fmt.Sprint(bad) != fmt.Sprint(lineErrors)) {
			t.Errorf("second pass with the same reader: got %q %q, first pass %q %q", got, bad, records, lineErrors)
		}
		records, lineErrors = got, bad
	}
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && Reason(err) == "" {
		err = nil
	}
	return records, lineErrors, err
}

const v2 = DefaultFormat + "\n"

func TestReaderRecords(t *testing.T) {
	const one = "10.0.0.1>198.51.100.7 10.0.0.1>198.51.100.7 bytes=840 packets=10 status=0 rejected=false"
	for name, test := range map[string]struct {
		members []string
		want    []string
	}{
		"default format": {
			[]string{v2 + "2 123456789012 eni-1 10.0.0.1 198.51.100.7 1 443 6 10 840 1620140661 1620140721 ACCEPT OK\n"}, []string{one},
		},
		"any order, subset": {
			[]string{"bytes dstaddr interface-id packets srcaddr\n840 198.51.100.7 eni-1 10 10.0.0.1\n"}, []string{one},
		},
		"unknown columns": {
			[]string{"bytes future-field dstaddr interface-id packets srcaddr other\n840 x=y 198.51.100.7 eni-1 10 10.0.0.1 -\n"}, []string{one},
		},
		"underscores": {
			[]string{"bytes dstaddr interface_id packets srcaddr\n840 198.51.100.7 eni-1 10 10.0.0.1\n"}, []string{one},
		},
		"packet addresses": {
			[]string{"interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes\neni-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 7\n"},
			[]string{"10.0.1.5>10.0.0.220 10.0.1.5>203.0.113.5 bytes=7 packets=0 status=0 rejected=false"},
		},
		"no last newline": {
			[]string{"bytes dstaddr interface-id packets srcaddr\n840 198.51.100.7 eni-1 10 10.0.0.1"}, []string{one},
		},
		"carriage returns, double spaces, empty lines and a byte order mark": {
			[]string{"\xef\xbb\xbfbytes dstaddr  interface-id packets srcaddr\r\n\r\n840  198.51.100.7 eni-1 10 10.0.0.1 \r\n\n"}, []string{one},
		},
		"members": {
			[]string{"bytes dstaddr interface-id packets srcaddr\n840 198.51.100.7 eni-1 10 10.0.0.1\n840 198.51", ".100.7 eni-1 10 10.0.0.1\n"},
			[]string{one, one},
		},
		"members with headers of their own": {
			[]string{
				"bytes dstaddr interface-id packets srcaddr\n840 198.51.100.7 eni-1 10 10.0.0.1\n",
				"bytes dstaddr interface-id packets srcaddr\n840 198.51.100.7 eni-1 10 10.0.0.1\n",
				"srcaddr dstaddr interface-id packets bytes\n10.0.0.1 198.51.100.7 eni-1 10 840\n",
			},
			[]string{one, one, one},
		},
		"no header: the default format": {
			[]string{"2 123456789012 eni-1 10.0.0.1 198.51.100.7 1 443 6 10 840 1620140661 1620140721 ACCEPT OK\n"}, []string{one},
		},
		"statuses": {
			[]string{v2 +
				"2 123456789010 eni-1 - - - - - - - 1431280876 1431280934 - NODATA\n" +
				"2 123456789010 eni-1 - - - - - - - 1431280876 1431280934 - SKIPDATA\n" +
				"2 123456789010 eni-1 10.0.0.1 198.51.100.7 1 443 6 10 840 1431280876 1431280934 REJECT OK\n"},
			[]string{
				"->- ->- bytes=0 packets=0 status=1 rejected=false", "->- ->- bytes=0 packets=0 status=2 rejected=false",
				strings.Replace(one, "rejected=false", "rejected=true", 1),
			},
		},
		"no data without log-status": {
			[]string{"interface-id srcaddr dstaddr bytes\neni-1 - - -\neni-1 10.0.0.1 10.0.0.2 5\n"},
			[]string{"->- ->- bytes=0 packets=0 status=1 rejected=false", "10.0.0.1>10.0.0.2 10.0.0.1>10.0.0.2 bytes=5 packets=0 status=0 rejected=false"},
		},
		"bytes missing on a data row": {
			[]string{"interface-id srcaddr dstaddr bytes\neni-1 10.0.0.1 10.0.0.2 -\n"},
			[]string{"10.0.0.1>10.0.0.2 10.0.0.1>10.0.0.2 bytes=0 packets=0 status=0 rejected=false"},
		},
		"IPv6": {
			[]string{"interface-id srcaddr dstaddr bytes\neni-1 2001:db8::1 64:ff9b::c000:221 5\n"},
			[]string{"2001:db8::1>64:ff9b::c000:221 2001:db8::1>64:ff9b::c000:221 bytes=5 packets=0 status=0 rejected=false"},
		},
		"header only": {[]string{v2}, nil},
		"empty":       {[]string{""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, bad, err := readAll(t, NewReader(Config{}), zip(test.members...))
			if err != nil || len(bad) > 0 {
				t.Fatalf("got errors %v %q", err, bad)
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got records\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// TestReaderNames reads each name from its own column, by all paths.
func TestReaderNames(t *testing.T) {
	header := "interface-id srcaddr dstaddr bytes asg-tag-2 asg-tag interface-tag-2 interface-tag instance-tag-2 instance-tag ecs-service-name ecs-cluster-name"
	text := header + "\neni-1 10.0.0.1 10.0.0.2 1 g2 g t2 t i2 web%20frontend checkout main\neni-1 10.0.0.1 10.0.0.2 1 - - - - - - - -\n"
	want := [NumNames]string{
		NameECSCluster: "main", NameECSService: "checkout", NameInstanceTag: "web%20frontend", NameInstanceTag2: "i2", NameInterfaceTag: "t",
		NameInterfaceTag2: "t2", NameASGTag: "g", NameASGTag2: "g2",
	}
	files := map[string][]byte{"text": zip(text), "readable": zip(text), "parquet": mustParquet(t, []byte(text), flowparquet.Options{})}
	for name, file := range files {
		r := NewReader(Config{MaxFileBytes: 1 << 20})
		r.readable = name == "readable"
		if err := r.Reset(bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
		var record Record
		for i, want := range [][NumNames]string{want, {}} {
			if err := r.Read(&record); err != nil {
				t.Fatal(err)
			}
			for n, value := range want {
				if got := record.Names[n]; string(got) != value || (got == nil) != (value == "") {
					t.Errorf("%s, row %d: got %q for name %d, want %q", name, i, got, n, value)
				}
			}
		}
		if !record.Format.HasNames() {
			t.Errorf("%s: the format has no names", name)
		}
	}
	if f, err := ParseFormat(DefaultFormat); err != nil || f.HasNames() {
		t.Errorf("got names of %v, error %v", f, err)
	}
}

func TestReaderRecordFields(t *testing.T) {
	header := "account-id interface-id srcaddr dstaddr bytes start end region vpc-id subnet-id instance-id az-id flow-direction traffic-path " +
		"pkt-src-aws-service pkt-dst-aws-service resource-id interface-type next-hop-interface-type"
	rows := "123456789012 eni-1 10.0.0.1 10.0.0.2 1 1620140661000 1620140721 eu-west-3 vpc-1 subnet-1 i-1 euw3-az1 egress 8 S3 DYNAMODB nat-1 nat_gateway regional_nat_gateway\n" +
		"- - 10.0.0.1 10.0.0.2 - - - - - - - - - - - - - - -\n"
	r := NewReader(Config{})
	if err := r.Reset(bytes.NewReader(zip(header + "\n" + rows))); err != nil {
		t.Fatal(err)
	}
	var record Record
	if err := r.Read(&record); err != nil {
		t.Fatal(err)
	}
	if record.Start != 1620140661 || record.End != 1620140721 {
		t.Errorf("got times %d %d: milliseconds must become seconds", record.Start, record.End)
	}
	texts := func() string {
		return fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s|%s|%s|%s", record.AccountID, record.InterfaceID, record.Region, record.VPCID, record.SubnetID,
			record.InstanceID, record.AZID, record.PktSrcAWSService, record.PktDstAWSService, record.ResourceID)
	}
	if got, want := texts(), "123456789012|eni-1|eu-west-3|vpc-1|subnet-1|i-1|euw3-az1|S3|DYNAMODB|nat-1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if record.Direction != DirectionEgress || record.TrafficPath != 8 || record.InterfaceType != InterfaceNATGateway ||
		record.NextHopInterfaceType != InterfaceRegionalNATGateway {
		t.Errorf("got direction %d path %d types %d %d", record.Direction, record.TrafficPath, record.InterfaceType, record.NextHopInterfaceType)
	}
	if err := r.Read(&record); err != nil {
		t.Fatal(err)
	}
	if got := texts(); got != "|||||||||" {
		t.Errorf("got %s for a row of dashes", got)
	}
	if record.Direction != DirectionUnknown || record.TrafficPath != 0 || record.InterfaceType != InterfaceOther || record.Start != 0 {
		t.Errorf("got direction %d path %d type %d start %d for a row of dashes", record.Direction, record.TrafficPath, record.InterfaceType, record.Start)
	}
}

func TestReaderMalformedLines(t *testing.T) {
	header := "interface-id srcaddr dstaddr pkt-srcaddr bytes start\n"
	for _, test := range []struct{ line, want string }{
		{"eni-1 10.0.0.1 10.0.0.2 10.0.0.1 5", `read line 2: fewer fields than the header has`},
		{"eni-1 10.0.0.1 10.0.0.2 10.0.0.1 5 6 7", `read line 2: more fields than the header has`},
		{"eni-1 10.0.0.1 10.0.0.2 10.0.0.1 five 6", `read line 2: bytes "five": not a number of bytes or packets`},
		{"eni-1 10.0.0.1 10.0.0.2 10.0.0.1 -5 6", `read line 2: bytes "-5": not a number of bytes or packets`},
		{"eni-1 10.0.0.1 10.0.0.2 10.0.0.1 99999999999999999999 6", `read line 2: bytes "99999999999999999999": not a number of bytes or packets`},
		{"eni-1 10.0.0.1 10.0.0.2 10.0.0.1 5 soon", `read line 2: start "soon": not a time in Unix seconds`},
		{"eni-1 10.0.0.256 10.0.0.2 10.0.0.1 5 6", `read line 2: srcaddr "10.0.0.256": not an IP address`},
		{"eni-1 10.0.0 10.0.0.2 10.0.0.1 5 6", `read line 2: srcaddr "10.0.0": not an IP address`},
		{"eni-1 010.0.0.1 10.0.0.2 10.0.0.1 5 6", `read line 2: srcaddr "010.0.0.1": not an IP address`},
		{"eni-1 fe80::1%eth0 10.0.0.2 10.0.0.1 5 6", `read line 2: srcaddr "fe80::1%eth0": not an IP address`},
		{"eni-1 - 10.0.0.2 10.0.0.1 5 6", `read line 2: srcaddr "": missing in a data row`},
		{"eni-1 10.0.0.1 - 10.0.0.1 5 6", `read line 2: dstaddr "": missing in a data row`},
	} {
		good := "eni-1 10.0.0.1 10.0.0.2 10.0.0.1 5 6\n"
		records, bad, err := readAll(t, NewReader(Config{}), zip(header+test.line+"\n"+good))
		if err != nil || len(records) != 1 || len(bad) != 1 || bad[0] != test.want {
			t.Errorf("line %q: got %d records, errors %q, %v; want one record and %q", test.line, len(records), bad, err, test.want)
		}
	}
}

func TestReaderTooManyMalformed(t *testing.T) {
	file := func(good, bad int) []byte {
		return zip("interface-id srcaddr dstaddr bytes\n" + strings.Repeat("eni-1 10.0.0.1 10.0.0.2 5\n", good) + strings.Repeat("broken\n", bad))
	}
	for _, test := range []struct {
		good, bad int
		fails     bool
	}{
		{0, 10, false}, {0, 11, true}, {1089, 11, false}, {1088, 11, true}, {9900, 100, false}, {9899, 101, true},
	} {
		_, bad, err := readAll(t, NewReader(Config{}), file(test.good, test.bad))
		if errors.Is(err, ErrTooManyMalformed) != test.fails || len(bad) != test.bad {
			t.Errorf("%d good and %d bad lines: got error %v after %d bad lines, want failure %t", test.good, test.bad, err, len(bad), test.fails)
		}
	}
}

func TestReaderBadFiles(t *testing.T) {
	var rows strings.Builder
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		fmt.Fprintf(&rows, "2 123456789012 eni-1 10.0.0.1 198.51.100.7 1 443 6 10 %d 1620140661 1620140721 ACCEPT OK\n", random.Uint32())
	}
	text := v2 + rows.String()
	whole := zip(text)
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-6] ^= 1 // The checksum.
	garbled := bytes.Clone(whole)
	for i := range 64 {
		garbled[len(garbled)/2+i] ^= 0x5a
	}
	for name, test := range map[string]struct {
		file   []byte
		config Config
		want   error
	}{
		"cut short":              {whole[:len(whole)/2], Config{}, ErrTruncated},
		"cut in the checksum":    {whole[:len(whole)-3], Config{}, ErrTruncated},
		"cut in the gzip header": {whole[:5], Config{}, ErrTruncated},
		"checksum wrong":         {damaged, Config{}, ErrCorrupt},
		"garbled":                {garbled, Config{}, ErrCorrupt},
		"garbage behind":         {append(bytes.Clone(whole), "garbage that is no member"...), Config{}, ErrCorrupt},
		"a few bytes behind":     {append(bytes.Clone(whole), "xyz"...), Config{}, ErrTruncated},
		"plain text":             {[]byte(text), Config{}, ErrNotGzip},
		"one byte":               {[]byte{0x1f}, Config{}, ErrNotGzip},
		"inflates too far":       {whole, Config{MaxFileBytes: 1 << 20}, ErrFileTooLarge},
		"line too long":          {zip(v2 + strings.Repeat("x", MaxLineBytes+1) + "\n"), Config{}, ErrLineTooLong},
		"endless line":           {zip(v2 + strings.Repeat("x", 1<<20)), Config{}, ErrLineTooLong},
		"no bytes":               {zip("interface-id srcaddr dstaddr\n"), Config{}, ErrUnsupportedFormat},
		"no addresses":           {zip("interface-id bytes packets\n"), Config{}, ErrUnsupportedFormat},
		"no interface":           {zip("srcaddr dstaddr bytes\n"), Config{}, ErrUnsupportedFormat},
		"field twice":            {zip("interface-id srcaddr dstaddr bytes bytes\n"), Config{}, ErrUnsupportedFormat},
		"transit gateway": {
			zip("version resource-type account-id tgw-id tgw-attachment-id srcaddr dstaddr bytes\n"), Config{}, ErrTransitGateway,
		},
		"no header and no default format": {zip("eni-1 10.0.0.1 10.0.0.2 5\n"), Config{}, ErrUnsupportedFormat},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := readAll(t, NewReader(test.config), test.file)
			if !errors.Is(err, test.want) {
				t.Errorf("got error %v, want %v", err, test.want)
			}
			if Reason(err) == "" {
				t.Errorf("no reason for %v", err)
			}
		})
	}
}

type failingReader struct {
	data []byte
	err  error
}

func (f *failingReader) Read(p []byte) (int, error) {
	if len(f.data) == 0 {
		return 0, f.err
	}
	n := copy(p, f.data)
	f.data = f.data[n:]
	return n, nil
}

func TestReaderKeepsErrorOfSource(t *testing.T) {
	broken := errors.New("connection reset")
	whole := zip(v2 + strings.Repeat("2 123456789012 eni-1 10.0.0.1 198.51.100.7 1 443 6 10 840 1620140661 1620140721 ACCEPT OK\n", 2000))
	r := NewReader(Config{})
	err := r.Reset(&failingReader{whole[:len(whole)/2], broken})
	var record Record
	for err == nil {
		err = r.Read(&record)
	}
	if !errors.Is(err, broken) || Reason(err) != "" {
		t.Errorf("got %v with reason %q, want the source's error and no reason", err, Reason(err))
	}
	if err = r.Reset(&failingReader{nil, broken}); !errors.Is(err, broken) {
		t.Errorf("got %v at the first byte, want the source's error", err)
	}
}

func TestReaderConfiguredFormat(t *testing.T) {
	format, err := ParseFormat("${interface-id} ${srcaddr} ${dstaddr} ${bytes}")
	if err != nil {
		t.Fatal(err)
	}
	records, bad, err := readAll(t, NewReader(Config{Format: format}), zip("eni-1 10.0.0.1 10.0.0.2 5\n"))
	if err != nil || len(records) != 1 || len(bad) != 0 {
		t.Errorf("got %q %q %v", records, bad, err)
	}
}

// TestReaderColumnOrders reads the same records in random column orders: the records must not depend on the order.
func TestReaderColumnOrders(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		fields := random.Perm(int(numFields))
		var header, row []string
		for _, f := range fields {
			header = append(header, Field(f).String())
			row = append(row, fieldSample(Field(f)))
		}
		records, bad, err := readAll(t, NewReader(Config{}), zip(strings.Join(header, " ")+"\n"+strings.Join(row, " ")+"\n"))
		want := "10.0.1.5>10.0.0.220 10.0.1.5>203.0.113.5 bytes=99 packets=9 status=0 rejected=false"
		if err != nil || len(bad) > 0 || len(records) != 1 || records[0] != want {
			t.Fatalf("header %q: got %q %q %v, want %s", header, records, bad, err, want)
		}
	}
}

func fieldSample(f Field) string {
	switch f {
	case FieldSrcAddr, FieldPktSrcAddr:
		return "10.0.1.5"
	case FieldDstAddr:
		return "10.0.0.220"
	case FieldPktDstAddr:
		return "203.0.113.5"
	case FieldBytes:
		return "99"
	case FieldPackets:
		return "9"
	case FieldStart, FieldEnd:
		return "1620140661"
	case FieldTrafficPath:
		return "8"
	case FieldLogStatus:
		return "OK"
	case FieldAction:
		return "ACCEPT"
	default:
		return f.String() + "-value"
	}
}

func TestParseFormat(t *testing.T) {
	f, err := ParseFormat("version account-id interface-id srcaddr dstaddr bytes resource-id future-field")
	if err != nil {
		t.Fatal(err)
	}
	if f.Version() != 9 || f.Columns() != 8 || !f.Has(FieldResourceID) || f.Has(FieldPktSrcAddr) || fmt.Sprint(f.Unknown()) != "[future-field]" {
		t.Errorf("got version %d, %d columns, unknown %q", f.Version(), f.Columns(), f.Unknown())
	}
}

// TestFieldCounts holds the table of fields against AWS's counts of fields by version.
func TestFieldCounts(t *testing.T) {
	for version, want := range map[int]int{2: 14, 3: 21, 4: 25, 5: 29, 7: 39, 8: 40, 9: 41, 10: 42, 11: 54} {
		got := 0
		for f := range numFields {
			if fieldVersion(f) <= version {
				got++
			}
			if known, ok := ParseField(f.String()); !ok || known != f {
				t.Errorf("field %d does not parse back from %q", f, f)
			}
		}
		if got != want {
			t.Errorf("version %d has %d fields, want %d", version, got, want)
		}
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	rows := strings.Repeat("5 123456789012 eni-1 10.0.1.5 10.0.0.220 1 443 6 10 840 1620140661 1620140721 ACCEPT OK 10.0.1.5 203.0.113.5 S3 egress 8\n"+
		"5 123456789012 eni-1 2001:db8::1 2001:db8::2 1 443 6 10 840 1620140661 1620140721 ACCEPT OK 2001:db8::1 2001:db8::2 - egress 8\n", 4000)
	r := NewReader(Config{})
	header := DefaultFormat + " pkt-srcaddr pkt-dstaddr pkt-dst-aws-service flow-direction traffic-path\n"
	if err := r.Reset(bytes.NewReader(zip(header + rows))); err != nil {
		t.Fatal(err)
	}
	var record Record
	read := func() {
		if err := r.Read(&record); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if n := testing.AllocsPerRun(5000, read); n != 0 {
		t.Errorf("got %v allocations per record, want 0", n)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(v2 + "2 123456789012 eni-1 10.0.0.1 198.51.100.7 1 443 6 10 840 1620140661 1620140721 ACCEPT OK\n")
	f.Add(v2 + "2 123456789010 eni-1 - - - - - - - 1431280876 1431280934 - NODATA\r\n\n x")
	f.Add("interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes\neni-1 10.0.1.5 10.0.0.220 10.0.1.5 64:ff9b::1 7")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<20 {
			return
		}
		r := NewReader(Config{})
		err := r.Reset(bytes.NewReader(zip(text)))
		var record Record
		var records, bad int64
		for err == nil {
			err = r.Read(&record)
			var lineError *LineError
			switch {
			case errors.As(err, &lineError):
				bad++
				err = nil
			case err == nil:
				records++
				if record.Bytes > MaxRecordBytes || record.Format == nil {
					t.Fatalf("got record %+v", record)
				}
				if record.Status == StatusOK && (record.PktSrcAddr.IsZero() || record.PktDstAddr.IsZero()) {
					t.Fatalf("data row without addresses: %+v", record)
				}
			}
		}
		// Every data line is a record or malformed; there are no more of them than lines.
		if r.Lines() != records+bad || r.Lines() > int64(strings.Count(text, "\n")+1) {
			t.Fatalf("got %d records and %d malformed lines of %d", records, bad, r.Lines())
		}
	})
}

// FuzzReaderBytes feeds foreign bytes as the file itself: a clean end comes out exactly where the standard library reads to one, after as many bytes.
func FuzzReaderBytes(f *testing.F) {
	whole := zip(v2+"2 123456789012 eni-1 10.0.0.1 198.51.100.7 1 443 6 10 840 1620140661 1620140721 ACCEPT OK\n", "more")
	f.Add(whole)
	f.Add(whole[:len(whole)-5])
	f.Fuzz(func(t *testing.T, file []byte) {
		r := NewReader(Config{MaxFileBytes: 1 << 22})
		err := r.Reset(bytes.NewReader(file))
		var record Record
		for err == nil || errors.As(err, new(*LineError)) {
			err = r.Read(&record)
		}
		if len(file) == 0 {
			return
		}
		inflated, zipErr := inflatedLength(file)
		clean := errors.Is(err, io.EOF) && Reason(err) == ""
		if clean && zipErr != nil {
			t.Fatalf("clean end of a file that is not whole: %v", zipErr)
		}
		if clean && r.InflatedBytes() != inflated {
			t.Fatalf("got %d inflated bytes, want %d", r.InflatedBytes(), inflated)
		}
		if zipErr == nil && inflated <= 1<<22 && (errors.Is(err, ErrTruncated) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNotGzip)) {
			t.Fatalf("a whole file of %d bytes is refused: %v", inflated, err)
		}
	})
}

// inflatedLength returns what the standard library makes of a gzip file.
func inflatedLength(file []byte) (int64, error) {
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, z)
}

func BenchmarkReaderRead(b *testing.B) {
	for _, profile := range []struct{ name, header, row string }{
		{"18fields", DefaultFormat + " pkt-srcaddr pkt-dstaddr pkt-dst-aws-service flow-direction\n", "5 123456789012 eni-0123456789abcdef0 10.0.1.5 10.0.0.220 43418 443 6 10 84012 1620140661 1620140721 ACCEPT OK 10.0.1.5 203.0.113.5 S3 egress\n"},
		{"14fields", v2, "2 123456789012 eni-0123456789abcdef0 10.0.0.1 198.51.100.7 43418 443 6 10 84012 1620140661 1620140721 ACCEPT OK\n"},
	} {
		b.Run(profile.name, func(b *testing.B) {
			const rows = 10_000
			file := zip(profile.header + strings.Repeat(profile.row, rows))
			r := NewReader(Config{})
			var record Record
			b.ReportAllocs()
			b.SetBytes(int64(len(profile.row)) * rows)
			for b.Loop() {
				if err := r.Reset(bytes.NewReader(file)); err != nil {
					b.Fatal(err)
				}
				n := 0
				for r.Read(&record) == nil {
					n++
				}
				if n != rows {
					b.Fatalf("read %d records, want %d", n, rows)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrecords/s")
		})
	}
}
