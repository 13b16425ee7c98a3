package aggregator_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// now is the wall clock of these tests; records end two hours before it unless they say otherwise.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixedPrice prices every region but "mars-1", in decimal gigabytes so that sums can be read.
type fixedPrice float64

func (p fixedPrice) NATPrice(_, region, _ string) (aggregator.Price, bool) {
	return aggregator.Price{USDPerGB: float64(p), BytesPerGB: 1e9}, region != "mars-1"
}

func newAggregator(config aggregator.Config) *aggregator.Aggregator {
	return aggregator.New(config, fixedPrice(0.05), func() time.Time { return now })
}

var files int

// delta reads rows as a file. A row may lack the columns "start end", which are the last ones then.
func delta(t testing.TB, header string, rows ...string) *aggregator.Delta {
	t.Helper()
	d := aggregator.NewDelta(classifier.NewNetworks(nil), 1000)
	readRows(t, d, header, rows)
	return d
}

// watchedDelta is delta for an aggregator that has wishes.
func watchedDelta(t testing.TB, a *aggregator.Aggregator, header string, rows ...string) *aggregator.Delta {
	t.Helper()
	d := aggregator.NewDelta(classifier.NewNetworks(nil), 1000)
	d.Watch(a.Watch())
	readRows(t, d, header, rows)
	return d
}

func readRows(t testing.TB, d *aggregator.Delta, header string, rows []string) {
	t.Helper()
	var text strings.Builder
	text.WriteString(header + " start end\n")
	for _, row := range rows {
		if len(strings.Fields(row)) == len(strings.Fields(header)) {
			row += fmt.Sprintf(" %d %d", now.Unix()-7260, now.Unix()-7200)
		}
		text.WriteString(row + "\n")
	}
	r := flowlog.NewReader(flowlog.Config{})
	if err := r.ResetText(strings.NewReader(text.String())); err != nil {
		t.Fatal(err)
	}
	var record flowlog.Record
	for {
		switch err := r.Read(&record); {
		case err == nil:
			d.Add(&record)
		case errors.Is(err, io.EOF):
			return
		case errors.As(err, new(*flowlog.LineError)):
			d.Malformed()
		default:
			t.Fatal(err)
		}
	}
}

// commit adds rows as a file of its own.
func commit(t testing.TB, a *aggregator.Aggregator, header string, rows ...string) {
	t.Helper()
	files++
	file := aggregator.File{Identity: fmt.Sprintf("file-%d", files), AccountID: "123456789012", Region: "eu-west-3", FlowLogID: "fl-1"}
	if !commitFile(t, a, file, delta(t, header, rows...)) {
		t.Fatalf("file %s was known", file.Identity)
	}
}

// commitFile commits a file and says whether it was new.
func commitFile(t testing.TB, a *aggregator.Aggregator, file aggregator.File, d *aggregator.Delta) bool {
	t.Helper()
	committed, err := a.Commit(file, d)
	if err != nil {
		t.Error(err)
	}
	return committed
}

// pass commits a record that ends so much later than the others.
func pass(t testing.TB, a *aggregator.Aggregator, d time.Duration) {
	t.Helper()
	end := now.Add(d - 2*time.Hour).Unix()
	commit(t, a, "interface-id srcaddr dstaddr bytes log-status", fmt.Sprintf("eni-clock - - - NODATA %d %d", end-60, end))
}

// totals renders what tests compare: one line per series.
func totals(a *aggregator.Aggregator) string {
	s := a.Snapshot()
	lines := map[string]bool{}
	for m := range s.Bytes() {
		l := m.Labels
		lines[fmt.Sprintf("bytes %s %s %s %s %s %d", l.AccountID, l.Region, l.Direction, l.Path, l.AWSService, m.Value)] = true
	}
	for m := range s.NAT() {
		l := m.Labels
		cost, priced := m.Value.CostUSD()
		lines[fmt.Sprintf("nat %s %s %s %d %.9f %t", l.NATGateway, l.Direction, l.AWSService, m.Value.Bytes, cost, priced)] = true
	}
	for d, c := range s.Dispositions {
		if c.Records > 0 {
			lines[fmt.Sprintf("records %s %d bytes %d", classifier.Disposition(d), c.Records, c.Bytes)] = true
		}
	}
	if s.Held.Records > 0 {
		lines[fmt.Sprintf("held %d bytes %d", s.Held.Records, s.Held.Bytes)] = true
	}
	for m := range s.Unpriced() {
		lines[fmt.Sprintf("unpriced %s %d", m.Labels, m.Value)] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(lines)), "\n")
}

