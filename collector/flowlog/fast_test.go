package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// transcript renders everything that a reader says of a file.
func transcript(r *Reader, file []byte) string {
	var out strings.Builder
	err := r.Reset(bytes.NewReader(file))
	var record Record
	for err == nil {
		err = r.Read(&record)
		if bad, ok := errors.AsType[*LineError](err); ok {
			fmt.Fprintf(&out, "%d: %v\n", r.Line(), bad)
			err = nil
			continue
		}
		if err == nil {
			fmt.Fprintf(&out, "%d: %s %+v\n", r.Line(), record.Format, textOf(record))
		}
	}
	fmt.Fprintf(&out, "%d lines, %v", r.Lines(), err)
	return out.String()
}

// textOf is a record whose texts can be printed, and told from missing ones.
func textOf(r Record) string {
	r.Format = nil
	texts := fmt.Sprintf("%q", [][]byte{
		r.AccountID, r.Region, r.InterfaceID, r.ResourceID, r.VPCID, r.SubnetID, r.InstanceID, r.AZID, r.PktSrcAWSService, r.PktDstAWSService,
	})
	texts += fmt.Sprintf(" %q", r.Names)
	r.AccountID, r.Region, r.InterfaceID, r.ResourceID, r.VPCID, r.SubnetID, r.InstanceID, r.AZID = nil, nil, nil, nil, nil, nil, nil, nil
	r.PktSrcAWSService, r.PktDstAWSService, r.Names = nil, nil, [NumNames][]byte{}
	return fmt.Sprintf("%+v %s", r, texts)
}

// comparePaths reads a file by the fast path, with and without the processor's vectors, and by the readable one alone.
func comparePaths(t *testing.T, file []byte) {
	t.Helper()
	read := func(adjust func(*Reader)) string {
		r := NewReader(Config{MaxFileBytes: 1 << 20})
		adjust(r)
		return transcript(r, file)
	}
	want := read(func(r *Reader) { r.readable = true })
	if got := read(func(*Reader) {}); got != want {
		t.Fatalf("fast path:\n%s\nreadable path:\n%s", got, want)
	}
	if got := read(func(r *Reader) { r.window.simd = false }); got != want {
		t.Fatalf("fast path without vectors:\n%s\nreadable path:\n%s", got, want)
	}
}

// TestFastPathReadsTheSame reads lines of random formats with values of all kinds, usual and odd ones.
func TestFastPathReadsTheSame(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	pick := func(values ...string) string { return values[rng.IntN(len(values))] }
	addr := func() string {
		switch rng.IntN(12) {
		case 0:
			return pick("-", "::1", "2001:db8::5", "10.0.0.256", "10.0.0", "01.2.3.4", "x", "64:ff9b::1.2.3.4")
		default:
			return fmt.Sprintf("%d.%d.%d.%d", rng.IntN(256), rng.IntN(256), rng.IntN(30), rng.IntN(10))
		}
	}
	number := func() string {
		if rng.IntN(12) == 0 {
			return pick("-", "", "1a", "-1", "99999999999999999999", "17592186044417", "1e3", "007", "1234567890123456", "123456789012345")
		}
		return strconv.FormatUint(rng.Uint64()>>(20+rng.IntN(44)), 10)
	}
	value := func(f Field, previous string) string {
		if rng.IntN(200) == 0 {
			return pick("é", "\x01", "a\tb", "\x80", strings.Repeat("z", 300))
		}
		switch f {
		case FieldSrcAddr, FieldDstAddr:
			return addr()
		case FieldPktSrcAddr, FieldPktDstAddr:
			return pick(previous, previous, addr(), "-")
		case FieldBytes, FieldPackets, FieldSrcPort, FieldDstPort:
			return number()
		case FieldStart, FieldEnd:
			return pick("1773480300", "1773480300", "1773480359", "1773480300123", number(), "-")
		case FieldTrafficPath:
			return pick("-", "1", "8", "9", "15", "16", "255", "256", "x")
		case FieldLogStatus:
			return pick("OK", "OK", "OK", "OK", "OK", "NODATA", "SKIPDATA", "-", "OKAY", "ok")
		case FieldAction:
			return pick("ACCEPT", "ACCEPT", "REJECT", "-", "REJECTED")
		case FieldFlowDirection:
			return pick("ingress", "egress", "-", "ingres", "egress1")
		case FieldInterfaceType, FieldNextHopInterfaceType:
			return pick("nat_gateway", "regional_nat_gateway", "transit_gateway", "-", "new_one")
		default:
			return pick("-", "eni-0123456789abcdef0", "S3", "x", "web%20frontend", "%zz%", "a-long-text-of-more-than-sixteen-bytes")
		}
	}
	for range 2000 {
		columns := []Field{FieldInterfaceID, FieldSrcAddr, FieldDstAddr, FieldBytes}
		for f := range numFields {
			if f != FieldInterfaceID && f != FieldSrcAddr && f != FieldDstAddr && f != FieldBytes && rng.IntN(3) == 0 {
				columns = append(columns, f)
			}
		}
		rng.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
		var text strings.Builder
		for i, f := range columns {
			text.WriteString(strings.Repeat(" ", min(i, 1)) + f.String())
		}
		text.WriteString("\n")
		for range 1 + rng.IntN(20) {
			values := make([]string, len(columns))
			src, dst := addr(), addr()
			for i, f := range columns {
				switch f {
				case FieldSrcAddr:
					values[i] = src
				case FieldDstAddr:
					values[i] = dst
				case FieldPktSrcAddr:
					values[i] = value(f, src)
				default:
					values[i] = value(f, dst)
				}
			}
			if rng.IntN(30) == 0 {
				values = values[:rng.IntN(len(values))]
			}
			separator := " "
			if rng.IntN(20) == 0 {
				separator = "  "
			}
			text.WriteString(strings.Join(values, separator) + pick("\n", "\n", "\n", "\n", "\n", "\r\n", " \n", "\n\n"))
		}
		comparePaths(t, zip(text.String()))
	}
}

// TestFastPathAcrossBlocks reads a file of many blocks, so that lines lie across their ends.
func TestFastPathAcrossBlocks(t *testing.T) {
	text := benchmarkLog(benchmarkFormats["18fields"], 8000)
	comparePaths(t, zip(string(text)))
	comparePaths(t, zip(string(text[:len(text)-1])))
	comparePaths(t, zip(string(text[:len(text)/2]), string(text[len(text)/2:])))
}

// FuzzFastPath looks for lines that the two paths read differently.
func FuzzFastPath(f *testing.F) {
	f.Add(DefaultFormat, "2 123456789012 eni-1 10.0.0.1 198.51.100.7 1 443 6 10 840 1620140661 1620140721 ACCEPT OK\n")
	f.Add("srcaddr dstaddr bytes interface-id pkt-srcaddr pkt-dstaddr flow-direction", "10.0.0.1 10.0.0.2 5 eni-1 10.0.0.1 8.8.8.8 egress\n10.0.0.1  10.0.0.2 5 eni-1 - - -\r\n")
	f.Fuzz(func(t *testing.T, header, lines string) {
		if len(header) > 1000 || len(lines) > 10_000 {
			return
		}
		comparePaths(t, zip(header+"\n"+lines))
	})
}
