package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// benchmarkHeaders are formats of 18 and of 40 fields.
var benchmarkHeaders = map[string]string{
	"18fields": DefaultFormat + " pkt-srcaddr pkt-dstaddr flow-direction traffic-path",
	"40fields": DefaultFormat + " vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id " +
		"pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn " +
		"ecs-container-instance-id ecs-container-id ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id reject-reason",
}

// benchmarkLog returns the legs of conversations of 200 clients with 10,000 remotes through one gateway.
func benchmarkLog(header string, rows int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString(header + "\n")
	fields := strings.Fields(header)
	for i := range rows {
		remote, client := fmt.Sprintf("52.%d.%d.9", rng.IntN(40), rng.IntN(250)), fmt.Sprintf("10.0.1.%d", rng.IntN(200))
		const nat = "10.0.0.220"
		src, dst, pktSrc, pktDst, direction, path, service := client, nat, client, remote, "ingress", "-", "S3"
		switch i % 4 {
		case 1:
			src, dst, pktSrc, pktDst, direction, path = nat, remote, nat, remote, "egress", "8"
		case 2:
			src, dst, pktSrc, pktDst = remote, nat, remote, nat
		case 3:
			src, dst, pktSrc, pktDst, direction, path = nat, client, remote, client, "egress", "1"
		}
		values := map[string]string{
			"version": "5", "account-id": "123456789012", "interface-id": "eni-0123456789abcdef0", "srcaddr": src, "dstaddr": dst,
			"srcport": strconv.Itoa(32768 + rng.IntN(20000)), "dstport": "443", "protocol": "6", "packets": strconv.Itoa(1 + rng.IntN(2000)),
			"bytes": strconv.Itoa(40 + rng.IntN(3_000_000)), "start": strconv.Itoa(1773480300 + i%5*60), "end": strconv.Itoa(1773480359 + i%5*60),
			"action": "ACCEPT", "log-status": "OK", "pkt-srcaddr": pktSrc, "pkt-dstaddr": pktDst, "flow-direction": direction, "traffic-path": path,
			"vpc-id": "vpc-0123456789abcdef0", "subnet-id": "subnet-0123456789abcdef0", "region": "eu-west-3", "az-id": "euw3-az1", "type": "IPv4",
			"tcp-flags": "19", "pkt-dst-aws-service": service, "pkt-src-aws-service": "-",
		}
		for k, field := range fields {
			if k > 0 {
				b.WriteByte(' ')
			}
			value, known := values[field]
			if !known {
				value = "-"
			}
			b.WriteString(value)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func BenchmarkRead(b *testing.B) {
	const rows = 100_000
	for name, header := range benchmarkHeaders {
		text := benchmarkLog(header, rows)
		for form, file := range map[string][]byte{"text": text, "gzip": zip(b, string(text))} {
			b.Run(name+"/"+form, func(b *testing.B) {
				r := NewReader(Config{})
				var record Record
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if err := r.ResetText(bytes.NewReader(file)); err != nil {
						b.Fatal(err)
					}
					n := 0
					err := r.Read(&record)
					for ; err == nil; err = r.Read(&record) {
						n++
					}
					if !errors.Is(err, io.EOF) || n != rows {
						b.Fatalf("got %d rows and %v", n, err)
					}
				}
				b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}
