package flowgen

import (
	"net/netip"
	"slices"
)

// What follows here is what the simulated network knows of a row, weakened to what the row's format can tell a reader. Each rule is one of the
// exporter's rules of counting.

// Vantage is the exporter's nat_vantage setting: which rows count of what a NAT gateway forwards.
type Vantage string

// The vantages. The zero value is VantageAuto.
const (
	VantageAuto    Vantage = "auto"
	VantageGateway Vantage = "gateway"
	VantageClient  Vantage = "client"
)

// counted is the verdict on a row whose bytes count: remote is the end that names the service.
func counted(f Format, d Direction, p Path, remote end) Verdict {
	return Verdict{Disposition: Counted, Direction: d, Path: p, Service: serviceLabel(f, d, remote)}
}

// forwarded is the verdict on the client's leg at a NAT gateway.
func (r *Recorder) forwarded(g *Gateway, d Direction, remote end) Verdict {
	if r.Vantage == VantageClient {
		return Verdict{Disposition: Transit}
	}
	f := formatOf(g)
	v := counted(f, d, g.path(), remote)
	v.Gateway = g.Label()
	if !f.ShowsTranslation() {
		v.Service = ServiceUnknown
	}
	return v
}

// serviceLabel is the service of the remote end: the destination but for ingress.
func serviceLabel(f Format, d Direction, remote end) string {
	name := "pkt-dst-aws-service"
	if d == Ingress {
		name = "pkt-src-aws-service"
	}
	switch {
	case !f.Has(name):
		return ServiceUnknown
	case remote.service == "":
		return ServiceNone
	default:
		return remote.service
	}
}

// clientView is the verdict on a public row at an instance whose own traffic-path does not say how it went. At an interface that is seen to be behind
// NAT all such rows are taken for its view of forwarded traffic: a copy of what a gateway logs, or all there is.
func (r *Recorder) clientView(client *Instance, d Direction, p Path, remote end) Verdict {
	log, _, _ := client.vantage()
	f := formatOf(client)
	switch {
	case log == nil || !client.seenBehindNAT():
		return counted(f, d, p, remote)
	case r.Vantage == VantageClient:
		v := counted(f, d, PathNAT, remote)
		v.Gateway = unknownGateway
		return v
	case r.Vantage == VantageGateway || !log.NATUnseen:
		return Verdict{Disposition: ClientView}
	default:
		return counted(f, d, PathUnseenMiddlebox, remote)
	}
}

// seenBehindNAT says whether a reader knows that the instance is behind NAT.
func (i *Instance) seenBehindNAT() bool {
	return slices.ContainsFunc(i.Gateways, func(g *Gateway) bool { return i.showsNAT(g) || g.names(i) })
}

// showsNAT says whether the instance's own rows tell of a gateway: its way to public remotes ends at another interface of the VPC, or at one of
// a NAT gateway.
func (i *Instance) showsNAT(g *Gateway) bool {
	f, next := formatOf(i), NextHop{}
	if g.VPC == i.Subnet.VPC {
		next = hop(g)
	}
	return f.Has("traffic-path") || f.Has("next-hop-interface-type") && next.InterfaceType == TypeNATGateway
}

// names says whether the gateway's rows tell of the instance: they name its address as a client. Private addresses repeat, so that means something in
// the gateway's VPC only, or where the format does not name VPCs in its account and region.
func (g *Gateway) names(i *Instance) bool {
	log, _, _ := i.vantage()
	own, _, _ := g.vantage()
	if log == nil || own == nil {
		return false
	}
	if log.Format.Has("vpc-id") {
		return g.VPC == i.Subnet.VPC
	}
	return own.Account == log.Account && own.Region == log.Region
}

// direct are the verdicts on traffic between an instance and a public remote that no NAT gateway forwards. Flow logs name no path for ingress. A path
// that leads out of the VPC is believed even of an instance behind NAT; and no IPv6 remote is behind NAT.
func (r *Recorder) direct(client *Instance, path int, remote end) (egress, ingress Verdict) {
	f := formatOf(client)
	egressPath := PathUnknown
	if f.Has("traffic-path") {
		egressPath = pathLabel(path)
	}
	egress, ingress = counted(f, Egress, egressPath, remote), counted(f, Ingress, PathUnknown, remote)
	if remote.addr.Is6() {
		return egress, ingress
	}
	if !slices.Contains([]Path{PathInternetGateway, PathInternetGatewayOrEndpoint, PathGatewayEndpoint}, egressPath) {
		egress = r.clientView(client, Egress, egressPath, remote)
	}
	return egress, r.clientView(client, Ingress, PathUnknown, remote)
}

// throughNAT are the verdicts on a client's own rows of what a gateway forwards. Remotes of a private NAT gateway make internal traffic of them.
func (r *Recorder) throughNAT(client *Instance, remote end) (egress, ingress Verdict) {
	if private(remote.addr) {
		return sent(formatOf(client)), Verdict{Disposition: ReceiverSide}
	}
	return r.clientView(client, Egress, PathUnknown, remote), r.clientView(client, Ingress, PathUnknown, remote)
}

// pathLabel names a traffic-path.
func pathLabel(path int) Path {
	switch path {
	case TrafficPathInternetGatewayOrEndpoint:
		return PathInternetGatewayOrEndpoint
	case TrafficPathVirtualPrivateGateway:
		return PathVirtualPrivateGateway
	case TrafficPathIntraRegionPeering, TrafficPathInterRegionPeering:
		return PathPeering
	case TrafficPathLocalZone:
		return PathLocalZone
	case TrafficPathGatewayEndpoint:
		return PathGatewayEndpoint
	case TrafficPathInternetGateway:
		return PathInternetGateway
	default:
		return PathUnknown
	}
}

// sent is the verdict on internal traffic at its sender; the receiver's rows are copies.
func sent(f Format) Verdict { return counted(f, Internal, PathInternal, end{}) }

// private says whether an address belongs to a private network by its range alone.
func private(a netip.Addr) bool { return a.IsPrivate() || sharedRange.Contains(a) }

// sharedRange is the shared address space of RFC 6598.
var sharedRange = netip.MustParsePrefix("100.64.0.0/10")
