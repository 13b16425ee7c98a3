package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

const (
	benchmarkRecords = 100_000
	benchmarkHeader  = "account-id region interface-id instance-id vpc-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes packets start end flow-direction " +
		"traffic-path pkt-src-aws-service pkt-dst-aws-service"
)

// benchmarkFile is five minutes of a VPC: 400 clients behind two NAT gateways, and 10,000 remotes of which 1 in 8 is S3.
func benchmarkFile(random *rand.Rand, window int64) []byte {
	var text bytes.Buffer
	text.WriteString(benchmarkHeader + "\n")
	for range benchmarkRecords / 5 {
		client, remote := random.IntN(400), random.IntN(10_000)
		nat, service := client%2, "-"
		if remote%8 == 0 {
			service = "S3"
		}
		c, n := fmt.Sprintf("10.0.%d.%d", 1+client/200, client%200+10), fmt.Sprintf("10.0.0.%d", 220+nat)
		p := fmt.Sprintf("52.%d.%d.%d", remote>>16+10, remote>>8&255, remote&255)
		end := window + random.Int64N(300)
		row := func(eni, instance, src, dst, pktSrc, pktDst, direction, path, from, to string) {
			fmt.Fprintf(&text, "123456789012 eu-west-3 %s %s vpc-0a %s %s %s %s %d %d %d %d %s %s %s %s\n", eni, instance, src, dst, pktSrc, pktDst,
				random.IntN(1_000_000), random.IntN(1000)+1, end-60, end, direction, path, from, to)
		}
		gateway := "eni-0a0000000000000" + strconv.Itoa(nat)
		row(gateway, "-", c, n, c, p, "ingress", "-", "-", service)
		row(gateway, "-", n, p, n, p, "egress", "8", "-", service)
		row(gateway, "-", p, n, p, n, "ingress", "-", service, "-")
		row(gateway, "-", n, c, p, c, "egress", "1", service, "-")
		row(fmt.Sprintf("eni-0b%015d", client), fmt.Sprintf("i-%017d", client), c, p, c, p, "egress", "1", "-", service)
	}
	return flowgen.Gzip(text.Bytes())
}

// seriesFile has a thousand series of one account.
func seriesFile(account int) []byte {
	var text strings.Builder
	text.WriteString(benchmarkHeader + "\n")
	for service := range 1000 {
		fmt.Fprintf(&text, "%012d eu-west-3 eni-0c%015d i-0c vpc-0b 10.0.0.9 203.0.113.5 10.0.0.9 203.0.113.5 1000 10 1772359900 1772360000 egress 8 - SERVICE_%d\n",
			account, account, service)
	}
	return flowgen.Gzip([]byte(text.String()))
}

type freePrice struct{}

func (freePrice) NATPrice(string, string, string) (aggregator.Price, bool) {
	return aggregator.Price{USDPerGB: 0.05, BytesPerGB: 1 << 30}, true
}

// slowDisk is a state on a disk that takes so much longer for each of the two syncs of a commit.
type slowDisk struct {
	*State
	sync time.Duration
}

func (d slowDisk) Write(batch aggregator.Batch) error {
	time.Sleep(2 * d.sync)
	return d.State.Write(batch)
}

// benchmarkReader reads files as a worker does.
type benchmarkReader struct {
	reader *flowlog.Reader
	delta  *aggregator.Delta
	record flowlog.Record
}

func newBenchmarkReader() *benchmarkReader {
	return &benchmarkReader{reader: flowlog.NewReader(flowlog.Config{}), delta: aggregator.NewDelta(classifier.NewNetworks(nil), 1_000_000)}
}

func (r *benchmarkReader) read(file []byte) error {
	r.delta.Reset(classifier.NewNetworks(nil))
	if err := r.reader.Reset(bytes.NewReader(file)); err != nil {
		return err
	}
	for {
		err := r.reader.Read(&r.record)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.delta.Add(&r.record)
	}
}

// bytesWritten is what the process has given to the system's write and its like.
func bytesWritten(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "wchar: ")
	line, _, _ := strings.Cut(after, "\n")
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// processorTime is what the process has used of it, which other processes do not change much.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkCommit reads and commits files of 100,000 records by 8 workers into an aggregator of 100,000 series: in memory, with a state, and with a state whose
// disk takes 10 ms for a sync.
func BenchmarkCommit(b *testing.B) {
	now := time.Unix(1_772_370_000, 0)
	random := rand.New(rand.NewPCG(1, 1))
	var files [][]byte
	for i := range int64(16) {
		files = append(files, benchmarkFile(random, 1_772_360_000+300*(i/4)))
	}
	config := aggregator.DefaultConfig()
	config.Series = 1_000_000
	config.Duplicates = 10_000_000
	for _, test := range []struct {
		name  string
		state bool
		sync  time.Duration
	}{{"memory", false, 0}, {"state", true, 0}, {"slow", true, 10 * time.Millisecond}} {
		b.Run(test.name, func(b *testing.B) {
			a := aggregator.New(config, freePrice{}, func() time.Time { return now })
			if test.state {
				s := open(b, b.TempDir())
				defer closeState(b, s)
				var err error
				if a, err = aggregator.Open(config, freePrice{}, func() time.Time { return now }, slowDisk{s, test.sync}); err != nil {
					b.Fatal(err)
				}
			}
			commit := func(r *benchmarkReader, name string, file []byte) {
				if err := r.read(file); err != nil {
					b.Error(err)
				}
				origin := aggregator.File{Identity: name, AccountID: "123456789012", Region: "eu-west-3", FlowLogID: "fl-1", Time: now.Add(-time.Hour)}
				if ok, err := a.Commit(origin, r.delta); err != nil || !ok {
					b.Errorf("got %t, %v", ok, err)
				}
			}
			r := newBenchmarkReader()
			for account := range 100 {
				commit(r, "series "+strconv.Itoa(account), seriesFile(account))
			}
			for i, file := range files {
				commit(r, "first "+strconv.Itoa(i), file)
			}
			var next atomic.Int64
			before, used := bytesWritten(b), processorTime(b)
			b.ResetTimer()
			var workers sync.WaitGroup
			for range 8 {
				workers.Go(func() {
					r := newBenchmarkReader()
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						commit(r, strconv.FormatInt(i, 10), files[i%int64(len(files))])
					}
				})
			}
			workers.Wait()
			b.StopTimer()
			b.ReportMetric(benchmarkRecords*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(bytesWritten(b)-before)/float64(b.N)/1024, "KiB/file")
			b.ReportMetric((processorTime(b)-used).Seconds()*1000/float64(b.N), "cpu-ms/file")
		})
	}
}