func expect(t *testing.T, a *aggregator.Aggregator, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := totals(a); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// One conversation through a zonal NAT gateway, 1,000 bytes up and 50,000 down, as AWS documents it.
const header = "interface-id instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes"

var conversation = []string{
	"eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000",
	"eni-nat - 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000",
	"eni-nat - 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 50000",
	"eni-nat - 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 50000",
	"eni-client i-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000",
	"eni-client i-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 50000",
}

var conversationTotals = []string{
	"bytes 123456789012 eu-west-3 egress nat unknown 1000",
	"bytes 123456789012 eu-west-3 ingress nat unknown 50000",
	"nat eni-nat egress unknown 1000 0.000000050 true",
	"nat eni-nat ingress unknown 50000 0.000002500 true",
	"records client_view 2 bytes 51000",
	"records counted 2 bytes 51000",
	"records nat_public_leg 2 bytes 51000",
}

func TestConversationCountsOnce(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, header, conversation...)
	expect(t, a, conversationTotals...)
	g := a.Snapshot().Gateways
	if len(g) != 1 || g[0].Kind != "zonal" || g[0].RecognisedBy != "learned" || g[0].FirstSeen != now.Unix()-7260 || g[0].LastSeen != now.Unix()-7200 {
		t.Errorf("got gateways %+v", g)
	}
}

// TestConversationInAnyOrder cuts the conversation into files of one row, in every order.
func TestConversationInAnyOrder(t *testing.T) {
	var deltas []*aggregator.Delta
	for _, row := range conversation {
		deltas = append(deltas, delta(t, header, row))
	}
	var permute func(deltas []*aggregator.Delta, k int)
	permute = func(deltas []*aggregator.Delta, k int) {
		if k == len(deltas) {
			a := newAggregator(aggregator.DefaultConfig())
			for i, d := range deltas {
				commitFile(t, a, aggregator.File{Identity: strconv.Itoa(i), AccountID: "123456789012", Region: "eu-west-3"}, d)
			}
			expect(t, a, conversationTotals...)
			return
		}
		for i := k; i < len(deltas) && !t.Failed(); i++ {
			deltas[k], deltas[i] = deltas[i], deltas[k]
			permute(deltas, k+1)
			deltas[k], deltas[i] = deltas[i], deltas[k]
		}
	}
	permute(deltas, 0)
}

