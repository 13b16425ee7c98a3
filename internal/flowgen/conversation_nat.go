package flowgen

import "net/netip"

// NAT records a conversation through a gateway: legs A and D between client and gateway, B and C between gateway and remote, E and F as the client
// sees them. Headers add nothing: the bytes of all legs are equal. The gateway may be a private one, whose remote is private, or a NAT instance; and
// either side may be in no flow log.
func (r *Recorder) NAT(g *Gateway, c Conversation) {
	client, remote := r.end(c.Client.Addr), c.Remote.end()
	r.inside(g, c.Client, client, remote, hop(c.Client), c)
	r.outside(g, TrafficPathInternetGateway, c)
	r.client(plain(client, remote), hop(g), c)
}

// inside records legs A and D: the client's end of a conversation at a gateway, where client is the address of an interface, or of a pod behind it. Only a
// regional gateway's rows show the remote as the leg's.
func (r *Recorder) inside(g *Gateway, at Interface, client, remote end, peer NextHop, c Conversation) {
	r.forwards(g, at, client.addr)
	x := exchange{
		at: g, addresses: plain(client, remote), protocol: c.Remote.protocol(), path: TrafficPathVPC, peer: peer,
		up: r.forwarded(g, Egress, remote), down: r.forwarded(g, Ingress, remote),
	}
	if !g.Regional() && remote.addr.Is4() {
		x.dst.addr = g.Private
	}
	r.log(x, c.Up, c.Down, c.Span)
}

// outside records legs B and C: the remote's end of a conversation at a gateway.
func (r *Recorder) outside(g *Gateway, trafficPath int, c Conversation) {
	own := r.end(g.own())
	x := exchange{
		at: g, addresses: plain(own, c.Remote.end()), protocol: c.Remote.protocol(), sends: true, path: trafficPath,
		up: Verdict{Disposition: NATPublicLeg}, down: Verdict{Disposition: NATPublicLeg},
	}
	if private(c.Remote.Addr) {
		x.path = TrafficPathVPC
	}
	switch {
	case g.Regional():
		public := end{addr: g.Public[r.rng.IntN(len(g.Public))], port: own.port, service: serviceEC2}
		x.src, x.pktSrc = public, public
	default:
		x.pktSrc.addr = r.source(g)
	}
	up := x
	if g.ShowsSecondary && !g.Regional() {
		up.src.addr = up.pktSrc.addr
	}
	r.log(up, c.Up, Volume{}, c.Span)
	r.log(x, Volume{}, c.Down, c.Span)
}

// source picks one of a zonal gateway's addresses for legs B and C.
func (r *Recorder) source(g *Gateway) netip.Addr {
	n := len(g.Secondary)
	if !g.OnlySecondary {
		n++
	}
	if i := r.rng.IntN(n); i < len(g.Secondary) {
		return g.Secondary[i]
	}
	return g.Private
}

// client records legs E and F: a conversation that a gateway forwards as its client sees it.
func (r *Recorder) client(way addresses, next NextHop, c Conversation) {
	x := exchange{at: c.Client, addresses: way, protocol: c.Remote.protocol(), sends: true, path: TrafficPathVPC, peer: next}
	x.up, x.down = r.throughNAT(c.Client, way.dst)
	r.log(x, c.Up, c.Down, c.Span)
}

// Scan records what a remote sends to a gateway without being asked: an accepted leg C that the gateway drops.
func (r *Recorder) Scan(g *Gateway, remote Remote, v Volume, s Span) {
	r.outside(g, TrafficPathInternetGateway, Conversation{Remote: remote, Down: v, Span: s})
}

// Chain records a conversation through two gateways, of which the inner one's address is the outer one's client: two conversations, each of which is
// forwarded, and billed, once.
func (r *Recorder) Chain(inner, outer *Gateway, c Conversation) {
	client, remote := r.end(c.Client.Addr), c.Remote.end()
	r.inside(inner, c.Client, client, remote, hop(c.Client), c)
	r.outside(inner, TrafficPathVPC, c)
	r.inside(outer, inner, r.end(inner.own()), remote, NextHop{}, c)
	r.outside(outer, TrafficPathInternetGateway, c)
	r.client(plain(client, remote), hop(inner), c)
}

// Hairpin records a client's conversation with a load balancer of its own network under the load balancer's public address: the gateway forwards it
// as any other, and at the load balancer it is one with the gateway's public address.
func (r *Recorder) Hairpin(g *Gateway, b *LoadBalancer, c Conversation) {
	public := g.Public[r.rng.IntN(len(g.Public))]
	c.Remote = b.Remote()
	r.NAT(g.under(public), c)

	f, remote := formatOf(b), r.end(public)
	remote.service = serviceEC2
	path := PathUnknown
	if f.Has("traffic-path") {
		path = PathInternetGateway
	}
	r.log(exchange{
		at: b, addresses: plain(remote, end{addr: b.Addr, port: portHTTPS}), protocol: protocolTCP, path: TrafficPathInternetGateway,
		up: counted(f, Ingress, PathUnknown, remote), down: counted(f, Egress, path, remote),
	}, c.Up, c.Down, c.Span)
}

// headerGrowth is what an IPv6 header has more than an IPv4 one.
const headerGrowth = 20

// NAT64 records a conversation of an IPv6 client with an IPv4 remote through a zonal gateway: the client's legs are IPv6, with larger headers.
func (r *Recorder) NAT64(g *Gateway, c Conversation) {
	client, remote := r.end(c.Client.Addr6), c.Remote.nat64()
	r.outside(g, TrafficPathInternetGateway, c)
	c.Up, c.Down = c.Up.grown(headerGrowth), c.Down.grown(headerGrowth)
	r.inside(g, c.Client, client, remote, hop(c.Client), c)
	r.client(plain(client, remote), hop(g), c)
}

// grown returns the volume with so many bytes more in each packet.
func (v Volume) grown(bytes int64) Volume {
	if v.Bytes <= 0 {
		return v
	}
	v = v.whole()
	v.Bytes += bytes * v.Packets
	return v
}
