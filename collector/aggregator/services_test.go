package aggregator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// serviceTable names services by address.
type serviceTable map[string]string

func (serviceTable) Region(flowlog.Addr) string { return "" }

func (s serviceTable) Service(a flowlog.Addr) string { return s[a.String()] }

func (s serviceTable) services() aggregator.Services { return s }

// byService renders the counted bytes by direction, path and service.
func byService(a *aggregator.Aggregator) string {
	var lines []string
	for m := range a.Snapshot().Bytes() {
		if m.Value > 0 {
			lines = append(lines, fmt.Sprintf("%s %s %s %d", m.Labels.Direction, m.Labels.Path, m.Labels.AWSService, m.Value))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestServicesOfTable counts rows whose format does not name all services, with a table that knows some addresses. Each case also runs without a table.
func TestServicesOfTable(t *testing.T) {
	table := serviceTable{"52.95.154.16": "S3", "2600:1f00::1": "EC2", "10.0.3.3": "WRONG", "198.51.100.9": "EC2"}
	gateway := []aggregator.Gateway{{ENI: "eni-nat"}}
	for _, c := range []struct {
		name, header, rows string
		config             aggregator.Config
		want, without      string
	}{
		{
			name: "legs of a zonal gateway", header: pkt4Header, config: aggregator.Config{NATGateways: gateway}, rows: `
			eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 52.95.154.16 1000
			eni-nat - 10.0.0.220 52.95.154.16 10.0.0.220 52.95.154.16 1000
			eni-nat - 52.95.154.16 10.0.0.220 52.95.154.16 10.0.0.220 50000
			eni-nat - 10.0.0.220 10.0.1.5 52.95.154.16 10.0.1.5 50000
			eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 7`,
			want:    "egress nat S3 1000\negress nat none 7\ningress nat S3 50000",
			without: "egress nat unknown 1007\ningress nat unknown 50000",
		},
		{
			name: "the record says none, whatever the table knows", header: "interface-id instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes pkt-src-aws-service pkt-dst-aws-service",
			config: aggregator.Config{NATGateways: gateway}, rows: `
			eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 52.95.154.16 1000 - -
			eni-nat - 10.0.0.220 52.95.154.16 10.0.0.220 52.95.154.16 1000 - -
			eni-nat - 52.95.154.16 10.0.0.220 52.95.154.16 10.0.0.220 50000 - -
			eni-nat - 10.0.0.220 10.0.1.5 52.95.154.16 10.0.1.5 50000 DYNAMODB -`,
			want:    "egress nat none 1000\ningress nat DYNAMODB 50000",
			without: "egress nat none 1000\ningress nat DYNAMODB 50000",
		},
		{
			name: "the format has the destination's service only", header: "interface-id instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes flow-direction pkt-dst-aws-service",
			config: aggregator.Config{NATGateways: gateway}, rows: `
			eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 52.95.154.16 1000 ingress AMAZON
			eni-nat - 10.0.0.220 52.95.154.16 10.0.0.220 52.95.154.16 1000 egress AMAZON
			eni-nat - 52.95.154.16 10.0.0.220 52.95.154.16 10.0.0.220 50000 ingress -
			eni-nat - 10.0.0.220 10.9.0.9 10.0.0.220 10.9.0.9 5 egress -
			eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 10.9.0.9 5 ingress -
			eni-nat - 10.0.0.220 10.0.1.5 52.95.154.16 10.0.1.5 50000 egress -
			eni-cli i-1 10.0.1.5 10.0.3.3 10.0.1.5 10.0.3.3 30 egress -
			eni-nat - 10.0.0.220 10.0.1.5 10.9.0.9 10.0.1.5 4 egress -`,
			want:    "egress nat AMAZON 1000\negress nat none 5\ningress nat S3 50000\ningress nat none 4\ninternal internal none 30",
			without: "egress nat AMAZON 1000\negress nat none 5\ningress nat unknown 50004\ninternal internal none 30",
		},
		{
			name: "legs that hide the remote, and internal traffic", header: "interface-id srcaddr dstaddr bytes", config: aggregator.Config{NATGateways: gateway}, rows: `
			eni-nat 10.0.1.5 10.0.0.220 1000
			eni-nat 10.0.0.220 52.95.154.16 1000
			eni-nat 52.95.154.16 10.0.0.220 50000
			eni-nat 10.0.0.220 10.0.1.5 50000
			eni-cli 10.0.1.5 10.0.3.3 30
			eni-cli 10.0.1.5 10.0.4.4 5`,
			want:    "egress nat unknown 1000\ningress nat unknown 50000\ninternal internal none 35",
			without: "egress nat unknown 1000\ningress nat unknown 50000\ninternal internal unknown 35",
		},
		{
			name: "traffic that passes no gateway", header: fullHeader, rows: `
			eni-cli i-1 vpc-1 10.0.1.5 52.95.154.16 10.0.1.5 52.95.154.16 1000 egress 7 40000 443
			eni-cli i-1 vpc-1 52.95.154.16 10.0.1.5 52.95.154.16 10.0.1.5 900 ingress - 443 40000
			eni-six i-2 vpc-1 2600:1f00:0:100::5 2600:1f00::1 2600:1f00:0:100::5 2600:1f00::1 80 egress 8 40000 443
			eni-six i-2 vpc-1 2600:1f00::1 2600:1f00:0:100::5 2600:1f00::1 2600:1f00:0:100::5 70 ingress - 443 40000`,
			want:    "egress gateway_endpoint S3 1000\negress internet_gateway EC2 80\ningress unknown EC2 70\ningress unknown S3 900",
			without: "egress gateway_endpoint unknown 1000\negress internet_gateway unknown 80\ningress unknown unknown 970",
		},
		{
			name: "NAT64", header: typeHeader, rows: `
			eni-nat nat_gateway - 2001:db8::5 64:ff9b::345f:9a10 2001:db8::5 64:ff9b::345f:9a10 1000 ingress`,
			want:    "egress nat S3 1000",
			without: "egress nat unknown 1000",
		},
		{
			// Either end may be the interface's own.
			name: "two public addresses without a direction", header: pkt4Header, rows: `
			eni-pub i-1 198.51.100.9 203.0.113.5 198.51.100.9 203.0.113.5 11
			eni-pub i-1 203.0.113.5 198.51.100.9 203.0.113.5 198.51.100.9 13`,
			want:    "egress unknown unknown 24",
			without: "egress unknown unknown 24",
		},
		{
			name: "clients' views of a gateway that is not logged", header: fullHeader, rows: `
			eni-cli i-1 vpc-1 10.0.1.5 52.95.154.16 10.0.1.5 52.95.154.16 1000 egress 1 40000 443
			eni-cli i-1 vpc-1 52.95.154.16 10.0.1.5 52.95.154.16 10.0.1.5 50000 ingress - 443 40000`,
			want:    "egress unseen_middlebox S3 1000\ningress unseen_middlebox S3 50000",
			without: "egress unseen_middlebox unknown 1000\ningress unseen_middlebox unknown 50000",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rows []string
			for row := range strings.Lines(c.rows) {
				if row = strings.TrimSpace(row); row != "" {
					rows = append(rows, row)
				}
			}
			for _, test := range []struct {
				name     string
				services func() aggregator.Services
				want     string
			}{
				{"table", table.services, c.want},
				{"no table", nil, c.without},
				{"a table that is not loaded", func() aggregator.Services { return nil }, c.without},
			} {
				config := aggregator.DefaultConfig()
				config.NATGateways, config.Services = c.config.NATGateways, test.services
				together, apart := newAggregator(config), newAggregator(config)
				commitWatched(t, together, 1000, c.header, rows...)
				for _, row := range rows {
					commitWatched(t, apart, 1000, c.header, row)
				}
				for what, a := range map[string]*aggregator.Aggregator{"one file": together, "a file for each row": apart} {
					a.Finish()
					if got := byService(a); got != test.want {
						t.Errorf("%s, %s: got\n%s\nwant\n%s", test.name, what, got, test.want)
					}
				}
			}
		})
	}
}

// TestServicesOfFoldedRows reads more remotes than a file may have: those without a place in the table have lost their remote, not their service.
func TestServicesOfFoldedRows(t *testing.T) {
	table := serviceTable{}
	var rows []string
	for i := range 40 {
		remote := fmt.Sprintf("52.95.154.%d", i)
		if i%4 != 0 {
			table[remote] = "S3"
		}
		rows = append(rows, fmt.Sprintf("eni-nat nat_gateway - 10.0.1.5 10.0.0.220 10.0.1.5 %s 10 ingress", remote))
	}
	config := aggregator.DefaultConfig()
	config.Services = table.services
	a := newAggregator(config)
	commitWatched(t, a, 8, typeHeader, rows...)
	if got, want := byService(a), "egress nat S3 300\negress nat none 100"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if folds := a.Snapshot().DeltaFolds; folds == 0 {
		t.Error("nothing was folded: the rows test nothing")
	}
}

// TestServicesChange loads another table between two files, and configures another source of them: what was counted stays, and the next file counts by the new one.
func TestServicesChange(t *testing.T) {
	current := aggregator.Services(nil)
	config := aggregator.DefaultConfig()
	config.Services = func() aggregator.Services { return current }
	a := newAggregator(config)
	const row = "eni-nat nat_gateway - 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 10 ingress"
	commitWatched(t, a, 1000, typeHeader, row)
	current = serviceTable{"203.0.113.5": "NEW"}
	commitWatched(t, a, 1000, typeHeader, row, row)
	current = serviceTable{}
	commitWatched(t, a, 1000, typeHeader, row, row, row)
	config.Services = serviceTable{"203.0.113.5": "OTHER"}.services
	a.Reconfigure(config)
	commitWatched(t, a, 1000, typeHeader, row)
	if got, want := byService(a), "egress nat NEW 20\negress nat OTHER 10\negress nat none 30\negress nat unknown 10"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// commitWatched adds rows as a file of its own, which a delta of at most so many keys has read.
func commitWatched(t *testing.T, a *aggregator.Aggregator, keys int, header string, rows ...string) {
	t.Helper()
	d := aggregator.NewDelta(classifier.NewNetworks(nil), keys)
	d.Watch(a.Watch())
	readRows(t, d, header, rows)
	files++
	file := aggregator.File{Identity: fmt.Sprintf("file-%d", files), AccountID: "123456789012", Region: "eu-west-3", FlowLogID: "fl-1"}
	if !commitFile(t, a, file, d) {
		t.Fatalf("file %s was known", file.Identity)
	}
}
