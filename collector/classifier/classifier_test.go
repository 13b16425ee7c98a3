package classifier_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// records reads rows as a flow log file would bring them.
func record(t *testing.T, header, row string) flowlog.Record {
	t.Helper()
	r := flowlog.NewReader(flowlog.Config{})
	if err := r.ResetText(strings.NewReader(header + "\n" + row + "\n")); err != nil {
		t.Fatal(err)
	}
	var rec flowlog.Record
	if err := r.Read(&rec); err != nil {
		t.Fatalf("row %q: %v", row, err)
	}
	return rec
}

func observe(r *flowlog.Record) (o classifier.Observation) {
	classifier.NewNetworks(nil).Read(r, &o)
	return o
}

// Facts about the interfaces of AWS's examples.
var (
	zonal    = classifier.Facts{Role: classifier.RoleZonalNAT, OwnKnown: true}
	regional = classifier.Facts{Role: classifier.RoleRegionalNAT}
	client   = classifier.Facts{Named: true, NATLogged: true}
	direct   = classifier.Facts{Released: true}
	plain    = classifier.Facts{}
)

// TestOfficialExamples holds the classification against the records of AWS's documentation
// (https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html), row by row.
func TestOfficialExamples(t *testing.T) {
	const (
		natHeader      = "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes"
		regionalHeader = "resource-id instance-id interface-id subnet-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes"
		transitHeader  = "version interface-id account-id vpc-id subnet-id instance-id srcaddr dstaddr srcport dstport protocol tcp-flags type pkt-srcaddr pkt-dstaddr action log-status bytes"
		pathHeader     = natHeader + " flow-direction traffic-path"
	)
	relay := classifier.Facts{Relay: true, Released: true}
	for _, test := range []struct {
		name, header, row string
		facts             classifier.Facts
		want              string // disposition direction path remote client
	}{
		// Traffic through a NAT gateway.
		{"A: client to NAT gateway", natHeader, "- eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1", zonal, "counted egress nat 203.0.113.5 10.0.1.5"},
		{"B: NAT gateway to remote", natHeader, "- eni-1235b8ca123456789 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1", zonal, "nat_public_leg 203.0.113.5 10.0.0.220"},
		{"C: remote to NAT gateway", natHeader, "- eni-1235b8ca123456789 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 1", zonal, "nat_public_leg 203.0.113.5 10.0.0.220"},
		{"D: NAT gateway to client", natHeader, "- eni-1235b8ca123456789 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 1", zonal, "counted ingress nat 203.0.113.5 10.0.1.5"},
		{"E: client's view of A", natHeader, "i-01234567890123456 eni-1111aaaa2222bbbb3 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1", client, "client_view 203.0.113.5 10.0.1.5"},
		{"F: client's view of D", natHeader, "i-01234567890123456 eni-1111aaaa2222bbbb3 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 1", client, "client_view 203.0.113.5 10.0.1.5"},
		// Before anything is known of the interfaces, no row of theirs is counted.
		{"A undecided", natHeader, "- eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1", classifier.Facts{Translates: true}, "held 203.0.113.5 10.0.1.5"},
		{"B undecided", natHeader, "- eni-1235b8ca123456789 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1", classifier.Facts{Suspect: true}, "held 203.0.113.5 10.0.0.220"},
		{"E undecided", natHeader, "i-01234567890123456 eni-1111aaaa2222bbbb3 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1", plain, "held 203.0.113.5 10.0.1.5"},
		{"E released", natHeader, "i-01234567890123456 eni-1111aaaa2222bbbb3 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1", classifier.Facts{Released: true}, "counted egress unknown 203.0.113.5 10.0.1.5"},
		{"E with no gateway logged", natHeader, "i-01234567890123456 eni-1111aaaa2222bbbb3 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1", classifier.Facts{ShowsView: true, Released: true}, "counted egress unseen_middlebox 203.0.113.5 10.0.1.5"},
		// Traffic through a regional NAT gateway.
		{"A'", regionalHeader, "nat-1234567890abcdef - - - 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1", regional, "counted egress nat 203.0.113.5 10.0.1.5"},
		{"B'", regionalHeader, "nat-1234567890abcdef - - - 107.22.182.139 203.0.113.5 107.22.182.139 203.0.113.5 1", regional, "nat_public_leg 203.0.113.5 107.22.182.139"},
		{"C'", regionalHeader, "nat-1234567890abcdef - - - 203.0.113.5 107.22.182.139 203.0.113.5 107.22.182.139 1", regional, "nat_public_leg 107.22.182.139 203.0.113.5"},
		{"D'", regionalHeader, "nat-1234567890abcdef - - - 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 1", regional, "counted ingress nat 203.0.113.5 10.0.1.5"},
		{"E'", regionalHeader, "- i-01234567890123456 eni-1111aaaa2222bbbb3 subnet-aaaaaaaa012345678 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1", client, "client_view 203.0.113.5 10.0.1.5"},
		// Traffic through a transit gateway: logged at the client, at two attachments, at the server.
		{"request at the server", transitHeader, "3 eni-33333333333333333 123456789010 vpc-abcdefab012345678 subnet-22222222bbbbbbbbb i-01234567890123456 10.20.33.164 10.40.2.236 39812 80 6 3 IPv4 10.20.33.164 10.40.2.236 ACCEPT OK 1", classifier.Facts{OwnKnown: true, RemoteOwn: true}, "receiver_side 10.40.2.236 10.20.33.164"},
		{"response at the server", transitHeader, "3 eni-33333333333333333 123456789010 vpc-abcdefab012345678 subnet-22222222bbbbbbbbb i-01234567890123456 10.40.2.236 10.20.33.164 80 39812 6 19 IPv4 10.40.2.236 10.20.33.164 ACCEPT OK 1", classifier.Facts{OwnKnown: true, ClientOwn: true}, "counted internal internal 10.20.33.164 10.40.2.236"},
		{"request at the attachment", transitHeader, "3 eni-11111111111111111 123456789010 vpc-abcdefab012345678 subnet-11111111aaaaaaaaa - 10.40.1.175 10.40.2.236 39812 80 6 3 IPv4 10.20.33.164 10.40.2.236 ACCEPT OK 1", relay, "transit 10.20.33.164 10.40.2.236"},
		{"response at the attachment", transitHeader, "3 eni-22222222222222222 123456789010 vpc-abcdefab012345678 subnet-22222222bbbbbbbbb - 10.40.2.236 10.40.2.31 80 39812 6 19 IPv4 10.40.2.236 10.20.33.164 ACCEPT OK 1", relay, "transit 10.20.33.164 10.40.2.236"},
		// Directions and paths.
		{"internal egress", pathHeader, "i-1 eni-1 10.0.1.5 10.0.2.6 10.0.1.5 10.0.2.6 1 egress 1", plain, "counted internal internal 10.0.2.6 10.0.1.5"},
		{"internal ingress", pathHeader, "i-1 eni-1 10.0.1.5 10.0.2.6 10.0.1.5 10.0.2.6 1 ingress -", plain, "receiver_side 10.0.2.6 10.0.1.5"},
		{"path 1", pathHeader, "i-1 eni-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1 egress 1", classifier.Facts{NATLogged: true}, "client_view 203.0.113.5 10.0.1.5"},
		{"path 2", pathHeader, "i-1 eni-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1 egress 2", direct, "counted egress igw_or_gateway_endpoint 203.0.113.5 10.0.1.5"},
		{"path 3", pathHeader, "i-1 eni-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1 egress 3", direct, "counted egress virtual_private_gateway 203.0.113.5 10.0.1.5"},
		{"path 4", pathHeader, "i-1 eni-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1 egress 4", direct, "counted egress peering 203.0.113.5 10.0.1.5"},
		{"path 5", pathHeader, "i-1 eni-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1 egress 5", direct, "counted egress peering 203.0.113.5 10.0.1.5"},
		{"path 6", pathHeader, "i-1 eni-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1 egress 6", direct, "counted egress local_zone 203.0.113.5 10.0.1.5"},
		{"path 7", pathHeader, "i-1 eni-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1 egress 7", client, "counted egress gateway_endpoint 203.0.113.5 10.0.1.5"},
		{"path 8", pathHeader, "i-1 eni-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1 egress 8", direct, "counted egress internet_gateway 203.0.113.5 10.0.1.5"},
		{"path 9, not documented yet", pathHeader, "i-1 eni-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1 egress 9", direct, "counted egress unknown 203.0.113.5 10.0.1.5"},
		{"ingress of a direct interface", pathHeader, "i-1 eni-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 1 ingress -", direct, "counted ingress unknown 203.0.113.5 10.0.1.5"},
		// IPv6 is never NAT, except under the NAT64 prefix.
		{"IPv6 egress", pathHeader, "i-1 eni-1 2001:db8:1::5 2600:1f00::1 2001:db8:1::5 2600:1f00::1 1 egress 8", client, "counted egress internet_gateway 2600:1f00::1 2001:db8:1::5"},
		{"IPv6 ingress", pathHeader, "i-1 eni-1 2600:1f00::1 2001:db8:1::5 2600:1f00::1 2001:db8:1::5 1 ingress -", client, "counted ingress unknown 2600:1f00::1 2001:db8:1::5"},
		{"IPv6 in one /56", pathHeader, "i-1 eni-1 2001:db8:1:1::5 2001:db8:1:2::6 2001:db8:1:1::5 2001:db8:1:2::6 1 egress 1", plain, "counted internal internal 2001:db8:1:2::6 2001:db8:1:1::5"},
		{"NAT64 at the gateway", pathHeader, "- eni-1 2001:db8:1::5 64:ff9b::cb00:7105 2001:db8:1::5 64:ff9b::cb00:7105 1 ingress -", zonal, "counted egress nat 203.0.113.5 2001:db8:1::5"},
		{"NAT64 back at the gateway", pathHeader, "- eni-1 64:ff9b::cb00:7105 2001:db8:1::5 64:ff9b::cb00:7105 2001:db8:1::5 1 egress 1", zonal, "counted ingress nat 203.0.113.5 2001:db8:1::5"},
		{"NAT64 at the client", pathHeader, "i-1 eni-1 2001:db8:1::5 64:ff9b::cb00:7105 2001:db8:1::5 64:ff9b::cb00:7105 1 egress 1", client, "client_view 203.0.113.5 2001:db8:1::5"},
		// Secondary addresses of a gateway: the primary is shown in dstaddr, the true one in pkt-dstaddr.
		{"C to a secondary address", natHeader, "- eni-1 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.221 1", zonal, "nat_public_leg 203.0.113.5 10.0.0.221"},
	} {
		r := record(t, test.header, test.row)
		o := observe(&r)
		class := classifier.Classify(test.facts, o.Shape)
		got := class.Disposition.String()
		if class.Disposition == classifier.Counted {
			got += fmt.Sprintf(" %s %s", class.Direction, class.Path)
		}
		got += fmt.Sprintf(" %s %s", o.Ends.Remote, o.Ends.Client)
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestPlainFormatAtConfiguredGateway(t *testing.T) {
	own := func(remote, client bool) classifier.Facts {
		return classifier.Facts{Role: classifier.RoleZonalNAT, OwnKnown: remote || client, RemoteOwn: remote, ClientOwn: client}
	}
	for _, test := range []struct {
		row   string
		facts classifier.Facts
		want  string
	}{
		{"eni-1 10.0.1.5 10.0.0.220 1", own(true, false), "counted egress nat"},
		{"eni-1 10.0.0.220 10.0.1.5 1", own(false, true), "counted ingress nat"},
		{"eni-1 10.0.0.220 203.0.113.5 1", own(false, true), "nat_public_leg"},
		{"eni-1 203.0.113.5 10.0.0.220 1", own(true, false), "nat_public_leg"},
		{"eni-1 10.0.1.5 10.0.0.220 1", own(false, false), "held"},
	} {
		r := record(t, "interface-id srcaddr dstaddr bytes", test.row)
		class := classifier.Classify(test.facts, observe(&r).Shape)
		got := class.Disposition.String()
		if class.Disposition == classifier.Counted {
			got += fmt.Sprintf(" %s %s", class.Direction, class.Path)
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.row, got, test.want)
		}
	}
}

func TestPrivate(t *testing.T) {
	networks := classifier.NewNetworks([]netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2600:1f00::/32")})
	for private := range strings.FieldsSeq("10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255 169.254.1.1 127.0.0.1 224.0.0.251 " +
		"255.255.255.255 fe80::1 febf::1 fc00::1 fdff::1 ff02::1 ::1 198.51.100.77 2600:1f00::7") {
		if a, ok := flowlog.ParseAddr(private); !ok || !networks.Private(a) {
			t.Errorf("%s is not private", private)
		}
	}
	for public := range strings.FieldsSeq("9.255.255.255 11.0.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 100.63.255.255 100.128.0.0 169.253.1.1 203.0.113.5 " +
		"223.255.255.255 198.51.101.1 2001:db8::1 fec0::1 fb00::1 2600:1f01::7 64:ff9b::1") {
		if a, ok := flowlog.ParseAddr(public); !ok || networks.Private(a) {
			t.Errorf("%s is private", public)
		}
	}
}

// TestClassifyIsTotal tries every shape under every combination of facts: once released, nothing is held, and a shape never gets a
// disposition that only lines without traffic have. Before that, a class that is not Held never changes when the wait ends.
func TestClassifyIsTotal(t *testing.T) {
	for bits := range 1 << 14 {
		bit := func(i int) bool { return bits>>i&1 == 1 }
		if (bit(8) || bit(9)) && !bit(7) || bit(8) && bit(9) {
			continue // Only a known address can be an end's, and only one end's.
		}
		facts := classifier.Facts{
			Translates: bit(0), Suspect: bit(1), Instance: bit(2), Relay: bit(3), Named: bit(4), ShowsView: bit(5), NATLogged: bit(6),
			OwnKnown: bit(7), ClientOwn: bit(8), RemoteOwn: bit(9), RemoteSeen: bit(10), HidesOwn: bit(11), CountClients: bit(12),
		}
		for role := classifier.RoleUndecided; role <= classifier.RoleNATInstance; role++ {
			facts.Role = role
			// All shapes with one of the paths, which are the same to most rules.
			for shape := range classifier.Shape(1<<16 - 1) {
				if path := shape >> 8 & 15; path != 0 && path != 1 && path != 8 && path != 9 {
					continue
				}
				if shape%61 != classifier.Shape(bits)%61 {
					continue // Some of all pairs are enough, and other ones for each combination of facts.
				}
				checkClass(t, facts, shape)
			}
		}
	}
}

func checkClass(t *testing.T, facts classifier.Facts, shape classifier.Shape) {
	t.Helper()
	facts.Released = false
	early := classifier.Classify(facts, shape)
	facts.Released = true
	class := classifier.Classify(facts, shape)
	switch class.Disposition {
	case classifier.Counted, classifier.NATPublicLeg, classifier.ClientView, classifier.ReceiverSide, classifier.Transit:
	default:
		t.Fatalf("shape %#x with facts %+v: got %s", uint16(shape), facts, class.Disposition)
	}
	if early != class && early.Disposition != classifier.Held {
		t.Fatalf("shape %#x with facts %+v: got %v before the release, %v after", uint16(shape), facts, early, class)
	}
	if nat := class.Path == classifier.PathNAT || class.Path == classifier.PathNATInstance; nat != facts.Role.IsNAT() && class.Disposition == classifier.Counted && !facts.CountClients {
		t.Fatalf("shape %#x with facts %+v: path %s", uint16(shape), facts, class.Path)
	}
	if class.Rule.String() == "" {
		t.Fatalf("shape %#x with facts %+v: no rule", uint16(shape), facts)
	}
}