func TestGatewayRecognition(t *testing.T) {
	legs := []string{
		"%s 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000", "%s 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000",
		"%s 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 50000", "%s 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 50000",
	}
	regional := []string{
		"%s 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000", "%s 107.22.182.139 203.0.113.5 107.22.182.139 203.0.113.5 1000",
		"%s 203.0.113.5 107.22.182.139 203.0.113.5 107.22.182.139 50000", "%s 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 50000",
	}
	with := func(rows []string, prefix string) (out []string) {
		for _, row := range rows {
			out = append(out, fmt.Sprintf(row, prefix))
		}
		return out
	}
	const addresses = " srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes"
	for _, test := range []struct {
		name, header string
		rows         []string
		gateways     []aggregator.Gateway
		want         string // nat_gateway kind recognised_by id name
	}{
		{"config", "interface-id" + addresses, with(legs[:1], "eni-nat"), []aggregator.Gateway{{ENI: "eni-nat", ID: "nat-1", Name: "a"}}, "eni-nat zonal config nat-1 a"},
		{"config of a regional one", "resource-id interface-id" + addresses, with(regional, "nat-1 -"), []aggregator.Gateway{{ID: "nat-1", Name: "r"}}, "nat-1 regional config nat-1 r"},
		{"interface-type", "interface-id interface-type" + addresses, with(legs[:1], "eni-nat nat_gateway"), nil, "eni-nat zonal interface_type  "},
		{"interface-type of a regional one", "interface-id interface-type" + addresses, with(regional, "- regional_nat_gateway"), nil, "unknown regional interface_type  "},
		{"resource-id", "resource-id interface-id" + addresses, with(regional, "nat-1 -"), nil, "nat-1 regional resource_id nat-1 "},
		{"no interface-id on data rows", "interface-id" + addresses, with(regional, "-"), nil, "unknown regional resource_id  "},
		{"learned", "interface-id instance-id" + addresses, with(legs, "eni-nat -"), nil, "eni-nat zonal learned  "},
		{"learned without instance-id", "interface-id" + addresses, with(legs, "eni-nat"), nil, "eni-nat zonal unverified  "},
		{"learned of an instance", "interface-id instance-id" + addresses, with(legs, "eni-nat i-1"), nil, "eni-nat instance learned  "},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := aggregator.DefaultConfig()
			config.NATGateways = test.gateways
			a := newAggregator(config)
			commit(t, a, test.header, test.rows...)
			var got []string
			for _, g := range a.Snapshot().Gateways {
				got = append(got, fmt.Sprintf("%s %s %s %s %s", g.NATGateway, g.Kind, g.RecognisedBy, g.NATGatewayID, g.Name))
			}
			if len(got) != 1 || got[0] != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if a.Snapshot().Dispositions[classifier.Counted].Bytes == 0 || a.Snapshot().Held.Records > 0 {
				t.Errorf("nothing counted, or something held:\n%s", totals(a))
			}
		})
	}
}

// TestNotAGateway commits rows that translate addresses at interfaces that are no NAT gateways: nothing of it may be NAT.
func TestNotAGateway(t *testing.T) {
	for name, rows := range map[string][]string{
		"transit gateway attachment": {
			"eni-tgw - 10.40.1.175 10.40.2.236 10.20.33.164 10.40.2.236 100", "eni-tgw - 10.40.2.236 10.40.2.31 10.40.2.236 10.20.33.164 100",
		},
		"node whose pods have addresses of their own": {
			"eni-node i-1 10.0.0.9 203.0.113.5 10.1.0.7 203.0.113.5 100", "eni-node i-1 203.0.113.5 10.0.0.9 203.0.113.5 10.1.0.7 100",
			"eni-node i-1 10.0.0.9 203.0.113.5 10.0.0.9 203.0.113.5 100",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAggregator(aggregator.DefaultConfig())
			commit(t, a, header, rows...)
			pass(t, a, time.Hour)
			if strings.Contains(totals(a), "nat") || a.Snapshot().Held.Records > 0 {
				t.Errorf("got\n%s", totals(a))
			}
		})
	}
}

func TestPlainFormat(t *testing.T) {
	rows := []string{
		"eni-nat 10.0.1.5 10.0.0.220 1000", "eni-nat 10.0.0.220 203.0.113.5 1000", "eni-nat 203.0.113.5 10.0.0.220 50000", "eni-nat 10.0.0.220 10.0.1.5 50000",
		"eni-client 10.0.1.5 203.0.113.5 1000", "eni-client 203.0.113.5 10.0.1.5 50000",
	}
	config := aggregator.DefaultConfig()
	config.NATGateways = []aggregator.Gateway{{ENI: "eni-nat"}}
	for name, files := range map[string][][]string{
		"one file":          {rows},
		"client's first":    {rows[4:], rows[:4]},
		"a file for a row":  {rows[5:], rows[4:5], rows[3:4], rows[2:3], rows[1:2], rows[:1]},
		"public legs first": {rows[1:2], rows[:1], rows[2:]},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAggregator(config)
			for _, rows := range files {
				commit(t, a, "interface-id srcaddr dstaddr bytes", rows...)
			}
			expect(t, a, conversationTotals...)
		})
	}
}

