package flowgen_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// documented is the network of AWS's own example: client 10.0.1.5, NAT gateway 10.0.0.220, remote 203.0.113.5.
type documented struct {
	log      *flowgen.FlowLog
	gateway  *flowgen.Gateway
	regional *flowgen.Gateway
	client   *flowgen.Instance
	other    *flowgen.Instance
	remote   flowgen.Remote
	span     flowgen.Span
	recorder *flowgen.Recorder
}

func newDocumented(fields ...string) *documented {
	log := &flowgen.FlowLog{ID: "fl-1234abcd", Account: "123456789012", Region: "us-east-1", Format: flowgen.NewFormat(fields...)}
	vpc := &flowgen.VPC{ID: "vpc-1", CIDR: netip.MustParsePrefix("10.0.0.0/16"), FlowLog: log}
	public := &flowgen.Subnet{ID: "subnet-public", AZID: "use1-az1", VPC: vpc}
	private := &flowgen.Subnet{ID: "subnet-private", AZID: "use1-az2", VPC: vpc}
	d := &documented{
		log:      log,
		gateway:  &flowgen.Gateway{ID: "nat-1", VPC: vpc, Subnet: public, ENI: "eni-nat", Private: netip.MustParseAddr("10.0.0.220")},
		regional: &flowgen.Gateway{ID: "nat-1234567890abcdef", VPC: vpc, Public: []netip.Addr{netip.MustParseAddr("107.22.182.139")}},
		client:   &flowgen.Instance{ENI: "eni-client", ID: "i-client", Subnet: private, Addr: netip.MustParseAddr("10.0.1.5")},
		other:    &flowgen.Instance{ENI: "eni-other", ID: "i-other", Subnet: private, Addr: netip.MustParseAddr("10.0.1.6")},
		remote:   flowgen.Remote{Addr: netip.MustParseAddr("203.0.113.5"), Service: "S3"},
		recorder: flowgen.NewRecorder(1),
	}
	d.client.Gateways = []*flowgen.Gateway{d.gateway}
	begin := time.Date(2018, 6, 20, 16, 20, 0, 0, time.UTC)
	d.span = flowgen.Span{From: begin, To: begin.Add(time.Minute)}
	return d
}

func (d *documented) conversation() flowgen.Conversation {
	return flowgen.Conversation{
		Client: d.client, Remote: d.remote, Span: d.span,
		Up: flowgen.Volume{Bytes: 1000, Packets: 10}, Down: flowgen.Volume{Bytes: 50000, Packets: 40},
	}
}

func lines(rows []flowgen.Logged) []string {
	var out []string
	for i := range rows {
		out = append(out, string(rows[i].AppendLine(nil)))
	}
	slices.Sort(out)
	return out
}

