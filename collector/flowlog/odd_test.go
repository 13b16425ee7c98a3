package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// oddRows are rows of each kind in AWS's default format.
var oddRows = []string{
	"2 123456789012 eni-0123456789abcdef0 10.0.0.1 198.51.100.7 43418 443 6 10 840 1620140661 1620140721 ACCEPT OK",
	"2 123456789012 eni-0123456789abcdef0 - - - - - - - 1620140661 1620140721 - NODATA",
	"2 unknown eni-0123456789abcdef0 198.51.100.7 10.0.0.1 443 43418 6 12 12000 1620140661 1620140721 REJECT OK",
}

// oddText returns a file of oddRows behind header lines, each line made odd.
func oddText(odd func(line string) string, header ...string) string {
	var b strings.Builder
	for _, line := range append(header, oddRows...) {
		b.WriteString(odd(line))
	}
	return b.String()
}

// TestOddFiles reads the same records from files that are not as AWS writes them today as from one that is.
func TestOddFiles(t *testing.T) {
	usual := func(line string) string { return line + "\n" }
	exported := func(line string) string { return "2021-05-04T15:04:21.000Z " + line + "\n" }
	milliseconds := func(line string) string {
		return strings.NewReplacer("1620140661", "1620140661000", "1620140721", "1620140721999").Replace(line) + "\n"
	}
	clean := zip(oddText(usual, DefaultFormat))
	want, columns := oddRecords(t, NewReader(Config{}), clean), len(strings.Fields(DefaultFormat))
	if len(want) != len(oddRows) {
		t.Fatalf("got records %q of a clean file", want)
	}
	short, err := ParseFormat("interface-id srcaddr dstaddr bytes")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		file    []byte
		columns int
	}{
		"no header":                   {zip(oddText(usual)), columns},
		"exported from CloudWatch":    {zip(oddText(exported)), columns + 1},
		"exported, carriage returns":  {zip(oddText(func(line string) string { return "2021-05-04T15:04:21.000Z " + line + "\r\n" })), columns + 1},
		"exported, whole seconds":     {zip(oddText(func(line string) string { return "2021-05-04T15:04:21Z  " + line + "\n" })), columns + 1},
		"exported, another time zone": {zip(oddText(func(line string) string { return "2021-05-04T17:04:21.5+02:00 " + line + "\n" })), columns + 1},
		"carriage returns":            {zip(oddText(func(line string) string { return line + "\r\n" }, DefaultFormat)), columns},
		"no last newline":             {zip(strings.TrimSuffix(oddText(usual, DefaultFormat), "\n")), columns},
		"no last newline, but \\r":    {zip(strings.TrimSuffix(oddText(usual, DefaultFormat), "\n") + "\r"), columns},
		"double spaces":               {zip(oddText(func(line string) string { return " " + strings.ReplaceAll(line, " ", "  ") + " \n" }, DefaultFormat)), columns},
		"empty lines":                 {zip("\n\r\n" + oddText(func(line string) string { return line + "\n\n" }, DefaultFormat)), columns},
		"a byte order mark":           {zip("\xef\xbb\xbf" + oddText(usual, DefaultFormat)), columns},
		"exported, byte order mark":   {zip("\xef\xbb\xbf" + oddText(exported)), columns + 1},
		"milliseconds":                {zip(oddText(milliseconds, DefaultFormat)), columns},
		"an empty member in front":    {append(zip(""), clean...), columns},
		"an empty member behind":      {append(bytes.Clone(clean), zip("")...), columns},
		"a header only in front":      {append(zip("interface-id srcaddr dstaddr bytes\n"), clean...), columns},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(Config{})
			if got := oddRecords(t, r, test.file); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got records\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if got := r.Format().Columns(); got != test.columns {
				t.Errorf("got %d columns, want %d", got, test.columns)
			}
		})
	}

	got := oddRecords(t, NewReader(Config{Format: short}), zip("2021-05-04T15:04:21.000Z eni-1 10.0.0.1 198.51.100.7 840\n"))
	if len(got) != 1 || !strings.HasPrefix(got[0], "10.0.0.1>198.51.100.7 ") {
		t.Errorf("got records %q of an exported file in flow_logs.format", got)
	}
}

// oddRecords reads a file that must be read to its end without a malformed line.
func oddRecords(t *testing.T, r *Reader, file []byte) []string {
	t.Helper()
	var got []string
	var record Record
	for err := r.Reset(bytes.NewReader(file)); ; got = append(got, fmt.Sprintf("%s account=%s start=%d end=%d", summary(&record), record.AccountID, record.Start, record.End)) {
		if err == nil {
			err = r.Read(&record)
		}
		if err != nil {
			if EndOfFile(err) != nil {
				t.Fatalf("got %v behind records %q", err, got)
			}
			return got
		}
	}
}

