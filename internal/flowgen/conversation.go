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

// serviceEC2 is the service of addresses that AWS takes from EC2's: those of gateways and load balancers.
const serviceEC2 = "EC2"

// Conversation is what a client exchanges with a remote: Up from the client, Down to it.
type Conversation struct {
	Client   *Instance
	Remote   Remote
	Up, Down Volume
	Span     Span
}

// Direct records a conversation that does not pass a NAT gateway: through an internet gateway, a gateway endpoint or what else trafficPath says. With an
// IPv6 remote it goes through the internet gateway or an egress-only one.
func (r *Recorder) Direct(c Conversation, trafficPath int) {
	x := exchange{
		at: c.Client, addresses: plain(r.end(c.Client.ownFor(c.Remote.Addr)), c.Remote.end()), protocol: c.Remote.protocol(), sends: true,
		path: trafficPath,
	}
	x.up, x.down = r.direct(c.Client, trafficPath, x.dst)
	r.log(x, c.Up, c.Down, c.Span)
}

// Internal records a conversation between two interfaces of private networks, instances or a service's endpoint, each direction as its sender and its
// receiver log it. The VPCs are connected as trafficPath says: TrafficPathVPC in one VPC, or a peering.
func (r *Recorder) Internal(a, b Interface, up, down Volume, s Span, trafficPath int) {
	way := r.internalWay(a.own(), b.own())
	r.log(sender(a, way, trafficPath, hop(b)), up, down, s)
	r.log(receiver(b, way, trafficPath, hop(a)), up, down, s)
}

// internalWay are the ends of a conversation that a opens with b.
func (r *Recorder) internalWay(a, b netip.Addr) addresses {
	return plain(r.end(a), end{addr: b, port: portSQL})
}

// sender is an internal conversation at the interface that opened it.
func sender(a Interface, way addresses, trafficPath int, peer NextHop) exchange {
	return exchange{
		at: a, addresses: way, protocol: protocolTCP, sends: true, path: trafficPath, peer: peer,
		up: sent(formatOf(a)), down: Verdict{Disposition: ReceiverSide},
	}
}

// receiver is an internal conversation at the interface that was asked.
func receiver(b Interface, way addresses, trafficPath int, peer NextHop) exchange {
	return exchange{
		at: b, addresses: way, protocol: protocolTCP, path: trafficPath, peer: peer,
		up: Verdict{Disposition: ReceiverSide}, down: sent(formatOf(b)),
	}
}

// RejectFrom records what a security group keeps from an instance: rows that say REJECT, with the reason of version 8 if any. Rows rejected by VPC
// Block Public Access ("BPA") have no volume. It records nothing where the format has no action, since such rows cannot be told from others.
func (r *Recorder) RejectFrom(remote Remote, at *Instance, v Volume, s Span, reason string) {
	if !formatOf(at).Has("action") || v.Bytes <= 0 {
		return
	}
	x := exchange{at: at, addresses: plain(r.end(remote.Addr), end{addr: at.Addr, port: portSSH}), protocol: remote.protocol()}
	x.src.service, x.pktSrc.service = remote.Service, remote.Service
	flowLog, row := r.row(x, false)
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
	if flowLog == nil {
		return
	}
	row := noTraffic()
	row.AccountID, row.InterfaceID, row.ResourceID = from.AccountID, from.InterfaceID, from.ResourceID
	row.Start, row.End, row.LogStatus = s.From.Unix(), max(s.From.Unix(), s.To.Unix()-1), status
	if !flowLog.Format.Has("log-status") {
		d = NoData
	}
	r.add(Logged{FlowLog: flowLog, Row: row, Verdict: Verdict{Disposition: d}})
}

func (r *Recorder) end(a netip.Addr) end { return end{addr: a, port: 32768 + r.rng.IntN(28000)} }
