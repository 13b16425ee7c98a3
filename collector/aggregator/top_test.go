package aggregator_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
)

// ends renders the series of the largest, one a line: a line of another page is a difference.
func ends(a *aggregator.Aggregator) map[string]float64 {
	s := a.Snapshot()
	lines := make(map[string]float64)
	for m := range s.Destinations() {
		l := m.Labels
		lines[fmt.Sprintf("destination %s %s %s %s %s", l.Region, l.Direction, l.Path, l.AWSService, l.Destination.Label())] = float64(m.Value)
	}
	for m := range s.DestinationCosts() {
		cost, _ := m.Value.CostUSD()
		lines[fmt.Sprintf("destination cost %s %s", m.Labels.Region, m.Labels.Destination.Label())] = cost
	}
	for m := range s.Sources() {
		l := m.Labels
		lines[fmt.Sprintf("source %s %s %s", l.NATGateway, l.Direction, l.Source.Label())] = float64(m.Value)
	}
	for m := range s.SourceCosts() {
		cost, _ := m.Value.CostUSD()
		lines[fmt.Sprintf("source cost %s %s", m.Labels.NATGateway, m.Labels.Source.Label())] = cost
	}
	for m := range s.Pairs() {
		l := m.Labels
		lines[fmt.Sprintf("pair %s %s %s %s", l.NATGateway, l.Direction, l.Source.Label(), l.Destination.Label())] = float64(m.Value)
	}
	return lines
}

// growth renders by how much series have grown.
func endsGrowth(before, after map[string]float64) string {
	var lines []string
	for line, value := range after {
		if grown := value - before[line]; grown > 1e-9 {
			lines = append(lines, fmt.Sprintf("%s %.6g", line, grown))
		}
	}
	return strings.Join(slices.Sorted(slices.Values(lines)), "\n")
}

