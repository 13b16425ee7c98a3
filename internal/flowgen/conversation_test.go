package flowgen_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

var (
	up   = flowgen.Volume{Bytes: 7, Packets: 1}
	down = flowgen.Volume{Bytes: 11, Packets: 1}
)

func (d *documented) small(client *flowgen.Instance) flowgen.Conversation {
	return flowgen.Conversation{Client: client, Remote: d.remote, Up: up, Down: down, Span: d.span}
}

// elsewhere returns a subnet of another VPC in another account, with the same format.
func (d *documented) elsewhere() *flowgen.Subnet {
	log := *d.log
	log.ID, log.Account = "fl-5678", "210987654321"
	vpc := &flowgen.VPC{ID: "vpc-2", CIDR: netip.MustParsePrefix("10.9.0.0/16"), FlowLog: &log}
	return &flowgen.Subnet{ID: "subnet-2", AZID: "use1-az1", VPC: vpc}
}

// alone returns a subnet of another VPC whose gateway no flow log logs, and a client in it.
func (d *documented) alone() (*flowgen.Gateway, *flowgen.Instance) {
	subnet := d.elsewhere()
	subnet.VPC.FlowLog.NATUnseen = true
	hidden := *subnet
	hidden.Unlogged = true
	g := &flowgen.Gateway{VPC: subnet.VPC, Subnet: &hidden, ENI: "eni-nat2", Private: netip.MustParseAddr("10.9.0.220")}
	client := &flowgen.Instance{ENI: "eni-c2", ID: "i-c2", Subnet: subnet, Addr: netip.MustParseAddr("10.9.1.5"), Gateways: []*flowgen.Gateway{g}}
	return g, client
}

// counts are records by disposition.
type counts map[flowgen.Disposition]uint64

// home and away are the labels of the two accounts' bytes.
func home(d flowgen.Direction, p flowgen.Path, service string) flowgen.BytesKey {
	return flowgen.BytesKey{AccountID: "123456789012", Region: "us-east-1", Direction: d, Path: p, Service: service}
}

func away(d flowgen.Direction, p flowgen.Path, service string) flowgen.BytesKey {
	k := home(d, p, service)
	k.AccountID = "210987654321"
	return k
}

