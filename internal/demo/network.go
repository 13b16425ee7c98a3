package demo

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

const (
	account      = "123456789012"
	mainRegion   = "eu-west-3"
	secondRegion = "us-east-1"
	bucketRegion = mainRegion
)

// network is the simulated account's: a VPC with three availability zones in the main region, a small one in the second.
type network struct {
	rng      *rand.Rand
	flowLogs []*flowgen.FlowLog
	main     *site
	second   *site
}

// site is one region's part.
type site struct {
	network *network
	vpc     *flowgen.VPC
	// zonal gateways, one a subnet; regional is nil where there is none.
	zonal    []*flowgen.Gateway
	regional *flowgen.Gateway
	taken    int
}

func newNetwork(rng *rand.Rand) *network {
	n := &network{rng: rng}
	n.main = n.site(mainRegion, "10.0.0.0/16", 3, flowgen.LayoutPlain)
	regionalLog := n.flowLog(mainRegion, flowgen.LayoutPlain)
	n.main.regional = &flowgen.Gateway{
		ID: n.id("nat-"), Name: "shared-regional", VPC: n.main.vpc, FlowLog: regionalLog,
		Public: []netip.Addr{netip.MustParseAddr("13.37.10.20"), netip.MustParseAddr("13.37.10.21")},
	}
	n.second = n.site(secondRegion, "10.32.0.0/16", 1, flowgen.LayoutHive)
	return n
}

func (n *network) site(region, cidr string, zones int, layout flowgen.Layout) *site {
	s := &site{network: n, vpc: &flowgen.VPC{ID: n.id("vpc-"), CIDR: netip.MustParsePrefix(cidr), FlowLog: n.flowLog(region, layout)}}
	for az := range zones {
		subnet := &flowgen.Subnet{ID: n.id("subnet-"), AZID: flowgen.AZID(region, az+1), VPC: s.vpc}
		s.vpc.Subnets = append(s.vpc.Subnets, subnet)
		s.zonal = append(s.zonal, &flowgen.Gateway{
			ID: n.id("nat-"), Name: "egress-" + subnet.AZID, VPC: s.vpc, Subnet: subnet, ENI: n.id("eni-"), Private: s.addr(az),
		})
	}
	return s
}

func (n *network) flowLog(region string, layout flowgen.Layout) *flowgen.FlowLog {
	l := &flowgen.FlowLog{
		ID: n.id("fl-"), Account: account, Region: region, Format: flowgen.NewFormat(flowgen.RecommendedFields()...), Layout: layout,
	}
	n.flowLogs = append(n.flowLogs, l)
	return l
}

func (n *network) id(prefix string) string { return fmt.Sprintf("%s0%016x", prefix, n.rng.Uint64()) }

// instance makes an EC2 instance in a zone.
func (s *site) instance(role string, zone int) *flowgen.Instance {
	return &flowgen.Instance{
		ENI: s.network.id("eni-"), ID: s.network.id("i-"), Role: role, Subnet: s.vpc.Subnets[zone], Addr: s.addr(zone),
	}
}

// task makes a Fargate task in a zone.
func (s *site) task(cluster, service string, zone int) *flowgen.Instance {
	in := s.instance(service, zone)
	in.ID = ""
	in.Task = flowgen.NewTask(s.vpc.FlowLog.Region, account, cluster, service, fmt.Sprintf("%016x%016x", s.network.rng.Uint64(), s.network.rng.Uint64()))
	return in
}

// addr returns the next free address of a zone's subnet, 16 zones' worth of addresses apart.
func (s *site) addr(zone int) netip.Addr {
	s.taken++
	b := s.vpc.CIDR.Addr().As4()
	b[2], b[3] = byte(16*zone), byte(9+s.taken)
	return netip.AddrFrom4(b)
}
