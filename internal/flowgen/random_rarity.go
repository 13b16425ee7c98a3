package flowgen

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// Topology is one of the rarer topologies, which most networks have none of.
type Topology string

// The rarer topologies.
const (
	OnlySecondary   Topology = "only-secondary"   // OnlySecondary: a gateway whose egress goes through secondary addresses alone.
	PrivateNAT      Topology = "private-nat"      // PrivateNAT: a private NAT gateway.
	NATInstance     Topology = "nat-instance"     // NATInstance: an instance that translates, beside gateways or in place of them.
	OneWay          Topology = "one-way"          // OneWay: a gateway that only uploads, or only downloads.
	ChainedNAT      Topology = "chained-nat"      // ChainedNAT: a gateway behind a gateway of another VPC.
	Hairpin         Topology = "hairpin"          // Hairpin: clients of a gateway that use their own network's load balancer.
	PublicPods      Topology = "public-pods"      // PublicPods: nodes with a route to an internet gateway, whose pods have public addresses or shared ones.
	PrivatePods     Topology = "private-pods"     // PrivatePods: nodes whose pods are clients of a gateway.
	Firewall        Topology = "firewall"         // Firewall: an endpoint of a firewall that all packets pass.
	NetworkBalancer Topology = "network-balancer" // NetworkBalancer: a Network Load Balancer that preserves its clients' addresses.
	PrivateLink     Topology = "private-link"     // PrivateLink: a service's interface endpoint.
	CentralEgress   Topology = "central-egress"   // CentralEgress: a VPC whose gateway is in another VPC, perhaps of another account; one of them may not be logged.
	UnloggedNAT     Topology = "unlogged-nat"     // UnloggedNAT: clients of a gateway that no flow log logs.
	DualStack       Topology = "dual-stack"       // DualStack: IPv6 in a VPC and out of it, and NAT64.
	OverlappingLogs Topology = "overlapping-logs" // OverlappingLogs: a second flow log of a VPC or of one interface.
	ReusedAddress   Topology = "reused-address"   // ReusedAddress: an instance with the address of one that was a gateway's client hours before.
)

// rarity is how a topology comes into a network.
type rarity struct {
	topology Topology
	// percent of the networks try to have it.
	percent int
	// add adds it to a network and returns its traffic, or nil where the network or its formats do not allow it.
	add func(*randomNetwork) *rareTraffic
}

// rarities returns all topologies; gateways come first, since others use them.
func rarities() []rarity {
	return []rarity{
		{OnlySecondary, 15, (*randomNetwork).addOnlySecondary},
		{NATInstance, 20, (*randomNetwork).addNATInstance},
		{PrivateNAT, 20, (*randomNetwork).addPrivateNAT},
		{OneWay, 15, (*randomNetwork).addOneWay},
		{ChainedNAT, 20, (*randomNetwork).addChain},
		{Hairpin, 15, (*randomNetwork).addHairpin},
		{PublicPods, 15, (*randomNetwork).addPublicPods},
		{PrivatePods, 15, (*randomNetwork).addPrivatePods},
		{Firewall, 20, (*randomNetwork).addFirewall},
		{NetworkBalancer, 25, (*randomNetwork).addNetworkBalancer},
		{PrivateLink, 15, (*randomNetwork).addPrivateLink},
		{CentralEgress, 20, (*randomNetwork).addCentralEgress},
		{UnloggedNAT, 15, (*randomNetwork).addUnloggedNAT},
		{DualStack, 20, (*randomNetwork).addDualStack},
		{OverlappingLogs, 20, (*randomNetwork).addOverlap},
		{ReusedAddress, 12, (*randomNetwork).addReusedAddress},
	}
}

// Topologies returns all rarer topologies.
func Topologies() []Topology {
	var names []Topology
	for _, r := range rarities() {
		names = append(names, r.topology)
	}
	return names
}

