package flowgen

// arrives is a conversation at an interface on its way, on the side from which it was opened: packets come in addressed to the interface, and
// leave to the opener in its name.
func arrives(at Interface, way addresses, protocol int, peer NextHop) exchange {
	way.dst.addr = at.own()
	return exchange{
		at: at, addresses: way, protocol: protocol, path: TrafficPathVPC, peer: peer,
		up: Verdict{Disposition: Transit}, down: Verdict{Disposition: Transit},
	}
}

// departs is a conversation at an interface on its way, on the other side.
func departs(at Interface, way addresses, protocol int, peer NextHop) exchange {
	way.src.addr = at.own()
	return exchange{
		at: at, addresses: way, protocol: protocol, sends: true, path: TrafficPathVPC, peer: peer,
		up: Verdict{Disposition: Transit}, down: Verdict{Disposition: Transit},
	}
}

// showTransit says whether all interfaces that make copies on the way are logged in formats that show it, or not at all. Rows of others cannot be
// told from what they copy.
func showTransit(on ...Interface) bool {
	for _, at := range on {
		if logged(at) && !formatOf(at).ShowsTransit() {
			return false
		}
	}
	return true
}

// ViaTransitGateway records a conversation between instances of two VPCs, whose attachments log it on the way. It records nothing unless the
// formats of both VPCs show transit, since such rows cannot be told from others then. Source: AWS, "Flow log record examples".
func (r *Recorder) ViaTransitGateway(a, b *Instance, aSide, bSide *Attachment, up, down Volume, s Span) {
	if !showTransit(aSide, bSide) {
		return
	}
	way := r.internalWay(a.Addr, b.Addr)
	r.log(sender(a, way, TrafficPathVPC, hop(aSide)), up, down, s)
	r.log(arrives(aSide, way, protocolTCP, hop(a)), up, down, s)
	r.log(departs(bSide, way, protocolTCP, hop(b)), up, down, s)
	r.log(receiver(b, way, TrafficPathVPC, hop(bSide)), up, down, s)
}

// CentralNAT records a conversation of a client in one VPC through a gateway in another, where all egress of a network leaves it: both attachments of
// the transit gateway between them log it on the way. Like ViaTransitGateway it records nothing where a format does not show transit.
func (r *Recorder) CentralNAT(g *Gateway, spokeSide, egressSide *Attachment, c Conversation) {
	if !showTransit(spokeSide, egressSide) {
		return
	}
	way := plain(r.end(c.Client.Addr), c.Remote.end())
	r.client(way, hop(spokeSide), c)
	r.log(arrives(spokeSide, way, c.Remote.protocol(), hop(c.Client)), c.Up, c.Down, c.Span)
	r.log(departs(egressSide, way, c.Remote.protocol(), hop(g)), c.Up, c.Down, c.Span)
	r.inside(g, c.Client, way.src, way.dst, hop(egressSide), c)
	r.outside(g, TrafficPathInternetGateway, c)
}

// InspectedNAT records a conversation through a firewall's endpoint and then a gateway. The endpoint logs every packet twice, on its way to the firewall
// and back. It records nothing where the endpoint's format does not show transit.
func (r *Recorder) InspectedNAT(g *Gateway, firewall *Endpoint, c Conversation) {
	if !showTransit(firewall) {
		return
	}
	way := plain(r.end(c.Client.Addr), c.Remote.end())
	r.client(way, hop(firewall), c)
	r.log(arrives(firewall, way, c.Remote.protocol(), hop(c.Client)), c.Up, c.Down, c.Span)
	r.log(departs(firewall, way, c.Remote.protocol(), hop(g)), c.Up, c.Down, c.Span)
	r.inside(g, c.Client, way.src, way.dst, hop(firewall), c)
	r.outside(g, TrafficPathInternetGateway, c)
}

// InspectedInternal records a conversation between two instances through a firewall's endpoint. It records nothing where the endpoint's format does
// not show transit.
func (r *Recorder) InspectedInternal(a, b *Instance, firewall *Endpoint, up, down Volume, s Span) {
	if !showTransit(firewall) {
		return
	}
	way := r.internalWay(a.Addr, b.Addr)
	r.log(sender(a, way, TrafficPathVPC, hop(firewall)), up, down, s)
	r.log(arrives(firewall, way, protocolTCP, hop(a)), up, down, s)
	r.log(departs(firewall, way, protocolTCP, hop(b)), up, down, s)
	r.log(receiver(b, way, TrafficPathVPC, hop(firewall)), up, down, s)
}

// Balance records a conversation that a public client opens with a Network Load Balancer, which preserves the client's address: its target sees the client
// itself. The load balancer logs both sides, the one to the target under its own address. It records nothing where the format does not show load
// balancers. Up is what the client sends.
func (r *Recorder) Balance(b *LoadBalancer, target *Instance, client Remote, up, down Volume, s Span, trafficPath int) {
	f := formatOf(b)
	if !f.ShowsLoadBalancer() {
		return
	}
	from := r.end(client.Addr)
	from.service = client.Service
	path := PathUnknown
	if f.Has("traffic-path") {
		path = pathLabel(trafficPath)
	}
	front, back := end{addr: b.Addr, port: portHTTPS}, end{addr: target.Addr, port: portHTTPS}
	r.log(exchange{
		at: b, addresses: plain(from, front), protocol: protocolTCP, path: trafficPath,
		up: counted(f, Ingress, PathUnknown, from), down: counted(f, Egress, path, from),
	}, up, down, s)
	r.log(departs(b, plain(from, back), protocolTCP, hop(target)), up, down, s)

	x := exchange{at: target, addresses: plain(from, back), protocol: protocolTCP, path: trafficPath, peer: hop(b)}
	x.down, x.up = r.direct(target, trafficPath, from)
	r.log(x, up, down, s)
}
