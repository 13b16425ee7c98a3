package flowgen

import "net/netip"

// Values of traffic-path. Source: AWS, "Flow log records".
const (
	TrafficPathVPC                       = 1
	TrafficPathInternetGatewayOrEndpoint = 2
	TrafficPathVirtualPrivateGateway     = 3
	TrafficPathIntraRegionPeering        = 4
	TrafficPathInterRegionPeering        = 5
	TrafficPathLocalZone                 = 6
	TrafficPathGatewayEndpoint           = 7
	TrafficPathInternetGateway           = 8
)

const (
	protocolTCP = 6
	portHTTPS   = 443
	portSSH     = 22
	portSQL     = 5432
)

// serviceEC2 is the service of a regional gateway's public addresses, which AWS takes from EC2's.
const serviceEC2 = "EC2"

// Conversation is what a client exchanges with a remote: Up from the client, Down to it.
type Conversation struct {
	Client   *Instance
	Remote   Remote
	Up, Down Volume
	Span     Span
}

// NAT records a conversation through a gateway, which must be one of the client's Gateways: legs A and D between client and gateway, B and C
// between gateway and remote, E and F as the client sees them. Headers add nothing: the bytes of all legs are equal.
func (r *Recorder) NAT(g *Gateway, c Conversation) {
	client, remote := r.end(c.Client.Addr), c.Remote.end()
	gatewayLog, _, gatewayHop := g.vantage()
	_, _, clientHop := c.Client.vantage()

	inside := plain(client, remote)
	if !g.Regional() {
		inside.dst.addr = g.Private
	}
	r.log(exchange{
		at: g, addresses: inside, protocol: c.Remote.protocol(), path: TrafficPathVPC, peer: clientHop,
		up:   forwarded(gatewayLog.Format, Egress, remote, g.Label()),
		down: forwarded(gatewayLog.Format, Ingress, remote, g.Label()),
	}, c.Up, c.Down, c.Span)

	r.log(r.outside(g, c.Remote), c.Up, c.Down, c.Span)

	r.log(exchange{
		at: c.Client, addresses: plain(client, remote), protocol: c.Remote.protocol(), sends: true, path: TrafficPathVPC, peer: gatewayHop,
		up: Verdict{Disposition: ClientView}, down: Verdict{Disposition: ClientView},
	}, c.Up, c.Down, c.Span)
}

// outside is the leg between a gateway and a remote. Packets from and to a secondary address are logged under the primary one, the true one is the
// packet's. Source: AWS, "Flow log limitations".
func (r *Recorder) outside(g *Gateway, remote Remote) exchange {
	shown, packet := r.end(g.own()), r.end(g.own())
	switch {
	case g.Regional():
		shown = end{addr: g.Public[r.rng.IntN(len(g.Public))], port: shown.port, service: serviceEC2}
		packet = shown
	default:
		if n := r.rng.IntN(1 + len(g.Secondary)); n > 0 {
			packet.addr = g.Secondary[n-1]
		}
	}
	return exchange{
		at:        g,
		addresses: addresses{src: shown, dst: remote.end(), pktSrc: packet, pktDst: remote.end()},
		protocol:  remote.protocol(),
		sends:     true,
		path:      TrafficPathInternetGateway,
		up:        Verdict{Disposition: NATPublicLeg},
		down:      Verdict{Disposition: NATPublicLeg},
	}
}

// Scan records what a remote sends to a gateway without being asked: an accepted leg C that the gateway drops.
func (r *Recorder) Scan(g *Gateway, remote Remote, v Volume, s Span) {
	r.log(r.outside(g, remote), Volume{}, v, s)
}

// Direct records a conversation that does not pass a NAT gateway: through an internet gateway, a gateway endpoint or what else trafficPath says.
func (r *Recorder) Direct(c Conversation, trafficPath int) {
	flowLog, _, _ := c.Client.vantage()
	x := exchange{
		at: c.Client, addresses: plain(r.end(c.Client.Addr), c.Remote.end()), protocol: c.Remote.protocol(), sends: true, path: trafficPath,
	}
	x.up, x.down = direct(flowLog.Format, c.Client, trafficPath, x.dst)
	r.log(x, c.Up, c.Down, c.Span)
}

// Internal records a conversation between two instances, each direction as its sender and its receiver log it. The VPCs are
// connected as trafficPath says: TrafficPathVPC in one VPC, or a peering.
func (r *Recorder) Internal(a, b *Instance, up, down Volume, s Span, trafficPath int) {
	_, _, aHop := a.vantage()
	_, _, bHop := b.vantage()
	way := plain(r.end(a.Addr), end{addr: b.Addr, port: portSQL})
	r.log(sender(a, way, trafficPath, bHop), up, down, s)
	r.log(receiver(b, way, trafficPath, aHop), up, down, s)
}

