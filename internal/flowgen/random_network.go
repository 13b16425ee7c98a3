package flowgen

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// randomNetwork is the topology of a random scenario.
type randomNetwork struct {
	rng     *rand.Rand
	opt     Options
	formats map[owner]Format
	// owners are those of the everyday VPCs; each has a NAT gateway that is logged.
	owners  []owner
	vpcs    []*randomVPC
	remotes []Remote
	used    map[netip.Addr]bool
	logs    []*FlowLog
	vantage Vantage
	// rarities are the rarer topologies, and what they add: their traffic, gateways and VPCs beside those of the everyday VPCs, flow logs that overlap.
	rarities []Topology
	rare     []*rareTraffic
	extra    []*Gateway
	extras   int
	overlaps []overlap
}

// owner is whose flow logs have one format.
type owner struct {
	account, region string
}

// randomVPC is a VPC with everything in it.
type randomVPC struct {
	*VPC
	owner    owner
	gateways []*Gateway
	// clients are behind NAT, publics have a route to an internet gateway instead.
	clients, publics []*Instance
	attachment       *Attachment
	// publicPath is the traffic-path of the publics; hasEndpoint says that S3 and DynamoDB have a gateway endpoint.
	publicPath  int
	hasEndpoint bool
	taken       int
}

func (v *randomVPC) instances() []*Instance { return slices.Concat(v.clients, v.publics) }

func newRandomNetwork(rng *rand.Rand, opt Options) *randomNetwork {
	n := &randomNetwork{rng: rng, opt: opt, formats: make(map[owner]Format), used: make(map[netip.Addr]bool)}
	accounts := []string{"123456789012", "210987654321", "333344445555"}
	regions := []string{"eu-west-3", "us-east-1", "ap-southeast-2"}
	for i := range 1 + rng.IntN(3) {
		o := owner{accounts[rng.IntN(1+i)], regions[rng.IntN(1+i)]}
		if _, known := n.formats[o]; !known {
			n.formats[o] = randomFormat(rng, opt)
			n.owners = append(n.owners, o)
		}
		n.vpcs = append(n.vpcs, n.vpc(o, i))
	}
	n.makeRemotes()
	n.vantage = randomVantage(rng, opt)
	n.addRarities()
	n.markUnseenNAT()
	return n
}

// vpc makes a VPC. Private addresses repeat among VPCs where a reader can tell them apart: by account and region, or by vpc-id.
func (n *randomNetwork) vpc(o owner, i int) *randomVPC {
	format := n.formats[o]
	cidrs := []string{"10.0.0.0/16", "172.20.0.0/16", "192.168.0.0/16"}
	v := &randomVPC{owner: o, hasEndpoint: n.rng.IntN(2) == 0}
	v.VPC = &VPC{ID: n.id("vpc-"), CIDR: netip.MustParsePrefix(cidrs[i]), FlowLog: n.flowLog(o, format)}
	n.keepLog(v.FlowLog)
	if (n.first(o) || format.Has("vpc-id")) && n.rng.IntN(2) == 0 {
		v.CIDR = netip.MustParsePrefix(cidrs[0])
	}
	v.publicPath = [...]int{
		TrafficPathInternetGateway, TrafficPathInternetGateway, TrafficPathInternetGatewayOrEndpoint, TrafficPathVirtualPrivateGateway,
		TrafficPathLocalZone,
	}[n.rng.IntN(5)]
	for az := range 1 + n.rng.IntN(3) {
		v.Subnets = append(v.Subnets, &Subnet{ID: n.id("subnet-"), AZID: AZID(o.region, az+1), VPC: v.VPC})
	}
	for range 1 + n.rng.IntN(3) {
		v.gateways = append(v.gateways, n.zonal(v))
	}
	if n.opt.Recognition != Plain && n.rng.IntN(3) == 0 {
		if g := n.regional(v, o); formatOf(g).Has("resource-id") {
			// Without it a regional gateway's rows are known, but not whose they are.
			v.gateways = append(v.gateways, g)
			n.keepLog(g.FlowLog)
		}
	}
	for j := range 2 + n.rng.IntN(7) {
		in := n.instance(v)
		if j > 0 && n.rng.IntN(5) == 0 {
			v.publics = append(v.publics, in)
			continue
		}
		in.Gateways = []*Gateway{v.gateways[n.rng.IntN(len(v.gateways))]}
		v.clients = append(v.clients, in)
	}
	v.attachment = &Attachment{ENI: n.id("eni-"), Subnet: n.subnet(v), Addr: v.addr()}
	return v
}

// first says whether an account and region have no VPC yet.
func (n *randomNetwork) first(o owner) bool {
	return !slices.ContainsFunc(n.vpcs, func(v *randomVPC) bool { return v.FlowLog.Account == o.account && v.FlowLog.Region == o.region })
}

func (n *randomNetwork) flowLog(o owner, f Format) *FlowLog {
	return &FlowLog{
		ID: n.id("fl-"), Account: o.account, Region: o.region, Format: f,
		Prefix: [...]string{"", "network/", "a b/c=d/"}[n.rng.IntN(3)], Layout: Layout(n.rng.IntN(4)),
	}
}

// keepLog lists a flow log as one of the network's; nil is none.
func (n *randomNetwork) keepLog(l *FlowLog) {
	if l != nil {
		n.logs = append(n.logs, l)
	}
}

