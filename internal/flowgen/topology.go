package flowgen

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Layout is the shape of the prefix under which a flow log stores its files.
type Layout uint8

// The layouts that AWS offers. Source: AWS, "Flow log files".
const (
	LayoutPlain Layout = iota
	LayoutHourly
	LayoutHive
	LayoutHiveHourly
)

// FlowLog is a flow log that publishes to S3: one format, one place. Whatever it logs belongs to its account and region.
type FlowLog struct {
	// ID is "fl-..."; Account, the owner's 12 digits.
	ID, Account, Region string
	Format              Format
	// Prefix is the bucket owner's own, with a slash at its end, or empty.
	Prefix string
	Layout Layout
}

// FileName returns the name that AWS gives a file with records from window on.
func (l *FlowLog) FileName(window time.Time, hash string) string {
	return fmt.Sprintf("%s_vpcflowlogs_%s_%s_%s_%s.log.gz", l.Account, l.Region, l.ID, window.UTC().Format("20060102T1504Z"), hash)
}

// Key returns the object's key, prefix and file name.
func (l *FlowLog) Key(window time.Time, hash string) string {
	t := window.UTC()
	var dir string
	switch l.Layout {
	case LayoutHive, LayoutHiveHourly:
		dir = fmt.Sprintf("aws-account-id=%s/aws-service=vpcflowlogs/aws-region=%s/%s", l.Account, l.Region, t.Format("year=2006/month=01/day=02/"))
		if l.Layout == LayoutHiveHourly {
			dir += t.Format("hour=15/")
		}
	default:
		dir = fmt.Sprintf("%s/vpcflowlogs/%s/%s", l.Account, l.Region, t.Format("2006/01/02/"))
		if l.Layout == LayoutHourly {
			dir += t.Format("15/")
		}
	}
	return l.Prefix + "AWSLogs/" + dir + l.FileName(t, hash)
}

// VPC is a virtual private cloud, logged as a whole by FlowLog, which also names its account and region.
type VPC struct {
	ID      string
	CIDR    netip.Prefix
	FlowLog *FlowLog
	Subnets []*Subnet
}

// Subnet is a subnet in one availability zone.
type Subnet struct {
	ID, AZID string
	CIDR     netip.Prefix
	VPC      *VPC
}

// AZID returns the id of a region's n-th availability zone, as "euw3-az1".
func AZID(region string, n int) string {
	parts := strings.Split(region, "-")
	id := []byte(parts[0])
	for _, part := range parts[1:] {
		switch part {
		case "northeast", "northwest", "southeast", "southwest":
			id = append(id, part[0], part[5])
		default:
			id = append(id, part[0])
		}
	}
	return fmt.Sprintf("%s-az%d", id, n)
}

// Interface is what logs rows: an Instance, a Gateway or an Attachment.
type Interface interface {
	// vantage returns the flow log that gets the rows, a row with all that the interface says of itself and no traffic, and what others say of
	// it as their next hop.
	vantage() (*FlowLog, Row, NextHop)
	// own returns an address under which the interface can be reached.
	own() netip.Addr
}

// Gateway is a public NAT gateway. A zonal one has an interface in a Subnet and a Private address, and perhaps Secondary ones; a regional one has
// neither but an id and Public addresses, and its rows may go to a flow log of its own. Source: AWS, "Flow log record examples".
type Gateway struct {
	// ID is "nat-..."; Name is the operator's.
	ID, Name string
	VPC      *VPC

	// Subnet, ENI, Private and Secondary are a zonal gateway's.
	Subnet    *Subnet
	ENI       string
	Private   netip.Addr
	Secondary []netip.Addr

	// Public and FlowLog are a regional gateway's. Without a FlowLog of its own the VPC's logs it.
	Public  []netip.Addr
	FlowLog *FlowLog

	// HidesAccount makes account-id "unknown" in its rows, as AWS does for some interfaces that it created.
	HidesAccount bool
}

// Regional says whether the gateway is a regional one.
func (g *Gateway) Regional() bool { return g.Subnet == nil }

// Label is the gateway's name in metrics: the id of a zonal gateway's interface, a regional gateway's own.
func (g *Gateway) Label() string {
	if g.Regional() {
		return g.ID
	}
	return g.ENI
}