func checkLines(t *testing.T, rows []flowgen.Logged, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := lines(rows); !slices.Equal(got, want) {
		t.Errorf("got rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func checkLedger(t *testing.T, got, want flowgen.Ledger) {
	t.Helper()
	if diff := want.Diff(got); diff != "" {
		t.Errorf("ledger differs (- want, + got):\n%s", diff)
	}
}

var legFields = strings.Fields("interface-id resource-id instance-id flow-direction srcaddr dstaddr pkt-srcaddr pkt-dstaddr " +
	"pkt-src-aws-service pkt-dst-aws-service traffic-path packets bytes")

func TestZonalGatewayLogsTheDocumentedSixRows(t *testing.T) {
	d := newDocumented(legFields...)
	d.recorder.NAT(d.gateway, d.conversation())
	checkLines(t, d.recorder.Take(),
		"eni-nat - - ingress 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 - S3 - 10 1000",
		"eni-nat - - egress 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 - S3 8 10 1000",
		"eni-nat - - ingress 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 S3 - - 40 50000",
		"eni-nat - - egress 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 S3 - 1 40 50000",
		"eni-client - i-client egress 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 - S3 1 10 1000",
		"eni-client - i-client ingress 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 S3 - - 40 50000",
	)
	checkLedger(t, d.recorder.Ledger(), natLedger("eni-nat", "S3", true))
}

func TestRegionalGatewayLogsTheDocumentedRows(t *testing.T) {
	d := newDocumented(legFields...)
	d.client.Gateways = []*flowgen.Gateway{d.regional}
	d.recorder.NAT(d.regional, d.conversation())
	checkLines(t, d.recorder.Take(),
		"- nat-1234567890abcdef - ingress 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 - S3 - 10 1000",
		"- nat-1234567890abcdef - egress 107.22.182.139 203.0.113.5 107.22.182.139 203.0.113.5 EC2 S3 8 10 1000",
		"- nat-1234567890abcdef - ingress 203.0.113.5 107.22.182.139 203.0.113.5 107.22.182.139 S3 EC2 - 40 50000",
		"- nat-1234567890abcdef - egress 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 S3 - 1 40 50000",
		"eni-client - i-client egress 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 - S3 1 10 1000",
		"eni-client - i-client ingress 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 S3 - - 40 50000",
	)
	checkLedger(t, d.recorder.Ledger(), natLedger("nat-1234567890abcdef", "S3", true))
}

// natLedger is the documented conversation as worked out by hand.
func natLedger(gateway, service string, packets bool) flowgen.Ledger {
	l := flowgen.Ledger{
		NATBytes: map[flowgen.NATKey]uint64{
			{AccountID: "123456789012", Region: "us-east-1", NATGateway: gateway, Direction: "egress", Service: service}:  1000,
			{AccountID: "123456789012", Region: "us-east-1", NATGateway: gateway, Direction: "ingress", Service: service}: 50000,
		},
		Bytes: map[flowgen.BytesKey]uint64{
			{AccountID: "123456789012", Region: "us-east-1", Direction: "egress", Path: "nat", Service: service}:  1000,
			{AccountID: "123456789012", Region: "us-east-1", Direction: "ingress", Path: "nat", Service: service}: 50000,
		},
		Records:       map[flowgen.Disposition]uint64{"counted": 2, "nat_public_leg": 2, "client_view": 2},
		ObservedBytes: map[flowgen.Disposition]uint64{"counted": 51000, "nat_public_leg": 51000, "client_view": 51000},
	}
	if packets {
		l.Packets = map[flowgen.PacketsKey]uint64{
			{AccountID: "123456789012", Region: "us-east-1", Direction: "egress", Path: "nat"}:  10,
			{AccountID: "123456789012", Region: "us-east-1", Direction: "ingress", Path: "nat"}: 40,
		}
	}
	return l
}

func TestLedgerKnowsWhatTheFormatShows(t *testing.T) {
	for name, tc := range map[string]struct {
		without []string
		service string
		packets bool
	}{
		"all":         {nil, "S3", true},
		"no service":  {[]string{"pkt-src-aws-service", "pkt-dst-aws-service"}, "unknown", true},
		"no packets":  {[]string{"packets"}, "S3", false},
		"no pkt-addr": {[]string{"pkt-srcaddr", "pkt-dstaddr"}, "unknown", true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDocumented(without(legFields, tc.without...)...)
			d.recorder.NAT(d.gateway, d.conversation())
			checkLedger(t, d.recorder.Ledger(), natLedger("eni-nat", tc.service, tc.packets))
		})
	}
}

func without(names []string, dropped ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(dropped, name) })
}

func TestSecondaryAddressShowsInThePacketAlone(t *testing.T) {
	d := newDocumented("srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr")
	d.gateway.Secondary = []netip.Addr{netip.MustParseAddr("10.0.0.221")}
	// One conversation in two leaves from the secondary address.
	for range 20 {
		d.recorder.NAT(d.gateway, d.conversation())
	}
	got := lines(d.recorder.Take())
	for _, want := range []string{
		"10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5", "10.0.0.220 203.0.113.5 10.0.0.221 203.0.113.5",
		"203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.221", "10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no row %q", want)
		}
	}
	if got := d.recorder.Ledger().TotalNATBytes(); got != 20*51000 {
		t.Errorf("NAT bytes are %d, want %d", got, 20*51000)
	}
}

// outcome is a ledger's records by disposition, and its bytes by direction, path and service.
type outcome struct {
	records map[flowgen.Disposition]uint64
	bytes   map[flowgen.BytesKey]uint64
}

