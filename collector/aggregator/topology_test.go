package aggregator_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
)

// TestTopologies commits files of rows and compares all totals; "|" separates files of one format.
func TestTopologies(t *testing.T) {
	const (
		pathHeader = header + " flow-direction traffic-path"
		vpcHeader  = "account-id vpc-id " + header
	)
	for name, test := range map[string]struct {
		header   string
		rows     []string
		gateways []aggregator.Gateway
		want     []string
	}{
		"a dual-stack client of NAT64 is no gateway": {
			pathHeader, []string{
				"eni-nat - 2001:db8:1::5 64:ff9b::cb00:7105 2001:db8:1::5 64:ff9b::cb00:7105 1000 ingress -",
				"eni-nat - 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 egress 8",
				"eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 200 ingress -",
				"eni-client - 2001:db8:1::5 64:ff9b::cb00:7105 2001:db8:1::5 64:ff9b::cb00:7105 1000 egress 1",
				"eni-client - 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 200 egress 1",
			}, nil, []string{
				"bytes 123456789012 eu-west-3 egress nat unknown 1200", "nat eni-nat egress unknown 1200 0.000000060 true",
				"records counted 2 bytes 1200", "records nat_public_leg 1 bytes 1000", "records client_view 2 bytes 1200",
			},
		},
		"evidence in different files, long after a stray packet": {
			header, []string{
				"eni-nat - 203.0.113.9 10.0.0.220 203.0.113.9 10.0.0.220 40 | pass",
				conversation[1] + " | " + conversation[2] + " | " + conversation[0] + " | " + conversation[3],
			}, nil, []string{
				"bytes 123456789012 eu-west-3 egress nat unknown 1000", "bytes 123456789012 eu-west-3 ingress nat unknown 50000",
				"bytes 123456789012 eu-west-3 egress unknown unknown 1000", "bytes 123456789012 eu-west-3 ingress unknown unknown 50040",
				"nat eni-nat egress unknown 1000 0.000000050 true", "nat eni-nat ingress unknown 50000 0.000002500 true",
				"records counted 5 bytes 102040", "records no_data 1 bytes 0",
			},
		},
		"an attribute that only a later row of a run has": {
			header + " log-status", []string{
				"eni-nat - - - - - - NODATA", conversation[0] + " OK", strings.Replace(conversation[1], "eni-nat -", "eni-nat i-9", 1) + " OK",
			}, nil, []string{
				"bytes 123456789012 eu-west-3 egress nat_instance unknown 1000", "nat eni-nat egress unknown 1000 0.000000000 false",
				"records counted 1 bytes 1000", "records nat_public_leg 1 bytes 1000", "records no_data 1 bytes 0",
			},
		},
		"own addresses of both families": {
			"interface-id srcaddr dstaddr bytes", []string{
				"eni-1 10.0.0.1 10.0.0.2 100", "eni-1 10.0.0.3 10.0.0.1 50", "eni-1 fd00::1 fd00::2 7", "eni-1 fd00::3 fd00::1 5",
			}, nil, []string{
				"bytes 123456789012 eu-west-3 internal internal unknown 107", "records counted 2 bytes 107", "records receiver_side 2 bytes 55",
			},
		},
		"one packet address alone": {
			"interface-id srcaddr dstaddr pkt-dstaddr bytes", []string{
				"eni-nat 10.0.1.5 10.0.0.220 203.0.113.5 1000", "eni-nat 10.0.0.220 203.0.113.5 203.0.113.5 1000",
				"eni-nat 10.0.0.220 10.0.1.5 10.0.1.5 50000",
			}, []aggregator.Gateway{{ENI: "eni-nat"}}, []string{
				"bytes 123456789012 eu-west-3 egress nat unknown 1000", "bytes 123456789012 eu-west-3 ingress nat unknown 50000",
				"nat eni-nat egress unknown 1000 0.000000050 true", "nat eni-nat ingress unknown 50000 0.000002500 true",
				"records counted 2 bytes 51000", "records nat_public_leg 1 bytes 1000",
			},
		},
		"a client of another account in a shared VPC": {
			vpcHeader, []string{
				"111111111111 vpc-1 " + conversation[0], "111111111111 vpc-1 " + conversation[1], "222222222222 vpc-1 " + conversation[4],
			}, nil, []string{
				"bytes 111111111111 eu-west-3 egress nat unknown 1000", "nat eni-nat egress unknown 1000 0.000000050 true",
				"records counted 1 bytes 1000", "records nat_public_leg 1 bytes 1000", "records client_view 1 bytes 1000",
			},
		},
		"the same address in two VPCs": {
			vpcHeader, []string{
				"123456789012 vpc-1 " + conversation[0], "123456789012 vpc-1 " + conversation[1], "123456789012 vpc-2 " + conversation[4] + " | pass",
			}, nil, []string{
				"bytes 123456789012 eu-west-3 egress nat unknown 1000", "nat eni-nat egress unknown 1000 0.000000050 true",
				"bytes 123456789012 eu-west-3 egress unknown unknown 1000",
				"records counted 2 bytes 2000", "records nat_public_leg 1 bytes 1000", "records no_data 1 bytes 0",
			},
		},
		"a direct route overrules an address that may be somebody else's": {
			pathHeader, []string{
				conversation[0] + " ingress -", conversation[1] + " egress 8",
				"eni-web i-7 10.0.1.5 198.51.100.1 10.0.1.5 198.51.100.1 100 egress 8", "eni-web i-7 198.51.100.1 10.0.1.5 198.51.100.1 10.0.1.5 900 ingress - | pass",
			}, nil, []string{
				"bytes 123456789012 eu-west-3 egress nat unknown 1000", "nat eni-nat egress unknown 1000 0.000000050 true",
				"bytes 123456789012 eu-west-3 egress internet_gateway unknown 100", "bytes 123456789012 eu-west-3 ingress unknown unknown 900",
				"records counted 3 bytes 2000", "records nat_public_leg 1 bytes 1000", "records no_data 1 bytes 0",
			},
		},
		"an endpoint that translates is no gateway": {
			header + " interface-type", []string{
				strings.Replace(conversation[0], "eni-nat", "eni-vpce", 1) + " vpc_endpoint", strings.Replace(conversation[1], "eni-nat", "eni-vpce", 1) + " vpc_endpoint | pass",
			}, nil, []string{
				"bytes 123456789012 eu-west-3 egress unknown unknown 1000", "records counted 1 bytes 1000", "records transit 1 bytes 1000", "records no_data 1 bytes 0",
			},
		},
		"no interface-id: rows of many interfaces teach nothing": {
			"resource-id instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes", []string{
				"- - 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000", "- - 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000",
				"nat-1 - 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 7 | pass",
			}, nil, []string{
				"bytes 123456789012 eu-west-3 egress nat unknown 7", "nat nat-1 egress unknown 7 0.000000000 true",
				"bytes 123456789012 eu-west-3 egress unknown unknown 1000",
				"records counted 2 bytes 1007", "records transit 1 bytes 1000", "records no_data 1 bytes 0",
			},
		},
		"the service of an IPv6 remote without flow-direction": {
			"interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service bytes", []string{
				"eni-1 2600:1f00::1 2001:db8:1::5 2600:1f00::1 2001:db8:1::5 S3 - 40", "eni-1 2001:db8:1::5 2600:1f01::2 2001:db8:1::5 2600:1f01::2 - - 7",
			}, nil, []string{
				"bytes 123456789012 eu-west-3 egress unknown none 7", "bytes 123456789012 eu-west-3 ingress unknown S3 40", "records counted 2 bytes 47",
			},
		},
		"IPv6 in one /56 on its way": {
			header, []string{
				"eni-tgw - 2001:db8:1:1::9 2001:db8:1:2::6 2001:db8:1:3::5 2001:db8:1:2::6 100 | pass",
			}, nil, []string{"records transit 1 bytes 100", "records no_data 1 bytes 0"},
		},
		"the unspecified address is an address": {
			"interface-id srcaddr dstaddr bytes flow-direction",
			[]string{"eni-1 :: ff02::1:ff00:5 72 egress"},
			nil,
			[]string{"bytes 123456789012 eu-west-3 internal internal unknown 72", "records counted 1 bytes 72"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := aggregator.DefaultConfig()
			config.NATGateways = test.gateways
			a := newAggregator(config)
			for file := range strings.SplitSeq(strings.Join(test.rows, "\n"), " | ") {
				var rows []string
				for row := range strings.SplitSeq(file, "\n") {
					if row == "pass" {
						pass(t, a, 40*time.Minute)
					} else if row != "" {
						rows = append(rows, row)
					}
				}
				if len(rows) > 0 {
					commit(t, a, test.header, rows...)
				}
			}
			expect(t, a, test.want...)
		})
	}
}