// TestOddFilesEmpty reads files without a single data line: they are no failures.
func TestOddFilesEmpty(t *testing.T) {
	r := NewReader(Config{})
	if _, _, err := readAll(t, r, zip(oddText(func(line string) string { return line + "\n" }, DefaultFormat))); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"no bytes":                   nil,
		"gzip of nothing":            zip(""),
		"two members of nothing":     zip("", ""),
		"newline":                    zip("\n"),
		"byte order mark":            zip("\xef\xbb\xbf"),
		"header only":                zip(DefaultFormat + "\n"),
		"header without its newline": zip(DefaultFormat),
	} {
		t.Run(name, func(t *testing.T) {
			records, bad, err := readAll(t, r, file)
			if err != nil || len(records)+len(bad) > 0 || r.Lines() != 0 || r.InflatedBytes() > int64(len(DefaultFormat)+1) {
				t.Errorf("got %q %q %v, %d lines, %d bytes inflated", records, bad, err, r.Lines(), r.InflatedBytes())
			}
			if hasHeader := strings.HasPrefix(name, "header"); (r.Format() != nil) != hasHeader {
				t.Errorf("got format %v", r.Format())
			}
		})
	}
}

// TestOddFilesRefused refuses what only looks like an export.
func TestOddFilesRefused(t *testing.T) {
	for name, line := range map[string]string{
		"a word that is no time": "yesterday " + oddRows[0],
		"a date":                 "2021-05-04 " + oddRows[0],
		"a column too many":      "2021-05-04T15:04:21.000Z " + oddRows[0] + " more",
		"the time at the end":    oddRows[0] + " 2021-05-04T15:04:21.000Z",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := readAll(t, NewReader(Config{}), zip(line+"\n"))
			if !errors.Is(err, ErrUnsupportedFormat) {
				t.Errorf("got %v, want %v", err, ErrUnsupportedFormat)
			}
		})
	}
}

// TestOddFilesMixed counts a line without the time in an exported file as malformed, and goes on.
func TestOddFilesMixed(t *testing.T) {
	records, bad, err := readAll(t, NewReader(Config{}), zip("2021-05-04T15:04:21.000Z "+oddRows[0]+"\n"+oddRows[0]+"\n2021-05-04T15:04:21.000Z "+oddRows[2]+"\n"))
	if err != nil || len(records) != 2 || len(bad) != 1 || !strings.HasPrefix(bad[0], "read line 2:") {
		t.Errorf("got %q %q %v, want two records and a malformed line", records, bad, err)
	}
}

// transitGatewayHeader is the default format of transit gateway flow logs.
const transitGatewayHeader = "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id " +
	"tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes " +
	"start end log-status type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region flow-direction " +
	"pkt-src-aws-service pkt-dst-aws-service"

// TestTransitGatewayFiles tells flow logs of transit gateways from those of VPCs by their headers.
func TestTransitGatewayFiles(t *testing.T) {
	vpc := DefaultFormat + "\n" + oddRows[0] + "\n"
	for name, test := range map[string]struct {
		members []string
		want    error
	}{
		"default format":               {[]string{transitGatewayHeader + "\n6 TransitGateway 123456789012 tgw-1\n"}, ErrTransitGateway},
		"header only":                  {[]string{transitGatewayHeader}, ErrTransitGateway},
		"custom format":                {[]string{"srcaddr dstaddr bytes tgw-attachment-id\n10.0.0.1 10.1.0.1 5 tgw-attach-1\n"}, ErrTransitGateway},
		"names of transit gateways":    {[]string{"tgw-id tgw-src-eni packets-lost-blackhole\n"}, ErrTransitGateway},
		"underscores":                  {[]string{"resource_type tgw_id srcaddr\n"}, ErrTransitGateway},
		"none of the telling names":    {[]string{"version srcaddr dstaddr bytes\n"}, ErrUnsupportedFormat},
		"behind lines of a VPC":        {[]string{vpc, transitGatewayHeader + "\n"}, ErrUnsupportedFormat},
		"a VPC's with a new field":     {[]string{DefaultFormat + " tgw-id\n" + oddRows[0] + " tgw-1\n"}, nil},
		"a VPC's with a tag of a word": {[]string{"interface-id srcaddr dstaddr bytes interface-tag\neni-1 10.0.0.1 10.1.0.1 5 tgw-id\n"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			records, _, err := readAll(t, NewReader(Config{}), zip(test.members...))
			if !errors.Is(err, test.want) || test.want == nil && (err != nil || len(records) != 1) {
				t.Errorf("got %q %v, want %v", records, err, test.want)
			}
		})
	}
	if _, err := ParseFormat(transitGatewayHeader); !errors.Is(err, ErrTransitGateway) || Reason(err) != "transit_gateway" || errors.Is(err, ErrUnsupportedFormat) {
		t.Errorf("got %v with reason %q", err, Reason(err))
	}
}
