package collector_test

import (
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/vpcflow/vpcflow_exporter/collector"
	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/internal/exposition"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// book is a table of names; an address that it does not hold has no final answer yet.
type book map[string]collector.Info

func (b book) Lookup(addr netip.Addr) (collector.Info, bool) {
	info, final := b[addr.String()]
	return info, final
}

func (b book) Network(addr netip.Addr) string { return b[addr.String()].Network }

type price struct{}

func (price) NATPrice(string, string, string) (aggregator.Price, bool) {
	return aggregator.Price{USDPerGB: 0.05, BytesPerGB: 1e9}, true
}

type noPrices struct{}

func (noPrices) Price(string, pricing.Item) (pricing.Rate, bool) { return pricing.Rate{}, false }

// topPage returns the aggregator of a gateway in two regions that exchanges bytes with two remotes in both directions; all have their series.
func topPage(t *testing.T) *aggregator.Aggregator {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	config := aggregator.DefaultConfig()
	config.Top.Hold = 0
	a := aggregator.New(config, price{}, func() time.Time { return now })
	for i, region := range []string{"eu-west-3", "us-east-1", "eu-west-3", "us-east-1"} {
		const text = `interface-id interface-type srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes flow-direction start end
eni-nat nat_gateway 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 ingress 1772366340 1772366400
eni-nat nat_gateway 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 3000 egress 1772366340 1772366400
eni-dual interface fd00::5 2001:db8::5 fd00::5 2001:db8::5 500 egress 1772366340 1772366400
`
		d := aggregator.NewDelta(classifier.NewNetworks(nil), 1000)
		d.Watch(a.Watch())
		read(t, d, text)
		file := aggregator.File{Identity: strconv.Itoa(i), AccountID: "123456789012", Region: region, FlowLogID: "fl-" + region, Time: now}
		if committed, err := a.Commit(file, d); err != nil || !committed {
			t.Fatalf("got committed %t, %v", committed, err)
		}
	}
	return a
}

func read(t *testing.T, d *aggregator.Delta, text string) {
	t.Helper()
	r := flowlog.NewReader(flowlog.Config{})
	if err := r.ResetText(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	var record flowlog.Record
	for {
		switch err := r.Read(&record); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			t.Fatal(err)
		}
		d.Add(&record)
	}
}

func TestDestinationInfo(t *testing.T) {
	a := topPage(t)
	other := `vpcflow_destination_info{as_name="",asn="",aws_region="",country="",destination="other",network=""} 1` + "\n"
	for _, c := range []struct {
		name  string
		names collector.Names
		want  string
	}{
		{"no enrichment", nil, ""},
		{"no answer is final", book{}, other},
		{"one is, with nothing found", book{"203.0.113.5": {}}, `vpcflow_destination_info{as_name="",asn="",aws_region="",country="",destination="203.0.113.5",network=""} 1` + "\n" + other},
		{
			"all fields",
			book{"203.0.113.5": {ASN: "AS64500", ASName: "Example, Inc.", Country: "FR", AWSRegion: "eu-west-3", Network: "office"}},
			`vpcflow_destination_info{as_name="Example, Inc.",asn="AS64500",aws_region="eu-west-3",country="FR",destination="203.0.113.5",network="office"} 1` + "\n" + other,
		},
		{
			"hostile names",
			book{"203.0.113.5": {ASName: "a\xff\"b\\c\nd\x00e\x7ff\u2028g\u0085h", Network: "\xc3("}},
			`vpcflow_destination_info{as_name="a_\"b\\c_d_e_f_g_h",asn="",aws_region="",country="",destination="203.0.113.5",network="_("} 1` + "\n" + other,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			subject := collector.New(a.Snapshot, func() collector.Prices { return noPrices{} }, c.names)
			want := c.want
			if want != "" {
				want = "# HELP vpcflow_destination_info What is known of a destination that has series of its own: autonomous system, country, AWS region, network name. Appears once the answer is final, found or not. Always 1; take the maximum over replicas.\n# TYPE vpcflow_destination_info gauge\n" + want
			}
			if err := testutil.CollectAndCompare(subject, strings.NewReader(want), "vpcflow_destination_info"); err != nil {
				t.Error(err)
			}
			if _, err := testutil.CollectAndLint(subject); err != nil { // By a pedantic registry.
				t.Error(err)
			}
			page, err := testutil.CollectAndFormat(subject, expfmt.TypeTextPlain, "vpcflow_destination_info", "vpcflow_destination_bytes_total")
			if err != nil {
				t.Fatal(err)
			}
			holdToJoin(t, string(page))
		})
	}
}

// holdToJoin holds a page to what a join needs: every described destination has series, and one description.
func holdToJoin(t *testing.T, page string) {
	t.Helper()
	samples, err := exposition.Parse(page)
	if err != nil {
		t.Fatalf("%v\n%s", err, page)
	}
	series, infos := make(map[string]int), make(map[string]int)
	for _, s := range samples {
		switch s.Name {
		case "vpcflow_destination_bytes_total":
			series[s.Labels["destination"]]++
		case "vpcflow_destination_info":
			infos[s.Labels["destination"]]++
		}
	}
	if series["203.0.113.5"] < 4 {
		t.Errorf("the remote has %d series, so that nothing is tested:\n%s", series["203.0.113.5"], page)
	}
	for destination, n := range infos {
		if n != 1 || series[destination] == 0 {
			t.Errorf("%q has %d descriptions and %d series", destination, n, series[destination])
		}
	}
}

func TestSourceNetwork(t *testing.T) {
	names := book{"10.0.1.5": {Network: "shop\n\xff"}}
	client, _ := flowlog.ParseAddr("10.0.1.5")
	for _, c := range []struct {
		source aggregator.End
		want   string
	}{
		{aggregator.End{Address: client}, "shop__"},
		{aggregator.End{Address: flowlog.V4(1)}, ""},
		{aggregator.End{Name: "shop/checkout"}, ""},
		{aggregator.End{}, ""},
	} {
		if got := collector.SourceNetwork(names, c.source); got != c.want {
			t.Errorf("%s: got %q, want %q", c.source.Label(), got, c.want)
		}
	}
}