// TestRareConversations says what each of the rarer conversations comes to, by hand: 7 bytes go up and 11 come down.
func TestRareConversations(t *testing.T) {
	all := flowgen.FieldNames(11)
	nat := map[flowgen.BytesKey]uint64{home("egress", "nat", "S3"): 7, home("ingress", "nat", "S3"): 11}
	natRecords := counts{"counted": 2, "nat_public_leg": 2, "client_view": 2}
	endpoint := func(d *documented) *flowgen.Endpoint {
		return &flowgen.Endpoint{ENI: "eni-vpce", Subnet: d.client.Subnet, Addr: netip.MustParseAddr("10.0.1.77"), HidesAccount: true}
	}
	attachments := func(spoke, egress *flowgen.Subnet) (a, b *flowgen.Attachment) {
		return &flowgen.Attachment{ENI: "eni-tgw1", Subnet: spoke, Addr: netip.MustParseAddr("10.9.2.9")},
			&flowgen.Attachment{ENI: "eni-tgw2", Subnet: egress, Addr: netip.MustParseAddr("10.0.2.9")}
	}
	balancer := func(d *documented) *flowgen.LoadBalancer {
		return &flowgen.LoadBalancer{
			ENI: "eni-lb", Subnet: d.client.Subnet, Addr: netip.MustParseAddr("10.0.1.80"), Public: netip.MustParseAddr("13.39.0.1"),
		}
	}
	// central is a client in another account whose gateway is the documented one.
	central := func(d *documented) {
		spoke := d.elsewhere()
		spoke.VPC.FlowLog.NATUnseen = true
		client := &flowgen.Instance{
			ENI: "eni-spoke", ID: "i-spoke", Subnet: spoke, Addr: netip.MustParseAddr("10.9.1.5"), Gateways: []*flowgen.Gateway{d.gateway},
		}
		a, b := attachments(spoke, d.gateway.Subnet)
		d.recorder.CentralNAT(d.gateway, a, b, d.small(client))
	}
	unlogged := func(vantage flowgen.Vantage) func(*documented) {
		return func(d *documented) {
			d.recorder.Vantage = vantage
			g, client := d.alone()
			d.recorder.NAT(g, d.small(client))
		}
	}

	for name, tc := range map[string]struct {
		fields  []string
		make    func(d *documented)
		records counts
		bytes   map[flowgen.BytesKey]uint64
	}{
		"private NAT gateway": {all, func(d *documented) {
			d.remote = flowgen.Remote{Addr: netip.MustParseAddr("10.200.0.5")}
			d.recorder.NAT(d.gateway, d.small(d.client))
		}, counts{"counted": 3, "nat_public_leg": 2, "receiver_side": 1}, map[flowgen.BytesKey]uint64{
			home("egress", "nat", "none"): 7, home("ingress", "nat", "none"): 11, home("internal", "internal", "none"): 7,
		}},
		"NAT instance": {all, func(d *documented) {
			d.gateway.InstanceID = "i-nat"
			d.recorder.NAT(d.gateway, d.small(d.client))
		}, natRecords, map[flowgen.BytesKey]uint64{home("egress", "nat_instance", "S3"): 7, home("ingress", "nat_instance", "S3"): 11}},
		"NAT instance that cannot be told": {without(all, "instance-id", "interface-type"), func(d *documented) {
			d.gateway.InstanceID = "i-nat"
			d.recorder.NAT(d.gateway, d.small(d.client))
		}, natRecords, nat},
		"uploads alone": {all, func(d *documented) {
			c := d.small(d.client)
			c.Down = flowgen.Volume{}
			d.recorder.NAT(d.gateway, c)
		}, counts{"counted": 1, "nat_public_leg": 1, "client_view": 1}, map[flowgen.BytesKey]uint64{home("egress", "nat", "S3"): 7}},
		"downloads alone": {all, func(d *documented) {
			c := d.small(d.client)
			c.Up = flowgen.Volume{}
			d.recorder.NAT(d.gateway, c)
		}, counts{"counted": 1, "nat_public_leg": 1, "client_view": 1}, map[flowgen.BytesKey]uint64{home("ingress", "nat", "S3"): 11}},
		"chain": {all, func(d *documented) {
			subnet := d.elsewhere()
			outer := &flowgen.Gateway{VPC: subnet.VPC, Subnet: subnet, ENI: "eni-nat2", Private: netip.MustParseAddr("10.9.0.220")}
			d.recorder.Chain(d.gateway, outer, d.small(d.client))
		}, counts{"counted": 4, "nat_public_leg": 4, "client_view": 2}, map[flowgen.BytesKey]uint64{
			home("egress", "nat", "S3"): 7, home("ingress", "nat", "S3"): 11, away("egress", "nat", "S3"): 7, away("ingress", "nat", "S3"): 11,
		}},
		"hairpin": {all, func(d *documented) {
			d.gateway.Public = []netip.Addr{netip.MustParseAddr("13.38.0.1")}
			d.recorder.Hairpin(d.gateway, balancer(d), d.small(d.client))
		}, counts{"counted": 4, "nat_public_leg": 2, "client_view": 2}, map[flowgen.BytesKey]uint64{
			home("egress", "nat", "EC2"): 7, home("ingress", "nat", "EC2"): 11,
			home("ingress", "unknown", "EC2"): 7, home("egress", "internet_gateway", "EC2"): 11,
		}},
		"public pod": {all, func(d *documented) {
			d.recorder.PodDirect(netip.MustParseAddr("11.0.0.7"), d.small(d.other), flowgen.TrafficPathInternetGateway)
		}, counts{"counted": 2}, map[flowgen.BytesKey]uint64{home("egress", "internet_gateway", "S3"): 7, home("ingress", "unknown", "S3"): 11}},
		"private pod": {all, func(d *documented) {
			d.recorder.PodNAT(d.gateway, netip.MustParseAddr("100.64.0.7"), d.small(d.client))
		}, natRecords, nat},
		"pod and instance": {all, func(d *documented) {
			d.recorder.PodInternal(d.client, netip.MustParseAddr("100.64.0.7"), d.other, up, down, d.span)
		}, counts{"counted": 2, "receiver_side": 2}, map[flowgen.BytesKey]uint64{home("internal", "internal", "none"): 18}},
		"firewall before NAT": {all, func(d *documented) {
			d.recorder.InspectedNAT(d.gateway, endpoint(d), d.small(d.client))
		}, counts{"counted": 2, "nat_public_leg": 2, "client_view": 2, "transit": 4}, nat},
		"firewall that cannot be told": {without(all, "instance-id", "interface-type"), func(d *documented) {
			d.recorder.InspectedNAT(d.gateway, endpoint(d), d.small(d.client))
			d.recorder.InspectedInternal(d.client, d.other, endpoint(d), up, down, d.span)
		}, nil, nil},
		"firewall between instances": {all, func(d *documented) {
			d.recorder.InspectedInternal(d.client, d.other, endpoint(d), up, down, d.span)
		}, counts{"counted": 2, "receiver_side": 2, "transit": 4}, map[flowgen.BytesKey]uint64{home("internal", "internal", "none"): 18}},
		"network load balancer": {all, func(d *documented) {
			b := balancer(d)
			b.Network = true
			d.recorder.Balance(b, d.other, d.remote, up, down, d.span, flowgen.TrafficPathInternetGateway)
		}, counts{"counted": 4, "transit": 2}, map[flowgen.BytesKey]uint64{
			home("ingress", "unknown", "S3"): 14, home("egress", "internet_gateway", "S3"): 22,
		}},
		"network load balancer that cannot be told": {without(all, "srcport", "interface-type"), func(d *documented) {
			d.recorder.Balance(balancer(d), d.other, d.remote, up, down, d.span, flowgen.TrafficPathInternetGateway)
		}, nil, nil},
		"interface endpoint": {all, func(d *documented) {
			d.recorder.Internal(d.client, endpoint(d), up, down, d.span, flowgen.TrafficPathVPC)
		}, counts{"counted": 2, "receiver_side": 2}, map[flowgen.BytesKey]uint64{home("internal", "internal", "none"): 18}},
		"central egress": {all, central, counts{"counted": 4, "nat_public_leg": 2, "transit": 4}, map[flowgen.BytesKey]uint64{
			home("egress", "nat", "S3"): 7, home("ingress", "nat", "S3"): 11,
			away("egress", "unseen_middlebox", "S3"): 7, away("ingress", "unseen_middlebox", "S3"): 11,
		}},
		"central egress, nothing tells the spoke's clients": {
			without(all, "traffic-path"), central, counts{"counted": 4, "nat_public_leg": 2, "transit": 4}, map[flowgen.BytesKey]uint64{
				home("egress", "nat", "S3"): 7, home("ingress", "nat", "S3"): 11, away("egress", "unknown", "S3"): 7, away("ingress", "unknown", "S3"): 11,
			},
		},
		"unlogged gateway": {all, unlogged(flowgen.VantageAuto), counts{"counted": 2}, map[flowgen.BytesKey]uint64{
			away("egress", "unseen_middlebox", "S3"): 7, away("ingress", "unseen_middlebox", "S3"): 11,
		}},
		"unlogged gateway of which only the next hop tells": {
			without(all, "traffic-path"), unlogged(""), counts{"counted": 2}, map[flowgen.BytesKey]uint64{
				away("egress", "unseen_middlebox", "S3"): 7, away("ingress", "unseen_middlebox", "S3"): 11,
			},
		},
		"unlogged gateway of which nothing tells": {
			without(all, "traffic-path", "next-hop-interface-type"), unlogged(""), counts{"counted": 2}, map[flowgen.BytesKey]uint64{
				away("egress", "unknown", "S3"): 7, away("ingress", "unknown", "S3"): 11,
			},
		},
		"unlogged gateway, vantage gateway": {all, unlogged(flowgen.VantageGateway), counts{"client_view": 2}, nil},
		"unlogged gateway, vantage client": {all, unlogged(flowgen.VantageClient), counts{"counted": 2}, map[flowgen.BytesKey]uint64{
			away("egress", "nat", "S3"): 7, away("ingress", "nat", "S3"): 11,
		}},
		"vantage client": {all, func(d *documented) {
			d.recorder.Vantage = flowgen.VantageClient
			d.recorder.NAT(d.gateway, d.small(d.client))
		}, counts{"counted": 2, "nat_public_leg": 2, "transit": 2}, nat},
		"IPv6 remote of a client behind NAT": {all, func(d *documented) {
			d.client.Addr6 = netip.MustParseAddr("2600:1f14::5")
			d.remote.Addr = netip.MustParseAddr("2600:1fa0:c080::1")
			d.recorder.Direct(d.small(d.client), flowgen.Missing)
		}, counts{"counted": 2}, map[flowgen.BytesKey]uint64{home("egress", "unknown", "S3"): 7, home("ingress", "unknown", "S3"): 11}},
		"IPv6 in a VPC": {all, func(d *documented) {
			d.client.Addr6, d.other.Addr6 = netip.MustParseAddr("2600:1f14::5"), netip.MustParseAddr("2600:1f14:0:1::5")
			d.recorder.InternalIPv6(d.client, d.other, up, down, d.span)
		}, counts{"counted": 2, "receiver_side": 2}, map[flowgen.BytesKey]uint64{home("internal", "internal", "none"): 18}},
		"NAT64": {all, func(d *documented) {
			d.client.Addr6 = netip.MustParseAddr("2600:1f14::5")
			d.recorder.NAT64(d.gateway, d.small(d.client))
		}, natRecords, map[flowgen.BytesKey]uint64{home("egress", "nat", "none"): 27, home("ingress", "nat", "none"): 31}},
		"two flow logs of a VPC": {all, func(d *documented) {
			second := *d.log
			second.ID = "fl-second"
			d.recorder.Overlap(d.log, &second)
			d.recorder.NAT(d.gateway, d.small(d.client))
			d.recorder.NoData(d.client, d.span)
		}, counts{"counted": 2, "nat_public_leg": 2, "client_view": 2, "overlapping_flow_log": 6, "no_data": 2}, nat},
		"a second flow log of one interface": {all, func(d *documented) {
			second := *d.log
			second.ID = "fl-second"
			d.recorder.Overlap(d.log, &second, d.gateway.ENI)
			d.recorder.NAT(d.gateway, d.small(d.client))
		}, counts{"counted": 2, "nat_public_leg": 2, "client_view": 2, "overlapping_flow_log": 4}, nat},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDocumented(tc.fields...)
			tc.make(d)
			got := d.recorder.Ledger()
			checkLedger(t, flowgen.Ledger{Records: got.Records, Bytes: got.Bytes}, flowgen.Ledger{Records: tc.records, Bytes: tc.bytes})
			if n := len(d.recorder.Take()); uint64(n) != got.TotalRecords() {
				t.Errorf("%d rows, but %d booked", n, got.TotalRecords())
			}
		})
	}
}

