package flowgen

import "slices"

// What follows here is what the simulated network knows of a row, weakened to what the row's format can tell a reader. Each rule is one of the
// exporter's rules of counting.

// counted is the verdict on a row whose bytes count: remote is the end that names the service.
func counted(f Format, d Direction, p Path, remote end) Verdict {
	return Verdict{Disposition: Counted, Direction: d, Path: p, Service: serviceLabel(f, d, remote)}
}

// forwarded is the verdict on the client's leg at a NAT gateway.
func forwarded(f Format, d Direction, remote end, gateway string) Verdict {
	v := counted(f, d, PathNAT, remote)
	v.Gateway = gateway
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

// direct are the verdicts on traffic between an instance and a public remote that no NAT gateway forwards. Flow logs name no path for ingress; at an
// interface that is behind NAT all public rows are taken for its view of forwarded traffic, except egress whose path proves the opposite.
func direct(f Format, client *Instance, path int, remote end) (egress, ingress Verdict) {
	egressPath := PathUnknown
	if f.Has("traffic-path") {
		egressPath = pathLabel(path)
	}
	egress, ingress = counted(f, Egress, egressPath, remote), counted(f, Ingress, PathUnknown, remote)
	if client.BehindNAT() {
		ingress = Verdict{Disposition: ClientView}
		if !slices.Contains([]Path{PathInternetGateway, PathInternetGatewayOrEndpoint, PathGatewayEndpoint}, egressPath) {
			egress = Verdict{Disposition: ClientView}
		}
	}
	return egress, ingress
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