func TestOtherTraffic(t *testing.T) {
	key := func(d flowgen.Direction, p flowgen.Path, service string) flowgen.BytesKey {
		return flowgen.BytesKey{AccountID: "123456789012", Region: "us-east-1", Direction: d, Path: p, Service: service}
	}
	all := flowgen.FieldNames(11)
	up, down := flowgen.Volume{Bytes: 7, Packets: 1}, flowgen.Volume{Bytes: 11, Packets: 1}
	public := func(d *documented, path int) {
		c := d.conversation()
		c.Client, c.Up, c.Down = d.other, up, down
		d.recorder.Direct(c, path)
	}
	for name, tc := range map[string]struct {
		fields []string
		make   func(d *documented)
		want   outcome
	}{
		"through an internet gateway": {all, func(d *documented) { public(d, 8) }, outcome{
			map[flowgen.Disposition]uint64{"counted": 2},
			map[flowgen.BytesKey]uint64{key("egress", "internet_gateway", "S3"): 7, key("ingress", "unknown", "S3"): 11},
		}},
		"through an unknown gateway": {without(all, "traffic-path"), func(d *documented) { public(d, 8) }, outcome{
			map[flowgen.Disposition]uint64{"counted": 2},
			map[flowgen.BytesKey]uint64{key("egress", "unknown", "S3"): 7, key("ingress", "unknown", "S3"): 11},
		}},
		"not Nitro": {all, func(d *documented) { public(d, 2) }, outcome{
			map[flowgen.Disposition]uint64{"counted": 2},
			map[flowgen.BytesKey]uint64{key("egress", "igw_or_gateway_endpoint", "S3"): 7, key("ingress", "unknown", "S3"): 11},
		}},
		"gateway endpoint of a client behind NAT": {all, func(d *documented) {
			d.other.Gateways = []*flowgen.Gateway{d.gateway}
			public(d, 7)
		}, outcome{
			map[flowgen.Disposition]uint64{"counted": 1, "client_view": 1},
			map[flowgen.BytesKey]uint64{key("egress", "gateway_endpoint", "S3"): 7},
		}},
		"gateway endpoint of a client behind NAT, without traffic-path": {without(all, "traffic-path"), func(d *documented) {
			d.other.Gateways = []*flowgen.Gateway{d.gateway}
			public(d, 7)
		}, outcome{map[flowgen.Disposition]uint64{"client_view": 2}, nil}},
		"internal": {all, func(d *documented) { d.recorder.Internal(d.client, d.other, up, down, d.span, 1) }, outcome{
			map[flowgen.Disposition]uint64{"counted": 2, "receiver_side": 2},
			map[flowgen.BytesKey]uint64{key("internal", "internal", "none"): 18},
		}},
		"internal, without service": {without(all, "pkt-dst-aws-service"), func(d *documented) {
			d.recorder.Internal(d.client, d.other, up, down, d.span, 1)
		}, outcome{
			map[flowgen.Disposition]uint64{"counted": 2, "receiver_side": 2},
			map[flowgen.BytesKey]uint64{key("internal", "internal", "unknown"): 18},
		}},
		"via a transit gateway": {all, func(d *documented) {
			side := &flowgen.Attachment{ENI: "eni-tgw", Subnet: d.client.Subnet, Addr: netip.MustParseAddr("10.0.1.9")}
			d.recorder.ViaTransitGateway(d.client, d.other, side, side, up, down, d.span)
		}, outcome{
			map[flowgen.Disposition]uint64{"counted": 2, "receiver_side": 2, "transit": 4},
			map[flowgen.BytesKey]uint64{key("internal", "internal", "none"): 18},
		}},
		"via a transit gateway that cannot be told": {without(all, "instance-id", "interface-type"), func(d *documented) {
			side := &flowgen.Attachment{ENI: "eni-tgw", Subnet: d.client.Subnet, Addr: netip.MustParseAddr("10.0.1.9")}
			d.recorder.ViaTransitGateway(d.client, d.other, side, side, up, down, d.span)
		}, outcome{}},
		"scan": {all, func(d *documented) { d.recorder.Scan(d.gateway, d.remote, up, d.span) }, outcome{
			map[flowgen.Disposition]uint64{"nat_public_leg": 1}, nil,
		}},
		"rejected": {all, func(d *documented) {
			d.recorder.RejectFrom(d.remote, d.client, up, d.span, "")
			d.recorder.RejectFrom(d.remote, d.client, up, d.span, "BPA")
		}, outcome{map[flowgen.Disposition]uint64{"rejected": 2}, nil}},
		"rejected, without action": {without(all, "action"), func(d *documented) {
			d.recorder.RejectFrom(d.remote, d.client, up, d.span, "")
		}, outcome{}},
		"no traffic": {all, func(d *documented) {
			d.recorder.NoData(d.client, d.span)
			d.recorder.SkipData(d.gateway, d.span)
		}, outcome{map[flowgen.Disposition]uint64{"no_data": 1, "skip_data": 1}, nil}},
		"no traffic, without log-status": {without(all, "log-status"), func(d *documented) {
			d.recorder.NoData(d.client, d.span)
			d.recorder.SkipData(d.gateway, d.span)
		}, outcome{map[flowgen.Disposition]uint64{"no_data": 2}, nil}},
		"malformed": {all, func(d *documented) {
			d.recorder.Malform(d.client, d.remote, d.span, flowgen.BadBytes)
		}, outcome{map[flowgen.Disposition]uint64{"malformed": 1}, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDocumented(tc.fields...)
			tc.make(d)
			got := d.recorder.Ledger()
			checkLedger(t, flowgen.Ledger{Records: got.Records, Bytes: got.Bytes}, flowgen.Ledger{Records: tc.want.records, Bytes: tc.want.bytes})
			if n := len(d.recorder.Take()); uint64(n) != got.TotalRecords() {
				t.Errorf("%d rows, but %d booked", n, got.TotalRecords())
			}
		})
	}
}

