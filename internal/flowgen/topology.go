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
	// NATUnseen says that no flow log of the account and region logs a NAT gateway. What clients see of forwarded traffic is all there is of it then.
	NATUnseen bool
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

// VPC is a virtual private cloud, logged as a whole by FlowLog, which also names its account and region. A VPC without a FlowLog is logged by nobody.
type VPC struct {
	ID   string
	CIDR netip.Prefix
	// CIDR6 is its IPv6 block, a /56, if it has one.
	CIDR6   netip.Prefix
	FlowLog *FlowLog
	Subnets []*Subnet
}

// format returns the format in which the VPC is logged: one without any column if it is not.
func (v *VPC) format() Format {
	if v.FlowLog == nil {
		return Format{}
	}
	return v.FlowLog.Format
}

// Subnet is a subnet in one availability zone.
type Subnet struct {
	ID, AZID string
	CIDR     netip.Prefix
	VPC      *VPC
	// Unlogged leaves the subnet's interfaces out, as where flow logs belong to the other subnets.
	Unlogged bool
}

// place is where an interface is: the flow log that gets its rows, or nil, a row that says so, and the same in the words of a next hop.
func (s *Subnet) place(eni string) (*FlowLog, Row, NextHop) {
	log, row := s.VPC.FlowLog, noTraffic()
	if log != nil {
		row.AccountID, row.Region = log.Account, log.Region
	}
	if s.Unlogged {
		log = nil
	}
	row.VPCID, row.InterfaceID, row.SubnetID, row.AZID = s.VPC.ID, eni, s.ID, s.AZID
	return log, row, NextHop{InterfaceID: eni, SubnetID: s.ID, AZID: s.AZID, VPCID: s.VPC.ID}
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

// hiddenAccount is the account-id of some interfaces that AWS created.
const hiddenAccount = "unknown"

// Interface is what logs rows: an Instance, a Gateway, an Attachment, an Endpoint or a LoadBalancer.
type Interface interface {
	// vantage returns the flow log that gets the rows, or nil if none does, a row with all that the interface says of itself and no traffic, and
	// what others say of it as their next hop.
	vantage() (*FlowLog, Row, NextHop)
	// own returns an address under which the interface can be reached.
	own() netip.Addr
}

// formatOf returns the format in which an interface is logged: one without any column if it is not.
func formatOf(i Interface) Format {
	log, _, _ := i.vantage()
	if log == nil {
		return Format{}
	}
	return log.Format
}

// hop returns what others say of an interface as their next hop.
func hop(i Interface) NextHop {
	_, _, h := i.vantage()
	return h
}

// logged says whether a flow log gets the interface's rows.
func logged(i Interface) bool {
	log, _, _ := i.vantage()
	return log != nil
}

// Instance is an EC2 instance or an ECS task with one interface and one private address, and perhaps an IPv6 one. As a node of EKS it also has pods.
type Instance struct {
	ENI, ID string
	// Role is the operator's name for it, in the tags of version 11.
	Role string
	// Group and Team are the values of its tags of an Auto Scaling group and of a second tag, if any.
	Group, Team string
	Subnet      *Subnet
	Addr        netip.Addr
	// Addr6 is set in a dual-stack subnet.
	Addr6 netip.Addr
	// Task is set for ECS tasks, which have no instance id.
	Task Task
	// Gateways are the NAT gateways that its default route has led to. An instance with any is behind NAT: each of them must forward
	// something of it in both directions in the traffic that is made, since that is how a reader knows.
	Gateways []*Gateway
}

// BehindNAT says whether the instance reaches public remotes through a NAT gateway.
func (i *Instance) BehindNAT() bool { return len(i.Gateways) > 0 }

func (i *Instance) own() netip.Addr { return i.Addr }

// ownFor returns the address under which the instance talks to another one.
func (i *Instance) ownFor(peer netip.Addr) netip.Addr {
	if peer.Is6() {
		return i.Addr6
	}
	return i.Addr
}

func (i *Instance) vantage() (*FlowLog, Row, NextHop) {
	log, row, next := i.Subnet.place(i.ENI)
	row.InstanceID, row.Task = i.ID, i.Task
	row.InstanceTag, row.InterfaceTag = percentEncode(i.Role), percentEncode(i.Role)
	row.ASGTag, row.InstanceTag2 = percentEncode(i.Group), percentEncode(i.Team)
	return log, row, next
}

// Remote is a host outside: a public one, or, for private NAT gateways, one of another private network.
type Remote struct {
	Addr netip.Addr
	// Service is what AWS writes into pkt-dst-aws-service; empty for third parties.
	Service string
	// Port and Protocol are 443 and TCP where zero.
	Port, Protocol int
}

func (m Remote) end() end {
	port := m.Port
	if port == 0 {
		port = portHTTPS
	}
	return end{addr: m.Addr, port: port, service: m.Service}
}

func (m Remote) protocol() int {
	if m.Protocol == 0 {
		return protocolTCP
	}
	return m.Protocol
}

// nat64Prefix is the well-known prefix of RFC 6052, under which an IPv6 client reaches an IPv4 remote through NAT64.
var nat64Prefix = netip.MustParsePrefix("64:ff9b::/96")

// nat64 returns the end under which an IPv6 client knows an IPv4 remote. AWS names no service for such an address.
func (m Remote) nat64() end {
	b, v4 := nat64Prefix.Addr().As16(), m.Addr.As4()
	copy(b[12:], v4[:])
	e := m.end()
	e.addr, e.service = netip.AddrFrom16(b), ""
	return e
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