func TestHeldRowsAreReleased(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, "interface-id srcaddr dstaddr bytes", "eni-1 10.0.1.5 203.0.113.5 10", "eni-1 203.0.113.5 10.0.1.5 20")
	expect(t, a, "held 2 bytes 30")
	pass(t, a, 29*time.Minute)
	if a.Snapshot().Held.Records != 2 {
		t.Errorf("after 29 minutes: got\n%s", totals(a))
	}
	pass(t, a, 30*time.Minute)
	expect(t, a, "bytes 123456789012 eu-west-3 egress unknown unknown 10", "bytes 123456789012 eu-west-3 ingress unknown unknown 20",
		"records counted 2 bytes 30", "records no_data 2 bytes 0")
	// What follows does not wait again.
	commit(t, a, "interface-id srcaddr dstaddr bytes", "eni-1 10.0.1.5 203.0.113.5 1")
	if a.Snapshot().Held.Records != 0 {
		t.Errorf("got\n%s", totals(a))
	}
}

func TestClientViewWithoutLoggedGateway(t *testing.T) {
	const header = "interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes flow-direction traffic-path"
	rows := []string{"eni-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 10 egress 1", "eni-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 20 ingress -"}
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, header, rows...)
	expect(t, a, "held 2 bytes 30")
	pass(t, a, time.Hour)
	expect(t, a, "bytes 123456789012 eu-west-3 egress unseen_middlebox unknown 10", "bytes 123456789012 eu-west-3 ingress unseen_middlebox unknown 20",
		"records counted 2 bytes 30", "records no_data 1 bytes 0")

	config := aggregator.DefaultConfig()
	config.Vantage = aggregator.VantageGateway
	a = newAggregator(config)
	commit(t, a, header, rows...)
	pass(t, a, time.Hour)
	expect(t, a, "records client_view 2 bytes 30", "records no_data 1 bytes 0")
}

func TestDispositionsOfLinesWithoutTraffic(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, "interface-id srcaddr dstaddr bytes action log-status flow-direction",
		"eni-1 10.0.0.1 10.0.0.2 10 ACCEPT OK egress", "eni-1 10.0.0.2 10.0.0.1 20 ACCEPT OK ingress", "eni-1 10.0.0.1 203.0.113.9 5 REJECT OK egress",
		"eni-1 - - - - NODATA -", "eni-1 - - - - SKIPDATA -", "eni-1 10.0.0.1 10.0.0.2 ten ACCEPT OK egress", "eni-1 10.0.0.1 10.0.0.2 - ACCEPT OK egress")
	expect(t, a, "bytes 123456789012 eu-west-3 internal internal unknown 10", "records counted 2 bytes 10", "records receiver_side 1 bytes 20",
		"records rejected 1 bytes 5", "records no_data 1 bytes 0", "records skip_data 1 bytes 0", "records malformed 1 bytes 0")
}

// TestInternalWithoutDirection finds the sender by the interface's own address, which is in all of its rows.
func TestInternalWithoutDirection(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, "interface-id srcaddr dstaddr bytes", "eni-1 10.0.0.1 10.0.0.2 10", "eni-2 10.0.0.1 10.0.0.2 10")
	expect(t, a, "held 2 bytes 20")
	commit(t, a, "interface-id srcaddr dstaddr bytes", "eni-1 10.0.0.3 10.0.0.1 5", "eni-2 10.0.0.2 10.0.0.3 7")
	expect(t, a, "bytes 123456789012 eu-west-3 internal internal unknown 17", "records counted 2 bytes 17", "records receiver_side 2 bytes 15")
}

func TestAccountAndRegion(t *testing.T) {
	for _, test := range []struct {
		file      aggregator.File
		row, want string
	}{
		{aggregator.File{AccountID: "111111111111", Region: "eu-west-3"}, "222222222222 us-east-1", "222222222222 eu-west-3"},
		{aggregator.File{AccountID: "111111111111", Region: "eu-west-3"}, "unknown us-east-1", "111111111111 eu-west-3"},
		{aggregator.File{AccountID: "111111111111"}, "- us-east-1", "111111111111 us-east-1"},
		{aggregator.File{}, "- -", "unknown unknown"},
		{aggregator.File{}, strings.Repeat("9", 10_000) + " \x00\xff", "unknown other"},
	} {
		a := newAggregator(aggregator.DefaultConfig())
		commitFile(t, a, test.file, delta(t, "account-id region interface-id srcaddr dstaddr bytes flow-direction", test.row+" eni-1 10.0.0.1 10.0.0.2 10 egress"))
		for m := range a.Snapshot().Bytes() {
			if got := m.Labels.AccountID + " " + m.Labels.Region; got != test.want {
				t.Errorf("file %+v row %.40q: got %q, want %q", test.file, test.row, got, test.want)
			}
		}
	}
}

