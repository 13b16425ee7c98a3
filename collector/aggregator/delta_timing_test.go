package aggregator_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// benchmarkText is a VPC's flow log of 18 fields, some 147 bytes a record: 200 clients talk through one gateway with so many remotes, and each conversation
// is logged six times, in an order as AWS's: by interface and time.
func benchmarkText(rows, remotes int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(remotes)))
	var b bytes.Buffer
	b.WriteString(flowlog.DefaultFormat + " pkt-srcaddr pkt-dstaddr flow-direction traffic-path\n")
	for i := range rows {
		r := rng.IntN(remotes)
		remote := fmt.Sprintf("52.%d.%d.%d", r>>16, r>>8&255, r&255)
		client := 1 + rng.IntN(200)
		address := "10.0.1." + strconv.Itoa(client)
		const nat, gateway = "10.0.0.220", "eni-0123456789abcdef0"
		name, src, dst, pktSrc, pktDst, direction, path := gateway, address, nat, address, remote, "ingress", "-"
		switch i % 6 {
		case 1:
			src, dst, pktSrc, pktDst, direction, path = nat, remote, nat, remote, "egress", "8"
		case 2:
			src, dst, pktSrc, pktDst = remote, nat, remote, nat
		case 3:
			src, dst, pktSrc, pktDst, direction, path = nat, address, remote, address, "egress", "1"
		case 4:
			name, src, dst, pktSrc, pktDst, direction, path = fmt.Sprintf("eni-0%016x", client), address, remote, address, remote, "egress", "1"
		case 5:
			name, src, dst, pktSrc, pktDst = fmt.Sprintf("eni-0%016x", client), remote, address, remote, address
		}
		start := 1773480300 + i*5/rows*60
		fmt.Fprintf(&b, "5 123456789012 %s %s %s %d 443 6 %d %d %d %d ACCEPT OK %s %s %s %s\n", name, src, dst, 32768+rng.IntN(20000),
			1+rng.IntN(2000), 40+rng.IntN(3_000_000), start, start+59, pktSrc, pktDst, direction, path)
	}
	return b.Bytes()
}

func zipped(b *testing.B, text []byte, level int) []byte {
	b.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// readInto reads a file into a delta and returns the number of its records.
func readInto(b *testing.B, r *flowlog.Reader, d *aggregator.Delta, record *flowlog.Record, file []byte) int {
	b.Helper()
	if err := r.Reset(bytes.NewReader(file)); err != nil {
		b.Fatal(err)
	}
	for n := 0; ; n++ {
		if err := r.Read(record); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			b.Fatal(err)
		}
		d.Add(record)
	}
}

// BenchmarkFile reads files into a delta, as a worker does, and commits them, with few and with many remotes, inflated already (stored) and not.
func BenchmarkFile(b *testing.B) {
	const rows = 300_000
	for _, remotes := range []int{10_000, 1_000_000} {
		text := benchmarkText(rows, remotes)
		for _, form := range []struct {
			name  string
			level int
		}{{"stored", gzip.NoCompression}, {"gzip", gzip.DefaultCompression}} {
			file := zipped(b, text, form.level)
			for _, commits := range []bool{false, true} {
				b.Run(fmt.Sprintf("remotes=%d/%s/commit=%t", remotes, form.name, commits), func(b *testing.B) {
					networks := classifier.NewNetworks(nil)
					reader, d, a := flowlog.NewReader(flowlog.Config{}), aggregator.NewDelta(networks, 1_000_000), newAggregator(aggregator.DefaultConfig())
					var record flowlog.Record
					readInto(b, reader, d, &record, file)
					b.SetBytes(int64(len(text)))
					b.ReportAllocs()
					for b.Loop() {
						d.Reset(networks)
						if n := readInto(b, reader, d, &record, file); n != rows {
							b.Fatalf("got %d records", n)
						}
						if commits {
							files++
							commitFile(b, a, aggregator.File{Identity: strconv.Itoa(files), AccountID: "123456789012", Region: "eu-west-3", FlowLogID: "fl-1"}, d)
						}
					}
					b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
				})
			}
		}
	}
}

// BenchmarkInflate only inflates the file of BenchmarkFile: the floor under reading it.
func BenchmarkInflate(b *testing.B) {
	const rows = 300_000
	text := benchmarkText(rows, 10_000)
	file := zipped(b, text, gzip.DefaultCompression)
	var r gzip.Reader
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := r.Reset(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, &r); err != nil || n != int64(len(text)) {
			b.Fatalf("got %d bytes and %v", n, err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(len(text))/float64(len(file)), "inflated/compressed")
}