func TestNoTrafficRows(t *testing.T) {
	d := newDocumented(flowgen.DefaultFields()...)
	d.recorder.NoData(d.client, d.span)
	d.recorder.SkipData(d.gateway, d.span)
	checkLines(t, d.recorder.Take(),
		"2 123456789012 eni-client - - - - - - - 1529511600 1529511659 - NODATA",
		"2 123456789012 eni-nat - - - - - - - 1529511600 1529511659 - SKIPDATA",
	)
}

func TestMalformedLinesCannotBeRead(t *testing.T) {
	fields := []string{"srcaddr", "dstaddr", "bytes", "interface-id", "future-field"}
	for range 50 {
		for damage, readable := range map[flowgen.Damage]func([]string) bool{
			flowgen.TooFewFields:  func(f []string) bool { return len(f) >= len(fields) },
			flowgen.TooManyFields: func(f []string) bool { return len(f) <= len(fields) },
			flowgen.BadBytes: func(f []string) bool {
				_, err := strconv.ParseUint(f[2], 10, 64)
				return err == nil
			},
			flowgen.BadAddress: func(f []string) bool {
				_, err := netip.ParseAddr(f[0])
				_, err2 := netip.ParseAddr(f[1])
				return err == nil && err2 == nil
			},
		} {
			d := newDocumented(fields...)
			d.recorder.Malform(d.client, d.remote, d.span, damage)
			rows := d.recorder.Take()
			if line := string(rows[0].AppendLine(nil)); readable(strings.Split(line, " ")) {
				t.Errorf("damage %d left a readable line %q", damage, line)
			}
		}
	}
}