// TestFoldedRemotesAreCountedRightly reads a gateway with more remotes than a file's delta may hold.
func TestFoldedRemotesAreCountedRightly(t *testing.T) {
	for name, header := range map[string]string{"with packet addresses": header, "without": "interface-id instance-id srcaddr dstaddr bytes"} {
		t.Run(name, func(t *testing.T) {
			config := aggregator.DefaultConfig()
			config.NATGateways = []aggregator.Gateway{{ENI: "eni-nat"}}
			a := newAggregator(config)
			var rows []string
			for i := range 3000 {
				remote := fmt.Sprintf("203.%d.%d.5", i/250, i%250)
				for _, leg := range []string{
					"eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 %s 10", "eni-nat - 10.0.0.220 %[1]s 10.0.0.220 %[1]s 10",
					"eni-nat - %[1]s 10.0.0.220 %[1]s 10.0.0.220 20", "eni-nat - 10.0.0.220 10.0.1.5 %s 10.0.1.5 20",
				} {
					f := strings.Fields(fmt.Sprintf(leg, remote))
					if name == "without" {
						f = append(f[:4], f[6])
					}
					rows = append(rows, strings.Join(f, " "))
				}
			}
			for range 2 {
				commit(t, a, header, rows...)
			}
			expect(t, a, "bytes 123456789012 eu-west-3 egress nat unknown 60000", "bytes 123456789012 eu-west-3 ingress nat unknown 120000",
				"nat eni-nat egress unknown 60000 0.000003000 true", "nat eni-nat ingress unknown 120000 0.000006000 true",
				"records counted 12000 bytes 180000", "records nat_public_leg 12000 bytes 180000")
		})
	}
}

