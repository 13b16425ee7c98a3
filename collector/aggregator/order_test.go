package aggregator_test

import (
	"flag"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
)

var orderSeed = flag.Uint64("order.seed", 0, "seed of the orders of rows; 0 takes a random one")

const (
	fullHeader = "interface-id instance-id vpc-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes flow-direction traffic-path srcport dstport"
	// What full rows have besides: all but their direction, path and ports.
	pkt4Header = "interface-id instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes"
	typeHeader = "interface-id interface-type instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes flow-direction"
)

// TestAnyOrder commits each topology's rows in random orders, cut into random files, and then lets time pass: the totals are always the same.
func TestAnyOrder(t *testing.T) {
	seed := *orderSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("rerun with -order.seed=%d", seed)
	for name, test := range map[string]struct {
		header string
		rows   string
		config aggregator.Config
		want   string
	}{
		"zonal gateway, learned": {header: fullHeader, rows: `
			eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 egress 8 1025 443
			eni-nat - vpc-1 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 50000 ingress - 443 1025
			eni-nat - vpc-1 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 50000 egress 1 443 40000
			eni-cli i-1 vpc-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000 egress 1 40000 443
			eni-cli i-1 vpc-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 50000 ingress - 443 40000`, want: `
			bytes egress nat 1000
			bytes ingress nat 50000
			nat eni-nat egress 1000 priced
			nat eni-nat ingress 50000 priced
			records client_view 2 bytes 51000
			records counted 2 bytes 51000
			records nat_public_leg 2 bytes 51000`},
		"a NAT instance whose leg B looks like its own traffic": {header: fullHeader, rows: `
			eni-nat i-9 vpc-1 10.0.1.5 10.0.0.9 10.0.1.5 203.0.113.5 1000 ingress - 40000 443
			eni-nat i-9 vpc-1 10.0.0.9 203.0.113.5 10.0.0.9 203.0.113.5 1000 egress 8 1025 443
			eni-nat i-9 vpc-1 203.0.113.5 10.0.0.9 203.0.113.5 10.0.0.9 50000 ingress - 443 1025
			eni-nat i-9 vpc-1 10.0.0.9 10.0.1.5 203.0.113.5 10.0.1.5 50000 egress 1 443 40000`, want: `
			bytes egress nat_instance 1000
			bytes ingress nat_instance 50000
			nat eni-nat egress 1000
			nat eni-nat ingress 50000
			records counted 2 bytes 51000
			records nat_public_leg 2 bytes 51000`},
		"no instance-id, and a path that looks like a direct route": {header: strings.Replace(fullHeader, "instance-id", "az-id", 1), rows: `
			eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 egress 8 1025 443`, want: `
			bytes egress nat 1000
			nat eni-nat egress 1000 priced
			records counted 1 bytes 1000
			records nat_public_leg 1 bytes 1000`},
		"uploads only": {header: pkt4Header, rows: `
			eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000
			eni-nat - 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000`, want: `
			bytes egress nat 1000
			nat eni-nat egress 1000 priced
			records counted 1 bytes 1000
			records nat_public_leg 1 bytes 1000`},
		"downloads only": {header: pkt4Header, rows: `
			eni-nat - 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 50000
			eni-nat - 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 50000`, want: `
			bytes ingress nat 50000
			nat eni-nat ingress 50000 priced
			records counted 1 bytes 50000
			records nat_public_leg 1 bytes 50000`},
		"egress only through a secondary address": {header: fullHeader, rows: `
			eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.221 203.0.113.5 10.0.0.221 203.0.113.5 1000 egress 8 1025 443
			eni-nat - vpc-1 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.221 50000 ingress - 443 1025
			eni-nat - vpc-1 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 50000 egress 1 443 40000`, want: `
			bytes egress nat 1000
			bytes ingress nat 50000
			nat eni-nat egress 1000 priced
			nat eni-nat ingress 50000 priced
			records counted 2 bytes 51000
			records nat_public_leg 2 bytes 51000`},
		"a configured gateway with a secondary address, and one remote": {
			header: pkt4Header, config: aggregator.Config{NATGateways: []aggregator.Gateway{{ENI: "eni-nat"}}}, rows: `
			eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000
			eni-nat - 10.0.0.221 203.0.113.5 10.0.0.221 203.0.113.5 1000
			eni-nat - 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.221 50000
			eni-nat - 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 50000`, want: `
			bytes egress nat 1000
			bytes ingress nat 50000
			nat eni-nat egress 1000 priced
			nat eni-nat ingress 50000 priced
			records counted 2 bytes 51000
			records nat_public_leg 2 bytes 51000`,
		},
		"the same without packet addresses": {
			header: "interface-id srcaddr dstaddr bytes", config: aggregator.Config{NATGateways: []aggregator.Gateway{{ENI: "eni-nat"}}}, rows: `
			eni-nat 10.0.1.5 10.0.0.220 1000
			eni-nat 10.0.0.221 203.0.113.5 1000
			eni-nat 203.0.113.5 10.0.0.220 50000
			eni-nat 10.0.0.220 10.0.1.5 50000`, want: `
			bytes egress nat 1000
			bytes ingress nat 50000
			nat eni-nat egress 1000 priced
			nat eni-nat ingress 50000 priced
			records counted 2 bytes 51000
			records nat_public_leg 2 bytes 51000`,
		},
		"egress only through a secondary address, shown as the primary one": {header: fullHeader, rows: `
			eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.220 203.0.113.5 10.0.0.221 203.0.113.5 1000 egress 8 1025 443
			eni-nat - vpc-1 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.221 50000 ingress - 443 1025
			eni-nat - vpc-1 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 50000 egress 1 443 40000
			eni-cli i-1 vpc-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000 egress - 40000 443`, want: `
			bytes egress nat 1000
			bytes ingress nat 50000
			nat eni-nat egress 1000 priced
			nat eni-nat ingress 50000 priced
			records client_view 1 bytes 1000
			records counted 2 bytes 51000
			records nat_public_leg 2 bytes 51000`},
		"private gateway": {header: fullHeader, rows: `
			eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 192.168.7.7 1000 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.220 192.168.7.7 10.0.0.220 192.168.7.7 1000 egress 1 1025 443
			eni-nat - vpc-1 192.168.7.7 10.0.0.220 192.168.7.7 10.0.0.220 50000 ingress - 443 1025
			eni-nat - vpc-1 10.0.0.220 10.0.1.5 192.168.7.7 10.0.1.5 50000 egress 1 443 40000
			eni-cli i-1 vpc-1 10.0.1.5 192.168.7.7 10.0.1.5 192.168.7.7 1000 egress 1 40000 443
			eni-cli i-1 vpc-1 192.168.7.7 10.0.1.5 192.168.7.7 10.0.1.5 50000 ingress - 443 40000`, want: `
			bytes egress nat 1000
			bytes ingress nat 50000
			bytes internal internal 1000
			nat eni-nat egress 1000 priced
			nat eni-nat ingress 50000 priced
			records counted 3 bytes 52000
			records nat_public_leg 2 bytes 51000
			records receiver_side 1 bytes 50000`},
		"private gateway with a secondary address, no direction": {header: pkt4Header, rows: `
			eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 192.168.7.7 1000
			eni-nat - 10.0.0.220 192.168.7.7 10.0.0.220 192.168.7.7 1000
			eni-nat - 192.168.7.7 10.0.0.220 192.168.7.7 10.0.0.220 50000
			eni-nat - 10.0.0.220 10.0.1.5 192.168.7.7 10.0.1.5 50000
			eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 192.168.8.8 2000
			eni-nat - 10.0.0.221 192.168.8.8 10.0.0.221 192.168.8.8 2000
			eni-nat - 192.168.8.8 10.0.0.220 192.168.8.8 10.0.0.221 70000
			eni-nat - 10.0.0.220 10.0.1.5 192.168.8.8 10.0.1.5 70000`, want: `
			bytes egress nat 3000
			bytes ingress nat 120000
			nat eni-nat egress 3000 priced
			nat eni-nat ingress 120000 priced
			records counted 4 bytes 123000
			records nat_public_leg 4 bytes 123000`},
		"private gateway with a secondary address": {header: fullHeader, rows: `
			eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 192.168.8.8 2000 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.221 192.168.8.8 10.0.0.221 192.168.8.8 2000 egress 1 1025 443
			eni-nat - vpc-1 192.168.8.8 10.0.0.220 192.168.8.8 10.0.0.221 70000 ingress - 443 1025
			eni-nat - vpc-1 10.0.0.220 10.0.1.5 192.168.8.8 10.0.1.5 70000 egress 1 443 40000`, want: `
			bytes egress nat 2000
			bytes ingress nat 70000
			nat eni-nat egress 2000 priced
			nat eni-nat ingress 70000 priced
			records counted 2 bytes 72000
			records nat_public_leg 2 bytes 72000`},
		"a gateway behind a gateway of another VPC": {header: fullHeader, rows: `
			eni-one - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 ingress - 40000 443
			eni-one - vpc-1 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 egress 1 1025 443
			eni-one - vpc-1 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 50000 ingress - 443 1025
			eni-one - vpc-1 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 50000 egress 1 443 40000
			eni-two - vpc-2 10.0.0.220 10.9.0.7 10.0.0.220 203.0.113.5 1000 ingress - 1025 443
			eni-two - vpc-2 10.9.0.7 203.0.113.5 10.9.0.7 203.0.113.5 1000 egress 8 1026 443
			eni-two - vpc-2 203.0.113.5 10.9.0.7 203.0.113.5 10.9.0.7 50000 ingress - 443 1026
			eni-two - vpc-2 10.9.0.7 10.0.0.220 203.0.113.5 10.0.0.220 50000 egress 1 443 1025`, want: `
			bytes egress nat 2000
			bytes ingress nat 100000
			nat eni-one egress 1000 priced
			nat eni-one ingress 50000 priced
			nat eni-two egress 1000 priced
			nat eni-two ingress 50000 priced
			records counted 4 bytes 102000
			records nat_public_leg 4 bytes 102000`},
		"an EKS node whose pods have public addresses, and which pulls images itself": {header: fullHeader, rows: `
			eni-node i-1 vpc-1 10.0.0.9 203.0.113.5 11.0.0.7 203.0.113.5 100 egress 8 40000 443
			eni-node i-1 vpc-1 203.0.113.5 10.0.0.9 203.0.113.5 11.0.0.7 900 ingress - 443 40000
			eni-node i-1 vpc-1 10.0.0.9 203.0.113.5 10.0.0.9 203.0.113.5 30 egress 8 40001 443
			eni-node i-1 vpc-1 203.0.113.5 10.0.0.9 203.0.113.5 10.0.0.9 70 ingress - 443 40001`, want: `
			bytes egress internet_gateway 130
			bytes ingress unknown 970
			records counted 4 bytes 1100`},
		"the same without direction and path": {header: pkt4Header, rows: `
			eni-node i-1 10.0.0.9 203.0.113.5 11.0.0.7 203.0.113.5 100
			eni-node i-1 203.0.113.5 10.0.0.9 203.0.113.5 11.0.0.7 900
			eni-node i-1 10.0.0.9 203.0.113.5 10.0.0.9 203.0.113.5 30
			eni-node i-1 203.0.113.5 10.0.0.9 203.0.113.5 10.0.0.9 70`, want: `
			bytes egress unknown 130
			bytes ingress unknown 970
			records counted 4 bytes 1100`},
		"a transit gateway's attachment": {header: pkt4Header, rows: `
			eni-tgw - 10.40.1.175 10.40.2.236 10.20.33.164 10.40.2.236 100
			eni-tgw - 10.40.2.236 10.40.1.175 10.40.2.236 10.20.33.164 200
			eni-tgw - 10.40.1.175 203.0.113.5 10.20.33.164 203.0.113.5 300
			eni-tgw - 203.0.113.5 10.40.1.175 203.0.113.5 10.20.33.164 400`, want: `
			records transit 4 bytes 1000`},
		"a firewall's endpoint": {header: pkt4Header, rows: `
			eni-fw - 10.0.1.5 10.0.9.9 10.0.1.5 203.0.113.5 100
			eni-fw - 10.0.9.9 203.0.113.5 10.0.1.5 203.0.113.5 100
			eni-fw - 203.0.113.5 10.0.9.9 203.0.113.5 10.0.1.5 900
			eni-fw - 10.0.9.9 10.0.1.5 203.0.113.5 10.0.1.5 900`, want: `
			records transit 4 bytes 2000`},
		"a firewall's endpoint with several clients": {header: fullHeader, rows: `
			eni-fw - vpc-1 10.0.1.5 10.0.9.9 10.0.1.5 203.0.113.5 100 ingress - 40000 443
			eni-fw - vpc-1 10.0.9.9 203.0.113.5 10.0.1.5 203.0.113.5 100 egress - 40000 443
			eni-fw - vpc-1 10.0.1.6 10.0.9.9 10.0.1.6 203.0.113.5 200 ingress - 40000 443
			eni-fw - vpc-1 10.0.9.9 203.0.113.5 10.0.1.6 203.0.113.5 200 egress - 40000 443`, want: `
			records transit 4 bytes 600`},
		"a load balancer that keeps its clients' addresses": {header: fullHeader, rows: `
			eni-nlb - vpc-1 203.0.113.5 10.0.0.50 203.0.113.5 10.0.0.50 100 ingress - 50000 443
			eni-nlb - vpc-1 10.0.0.50 10.0.1.9 203.0.113.5 10.0.1.9 100 egress 1 50000 443
			eni-nlb - vpc-1 10.0.1.9 10.0.0.50 10.0.1.9 203.0.113.5 900 ingress - 443 50000
			eni-nlb - vpc-1 10.0.0.50 203.0.113.5 10.0.0.50 203.0.113.5 900 egress 8 443 50000`, want: `
			bytes egress internet_gateway 900
			bytes ingress unknown 100
			records counted 2 bytes 1000
			records transit 2 bytes 1000`},
		"the same, named by its type": {header: typeHeader, rows: `
			eni-nlb network_load_balancer - 203.0.113.5 10.0.0.50 203.0.113.5 10.0.0.50 100 ingress
			eni-nlb network_load_balancer - 10.0.0.50 10.0.1.9 203.0.113.5 10.0.1.9 100 egress
			eni-nlb network_load_balancer - 10.0.1.9 10.0.0.50 10.0.1.9 203.0.113.5 900 ingress
			eni-nlb network_load_balancer - 10.0.0.50 203.0.113.5 10.0.0.50 203.0.113.5 900 egress`, want: `
			bytes egress unknown 900
			bytes ingress unknown 100
			records counted 2 bytes 1000
			records transit 2 bytes 1000`},
		"an interface endpoint": {header: fullHeader, rows: `
			eni-vpce - vpc-1 10.0.1.5 10.0.9.8 10.0.1.5 10.0.9.8 100 ingress - 40000 443
			eni-vpce - vpc-1 10.0.9.8 10.0.1.5 10.0.9.8 10.0.1.5 900 egress 1 443 40000
			eni-cli i-1 vpc-1 10.0.1.5 10.0.9.8 10.0.1.5 10.0.9.8 100 egress 1 40000 443
			eni-cli i-1 vpc-1 10.0.9.8 10.0.1.5 10.0.9.8 10.0.1.5 900 ingress - 443 40000`, want: `
			bytes internal internal 1000
			records counted 2 bytes 1000
			records receiver_side 2 bytes 1000`},
		"S3 through a gateway endpoint of a client behind NAT": {header: fullHeader, rows: `
			eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 egress 8 1025 443
			eni-cli i-1 vpc-1 10.0.1.5 52.218.1.1 10.0.1.5 52.218.1.1 300 egress 7 40000 443
			eni-cli i-1 vpc-1 52.218.1.1 10.0.1.5 52.218.1.1 10.0.1.5 400 ingress - 443 40000`, want: `
			bytes egress gateway_endpoint 300
			bytes egress nat 1000
			nat eni-nat egress 1000 priced
			records client_view 1 bytes 400
			records counted 2 bytes 1300
			records nat_public_leg 1 bytes 1000`},
		"no gateway is logged": {header: fullHeader, rows: `
			eni-cli i-1 vpc-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000 egress 1 40000 443
			eni-cli i-1 vpc-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 50000 ingress - 443 40000`, want: `
			bytes egress unseen_middlebox 1000
			bytes ingress unseen_middlebox 50000
			records counted 2 bytes 51000`},
		"vantage client": {header: fullHeader, config: aggregator.Config{Vantage: aggregator.VantageClient}, rows: `
			eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 egress 8 1025 443
			eni-cli i-1 vpc-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000 egress 1 40000 443
			eni-cli i-1 vpc-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 50000 ingress - 443 40000`, want: `
			bytes egress nat 1000
			bytes ingress nat 50000
			nat unknown egress 1000 priced
			nat unknown ingress 50000 priced
			records counted 2 bytes 51000
			records nat_public_leg 1 bytes 1000
			records transit 1 bytes 1000`},
		"a node with pods behind NAT, of which the gateway's rows name one": {header: strings.Replace(fullHeader, "traffic-path", "az-id", 1), rows: `
			eni-nat - vpc-1 10.0.3.7 10.0.0.220 10.0.3.7 203.0.113.5 1000 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 egress - 1025 443
			eni-node i-1 vpc-1 10.0.3.7 203.0.113.5 10.0.3.7 203.0.113.5 1000 egress - 40000 443
			eni-node i-1 vpc-1 10.0.3.8 198.51.100.7 10.0.3.8 198.51.100.7 30 egress - 40000 443
			eni-node i-1 vpc-1 198.51.100.7 10.0.3.1 198.51.100.7 10.0.3.8 70 ingress - 443 40000`, want: `
			bytes egress nat 1000
			nat eni-nat egress 1000 priced
			records client_view 3 bytes 1100
			records counted 1 bytes 1000
			records nat_public_leg 1 bytes 1000`},
		"a client of both families, without direction": {header: pkt4Header, rows: `
			eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000
			eni-nat - 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000
			eni-cli i-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000
			eni-cli i-1 2001:db8:1::5 64:ff9b::cb00:7105 2001:db8:1::5 64:ff9b::cb00:7105 32`, want: `
			bytes egress nat 1000
			nat eni-nat egress 1000 priced
			records client_view 2 bytes 1032
			records counted 1 bytes 1000
			records nat_public_leg 1 bytes 1000`},
		"NAT64": {header: fullHeader, rows: `
			eni-nat - vpc-1 2001:db8:1::5 64:ff9b::cb00:7105 2001:db8:1::5 64:ff9b::cb00:7105 1200 ingress - 40000 443
			eni-nat - vpc-1 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 egress 8 1025 443
			eni-nat - vpc-1 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 50000 ingress - 443 1025
			eni-nat - vpc-1 64:ff9b::cb00:7105 2001:db8:1::5 64:ff9b::cb00:7105 2001:db8:1::5 52000 egress 1 443 40000
			eni-cli i-1 vpc-1 2001:db8:1::5 64:ff9b::cb00:7105 2001:db8:1::5 64:ff9b::cb00:7105 1200 egress 1 40000 443
			eni-cli i-1 vpc-1 64:ff9b::cb00:7105 2001:db8:1::5 64:ff9b::cb00:7105 2001:db8:1::5 52000 ingress - 443 40000`, want: `
			bytes egress nat 1200
			bytes ingress nat 52000
			nat eni-nat egress 1200 priced
			nat eni-nat ingress 52000 priced
			records client_view 2 bytes 53200
			records counted 2 bytes 53200
			records nat_public_leg 2 bytes 51000`},
	} {
		t.Run(name, func(t *testing.T) {
			rows := lines(test.rows)
			want := append(lines(test.want), "records no_data 1 bytes 0")
			slices.Sort(want)
			rng := rand.New(rand.NewPCG(seed, 1))
			for range 60 {
				config := aggregator.DefaultConfig()
				if test.config.Vantage != "" {
					config.Vantage = test.config.Vantage
				}
				config.NATGateways = test.config.NATGateways
				a := newAggregator(config)
				order := commitInAnyOrder(t, a, rng, test.header, rows)
				pass(t, a, 2*time.Hour)
				if got := shortTotals(a); !slices.Equal(got, want) {
					t.Fatalf("files\n%s\ngot\n%s\nwant\n%s", order, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

func lines(text string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

// commitInAnyOrder shuffles the rows, cuts them into files of up to four, commits these and returns them.
func commitInAnyOrder(t *testing.T, a *aggregator.Aggregator, rng *rand.Rand, header string, rows []string) string {
	t.Helper()
	rows = slices.Clone(rows)
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	var order []string
	for len(rows) > 0 {
		n := min(len(rows), 1+rng.IntN(4))
		commit(t, a, header, rows[:n]...)
		order = append(order, strings.Join(rows[:n], "\n"))
		rows = rows[n:]
	}
	return strings.Join(order, "\n--\n")
}

// shortTotals are totals without what is the same in all of these tests.
func shortTotals(a *aggregator.Aggregator) []string {
	replacer := strings.NewReplacer(" 123456789012 eu-west-3", "", " unknown ", " ")
	var out []string
	for line := range strings.SplitSeq(totals(a), "\n") {
		if fields := strings.Fields(line); fields[0] == "nat" {
			line = strings.Join([]string{"nat", fields[1], fields[2], fields[4]}, " ")
			if fields[6] == "true" {
				line += " priced"
			}
		} else if fields[0] == "bytes" {
			line = strings.Join([]string{"bytes", fields[3], fields[4], fields[6]}, " ")
		} else {
			line = replacer.Replace(line)
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// TestManyRemotesInSmallFiles recognises gateways by few of their many remotes: what a gateway sends to most of them is in other files than what it forwards.
func TestManyRemotesInSmallFiles(t *testing.T) {
	seed := *orderSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("rerun with -order.seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	const remotes = 2000
	var rows []string
	for i := range remotes {
		remote := netip.AddrFrom4([4]byte{203, byte(i >> 8), byte(i), 5}).String()
		for _, leg := range conversation[:4] {
			rows = append(rows, strings.ReplaceAll(leg, "203.0.113.5", remote))
		}
	}
	for _, size := range []int{3, 40, 10_000} {
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		a := newAggregator(aggregator.DefaultConfig())
		for chunk := range slices.Chunk(rows, size) {
			commit(t, a, header, chunk...)
		}
		pass(t, a, 2*time.Hour)
		want := []string{
			"bytes egress nat 2000000", "bytes ingress nat 100000000", "nat eni-nat egress 2000000 priced", "nat eni-nat ingress 100000000 priced",
			"records counted 4000 bytes 102000000", "records nat_public_leg 4000 bytes 102000000", "records no_data 1 bytes 0",
		}
		if got := shortTotals(a); !slices.Equal(got, want) {
			t.Errorf("files of %d rows: got\n%s\nwant\n%s", size, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestFewRemotesBothWays reads files of which each recognises the gateway by the few of its remotes that it shows both ways, before and behind others that dilute what is
// remembered of them.
func TestFewRemotesBothWays(t *testing.T) {
	seed := *orderSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("rerun with -order.seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	const legs, remotes = 500, 30_000
	file := func() (rows []string) {
		for range legs {
			for _, leg := range conversation[:4] {
				i := rng.IntN(remotes)
				remote := netip.AddrFrom4([4]byte{203, byte(i >> 8), byte(i), 5}).String()
				rows = append(rows, strings.ReplaceAll(leg, "203.0.113.5", remote))
			}
		}
		return rows
	}
	totalsOf := func(files ...[]string) []string {
		a := newAggregator(aggregator.DefaultConfig())
		for _, rows := range files {
			commit(t, a, header, rows...)
		}
		pass(t, a, 2*time.Hour)
		return shortTotals(a)
	}
	for range 20 {
		x, y := file(), file()
		alone := slices.Contains(totalsOf(x), "nat eni-nat egress 500000 priced") || slices.Contains(totalsOf(y), "nat eni-nat egress 500000 priced")
		for _, files := range [][][]string{{x, y}, {y, x}} {
			if got := totalsOf(files...); alone && !slices.Contains(got, "nat eni-nat egress 1000000 priced") {
				t.Errorf("one file alone recognises the gateway, both together do not:\n%s", strings.Join(got, "\n"))
			}
		}
	}
}