func TestServices(t *testing.T) {
	hostile := strings.Repeat("x", 10<<10)
	a := newAggregator(aggregator.DefaultConfig())
	var rows []string
	for i, service := range []string{"S3", "-", hostile, "\x00\x01\xff{}\""} {
		rows = append(rows, fmt.Sprintf("eni-1 10.0.0.1 203.0.113.%d %d egress 8 - %s", i, i+1, service))
	}
	commit(t, a, "interface-id srcaddr dstaddr bytes flow-direction traffic-path pkt-src-aws-service pkt-dst-aws-service", rows...)
	expect(t, a, "bytes 123456789012 eu-west-3 egress internet_gateway S3 1", "bytes 123456789012 eu-west-3 egress internet_gateway none 2",
		"bytes 123456789012 eu-west-3 egress internet_gateway "+hostile[:64]+" 3", "bytes 123456789012 eu-west-3 egress internet_gateway ______ 4",
		"records counted 4 bytes 10")
}

func TestDuplicate(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	file := aggregator.File{Identity: "x", AccountID: "123456789012", Region: "eu-west-3"}
	d := delta(t, header, conversation...)
	if a.Known("x") || !commitFile(t, a, file, d) || !a.Known("x") || commitFile(t, a, file, d) {
		t.Error("a file counts once")
	}
	expect(t, a, conversationTotals...)
}

func TestDeltaReset(t *testing.T) {
	d := delta(t, header, conversation...)
	d.Reset(classifier.NewNetworks(nil))
	a := newAggregator(aggregator.DefaultConfig())
	commitFile(t, a, aggregator.File{Identity: "empty"}, d)
	expect(t, a)
}

func TestPrices(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	d := delta(t, header, conversation...)
	commitFile(t, a, aggregator.File{Identity: "1", AccountID: "123456789012", Region: "mars-1"}, d)
	expect(t, a, "bytes 123456789012 mars-1 egress nat unknown 1000", "bytes 123456789012 mars-1 ingress nat unknown 50000",
		"nat eni-nat egress unknown 1000 0.000000000 false", "nat eni-nat ingress unknown 50000 0.000000000 false", "unpriced mars-1 51000",
		"records client_view 2 bytes 51000", "records counted 2 bytes 51000", "records nat_public_leg 2 bytes 51000")
}

func TestNATInstanceHasNoPrice(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	var rows []string
	for _, row := range conversation {
		rows = append(rows, strings.Replace(row, "eni-nat -", "eni-nat i-9", 1))
	}
	commit(t, a, header, rows...)
	expect(t, a, "bytes 123456789012 eu-west-3 egress nat_instance unknown 1000", "bytes 123456789012 eu-west-3 ingress nat_instance unknown 50000",
		"nat eni-nat egress unknown 1000 0.000000000 false", "nat eni-nat ingress unknown 50000 0.000000000 false",
		"records client_view 2 bytes 51000", "records counted 2 bytes 51000", "records nat_public_leg 2 bytes 51000")
}

func TestSeriesLimit(t *testing.T) {
	config := aggregator.DefaultConfig()
	config.Series = 20
	a := newAggregator(config)
	var rows []string
	for i := range 100 {
		rows = append(rows, fmt.Sprintf("eni-1 10.0.0.1 203.0.113.5 1 egress 8 - SERVICE_%d", i))
	}
	commit(t, a, "interface-id srcaddr dstaddr bytes flow-direction traffic-path pkt-src-aws-service pkt-dst-aws-service", rows...)
	series, sum, other := 0, uint64(0), uint64(0)
	for m := range a.Snapshot().Bytes() {
		series++
		sum += m.Value
		if m.Labels.AWSService == "other" {
			other += m.Value
		}
	}
	limited := uint64(0)
	for m := range a.Snapshot().Limited() {
		limited += m.Value
	}
	if series > 20 || sum != 100 || other == 0 || limited != other {
		t.Errorf("got %d series, sum %d, other %d, %d folded", series, sum, other, limited)
	}
}

