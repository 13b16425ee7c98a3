package flowgen

import "net/netip"

// Attachment is a transit gateway's interface in a VPC.
type Attachment struct {
	ENI    string
	Subnet *Subnet
	Addr   netip.Addr
}

func (a *Attachment) own() netip.Addr { return a.Addr }

func (a *Attachment) vantage() (*FlowLog, Row, NextHop) {
	log, row, next := a.Subnet.place(a.ENI)
	row.InterfaceType, next.InterfaceType = TypeTransitGateway, TypeTransitGateway
	return log, row, next
}

// Endpoint is the interface of a VPC endpoint: of a service (PrivateLink), a Network Firewall or a Gateway Load Balancer.
type Endpoint struct {
	ENI    string
	Subnet *Subnet
	Addr   netip.Addr
	// HidesAccount makes account-id "unknown" in its rows, as AWS does for some interfaces that it created.
	HidesAccount bool
}

func (e *Endpoint) own() netip.Addr { return e.Addr }

func (e *Endpoint) vantage() (*FlowLog, Row, NextHop) {
	log, row, next := e.Subnet.place(e.ENI)
	row.InterfaceType, next.InterfaceType = TypeVPCEndpoint, TypeVPCEndpoint
	if e.HidesAccount {
		row.AccountID = hiddenAccount
	}
	return log, row, next
}

// LoadBalancer is an interface of an internet-facing load balancer, which its clients know by a Public address.
type LoadBalancer struct {
	ENI          string
	Subnet       *Subnet
	Addr, Public netip.Addr
	// Network makes it a Network Load Balancer; otherwise it is an Application Load Balancer, whose interfaces AWS gives no type.
	Network bool
}

// Remote is the load balancer as a client on the internet knows it.
func (b *LoadBalancer) Remote() Remote { return Remote{Addr: b.Public, Service: serviceEC2} }

func (b *LoadBalancer) own() netip.Addr { return b.Addr }

func (b *LoadBalancer) vantage() (*FlowLog, Row, NextHop) {
	log, row, next := b.Subnet.place(b.ENI)
	if b.Network {
		row.InterfaceType, next.InterfaceType = TypeNetworkLoadBalancer, TypeNetworkLoadBalancer
	}
	return log, row, next
}