func (g *Gateway) own() netip.Addr {
	if g.Regional() {
		return g.Public[0]
	}
	return g.Private
}

func (g *Gateway) vantage() (*FlowLog, Row, NextHop) {
	log := g.VPC.FlowLog
	if g.FlowLog != nil {
		log = g.FlowLog
	}
	row := noTraffic()
	row.AccountID, row.Region, row.VPCID = log.Account, log.Region, g.VPC.ID
	if g.HidesAccount {
		row.AccountID = "unknown"
	}
	if g.Regional() {
		row.ResourceID, row.InterfaceType = g.ID, TypeRegionalNATGateway
		// A hop without an interface leaves the next-hop fields empty.
		return log, row, NextHop{}
	}
	row.InterfaceType = TypeNATGateway
	row.InterfaceID, row.SubnetID, row.AZID = g.ENI, g.Subnet.ID, g.Subnet.AZID
	return log, row, NextHop{InterfaceID: g.ENI, SubnetID: g.Subnet.ID, AZID: g.Subnet.AZID, VPCID: g.VPC.ID, InterfaceType: TypeNATGateway}
}

// Instance is an EC2 instance or an ECS task with one interface and one private address.
type Instance struct {
	ENI, ID string
	// Role is the operator's name for it, in the tags of version 11.
	Role   string
	Subnet *Subnet
	Addr   netip.Addr
	// Task is set for ECS tasks, which have no instance id.
	Task Task
	// Gateways are the NAT gateways that its default route has led to. An instance with any is behind NAT: each of them must forward
	// something of it in the traffic that is made, since that is how a reader knows.
	Gateways []*Gateway
}

// BehindNAT says whether the instance reaches public remotes through a NAT gateway.
func (i *Instance) BehindNAT() bool { return len(i.Gateways) > 0 }

func (i *Instance) own() netip.Addr { return i.Addr }

func (i *Instance) vantage() (*FlowLog, Row, NextHop) {
	log := i.Subnet.VPC.FlowLog
	row := noTraffic()
	row.AccountID, row.Region, row.VPCID = log.Account, log.Region, i.Subnet.VPC.ID
	row.InterfaceID, row.SubnetID, row.AZID = i.ENI, i.Subnet.ID, i.Subnet.AZID
	row.InstanceID, row.Task = i.ID, i.Task
	row.InstanceTag, row.InterfaceTag = percentEncode(i.Role), percentEncode(i.Role)
	return log, row, NextHop{InterfaceID: i.ENI, SubnetID: i.Subnet.ID, AZID: i.Subnet.AZID, VPCID: i.Subnet.VPC.ID}
}

// Attachment is a transit gateway's interface in a VPC.
type Attachment struct {
	ENI    string
	Subnet *Subnet
	Addr   netip.Addr
}

func (a *Attachment) own() netip.Addr { return a.Addr }

func (a *Attachment) vantage() (*FlowLog, Row, NextHop) {
	log := a.Subnet.VPC.FlowLog
	row := noTraffic()
	row.AccountID, row.Region, row.VPCID = log.Account, log.Region, a.Subnet.VPC.ID
	row.InterfaceID, row.SubnetID, row.AZID = a.ENI, a.Subnet.ID, a.Subnet.AZID
	row.InterfaceType = TypeTransitGateway
	return log, row, NextHop{
		InterfaceID: a.ENI, SubnetID: a.Subnet.ID, AZID: a.Subnet.AZID, VPCID: a.Subnet.VPC.ID, InterfaceType: TypeTransitGateway,
	}
}

// Remote is a public host.
type Remote struct {
	Addr netip.Addr
	// Service is what AWS writes into pkt-dst-aws-service; empty for third parties.
	Service string
	// Port and Protocol are 443 and TCP where zero.
	Port, Protocol int
}

// percentEncode writes a tag's value as AWS does: all but letters, digits and a few signs percent-encoded.
func percentEncode(s string) string {
	var b []byte
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b = append(b, c)
		default:
			b = fmt.Appendf(b, "%%%02X", c)
		}
	}
	return string(b)
}