func TestGatewaysWithoutAnIDAreOne(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, "interface-id vpc-id srcaddr dstaddr bytes", "- vpc-1 10.0.1.5 203.0.113.5 10", "- vpc-2 10.0.1.5 203.0.113.5 20")
	if g := a.Snapshot().Gateways; len(g) != 1 || g[0].NATGateway != "unknown" || g[0].VPCID != "vpc-1" {
		t.Errorf("got gateways %+v", g)
	}
}

// TestTimesThatCannotBe reads records from the far future, and without a time.
func TestTimesThatCannotBe(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, "interface-id interface-type srcaddr dstaddr bytes", "eni-nat nat_gateway 10.0.1.5 203.0.113.5 10 99999999990 99999999999")
	if g := a.Snapshot().Gateways; len(g) != 1 || g[0].LastSeen > now.Unix()+600 || g[0].FirstSeen > g[0].LastSeen {
		t.Errorf("got gateways %+v", g)
	}
	for m := range a.Snapshot().Places() {
		if m.Value > now.Unix()+600 {
			t.Errorf("got last record %d", m.Value)
		}
	}
	clock := now
	b := aggregator.New(aggregator.DefaultConfig(), fixedPrice(0.05), func() time.Time { return clock })
	row := func(identity string) {
		commitFile(t, b, aggregator.File{Identity: identity, AccountID: "123456789012", Region: "eu-west-3", Time: clock}, delta(t, "interface-id srcaddr dstaddr bytes", "eni-1 10.0.1.5 203.0.113.5 10 - -"))
	}
	row("1")
	clock = clock.Add(31 * time.Minute)
	row("2")
	if s := b.Snapshot(); s.Held.Records != 0 || s.Dispositions[classifier.Counted].Records != 2 {
		t.Errorf("without times: got\n%s", totals(b))
	}
}

// TestRouteInTheFuture reads a route with a time that cannot be: it proves nothing against a later gateway for ever.
func TestRouteInTheFuture(t *testing.T) {
	const header = "interface-id instance-id vpc-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes flow-direction traffic-path"
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, header, "eni-cli i-1 vpc-1 10.0.1.5 203.0.113.9 10.0.1.5 203.0.113.9 1 egress 8 5 99999999999")
	commit(t, a, header, at("eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 ingress -", 0),
		at("eni-nat - vpc-1 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 egress 8", 0),
		at("eni-cli i-1 vpc-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 500 ingress -", 0))
	if got := a.Snapshot().Dispositions[classifier.ClientView].Bytes; got != 500 {
		t.Errorf("got\n%s\nwant 500 bytes of client views", totals(a))
	}
}