func TestGatewaysOfRareConversations(t *testing.T) {
	key := func(account, gateway string, d flowgen.Direction) flowgen.NATKey {
		return flowgen.NATKey{AccountID: account, Region: "us-east-1", NATGateway: gateway, Direction: d, Service: "S3"}
	}
	for name, tc := range map[string]struct {
		make             func(d *documented)
		account, gateway string
	}{
		"NAT instance": {func(d *documented) {
			d.gateway.InstanceID = "i-nat"
			d.recorder.NAT(d.gateway, d.small(d.client))
		}, "123456789012", "eni-nat"},
		"unlogged gateway, vantage client": {func(d *documented) {
			d.recorder.Vantage = flowgen.VantageClient
			g, client := d.alone()
			d.recorder.NAT(g, d.small(client))
		}, "210987654321", "unknown"},
		"unlogged gateway": {func(d *documented) {
			g, client := d.alone()
			d.recorder.NAT(g, d.small(client))
		}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDocumented(flowgen.FieldNames(11)...)
			tc.make(d)
			want := map[flowgen.NATKey]uint64{key(tc.account, tc.gateway, "egress"): 7, key(tc.account, tc.gateway, "ingress"): 11}
			if tc.gateway == "" {
				want = nil
			}
			checkLedger(t, flowgen.Ledger{NATBytes: d.recorder.Ledger().NATBytes}, flowgen.Ledger{NATBytes: want})
		})
	}
}