func TestRowsOfALegSumUp(t *testing.T) {
	d := newDocumented("interface-id", "srcaddr", "dstaddr", "packets", "bytes", "start", "end")
	d.span.To = d.span.From.Add(20 * time.Minute)
	most := 0
	for range 100 {
		c := d.conversation()
		d.recorder.NAT(d.gateway, c)
		legs := make(map[string][2]int64)
		count := make(map[string]int)
		for _, line := range lines(d.recorder.Take()) {
			f := strings.Fields(line)
			leg := strings.Join(f[:3], " ")
			sum := legs[leg]
			for i := range sum {
				n := number(t, f[3+i])
				if n <= 0 {
					t.Fatalf("row %q has an empty part", line)
				}
				sum[i] += n
			}
			legs[leg] = sum
			count[leg]++
			most = max(most, count[leg])
			if from, to := number(t, f[5]), number(t, f[6]); from < d.span.From.Unix() || to >= d.span.To.Unix() || to < from || to-from >= 60 {
				t.Fatalf("row %q is not within an aggregation interval of its span", line)
			}
		}
		if len(legs) != 6 {
			t.Fatalf("got legs %v, want 6", legs)
		}
		for leg, sum := range legs {
			if sum != [2]int64{10, 1000} && sum != [2]int64{40, 50000} {
				t.Errorf("leg %q sums up to %v", leg, sum)
			}
		}
	}
	if most < 2 {
		t.Error("no leg was cut into several rows")
	}
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFieldNames(t *testing.T) {
	// The numbers of fields that AWS's versions have; there is no version 6 for VPCs.
	for version, want := range map[int]int{2: 14, 3: 21, 4: 25, 5: 29, 7: 39, 8: 40, 9: 41, 10: 42, 11: 54} {
		if got := len(flowgen.FieldNames(version)); got != want {
			t.Errorf("version %d has %d fields, want %d", version, got, want)
		}
		if got := flowgen.NewFormat(flowgen.FieldNames(version)...).Version(); got != version {
			t.Errorf("a format of version %d calls itself %d", version, got)
		}
	}
	const header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
	if got := flowgen.NewFormat(flowgen.DefaultFields()...).Header(); got != header {
		t.Errorf("the default header is %q", got)
	}
}

func TestFormatBytes(t *testing.T) {
	f := flowgen.NewFormat("bytes", "what-next", "version", "srcaddr", "pkt-srcaddr", "next-hop-az-id")
	got := string(f.Bytes([]flowgen.Row{{Bytes: 5, SrcAddr: netip.MustParseAddr("10.0.0.1")}, {Bytes: flowgen.Missing, NextHop: flowgen.NextHop{AZID: "use1-az1"}}}))
	const want = "bytes what-next version srcaddr pkt-srcaddr next-hop-az-id\n5 new 11 10.0.0.1 - -\n- new 11 - - use1-az1\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestKeys(t *testing.T) {
	at := time.Date(2018, 6, 20, 16, 20, 0, 0, time.UTC)
	const name = "123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz"
	for layout, dir := range map[flowgen.Layout]string{
		flowgen.LayoutPlain:      "p/AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/",
		flowgen.LayoutHourly:     "p/AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/16/",
		flowgen.LayoutHive:       "p/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/",
		flowgen.LayoutHiveHourly: "p/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/hour=16/",
	} {
		log := flowgen.FlowLog{ID: "fl-1234abcd", Account: "123456789012", Region: "us-east-1", Prefix: "p/", Layout: layout}
		if got := log.Key(at, "fe123456"); got != dir+name {
			t.Errorf("got key %q, want %q", got, dir+name)
		}
	}
}

func TestAZID(t *testing.T) {
	for region, want := range map[string]string{"eu-west-3": "euw3-az2", "ap-southeast-2": "apse2-az2", "us-gov-west-1": "usgw1-az2"} {
		if got := flowgen.AZID(region, 2); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestGzip(t *testing.T) {
	r, err := gzip.NewReader(bytes.NewReader(flowgen.File{Text: []byte("srcaddr\n")}.Gzip()))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "srcaddr\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestLedgerDiff(t *testing.T) {
	d := newDocumented(legFields...)
	if got := (flowgen.Ledger{}).Diff(d.recorder.Ledger()); got != "" {
		t.Errorf("two empty ledgers differ: %s", got)
	}
	d.recorder.NAT(d.gateway, d.conversation())
	before := d.recorder.Ledger()
	d.recorder.Scan(d.gateway, d.remote, flowgen.Volume{Bytes: 40}, d.span)
	const want = `- observed_bytes{disposition="nat_public_leg"} 51000
+ observed_bytes{disposition="nat_public_leg"} 51040
- records{disposition="nat_public_leg"} 2
+ records{disposition="nat_public_leg"} 3`
	if got := before.Diff(d.recorder.Ledger()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestGolden keeps a small readable file with every kind of row, and its ledger.
func TestGolden(t *testing.T) {
	d := newDocumented(slices.Concat(flowgen.DefaultFields(), strings.Fields(
		"instance-id pkt-srcaddr pkt-dstaddr flow-direction traffic-path pkt-src-aws-service pkt-dst-aws-service resource-id interface-type"))...)
	d.recorder.NAT(d.gateway, d.conversation())
	d.client.Gateways = append(d.client.Gateways, d.regional)
	d.recorder.NAT(d.regional, d.conversation())
	small := flowgen.Volume{Bytes: 60, Packets: 1}
	d.recorder.Scan(d.gateway, flowgen.Remote{Addr: netip.MustParseAddr("198.51.100.7")}, small, d.span)
	d.recorder.Internal(d.client, d.other, small, small, d.span, flowgen.TrafficPathVPC)
	c := d.conversation()
	c.Client = d.other
	d.recorder.Direct(c, flowgen.TrafficPathInternetGateway)
	d.recorder.RejectFrom(d.remote, d.other, small, d.span, "")
	d.recorder.NoData(d.other, d.span)
	d.recorder.SkipData(d.gateway, d.span)
	d.recorder.Malform(d.client, d.remote, d.span, flowgen.TooFewFields)
	golden(t, "testdata/sample.log", string(flowgen.NewFile(d.log, d.span.From, "fe123456", d.recorder.Take()).Text))
	golden(t, "testdata/sample.ledger", d.recorder.Ledger().String()+"\n")
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs from what is made now (go test -update rewrites it):\n%s", path, got)
	}
}