// TestOldFilesWithATimeInTheFuture reads a record of the future among old files: their rows go on waiting for each other.
func TestOldFilesWithATimeInTheFuture(t *testing.T) {
	const age = 300 * 24 * time.Hour
	a := newAggregator(aggregator.DefaultConfig())
	for i, row := range []string{
		at(conversation[0], age), "eni-x i-1 10.0.1.9 203.0.113.5 10.0.1.9 203.0.113.5 1 5 99999999999", at(conversation[1], age),
	} {
		file := aggregator.File{Identity: strconv.Itoa(i), AccountID: "123456789012", Region: "eu-west-3", Time: now.Add(-age)}
		commitFile(t, a, file, delta(t, header, row))
	}
	a.Finish()
	if got := a.Snapshot().Dispositions[classifier.NATPublicLeg].Bytes; got != 1000 {
		t.Errorf("got\n%s\nwant 1000 bytes of public legs", totals(a))
	}
}

// TestSilentPlace releases rows of an account whose logs have stopped, when those of others go on.
func TestSilentPlace(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, "account-id interface-id srcaddr dstaddr bytes", "111111111111 eni-1 10.0.1.5 203.0.113.5 10")
	commit(t, a, "account-id interface-id srcaddr dstaddr bytes log-status", fmt.Sprintf("222222222222 eni-2 - - - NODATA %d %d", now.Unix()-60, now.Unix()))
	if a.Snapshot().Held.Records != 0 {
		t.Errorf("got\n%s", totals(a))
	}
}

func TestReconfigureDecides(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, header, conversation[0], conversation[3])
	if a.Snapshot().Held.Records != 2 {
		t.Fatalf("got\n%s", totals(a))
	}
	config := aggregator.DefaultConfig()
	config.NATGateways = []aggregator.Gateway{{ENI: "eni-nat", ID: "nat-1", Name: "main"}}
	a.Reconfigure(config)
	expect(t, a, "bytes 123456789012 eu-west-3 egress nat unknown 1000", "bytes 123456789012 eu-west-3 ingress nat unknown 50000",
		"nat eni-nat egress unknown 1000 0.000000050 true", "nat eni-nat ingress unknown 50000 0.000002500 true", "records counted 2 bytes 51000")
	a.Reconfigure(aggregator.DefaultConfig())
	if g := a.Snapshot().Gateways; len(g) != 0 {
		t.Errorf("got gateways %+v after they left the configuration", g)
	}
}

// TestManyAccounts commits a file of 20,000 accounts, which must not take longer than one of as many interfaces.
func TestManyAccounts(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	rows := make([]string, 20_000)
	for i := range rows {
		rows[i] = fmt.Sprintf("%012d eni-%d 10.0.1.5 203.0.113.5 1", i, i)
	}
	commit(t, a, "account-id interface-id srcaddr dstaddr bytes", rows...)
	pass(t, a, 119*time.Minute)
	if s := a.Snapshot(); s.Held.Records != 0 || s.Dispositions[classifier.Counted].Records != 20_000 {
		t.Errorf("got %d held, %d counted", s.Held.Records, s.Dispositions[classifier.Counted].Records)
	}
}

// TestHeldKeysLimitOfManyInterfaces commits far more interfaces than may wait, which must not take longer than to read them.
func TestHeldKeysLimitOfManyInterfaces(t *testing.T) {
	config := aggregator.DefaultConfig()
	config.HeldKeys = 30_000
	a := newAggregator(config)
	for f := range 2 {
		rows := make([]string, 20_000)
		for i := range rows {
			rows[i] = fmt.Sprintf("eni-%d-%d 10.0.1.5 203.0.113.5 1", f, i)
		}
		commit(t, a, "interface-id srcaddr dstaddr bytes", rows...)
	}
	s := a.Snapshot()
	if held := s.Held.Records; held < 10_000 || held > 15_000 || held+s.Dispositions[classifier.Counted].Records != 40_000 {
		t.Errorf("got\n%s", totals(a))
	}
}

func TestSumsStayAtTheEnd(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	rows := make([]string, 3)
	for i := range rows {
		rows[i] = fmt.Sprintf("eni-1 10.0.0.1 10.0.0.2 %d egress", 1<<44)
	}
	commit(t, a, "interface-id srcaddr dstaddr bytes flow-direction", rows...)
	expect(t, a, fmt.Sprintf("bytes 123456789012 eu-west-3 internal internal unknown %d", 3<<44), fmt.Sprintf("records counted 3 bytes %d", 3<<44))
	commit(t, a, "interface-id srcaddr dstaddr bytes flow-direction", fmt.Sprintf("eni-1 10.0.0.1 10.0.0.2 %d egress", 1<<44+1))
	if got := a.Snapshot().Dispositions[classifier.Malformed].Records; got != 1 {
		t.Errorf("got %d malformed lines, want the one with too many bytes", got)
	}
}