// TestRowsOfRareConversations shows the rows themselves where a middlebox changes addresses.
func TestRowsOfRareConversations(t *testing.T) {
	for name, tc := range map[string]struct {
		fields string
		make   func(d *documented)
		want   []string
	}{
		"secondary address as AWS says today": {
			"interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr", func(d *documented) {
				d.gateway.Secondary, d.gateway.OnlySecondary = []netip.Addr{netip.MustParseAddr("10.0.0.221")}, true
				d.gateway.ShowsSecondary = true
				d.recorder.Scan(d.gateway, d.remote, down, d.span)
				d.recorder.NAT(d.gateway, d.small(d.client))
			}, []string{
				"eni-client 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5", "eni-client 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5",
				"eni-nat 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5", "eni-nat 10.0.0.221 203.0.113.5 10.0.0.221 203.0.113.5",
				"eni-nat 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5",
				"eni-nat 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.221", "eni-nat 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.221",
			},
		},
		"pod": {
			"instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr traffic-path", func(d *documented) {
				d.recorder.PodDirect(netip.MustParseAddr("11.0.0.7"), d.small(d.other), flowgen.TrafficPathInternetGateway)
			}, []string{"i-other 10.0.1.6 203.0.113.5 11.0.0.7 203.0.113.5 8", "i-other 203.0.113.5 10.0.1.6 203.0.113.5 11.0.0.7 -"},
		},
		"firewall": {
			"interface-id interface-type flow-direction srcaddr dstaddr pkt-srcaddr pkt-dstaddr", func(d *documented) {
				firewall := &flowgen.Endpoint{ENI: "eni-vpce", Subnet: d.client.Subnet, Addr: netip.MustParseAddr("10.0.1.77")}
				client, gateway := *d.client, *d.gateway
				client.Subnet = &flowgen.Subnet{VPC: d.client.Subnet.VPC, Unlogged: true}
				gateway.Subnet = client.Subnet
				d.recorder.InspectedNAT(&gateway, firewall, d.small(&client))
			}, []string{
				"eni-vpce vpc_endpoint ingress 10.0.1.5 10.0.1.77 10.0.1.5 203.0.113.5", "eni-vpce vpc_endpoint egress 10.0.1.77 203.0.113.5 10.0.1.5 203.0.113.5",
				"eni-vpce vpc_endpoint ingress 203.0.113.5 10.0.1.77 203.0.113.5 10.0.1.5", "eni-vpce vpc_endpoint egress 10.0.1.77 10.0.1.5 203.0.113.5 10.0.1.5",
			},
		},
		"network load balancer": {
			"instance-id interface-type srcport dstport srcaddr dstaddr pkt-srcaddr pkt-dstaddr", func(d *documented) {
				b := &flowgen.LoadBalancer{ENI: "eni-lb", Subnet: d.client.Subnet, Addr: netip.MustParseAddr("10.0.1.80"), Network: true}
				d.recorder.Balance(b, d.other, d.remote, up, down, d.span, flowgen.TrafficPathInternetGateway)
			}, []string{
				"- network_load_balancer C 443 203.0.113.5 10.0.1.80 203.0.113.5 10.0.1.80", "- network_load_balancer 443 C 10.0.1.80 203.0.113.5 10.0.1.80 203.0.113.5",
				"- network_load_balancer C 443 10.0.1.80 10.0.1.6 203.0.113.5 10.0.1.6", "- network_load_balancer 443 C 10.0.1.6 10.0.1.80 10.0.1.6 203.0.113.5",
				"i-other - C 443 203.0.113.5 10.0.1.6 203.0.113.5 10.0.1.6", "i-other - 443 C 10.0.1.6 203.0.113.5 10.0.1.6 203.0.113.5",
			},
		},
		"NAT64": {
			"interface-id type srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes", func(d *documented) {
				d.client.Addr6 = netip.MustParseAddr("2600:1f14::5")
				d.recorder.NAT64(d.gateway, d.small(d.client))
			}, []string{
				"eni-nat IPv6 2600:1f14::5 64:ff9b::cb00:7105 2600:1f14::5 64:ff9b::cb00:7105 27", "eni-nat IPv4 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 7",
				"eni-nat IPv4 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 11", "eni-nat IPv6 64:ff9b::cb00:7105 2600:1f14::5 64:ff9b::cb00:7105 2600:1f14::5 31",
				"eni-client IPv6 2600:1f14::5 64:ff9b::cb00:7105 2600:1f14::5 64:ff9b::cb00:7105 27",
				"eni-client IPv6 64:ff9b::cb00:7105 2600:1f14::5 64:ff9b::cb00:7105 2600:1f14::5 31",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fields := strings.Fields(tc.fields)
			d := newDocumented(fields...)
			tc.make(d)
			got := lines(d.recorder.Take())
			if port := slices.Index(fields, "srcport"); port >= 0 {
				for i := range got {
					got[i] = clientPort(got[i], port)
				}
			}
			slices.Sort(got)
			slices.Sort(tc.want)
			if !slices.Equal(got, tc.want) {
				t.Errorf("got rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

// clientPort writes C for the one of two columns that is an ephemeral port.
func clientPort(line string, column int) string {
	f := strings.Fields(line)
	for i := column; i < column+2; i++ {
		if len(f[i]) == 5 {
			f[i] = "C"
		}
	}
	return strings.Join(f, " ")
}

func TestReusedAddressComesHoursLater(t *testing.T) {
	for seed := range uint64(5) {
		s := flowgen.Random(seed, flowgen.Options{Everyday: true, With: []flowgen.Topology{flowgen.ReusedAddress}})
		if len(s.Leading) == 0 {
			t.Errorf("seed %d has no leading files", seed)
		}
		for _, early := range s.Leading {
			for _, f := range s.Files {
				if f.Time.Before(early.Time.Add(2 * time.Hour)) {
					t.Errorf("seed %d: %s comes within two hours of %s", seed, f.Key, early.Key)
				}
			}
		}
	}
}