// TestWhoIsCounted commits rows twice: the second time all ends have their series, and get what is theirs.
func TestWhoIsCounted(t *testing.T) {
	gateway := aggregator.Config{NATGateways: []aggregator.Gateway{{ENI: "eni-nat"}}}
	for name, test := range map[string]struct {
		header string
		rows   string
		config aggregator.Config
		want   string
	}{
		"zonal gateway": {header: fullHeader, rows: `
			eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000000 ingress - 40000 443
			eni-nat - vpc-1 10.0.1.6 10.0.0.220 10.0.1.6 203.0.113.5 2000000 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 3000000 egress 8 1025 443
			eni-nat - vpc-1 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 50000000 ingress - 443 1025
			eni-nat - vpc-1 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 50000000 egress 1 443 40000
			eni-cli i-1 vpc-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000000 egress 1 40000 443`, want: `
			destination cost eu-west-3 203.0.113.5 0.00265
			destination eu-west-3 egress nat unknown 203.0.113.5 3e+06
			destination eu-west-3 ingress nat unknown 203.0.113.5 5e+07
			info eni-nat 10.0.1.5 eni-cli i-1 1
			pair eni-nat egress 10.0.1.5 203.0.113.5 1e+06
			pair eni-nat egress 10.0.1.6 203.0.113.5 2e+06
			pair eni-nat ingress 10.0.1.5 203.0.113.5 5e+07
			source cost eni-nat 10.0.1.5 0.00255
			source cost eni-nat 10.0.1.6 0.0001
			source eni-nat egress 10.0.1.5 1e+06
			source eni-nat egress 10.0.1.6 2e+06
			source eni-nat ingress 10.0.1.5 5e+07`},
		"a format without packet addresses names clients, but no remotes": {header: "interface-id srcaddr dstaddr bytes", config: gateway, rows: `
			eni-nat 10.0.1.5 10.0.0.220 1000000
			eni-nat 10.0.0.220 203.0.113.5 1000000
			eni-nat 203.0.113.5 10.0.0.220 50000000
			eni-nat 10.0.0.220 10.0.1.5 50000000`, want: `
			destination cost eu-west-3 other 0.00255
			destination eu-west-3 egress nat unknown other 1e+06
			destination eu-west-3 ingress nat unknown other 5e+07
			pair eni-nat egress other other 1e+06
			pair eni-nat ingress other other 5e+07
			source cost eni-nat 10.0.1.5 0.00255
			source eni-nat egress 10.0.1.5 1e+06
			source eni-nat ingress 10.0.1.5 5e+07`},
		"NAT64": {header: fullHeader, config: gateway, rows: `
			eni-nat - vpc-1 2001:db8::5 64:ff9b::cb00:7105 2001:db8::5 64:ff9b::cb00:7105 1000000 ingress - 40000 443
			eni-nat - vpc-1 64:ff9b::cb00:7105 2001:db8::5 64:ff9b::cb00:7105 2001:db8::5 2000000 egress - 443 40000`, want: `
			destination cost eu-west-3 203.0.113.5 0.00015
			destination eu-west-3 egress nat unknown 203.0.113.5 1e+06
			destination eu-west-3 ingress nat unknown 203.0.113.5 2e+06
			pair eni-nat egress 2001:db8::5 203.0.113.5 1e+06
			pair eni-nat ingress 2001:db8::5 203.0.113.5 2e+06
			source cost eni-nat 2001:db8::5 0.00015
			source eni-nat egress 2001:db8::5 1e+06
			source eni-nat ingress 2001:db8::5 2e+06`},
		"regional gateway": {header: "interface-id resource-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes flow-direction", rows: `
			- nat-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000000 ingress
			- nat-1 198.51.100.1 203.0.113.5 198.51.100.1 203.0.113.5 1000000 egress
			- nat-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 2000000 egress`, want: `
			destination cost eu-west-3 203.0.113.5 0.00015
			destination eu-west-3 egress nat unknown 203.0.113.5 1e+06
			destination eu-west-3 ingress nat unknown 203.0.113.5 2e+06
			pair nat-1 egress 10.0.1.5 203.0.113.5 1e+06
			pair nat-1 ingress 10.0.1.5 203.0.113.5 2e+06
			source cost nat-1 10.0.1.5 0.00015
			source nat-1 egress 10.0.1.5 1e+06
			source nat-1 ingress 10.0.1.5 2e+06`},
		"private gateway": {header: fullHeader, config: gateway, rows: `
			eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 10.9.0.7 1000000 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.220 10.9.0.7 10.0.0.220 10.9.0.7 1000000 egress 1 1025 443
			eni-nat - vpc-1 10.9.0.7 10.0.0.220 10.9.0.7 10.0.0.220 2000000 ingress - 443 1025
			eni-nat - vpc-1 10.0.0.220 10.0.1.5 10.9.0.7 10.0.1.5 2000000 egress 1 443 40000`, want: `
			destination cost eu-west-3 10.9.0.7 0.00015
			destination eu-west-3 egress nat unknown 10.9.0.7 1e+06
			destination eu-west-3 ingress nat unknown 10.9.0.7 2e+06
			pair eni-nat egress 10.0.1.5 10.9.0.7 1e+06
			pair eni-nat ingress 10.0.1.5 10.9.0.7 2e+06
			source cost eni-nat 10.0.1.5 0.00015
			source eni-nat egress 10.0.1.5 1e+06
			source eni-nat ingress 10.0.1.5 2e+06`},
		"clients' views": {header: fullHeader, config: aggregator.Config{Vantage: aggregator.VantageClient}, rows: `
			eni-cli i-1 vpc-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000000 egress 1 40000 443
			eni-cli i-1 vpc-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 2000000 ingress - 443 40000`, want: `
			destination cost eu-west-3 203.0.113.5 0.00015
			destination eu-west-3 egress nat unknown 203.0.113.5 1e+06
			destination eu-west-3 ingress nat unknown 203.0.113.5 2e+06
			info unknown 10.0.1.5 eni-cli i-1 1
			pair unknown egress 10.0.1.5 203.0.113.5 1e+06
			pair unknown ingress 10.0.1.5 203.0.113.5 2e+06
			source cost unknown 10.0.1.5 0.00015
			source unknown egress 10.0.1.5 1e+06
			source unknown ingress 10.0.1.5 2e+06`},
		"straight to an internet gateway, and inside": {header: "interface-type interface-id instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes flow-direction traffic-path", rows: `
			load_balancer eni-lb - 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000000 egress 2
			load_balancer eni-lb - 10.0.1.5 10.0.1.6 10.0.1.5 10.0.1.6 2000000 egress -`, want: `
			destination eu-west-3 egress igw_or_gateway_endpoint unknown 203.0.113.5 1e+06
			destination eu-west-3 internal internal unknown other 2e+06`},
		"workloads of several addresses": {header: "ecs-cluster-name ecs-service-name asg-tag " + fullHeader, config: gateway, rows: `
			main web - eni-1 - vpc-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000000 egress 1 40000 443
			main web - eni-2 - vpc-1 10.0.1.6 203.0.113.5 10.0.1.6 203.0.113.5 2000000 egress 1 40000 443
			- - batch eni-3 i-3 vpc-1 10.0.1.7 203.0.113.5 10.0.1.7 203.0.113.5 4000000 egress 1 40000 443
			- - - eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000000 ingress - 40000 443
			- - - eni-nat - vpc-1 10.0.1.6 10.0.0.220 10.0.1.6 203.0.113.5 2000000 ingress - 40000 443
			- - - eni-nat - vpc-1 10.0.1.7 10.0.0.220 10.0.1.7 203.0.113.5 4000000 ingress - 40000 443`, want: `
			destination cost eu-west-3 203.0.113.5 0.00035
			destination eu-west-3 egress nat unknown 203.0.113.5 7e+06
			info eni-nat asg:batch eni-3 i-3 asg=batch 1
			info eni-nat ecs:main/web ecs=main/web 1
			pair eni-nat egress asg:batch 203.0.113.5 4e+06
			pair eni-nat egress ecs:main/web 203.0.113.5 3e+06
			source cost eni-nat asg:batch 0.0002
			source cost eni-nat ecs:main/web 0.00015
			source eni-nat egress asg:batch 4e+06
			source eni-nat egress ecs:main/web 3e+06`},
		"a region without a price": {header: "region " + fullHeader, config: gateway, rows: `
			mars-1 eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000000 ingress - 40000 443`, want: `
			destination mars-1 egress nat unknown 203.0.113.5 1e+06
			pair eni-nat egress 10.0.1.5 203.0.113.5 1e+06
			source eni-nat egress 10.0.1.5 1e+06`},
		"no destinations wanted": {header: fullHeader, config: aggregator.Config{NATGateways: gateway.NATGateways, Top: aggregator.TopConfig{Sources: 1}}, rows: `
			eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000000 ingress - 40000 443`, want: `
			destination cost eu-west-3 other 5e-05
			destination eu-west-3 egress nat unknown other 1e+06
			pair eni-nat egress other other 1e+06
			source cost eni-nat 10.0.1.5 5e-05
			source eni-nat egress 10.0.1.5 1e+06`},
	} {
		t.Run(name, func(t *testing.T) {
			config := aggregator.DefaultConfig()
			config.NATGateways, config.Top = test.config.NATGateways, test.config.Top
			if test.config.Vantage != "" {
				config.Vantage = test.config.Vantage
			}
			if config.Top.Destinations+config.Top.Sources == 0 {
				config.Top = aggregator.DefaultTopConfig()
				config.Top.Hold = 0
			}
			a := newAggregator(config)
			var before map[string]float64
			for range 2 {
				before = ends(a)
				rows := strings.Split(strings.ReplaceAll(strings.TrimSpace(test.rows), "\t", ""), "\n")
				files++
				file := aggregator.File{Identity: fmt.Sprintf("file-%d", files), AccountID: "123456789012", FlowLogID: "fl-1"}
				if !strings.Contains(test.header, "region") {
					file.Region = "eu-west-3"
				}
				commitFile(t, a, file, watchedDelta(t, a, test.header, rows...))
			}
			after := ends(a)
			for l, w := range a.Snapshot().SourceInfo {
				if w != (aggregator.Workload{}) {
					after[infoLine(l, w)] = 1
				}
			}
			want := strings.ReplaceAll(strings.TrimSpace(test.want), "\t", "")
			if got := endsGrowth(before, after); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// infoLine renders what is known of a source.
func infoLine(l aggregator.SourceCostLabels, w aggregator.Workload) string {
	line := strings.Join(strings.Fields(fmt.Sprintf("info %s %s %s %s", l.NATGateway, l.Source.Label(), w.InterfaceID, w.InstanceID)), " ")
	if w.ECSService != "" {
		line += " ecs=" + w.ECSCluster + "/" + w.ECSService
	}
	if w.ASGTag != "" {
		line += " asg=" + w.ASGTag
	}
	return line
}

// TestHold commits the same bytes at different times: a series that has appeared counts from top.hold on, and its bytes are among the others until then.
func TestHold(t *testing.T) {
	clock := now
	config := aggregator.DefaultConfig()
	config.Top.Idle = time.Hour
	a := aggregator.New(config, fixedPrice(0.05), func() time.Time { return clock })
	const header = "interface-id interface-type srcaddr dstaddr bytes flow-direction traffic-path"
	const row = "eni-1 load_balancer 10.0.1.5 203.0.113.5 1000000 egress 2"
	want := make(map[string]float64)
	const other, named = "destination eu-west-3 egress igw_or_gateway_endpoint unknown other", "destination eu-west-3 egress igw_or_gateway_endpoint unknown 203.0.113.5"
	for _, step := range []struct {
		after        time.Duration
		other, named float64 // A negative number is none.
	}{{0, 1e6, 0}, {119 * time.Second, 2e6, 0}, {time.Second, 2e6, 1e6}, {time.Hour, 2e6, 2e6}} {
		clock = clock.Add(step.after)
		commit(t, a, header, row)
		want[other], want[named] = step.other, step.named
		if got := ends(a); !maps.Equal(got, want) {
			t.Fatalf("after %s: got %v, want %v", step.after, got, want)
		}
	}
	config.Top.Destinations = 0
	a.Reconfigure(config)
	commit(t, a, header, row)
	want[other] = 3e6
	if got := ends(a); !maps.Equal(got, want) {
		t.Errorf("once nobody is wanted: got %v, want %v", got, want)
	}
	clock = clock.Add(2 * time.Minute)
	commit(t, a, header, row)
	if got := ends(a); !maps.Equal(got, map[string]float64{other: 4e6}) {
		t.Errorf("after a hold: got %v", got)
	}
}

// TestManyPairs reads a file with more pairs than are kept apart, all heavier than one that has a series: it gets its bytes, and no other one does.
func TestManyPairs(t *testing.T) {
	config := aggregator.DefaultConfig()
	config.NATGateways = []aggregator.Gateway{{ENI: "eni-nat"}}
	config.Top.Hold, config.Top.Pairs = 0, 1
	a := newAggregator(config)
	const row = "eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 %d ingress - 40000 443"
	commitFile(t, a, aggregator.File{Identity: "first", Region: "eu-west-3"}, watchedDelta(t, a, fullHeader, fmt.Sprintf(row, 1_000_000_000_000)))
	before := ends(a)
	rows := []string{fmt.Sprintf(row, 3)}
	for i := range 30_000 {
		rows = append(rows, fmt.Sprintf("eni-nat - vpc-1 10.0.%d.%d 10.0.0.220 10.0.%d.%d 203.0.113.%d %d ingress - 40000 443", 2+i/200%200, i%200, 2+i/200%200, i%200, i/40_000, 1000+i))
	}
	rows = append(rows, fmt.Sprintf(row, 4))
	commitFile(t, a, aggregator.File{Identity: "second", Region: "eu-west-3"}, watchedDelta(t, a, fullHeader, rows...))
	for line, want := range map[string]float64{"pair eni-nat egress 10.0.1.5 203.0.113.5": 7, "pair eni-nat egress other other": 30_000*1000 + 30_000*29_999/2} {
		if got := ends(a)[line] - before[line]; got != want {
			t.Errorf("%s grew by %.0f, want %.0f", line, got, want)
		}
	}
}
