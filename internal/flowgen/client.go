package flowgen

import (
	"net/netip"
	"slices"
)

// Client is an address for which a gateway has forwarded, and what is there: an Instance, or a Gateway that is behind another one.
type Client struct {
	// Gateway is the label of the gateway, VPC its VPC.
	Gateway string
	VPC     *VPC
	Addr    netip.Addr
	At      Interface
	// Heir is an instance that has got the address later, or nil.
	Heir *Instance
}

// Clients returns the clients of all gateways, in the order in which they came.
func (r *Recorder) Clients() []Client {
	clients := slices.Clone(r.clients)
	for i, c := range clients {
		for _, at := range r.seen {
			heir, ok := at.(*Instance)
			if former, both := c.At.(*Instance); ok && both && heir != former && heir.Subnet.VPC == former.Subnet.VPC && heir.Addr == c.Addr {
				clients[i].Heir = heir
			}
		}
	}
	return clients
}

// forwards notes that a gateway has forwarded for an address.
func (r *Recorder) forwards(g *Gateway, at Interface, addr netip.Addr) {
	known := func(c Client) bool { return c.Gateway == g.Label() && c.Addr == addr && sameInterface(c.At, at) }
	if !slices.ContainsFunc(r.clients, known) {
		r.clients = append(r.clients, Client{Gateway: g.Label(), VPC: g.VPC, Addr: addr, At: at})
	}
}

// sameInterface compares by what rows say, since a gateway may be given as it is without some of its addresses.
func sameInterface(a, b Interface) bool {
	_, rowA, _ := a.vantage()
	_, rowB, _ := b.vantage()
	return rowA.InterfaceID == rowB.InterfaceID && rowA.ResourceID == rowB.ResourceID
}

// Own says whether the address is the interface's, and not that of a pod behind it.
func (c Client) Own() bool {
	in, ok := c.At.(*Instance)
	return !ok || c.Addr == in.Addr || c.Addr == in.Addr6
}

// Identity returns what an interface's rows say of it, without traffic, and the flow log that they go to, nil if none logs it. Texts are as they stand in
// the flow log, of fields that its format may lack.
func Identity(i Interface) (*FlowLog, Row) {
	log, row, _ := i.vantage()
	return log, row
}
