package flowgen

import "net/netip"

// Gateway is what translates addresses: a NAT gateway, or an instance that does its work. A zonal one has an interface in a Subnet and a Private address,
// and perhaps Secondary ones; a regional one has neither but an id and Public addresses, and its rows may go to a flow log of its own. One whose remotes
// are private is a private NAT gateway; its rows look no different. Source: AWS, "Flow log record examples".
type Gateway struct {
	// ID is "nat-..."; Name is the operator's.
	ID, Name string
	VPC      *VPC

	// Subnet, ENI, Private and Secondary are a zonal gateway's.
	Subnet    *Subnet
	ENI       string
	Private   netip.Addr
	Secondary []netip.Addr
	// ShowsSecondary makes rows of leg B from a secondary address name it in srcaddr too; otherwise they name the primary one there. AWS says the
	// former of addresses of the interface's own, and older pages of it the latter. Rows of leg C name the primary address in either case.
	ShowsSecondary bool
	// OnlySecondary keeps the primary address out of legs B and C.
	OnlySecondary bool

	// InstanceID makes a NAT instance of a zonal gateway: the interface belongs to an instance, and no AWS service owns it.
	InstanceID string

	// Public are the addresses under which remotes know the gateway. Only rows of a regional one name them.
	Public []netip.Addr
	// FlowLog is a regional gateway's own. Without it the VPC's logs it.
	FlowLog *FlowLog

	// HidesAccount makes account-id "unknown" in its rows, as AWS does for some interfaces that it created.
	HidesAccount bool
}

// Regional says whether the gateway is a regional one.
func (g *Gateway) Regional() bool { return g.Subnet == nil }

// IsInstance says whether the gateway is a NAT instance.
func (g *Gateway) IsInstance() bool { return g.InstanceID != "" }

// Label is the gateway's name in metrics: the id of a zonal gateway's interface, a regional gateway's own.
func (g *Gateway) Label() string {
	if g.Regional() {
		return g.ID
	}
	return g.ENI
}

// path is the path of what the gateway forwards. A format without instance-id cannot tell an instance from a gateway.
func (g *Gateway) path() Path {
	if g.IsInstance() && formatOf(g).Has("instance-id") {
		return PathNATInstance
	}
	return PathNAT
}

// primary returns the gateway as it is without its secondary addresses.
func (g *Gateway) primary() *Gateway {
	p := *g
	p.Secondary, p.OnlySecondary = nil, false
	return &p
}

// from returns the gateway as it is with one secondary address and no other one for legs B and C.
func (g *Gateway) from(secondary netip.Addr) *Gateway {
	p := *g
	p.Secondary, p.OnlySecondary = []netip.Addr{secondary}, true
	return &p
}

// under returns the gateway as it is with one public address.
func (g *Gateway) under(public netip.Addr) *Gateway {
	p := *g
	p.Public = []netip.Addr{public}
	return &p
}

func (g *Gateway) own() netip.Addr {
	if g.Regional() {
		return g.Public[0]
	}
	return g.Private
}

func (g *Gateway) vantage() (*FlowLog, Row, NextHop) {
	if g.Regional() {
		return g.regionalVantage()
	}
	log, row, next := g.Subnet.place(g.ENI)
	row.InstanceID = g.InstanceID
	if !g.IsInstance() {
		row.InterfaceType, next.InterfaceType = TypeNATGateway, TypeNATGateway
	}
	if g.HidesAccount {
		row.AccountID = hiddenAccount
	}
	return log, row, next
}

// regionalVantage is that of a gateway without an interface: as a next hop it leaves the fields empty.
func (g *Gateway) regionalVantage() (*FlowLog, Row, NextHop) {
	log, row := g.VPC.FlowLog, noTraffic()
	if g.FlowLog != nil {
		log = g.FlowLog
	}
	if log != nil {
		row.AccountID, row.Region = log.Account, log.Region
	}
	if g.HidesAccount {
		row.AccountID = hiddenAccount
	}
	row.VPCID, row.ResourceID, row.InterfaceType = g.VPC.ID, g.ID, TypeRegionalNATGateway
	return log, row, NextHop{}
}