// rareTraffic is what a rarer topology's interfaces have to say.
type rareTraffic struct {
	// leading is hours before the rest, needed once, again as often as chance wants; each may be nil.
	leading, needed, again func(*randomTraffic)
}

// addRarities adds the rarer topologies that the options ask for, and others by chance.
func (n *randomNetwork) addRarities() {
	for _, r := range rarities() {
		if !slices.Contains(n.opt.With, r.topology) && (n.opt.Everyday || n.rng.IntN(100) >= r.percent) {
			continue
		}
		if traffic := r.add(n); traffic != nil {
			n.rarities = append(n.rarities, r.topology)
			n.rare = append(n.rare, traffic)
		}
	}
}

// randomVantage returns the vantage that the options ask for, the default one more often than others.
func randomVantage(rng *rand.Rand, opt Options) Vantage {
	switch chance := rng.IntN(10); {
	case opt.Vantage != "":
		return opt.Vantage
	case opt.Everyday || chance > 1:
		return VantageAuto
	case chance == 1:
		return VantageGateway
	default:
		return VantageClient
	}
}

// where returns one of the everyday VPCs whose format allows something, or nil.
func (n *randomNetwork) where(allowed func(Format) bool) *randomVPC {
	var vpcs []*randomVPC
	for _, v := range n.vpcs {
		if allowed(v.format()) {
			vpcs = append(vpcs, v)
		}
	}
	if len(vpcs) == 0 {
		return nil
	}
	return vpcs[n.rng.IntN(len(vpcs))]
}

func (n *randomNetwork) anyVPC() *randomVPC { return n.vpcs[n.rng.IntN(len(n.vpcs))] }

// newOwner returns another account in a region. Nothing else is logged of it.
func (n *randomNetwork) newOwner(region string) owner {
	o := owner{fmt.Sprintf("44445555%04d", len(n.formats)), region}
	n.formats[o] = randomFormat(n.rng, n.opt)
	return o
}

// extraVPC returns a VPC whose addresses nobody else has, logged or not. It has nothing in it.
func (n *randomNetwork) extraVPC(o owner, logs bool) *randomVPC {
	cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(64 + n.extras), 0, 0}), 16)
	n.extras++
	v := &randomVPC{owner: o, VPC: &VPC{ID: n.id("vpc-"), CIDR: cidr}, publicPath: TrafficPathInternetGateway}
	if logs {
		v.FlowLog = n.flowLog(o, n.formats[o])
		n.keepLog(v.FlowLog)
	}
	v.Subnets = []*Subnet{{ID: n.id("subnet-"), AZID: AZID(o.region, 1), VPC: v.VPC}}
	return v
}

// unlogged returns another subnet of a VPC, which no flow log covers.
func (n *randomNetwork) unlogged(v *randomVPC) *Subnet {
	return &Subnet{ID: n.id("subnet-"), AZID: AZID(v.owner.region, 1), VPC: v.VPC, Unlogged: true}
}

// attach returns a transit gateway's interface in a VPC. It is in a subnet of its own without a flow log where the format does not show transit,
// and at times where it does.
func (n *randomNetwork) attach(v *randomVPC) *Attachment {
	a := &Attachment{ENI: n.id("eni-"), Subnet: n.subnet(v), Addr: v.addr()}
	if !v.format().ShowsTransit() || n.rng.IntN(4) == 0 {
		a.Subnet = n.unlogged(v)
	}
	return a
}

// behind returns new clients of a gateway.
func (n *randomNetwork) behind(v *randomVPC, g *Gateway) []*Instance {
	for range 2 {
		in := n.instance(v)
		in.Gateways = []*Gateway{g}
		v.clients = append(v.clients, in)
	}
	return v.clients
}

// talk returns a conversation of a client with a remote.
func (t *randomTraffic) talk(client *Instance, remote Remote) Conversation {
	return Conversation{Client: client, Remote: remote, Up: t.volume(), Down: t.volume(), Span: t.span}
}

// anyOf picks one of several.
func anyOf[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