func TestHeldKeysLimit(t *testing.T) {
	config := aggregator.DefaultConfig()
	config.HeldKeys = 5
	a := newAggregator(config)
	for i := range 5 {
		var rows []string
		for k := range 4 {
			rows = append(rows, fmt.Sprintf("eni-%d 10.0.%d.%d 203.0.113.5 1", i, i, k))
		}
		commit(t, a, "interface-id srcaddr dstaddr bytes", rows...)
	}
	s := a.Snapshot()
	if s.Held.Records > 5 || s.Held.Records+s.Dispositions[classifier.Counted].Records != 20 {
		t.Errorf("got\n%s", totals(a))
	}
}

func TestDeltaKeysLimit(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	rows := slices.Clone(conversation)
	for i := range 5000 {
		rows = append(rows, fmt.Sprintf("eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 203.%d.%d.5 10", i/250, i%250))
	}
	commit(t, a, header, rows...)
	s := a.Snapshot()
	if s.Dispositions[classifier.Counted].Bytes != 51000+50000 || s.DeltaFolds == 0 {
		t.Errorf("got %d folds and\n%s", s.DeltaFolds, totals(a))
	}
}

// TestInterfaceLimit reads a file that names more interfaces than any VPC has: every row still ends somewhere.
func TestInterfaceLimit(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	rows := make([]string, 100_500)
	for i := range rows {
		rows[i] = fmt.Sprintf("eni-%d nat_gateway 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 10", i)
	}
	commit(t, a, "interface-id interface-type srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes", rows...)
	s := a.Snapshot()
	var all aggregator.Counts
	for _, c := range s.Dispositions {
		all.Records += c.Records
		all.Bytes += c.Bytes
	}
	if all.Records != 100_500 || all.Bytes != 1_005_000 || s.Held.Records > 0 {
		t.Errorf("got %d rows of %d bytes, %d held", all.Records, all.Bytes, s.Held.Records)
	}
	series := 3 * len(s.Gateways)
	for range s.NAT() {
		series++
	}
	if series > aggregator.DefaultConfig().Series {
		t.Errorf("got %d series", series)
	}
}

// TestSnapshotIsImmutable reads snapshots while commits go on; the race detector and the sums watch.
func TestSnapshotIsImmutable(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				s := a.Snapshot()
				var nat, total, cost float64
				for m := range s.NAT() {
					c, _ := m.Value.CostUSD()
					cost += c
					nat += float64(m.Value.Bytes)
				}
				for m := range s.Bytes() {
					total += float64(m.Value)
				}
				if nat != total || fmt.Sprintf("%.12f", cost) != fmt.Sprintf("%.12f", nat/1e9*0.05) {
					t.Errorf("got %g NAT bytes of %g for %g", nat, total, cost)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	d := delta(t, header, conversation...)
	for i := range 500 {
		commitFile(t, a, aggregator.File{Identity: strconv.Itoa(i), AccountID: fmt.Sprintf("1234567890%02d", i%90), Region: "eu-west-3"}, d)
	}
	close(done)
	wg.Wait()
}

// TestForgetting drops what has had no rows for a day.
func TestForgetting(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, header, conversation...)
	if len(a.Snapshot().Gateways) != 1 {
		t.Fatal("no gateway")
	}
	clock := now
	b := aggregator.New(aggregator.DefaultConfig(), fixedPrice(0.05), func() time.Time { return clock })
	commit(t, b, header, conversation...)
	clock = now.Add(26 * time.Hour)
	commit(t, b, "interface-id srcaddr dstaddr bytes log-status", fmt.Sprintf("eni-clock - - - NODATA %d %d", clock.Unix()-60, clock.Unix()))
	if g := b.Snapshot().Gateways; len(g) != 0 {
		t.Errorf("got gateways %+v a day later", g)
	}
	// The client's address may belong to somebody else by now.
	commit(t, b, header, fmt.Sprintf("eni-new i-2 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 7 %d %d", clock.Unix()-60, clock.Unix()))
	if b.Snapshot().Held.Records != 1 {
		t.Errorf("got\n%s", totals(b))
	}
}