// sender is an internal conversation at the instance that opened it.
func sender(a *Instance, way addresses, trafficPath int, peer NextHop) exchange {
	flowLog, _, _ := a.vantage()
	return exchange{
		at: a, addresses: way, protocol: protocolTCP, sends: true, path: trafficPath, peer: peer,
		up: sent(flowLog.Format), down: Verdict{Disposition: ReceiverSide},
	}
}

// receiver is an internal conversation at the instance that was asked.
func receiver(b *Instance, way addresses, trafficPath int, peer NextHop) exchange {
	flowLog, _, _ := b.vantage()
	return exchange{
		at: b, addresses: way, protocol: protocolTCP, path: trafficPath, peer: peer,
		up: Verdict{Disposition: ReceiverSide}, down: sent(flowLog.Format),
	}
}

// ViaTransitGateway records a conversation between instances of two VPCs, whose attachments log it on the way. It records nothing unless the
// formats of both VPCs show transit, since such rows cannot be told from others then. Source: AWS, "Flow log record examples".
func (r *Recorder) ViaTransitGateway(a, b *Instance, aSide, bSide *Attachment, up, down Volume, s Span) {
	aLog, _, aHop := a.vantage()
	bLog, _, bHop := b.vantage()
	if !aLog.Format.ShowsTransit() || !bLog.Format.ShowsTransit() {
		return
	}
	_, _, aSideHop := aSide.vantage()
	_, _, bSideHop := bSide.vantage()
	way := plain(r.end(a.Addr), end{addr: b.Addr, port: portSQL})
	transit := Verdict{Disposition: Transit}

	r.log(sender(a, way, TrafficPathVPC, aSideHop), up, down, s)
	in := way
	in.dst.addr = aSide.Addr
	r.log(exchange{at: aSide, addresses: in, protocol: protocolTCP, path: TrafficPathVPC, peer: aHop, up: transit, down: transit}, up, down, s)
	out := way
	out.src.addr = bSide.Addr
	r.log(exchange{
		at: bSide, addresses: out, protocol: protocolTCP, sends: true, path: TrafficPathVPC, peer: bHop, up: transit, down: transit,
	}, up, down, s)
	r.log(receiver(b, way, TrafficPathVPC, bSideHop), up, down, s)
}

// RejectFrom records what a security group keeps from an instance: rows that say REJECT, with the reason of version 8 if any. Rows rejected by VPC
// Block Public Access ("BPA") have no volume. It records nothing where the format has no action, since such rows cannot be told from others.
func (r *Recorder) RejectFrom(remote Remote, at *Instance, v Volume, s Span, reason string) {
	flowLog, _, _ := at.vantage()
	if !flowLog.Format.Has("action") || v.Bytes <= 0 {
		return
	}
	x := exchange{at: at, addresses: plain(r.end(remote.Addr), end{addr: at.Addr, port: portSSH}), protocol: remote.protocol()}
	x.src.service, x.pktSrc.service = remote.Service, remote.Service
	_, row := r.row(x, false)
	row.Action, row.RejectReason = Reject, reason
	for _, p := range r.cut(v, s) {
		row.Start, row.End, row.Bytes, row.Packets = p.start, p.end, p.bytes, p.packets
		if reason == "BPA" {
			row.Bytes, row.Packets = Missing, Missing
		}
		r.add(Logged{FlowLog: flowLog, Row: row, Verdict: Verdict{Disposition: Rejected}})
	}
}

// NoData records that nothing passed an interface during the span.
func (r *Recorder) NoData(at Interface, s Span) { r.noTraffic(at, s, StatusNoData, NoData) }

// SkipData records that AWS lost records of an interface.
func (r *Recorder) SkipData(at Interface, s Span) { r.noTraffic(at, s, StatusSkipData, SkipData) }

// noTraffic records a row with nothing but names, times and status. Without log-status such a row is still known by its missing addresses, but not
// what it says.
func (r *Recorder) noTraffic(at Interface, s Span, status LogStatus, d Disposition) {
	flowLog, from, _ := at.vantage()
	row := noTraffic()
	row.AccountID, row.InterfaceID, row.ResourceID = from.AccountID, from.InterfaceID, from.ResourceID
	row.Start, row.End, row.LogStatus = s.From.Unix(), max(s.From.Unix(), s.To.Unix()-1), status
	if !flowLog.Format.Has("log-status") {
		d = NoData
	}
	r.add(Logged{FlowLog: flowLog, Row: row, Verdict: Verdict{Disposition: d}})
}

func (r *Recorder) end(a netip.Addr) end { return end{addr: a, port: 32768 + r.rng.IntN(28000)} }

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
