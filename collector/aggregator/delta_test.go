package aggregator_test

import (
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// TestAddDoesNotAllocate reads and adds records whose keys the file has had before.
func TestAddDoesNotAllocate(t *testing.T) {
	const header = "account-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes packets start end action log-status flow-direction traffic-path pkt-src-aws-service pkt-dst-aws-service\n"
	rows := []string{
		"123456789012 eni-gateway 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 840 10 1620140661 1620140721 ACCEPT OK ingress - - S3",
		"123456789012 eni-gateway 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 840 10 1620140661 1620140721 ACCEPT OK egress 8 - S3",
		"123456789012 eni-gateway 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 840 10 1620140661 1620140721 ACCEPT OK ingress - S3 -",
		"123456789012 eni-client 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 840 10 1620140661 1620140721 ACCEPT OK egress 1 - S3",
		"123456789012 eni-client 2001:db8::5 2001:db8:ffff::1 2001:db8::5 2001:db8:ffff::1 840 10 1620140661 1620140721 ACCEPT OK egress 8 - -",
		"123456789012 eni-client 198.51.100.7 10.0.1.5 198.51.100.7 10.0.1.5 840 10 1620140661 1620140721 REJECT OK ingress - - -",
		"123456789012 eni-idle - - - - - - 1620140661 1620140721 - NODATA - - - -",
	}
	reader := flowlog.NewReader(flowlog.Config{})
	if err := reader.ResetText(strings.NewReader(header + strings.Repeat(strings.Join(rows, "\n")+"\n", 1000))); err != nil {
		t.Fatal(err)
	}
	d := aggregator.NewDelta(classifier.NewNetworks(nil), 1000)
	var record flowlog.Record
	add := func() {
		if err := reader.Read(&record); err != nil {
			t.Fatal(err)
		}
		d.Add(&record)
	}
	for range 100 * len(rows) {
		add()
	}
	if n := testing.AllocsPerRun(500*len(rows), add); n != 0 {
		t.Errorf("got %v allocations per record, want 0", n)
	}
}