func (n *randomNetwork) zonal(v *randomVPC) *Gateway {
	g := &Gateway{
		ID: n.id("nat-"), Name: "egress", VPC: v.VPC, Subnet: n.subnet(v), ENI: n.id("eni-"), Private: v.addr(),
		Public: []netip.Addr{n.public("13.38.0.0/16")},
	}
	g.HidesAccount = n.rng.IntN(10) == 0
	if n.rng.IntN(4) == 0 {
		for range 1 + n.rng.IntN(7) {
			g.Secondary = append(g.Secondary, v.addr())
		}
		g.ShowsSecondary = n.mayShowSecondary(v) && n.rng.IntN(2) == 0
	}
	return g
}

// mayShowSecondary says whether rows of leg B may show a secondary address in srcaddr. Without pkt-addresses legs A and D are told by the gateway's own
// address, the one in all of its rows, unless flow-direction tells.
func (n *randomNetwork) mayShowSecondary(v *randomVPC) bool {
	f := v.format()
	return !n.opt.Everyday && (f.ShowsTranslation() || f.Has("flow-direction"))
}

func (n *randomNetwork) regional(v *randomVPC, o owner) *Gateway {
	g := &Gateway{ID: n.id("nat-"), Name: "regional", VPC: v.VPC}
	for range 1 + n.rng.IntN(4) {
		g.Public = append(g.Public, n.public("13.36.0.0/16"))
	}
	if n.rng.IntN(2) == 0 {
		g.FlowLog = n.flowLog(o, n.regionalFormat(v.FlowLog.Format))
	}
	return g
}

func (n *randomNetwork) instance(v *randomVPC) *Instance {
	addr := v.addr()
	in := &Instance{ENI: n.id("eni-"), ID: n.id("i-"), Role: roles[v.taken%len(roles)], Subnet: n.subnet(v), Addr: addr}
	if v.taken%3 == 0 {
		in.Group, in.Team = "web/"+in.Role, "payments"
	}
	if n.rng.IntN(4) == 0 {
		in.ID = ""
		in.Task = NewTask(v.owner.region, v.owner.account, "main", fmt.Sprintf("checkout-%d", v.taken%3), fmt.Sprintf("%016x%016x", n.rng.Uint64(), n.rng.Uint64()))
	}
	return in
}

// roles are tags of all kinds.
var roles = [...]string{"web frontend", "café", `100% "<b>"\`, "10.0.1.5", "other"}

// NewTask returns the fields of a Fargate task: id is its 32 hexadecimal digits.
func NewTask(region, account, cluster, service, id string) Task {
	arn := fmt.Sprintf("arn:aws:ecs:%s:%s:", region, account)
	return Task{
		ClusterARN:        arn + "cluster/" + cluster,
		ClusterName:       cluster,
		ContainerID:       id + "-0527074092",
		ServiceName:       service,
		TaskDefinitionARN: arn + "task-definition/" + service + ":7",
		TaskARN:           arn + "task/" + cluster + "/" + id,
		ID:                id,
	}
}

// remoteRanges are public ranges and the service to which AWS counts them.
var remoteRanges = [...]struct{ cidr, service string }{
	{"52.218.0.0/17", "S3"},
	{"3.5.224.0/22", "S3"},
	{"52.94.8.0/24", "DYNAMODB"},
	{"52.119.160.0/20", "AMAZON"},
	{"35.180.0.0/16", "EC2"},
	{"18.64.0.0/14", "CLOUDFRONT"},
	{"140.82.112.0/20", ""},
	{"151.101.0.0/16", ""},
	{"203.0.113.0/24", ""},
	{"198.51.100.0/24", ""},
	{"8.8.8.0/24", ""},
}

func (n *randomNetwork) makeRemotes() {
	for _, r := range remoteRanges {
		for range 1 + n.rng.IntN(3) {
			m := Remote{Addr: n.public(r.cidr), Service: r.service}
			if r.service == "" && n.rng.IntN(4) == 0 {
				m.Port, m.Protocol = 443, 17
			}
			n.remotes = append(n.remotes, m)
		}
	}
}

func (n *randomNetwork) remote() Remote { return n.remotes[n.rng.IntN(len(n.remotes))] }

// public returns an address of a range that has not been given out yet.
func (n *randomNetwork) public(cidr string) netip.Addr {
	p := netip.MustParsePrefix(cidr)
	for {
		b := p.Addr().As4()
		offset := 1 + n.rng.IntN(1<<(32-p.Bits())-2)
		for i := range b {
			b[i] |= byte(offset >> (8 * (3 - i)))
		}
		if a := netip.AddrFrom4(b); !n.used[a] {
			n.used[a] = true
			return a
		}
	}
}

// addr returns the VPC's next free address.
func (v *randomVPC) addr() netip.Addr {
	v.taken++
	b := v.CIDR.Addr().As4()
	b[2], b[3] = byte(v.taken%5), byte(4+v.taken)
	return netip.AddrFrom4(b)
}

func (n *randomNetwork) subnet(v *randomVPC) *Subnet { return v.Subnets[n.rng.IntN(len(v.Subnets))] }

func (n *randomNetwork) id(prefix string) string {
	return fmt.Sprintf("%s0%016x", prefix, n.rng.Uint64())
}

// gateways returns all gateways that are logged.
func (n *randomNetwork) gateways() []*Gateway {
	all := slices.Clone(n.extra)
	for _, v := range n.vpcs {
		all = append(all, v.gateways...)
	}
	return slices.DeleteFunc(all, func(g *Gateway) bool { return !logged(g) })
}

// markUnseenNAT marks the flow logs of accounts and regions whose NAT gateways are in no flow log.
func (n *randomNetwork) markUnseenNAT() {
	for _, l := range n.logs {
		l.NATUnseen = !slices.ContainsFunc(n.gateways(), func(g *Gateway) bool {
			own, _, _ := g.vantage()
			return own.Account == l.Account && own.Region == l.Region
		})
	}
}
