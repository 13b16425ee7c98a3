package flowgen_test

import (
	"flag"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

var (
	scenarios = flag.Int("scenarios", 60, "number of random scenarios that the patient reader reads")
	seed      = flag.Uint64("seed", 0, "seed of the first scenario; 0 takes a random one")
)

// TestPatientReader reads random scenarios with a reader that applies the rules of counting to all rows at once, without hurry, order or bounds. That its
// totals are the ledger's shows that a scenario says enough of itself: whatever a reader cannot tell must not be made.
func TestPatientReader(t *testing.T) {
	first := *seed
	if first == 0 {
		first = rand.Uint64()
	}
	t.Logf("seed %d", first)
	for i := range uint64(*scenarios) {
		s := flowgen.Random(first+i, flowgen.Options{})
		if diff := s.Ledger.Diff(read(t, s, s.Files)); diff != "" {
			t.Fatalf("rerun with -seed=%d -scenarios=1: %s\n%s", first+i, s, diff)
		}
		size := [...]int{3, 40, 100_000}[i%3]
		if diff := s.Ledger.Diff(read(t, s, s.CutInto(size, i))); diff != "" {
			t.Fatalf("rerun with -seed=%d -scenarios=1: files of %d rows of %s\n%s", first+i, size, s, diff)
		}
	}
}

// TestPatientReaderOfEachTopology reads scenarios of one rarer topology each.
func TestPatientReaderOfEachTopology(t *testing.T) {
	for _, topology := range flowgen.Topologies() {
		found := 0
		for i := range uint64(max(*scenarios/10, 1)) {
			s := flowgen.Random(i, flowgen.Options{Everyday: i%2 == 0, With: []flowgen.Topology{topology}})
			if slices.Contains(s.Topologies, topology) {
				found++
			}
			if diff := s.Ledger.Diff(read(t, s, s.Files)); diff != "" {
				t.Fatalf("%s: %s\n%s", topology, s, diff)
			}
		}
		if found == 0 {
			t.Errorf("no scenario has %s", topology)
		}
	}
}

// line is a readable line of accepted traffic.
type line struct {
	file             *flowgen.File
	at               *networkInterface
	values           map[string]string
	src, dst         netip.Addr
	pktSrc, pktDst   netip.Addr
	srcPort, dstPort int
	end              int64
	raw              flowgen.Row
}

func (l *line) has(name string) bool   { return l.file.FlowLog.Format.Has(name) }
func (l *line) get(name string) string { return l.values[name] }
func (l *line) hasPkt() bool           { return l.has("pkt-srcaddr") && l.has("pkt-dstaddr") }
func (l *line) srcHidden() bool        { return l.src != l.pktSrc }
func (l *line) dstHidden() bool        { return l.dst != l.pktDst }
func (l *line) translated() bool       { return l.srcHidden() || l.dstHidden() }
func (l *line) legPrivate() bool       { return internal(l.src) && internal(l.dst) }
func (l *line) nat64() bool            { return nat64(l.pktSrc) || nat64(l.pktDst) }

func internal(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || netip.MustParsePrefix("100.64.0.0/10").Contains(a)
}

func nat64(a netip.Addr) bool { return netip.MustParsePrefix("64:ff9b::/96").Contains(a) }

// bothInternal says whether both true ends are private.
func (l *line) bothInternal() bool {
	if internal(l.pktSrc) && internal(l.pktDst) {
		return true
	}
	if !l.pktSrc.Is6() || !l.pktDst.Is6() || l.nat64() {
		return false
	}
	block, _ := l.pktSrc.Prefix(56)
	return block.Contains(l.pktDst) || l.get("traffic-path") == "1"
}

// role is what an interface is.
type role int

const (
	ordinary role = iota
	zonal
	regional
	natInstance
)

// networkInterface is all that the lines say of one interface.
type networkInterface struct {
	account, region, id string
	lines               []*line
	kind, instance, vpc string
	hasKind, hasID      bool
	role                role
	own4, own6          []netip.Addr
	gatewayOwn          map[netip.Addr]bool
	first, last         int64
}

func (n *networkInterface) relay() bool {
	return n.hasID && n.instance == "-" || slices.Contains([]string{"transit_gateway", "vpc_endpoint", "network_load_balancer"}, n.kind)
}

func (n *networkInterface) owns(a netip.Addr) bool {
	return len(n.own4) == 1 && n.own4[0] == a || len(n.own6) == 1 && n.own6[0] == a
}

// client is what a NAT gateway has named.
type client struct {
	gateway *networkInterface
	address netip.Addr
	at      int64
}

// reader is all that a scenario's files say.
type reader struct {
	s          flowgen.Scenario
	ledger     flowgen.Ledger
	interfaces map[string]*networkInterface
	clients    []client
}

func read(t *testing.T, s flowgen.Scenario, files []flowgen.File) flowgen.Ledger {
	r := &reader{s: s, interfaces: make(map[string]*networkInterface)}
	var lines []*line
	for _, f := range slices.Concat(s.Leading, files, s.Closing) {
		for _, fields := range dataLines(t, f) {
			if l := r.parse(&f, fields); l != nil {
				lines = append(lines, l)
			}
		}
	}
	for _, l := range r.owned(lines) {
		l.at.lines = append(l.at.lines, l)
	}
	for _, n := range r.interfaces {
		n.learn(s)
	}
	for _, n := range r.interfaces {
		r.nameClients(n)
	}
	for _, n := range r.interfaces {
		behind := r.behindNAT(n)
		for _, l := range n.lines {
			r.book(l, r.classify(l, behind))
		}
	}
	return r.ledger
}

// parse books what needs no interface and returns what does.
func (r *reader) parse(f *flowgen.File, fields []string) *line {
	names := f.FlowLog.Format.Fields()
	l := &line{file: f, values: make(map[string]string)}
	if len(fields) != len(names) {
		r.book(l, flowgen.Verdict{Disposition: flowgen.Malformed})
		return nil
	}
	for i, name := range names {
		l.values[name] = fields[i]
	}
	number := func(name string) (int64, bool) {
		v, err := strconv.ParseInt(l.get(name), 10, 64)
		if !l.has(name) || l.get(name) == "-" {
			return flowgen.Missing, true
		}
		return v, err == nil && v >= 0
	}
	address := func(name string) (netip.Addr, bool) {
		a, err := netip.ParseAddr(l.get(name))
		return a, err == nil || l.get(name) == "-"
	}
	var ok [4]bool
	l.src, ok[0] = address("srcaddr")
	l.dst, ok[1] = address("dstaddr")
	l.raw.Bytes, ok[2] = number("bytes")
	l.raw.Packets, ok[3] = number("packets")
	l.end, _ = number("end")
	switch {
	case slices.Contains(ok[:], false):
		r.book(l, flowgen.Verdict{Disposition: flowgen.Malformed})
		return nil
	case l.get("log-status") == "SKIPDATA":
		r.book(l, flowgen.Verdict{Disposition: flowgen.SkipData})
		return nil
	case !l.src.IsValid():
		r.book(l, flowgen.Verdict{Disposition: flowgen.NoData})
		return nil
	case l.get("action") == "REJECT":
		r.book(l, flowgen.Verdict{Disposition: flowgen.Rejected})
		return nil
	}
	l.pktSrc, l.pktDst = l.src, l.dst
	if l.hasPkt() {
		l.pktSrc, l.pktDst = netip.MustParseAddr(l.get("pkt-srcaddr")), netip.MustParseAddr(l.get("pkt-dstaddr"))
	}
	l.srcPort, l.dstPort = -1, -1
	if l.has("srcport") && l.has("dstport") {
		l.srcPort, l.dstPort = int(atoi(l.get("srcport"))), int(atoi(l.get("dstport")))
	}
	l.at = r.at(l)
	return l
}

// at returns the line's interface and takes what the line says of it.
func (r *reader) at(l *line) *networkInterface {
	id := l.get("interface-id")
	if !l.has("interface-id") || id == "-" {
		id = l.get("resource-id")
	}
	log := l.file.FlowLog
	key := log.Account + log.Region + id
	n := r.interfaces[key]
	if n == nil {
		n = &networkInterface{account: log.Account, region: log.Region, id: id, first: l.end}
		r.interfaces[key] = n
	}
	n.hasKind, n.hasID = n.hasKind || l.has("interface-type"), n.hasID || l.has("instance-id")
	n.kind, n.instance, n.vpc = l.get("interface-type"), l.get("instance-id"), l.get("vpc-id")
	n.first, n.last = min(n.first, l.end), max(n.last, l.end)
	return n
}

// owned returns the lines of the flow log that owns each interface in each window, and books the others.
func (r *reader) owned(lines []*line) []*line {
	type window struct {
		at   *networkInterface
		time time.Time
	}
	owner := make(map[window]string)
	for _, l := range lines {
		w := window{l.at, l.file.Time}
		if id := l.file.FlowLog.ID; owner[w] == "" || id < owner[w] {
			owner[w] = id
		}
	}
	return slices.DeleteFunc(lines, func(l *line) bool {
		if owner[window{l.at, l.file.Time}] == l.file.FlowLog.ID {
			return false
		}
		r.book(l, flowgen.Verdict{Disposition: flowgen.Overlapping})
		return true
	})
}

// learn finds an interface's role and addresses.
func (n *networkInterface) learn(s flowgen.Scenario) {
	hidden, reached, from := make(map[netip.Addr]bool), make(map[netip.Addr]bool), make(map[netip.Addr]bool)
	hiddenFrom := make(map[netip.Addr]bool)
	for _, l := range n.lines {
		own := &n.own4
		if l.src.Is6() {
			own = &n.own6
		}
		if ends := []netip.Addr{l.src, l.dst}; *own == nil {
			*own = ends
		} else {
			*own = slices.DeleteFunc(*own, func(a netip.Addr) bool { return !slices.Contains(ends, a) })
		}
		answers, asks := l.srcPort >= 0 && l.srcPort < 1024 && l.dstPort >= 1024, l.dstPort >= 0 && l.dstPort < 1024 && l.srcPort >= 1024
		switch {
		case l.nat64():
		case !l.translated():
			reached[l.dst], from[l.src] = true, true
		case l.dstHidden() && l.legPrivate() && !answers:
			hidden[l.pktDst] = true
		case l.srcHidden() && l.legPrivate() && !asks && !internal(l.pktSrc):
			hiddenFrom[l.pktSrc] = true
		}
	}
	learned := false
	for p := range hidden {
		learned = learned || reached[p] && (!internal(p) || n.instance == "-" || n.instance == "")
	}
	for p := range hiddenFrom {
		learned = learned || from[p]
	}
	configured := slices.ContainsFunc(s.NATGateways, func(g flowgen.GatewayConfig) bool { return g.ENI == n.id || g.ID == n.id })
	switch {
	case strings.HasPrefix(n.id, "nat-"):
		n.role = regional
	case configured, n.kind == "nat_gateway":
		n.role = zonal
	case n.hasKind && (n.kind != "-" || !n.hasID || n.instance == "-"):
	case learned && n.hasID && n.instance != "-":
		n.role = natInstance
	case learned:
		n.role = zonal
	}
	n.gatewayOwn = make(map[netip.Addr]bool)
	for _, l := range n.lines {
		switch {
		case !l.hasPkt() && internal(l.src) && !internal(l.dst), l.hasPkt() && !l.translated() && hidden[l.dst]:
			n.gatewayOwn[l.src] = true
		case !l.hasPkt() && !internal(l.src) && internal(l.dst):
			n.gatewayOwn[l.dst] = true
		}
	}
}

// leg says what a NAT gateway's line is: 'A', 'D' or any other.
func (l *line) leg() byte {
	n := l.at
	switch {
	case n.role == regional && internal(l.src) != internal(l.dst), l.nat64():
		if internal(l.src) || nat64(l.dst) {
			return 'A'
		}
		return 'D'
	case n.role == regional || !l.legPrivate():
		return 'B'
	case !l.hasPkt() && (l.get("flow-direction") == "ingress" || !l.has("flow-direction") && (n.gatewayOwn[l.dst] || n.owns(l.dst))):
		return 'A'
	case !l.hasPkt():
		return 'D'
	case l.dstHidden() && !n.gatewayOwn[l.pktDst]:
		return 'A'
	case l.srcHidden() && !n.gatewayOwn[l.pktSrc]:
		return 'D'
	default:
		return 'B'
	}
}

func (r *reader) nameClients(n *networkInterface) {
	if n.role == ordinary {
		return
	}
	for _, l := range n.lines {
		switch l.leg() {
		case 'A':
			r.clients = append(r.clients, client{n, l.pktSrc, l.end})
		case 'D':
			r.clients = append(r.clients, client{n, l.pktDst, l.end})
		}
	}
}

// behindNAT says whether an interface's own rows tell of a NAT gateway, or one of the VPC has named its address in the same two hours.
func (r *reader) behindNAT(n *networkInterface) bool {
	for _, l := range n.lines {
		outward := !l.bothInternal() && !internal(l.pktDst) && (l.pktSrc.Is4() || l.nat64())
		if outward && (l.get("traffic-path") == "1" || strings.HasSuffix(l.get("next-hop-interface-type"), "nat_gateway")) {
			return true
		}
	}
	return slices.ContainsFunc(r.clients, func(c client) bool {
		near := n.owns(c.address) && c.at > n.first-7200 && c.at < n.last+7200
		if n.vpc != "" {
			return near && c.gateway.vpc == n.vpc
		}
		return near && c.gateway.account == n.account && c.gateway.region == n.region && !n.lines[0].has("traffic-path")
	})
}

func (r *reader) natLogged(n *networkInterface) bool {
	for _, g := range r.interfaces {
		if g.role != ordinary && (g.account == n.account && g.region == n.region || n.vpc != "" && g.vpc == n.vpc) {
			return true
		}
	}
	return false
}

func (r *reader) classify(l *line, behind bool) flowgen.Verdict {
	n := l.at
	switch {
	case n.role != ordinary:
		return r.atGateway(l)
	case l.translated() && n.relay():
		return flowgen.Verdict{Disposition: flowgen.Transit}
	case l.bothInternal():
		sender := n.owns(l.src)
		if l.has("flow-direction") {
			sender = l.get("flow-direction") == "egress"
		}
		if !sender {
			return flowgen.Verdict{Disposition: flowgen.ReceiverSide}
		}
		return l.counted(flowgen.Internal, flowgen.PathInternal)
	default:
		return r.public(l, behind)
	}
}

func (r *reader) atGateway(l *line) flowgen.Verdict {
	leg := l.leg()
	if leg == 'B' {
		return flowgen.Verdict{Disposition: flowgen.NATPublicLeg}
	}
	if r.s.Vantage == flowgen.VantageClient {
		return flowgen.Verdict{Disposition: flowgen.Transit}
	}
	path, direction := flowgen.PathNAT, flowgen.Egress
	if l.at.role == natInstance {
		path = flowgen.PathNATInstance
	}
	if leg == 'D' {
		direction = flowgen.Ingress
	}
	v := l.counted(direction, path)
	v.Gateway = l.at.id
	return v
}

var paths = map[string]flowgen.Path{
	"2": flowgen.PathInternetGatewayOrEndpoint, "3": flowgen.PathVirtualPrivateGateway, "4": flowgen.PathPeering, "5": flowgen.PathPeering,
	"6": flowgen.PathLocalZone, "7": flowgen.PathGatewayEndpoint, "8": flowgen.PathInternetGateway,
}

func (r *reader) public(l *line, behind bool) flowgen.Verdict {
	var egress bool
	switch {
	case nat64(l.pktDst), internal(l.pktSrc):
		egress = true
	case nat64(l.pktSrc), internal(l.pktDst):
	case l.translated():
		egress = l.srcHidden()
	case l.has("flow-direction"):
		egress = l.get("flow-direction") == "egress"
	default:
		egress = l.at.owns(l.src)
	}
	direction, path := flowgen.Ingress, flowgen.PathUnknown
	if egress {
		direction = flowgen.Egress
		if p := paths[l.get("traffic-path")]; p != "" {
			path = p
		}
	}
	exact := slices.Contains([]flowgen.Path{flowgen.PathInternetGatewayOrEndpoint, flowgen.PathGatewayEndpoint, flowgen.PathInternetGateway}, path)
	switch {
	case l.pktSrc.Is6() && !l.nat64(), exact, !behind:
		return l.counted(direction, path)
	case r.s.Vantage == flowgen.VantageClient:
		v := l.counted(direction, flowgen.PathNAT)
		v.Gateway = "unknown"
		return v
	case r.s.Vantage == flowgen.VantageGateway, r.natLogged(l.at):
		return flowgen.Verdict{Disposition: flowgen.ClientView}
	default:
		return l.counted(direction, flowgen.PathUnseenMiddlebox)
	}
}

func (l *line) counted(d flowgen.Direction, p flowgen.Path) flowgen.Verdict {
	name := "pkt-dst-aws-service"
	if d == flowgen.Ingress {
		name = "pkt-src-aws-service"
	}
	service := l.get(name)
	switch {
	case !l.has(name):
		service = flowgen.ServiceUnknown
	case service == "-":
		service = flowgen.ServiceNone
	}
	return flowgen.Verdict{Disposition: flowgen.Counted, Direction: d, Path: p, Service: service}
}

func (r *reader) book(l *line, v flowgen.Verdict) { r.ledger.Book(l.file.FlowLog, &l.raw, v) }
