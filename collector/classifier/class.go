package classifier

// Disposition is how a data line of a committed file ended. Every line has exactly one.
type Disposition uint8

// The dispositions, named by String as in vpcflow_records_total.
const (
	Held               Disposition = iota // Held: not decided yet; not a label of vpcflow_records_total.
	Counted                               // Counted: in exactly one series of vpcflow_bytes_total.
	NATPublicLeg                          // NATPublicLeg: between a NAT gateway and the remote; the same bytes are counted on the client's leg.
	ClientView                            // ClientView: a client's own view of what its NAT gateway forwards.
	ReceiverSide                          // ReceiverSide: internal traffic as its receiver saw it; counted at the sender.
	Transit                               // Transit: a copy that a transit gateway, firewall or endpoint logged on the way.
	OverlappingFlowLog                    // OverlappingFlowLog: logged by a second flow log.
	Rejected                              // Rejected: action REJECT.
	NoData                                // NoData: log-status NODATA.
	SkipData                              // SkipData: log-status SKIPDATA; AWS lost records.
	Malformed                             // Malformed: the line could not be read.

	NumDispositions = iota
)

var dispositionNames = [NumDispositions]string{
	"held", "counted", "nat_public_leg", "client_view", "receiver_side", "transit", "overlapping_flow_log", "rejected", "no_data",
	"skip_data", "malformed",
}

// String returns the label value.
func (d Disposition) String() string { return dispositionNames[d] }

// Direction is the direction of counted bytes as the client sees it.
type Direction uint8

// The directions, named by String as in vpcflow_bytes_total.
const (
	Egress Direction = iota
	Ingress
	Internal
)

// String returns the label value.
func (d Direction) String() string { return [...]string{"egress", "ingress", "internal"}[d] }

// Path is the way that counted bytes took.
type Path uint8

// The paths, named by String as in vpcflow_bytes_total.
const (
	PathUnknown Path = iota
	PathNAT
	PathNATInstance
	PathInternal
	PathInternetGateway
	PathInternetGatewayOrEndpoint
	PathGatewayEndpoint
	PathVirtualPrivateGateway
	PathPeering
	PathLocalZone
	PathUnseenMiddlebox
)

// String returns the label value.
func (p Path) String() string {
	return [...]string{
		"unknown", "nat", "nat_instance", "internal", "internet_gateway", "igw_or_gateway_endpoint", "gateway_endpoint",
		"virtual_private_gateway", "peering", "local_zone", "unseen_middlebox",
	}[p]
}

// AWS's values of traffic-path (https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html).
const (
	pathVPC                   = 1
	pathInternetGatewayOrVPCE = 2
	pathVirtualPrivateGateway = 3
	pathIntraRegionPeering    = 4
	pathInterRegionPeering    = 5
	pathLocalZone             = 6
	pathGatewayEndpoint       = 7
	pathInternetGateway       = 8
)

// egressPath names the path of an egress row by its traffic-path.
func egressPath(trafficPath uint8) Path {
	switch trafficPath {
	case pathInternetGateway:
		return PathInternetGateway
	case pathInternetGatewayOrVPCE:
		return PathInternetGatewayOrEndpoint
	case pathGatewayEndpoint:
		return PathGatewayEndpoint
	case pathVirtualPrivateGateway:
		return PathVirtualPrivateGateway
	case pathIntraRegionPeering, pathInterRegionPeering:
		return PathPeering
	case pathLocalZone:
		return PathLocalZone
	default:
		return PathUnknown
	}
}

// Role is what an interface is.
type Role uint8

// The roles of an interface.
const (
	RoleUndecided   Role = iota // RoleUndecided: may yet turn out to be a NAT gateway.
	RoleOrdinary                // RoleOrdinary: no NAT gateway.
	RoleZonalNAT                // RoleZonalNAT: a NAT gateway with an interface of its own, public or private.
	RoleRegionalNAT             // RoleRegionalNAT: a regional NAT gateway; its rows have no interface.
	RoleNATInstance             // RoleNATInstance: an instance that translates; AWS charges no processing for it.
)

// IsNAT says whether the role translates addresses.
func (r Role) IsNAT() bool { return r >= RoleZonalNAT }

// Facts is what is known about an interface when one of its rows is classified.
type Facts struct {
	Role Role
	// Translates says that the interface has shown a translation. Nothing of it is counted before its role is decided.
	Translates bool
	// Suspect says that the interface may yet show one: it belongs to no instance, as a NAT gateway's does not. Its public rows may be legs
	// B and C, whatever their traffic-path says.
	Suspect bool
	// Relay says that the interface belongs to no instance: private rows that it translates are copies made on the way.
	Relay bool
	// BehindNAT says that the interface's public traffic goes through a NAT gateway or another middlebox of the VPC.
	BehindNAT bool
	// NATLogged says that the NAT gateways of the interface's account and region are logged, so the client's view is a copy.
	NATLogged bool
	// Settled says that BehindNAT will not be learned any more: what is not explained is counted with path unknown.
	Settled bool
	// Released says that the wait for a decision is over.
	Released bool
	// OwnKnown says that the interface's own address is known; ClientOwn and RemoteOwn, whether an end is one of them.
	OwnKnown, ClientOwn, RemoteOwn bool
}

// A Class is the verdict on all rows of one Shape at one interface. Direction and Path mean something only when Counted.
type Class struct {
	Disposition Disposition
	Direction   Direction
	Path        Path
}

func counted(d Direction, p Path) Class { return Class{Counted, d, p} }

// Classify applies the rules of counting to a shape. It is total: every shape gets a class under any facts, Held among them unless
// facts.Released.
func Classify(f Facts, s Shape) Class {
	switch {
	case f.Role == RoleRegionalNAT:
		return classifyRegional(s)
	case f.Role.IsNAT():
		return classifyZonal(f, s)
	case f.Role == RoleUndecided && f.Translates && !f.Released:
		return Class{Disposition: Held}
	case s.Translated() && !s.LegPublic() && f.Relay:
		return Class{Disposition: Transit}
	case s.form() == formInternal:
		return classifyInternal(f, s)
	default:
		return classifyPublic(f, s)
	}
}

// classifyRegional sorts the legs of a regional NAT gateway, whose pkt-addresses equal the leg's: the rows between a client and a remote
// are counted, those that carry the gateway's own public address are not.
func classifyRegional(s Shape) Class {
	switch s.form() {
	case formOut:
		return counted(Egress, PathNAT)
	case formIn:
		return counted(Ingress, PathNAT)
	case formPublic:
		return Class{Disposition: NATPublicLeg}
	default:
		if s.is(shapeEgress) {
			return counted(Ingress, PathNAT)
		}
		return counted(Egress, PathNAT)
	}
}

// classifyZonal sorts the legs at the interface of a NAT gateway: legs A and D hide a true end behind the gateway's private address, legs B and
// C carry a public address or one of the gateway's own as a true end.
func classifyZonal(f Facts, s Shape) Class {
	path := PathNAT
	if f.Role == RoleNATInstance {
		path = PathNATInstance
	}
	switch {
	case s.is(shapeNAT64) && s.form() == formOut:
		return counted(Egress, path)
	case s.is(shapeNAT64):
		return counted(Ingress, path)
	case !s.HasPkt():
		return classifyZonalPlain(f, s, path)
	case s.LegPublic() || f.RemoteOwn || f.ClientOwn:
		return Class{Disposition: NATPublicLeg}
	case s.is(shapeDstTranslated):
		return counted(Egress, path)
	case s.is(shapeSrcTranslated):
		return counted(Ingress, path)
	default:
		return Class{Disposition: NATPublicLeg}
	}
}

// classifyZonalPlain tells A from D by the gateway's own address where the format has no pkt-addresses (version 2).
func classifyZonalPlain(f Facts, s Shape, path Path) Class {
	switch {
	case s.form() != formInternal:
		return Class{Disposition: NATPublicLeg}
	case s.is(shapeIngress) || f.RemoteOwn:
		return counted(Egress, path)
	case s.is(shapeEgress) || f.ClientOwn || f.Released:
		return counted(Ingress, path)
	default:
		return Class{Disposition: Held}
	}
}

// classifyInternal counts traffic between private ends at its sender.
func classifyInternal(f Facts, s Shape) Class {
	sender := false
	switch {
	case s.is(shapeEgress):
		sender = true
	case s.is(shapeIngress):
	case s.Translated():
		// The translated end is the interface's own: a pod behind its node.
		sender = s.is(shapeSrcTranslated)
	case f.OwnKnown:
		sender = f.ClientOwn
	case !f.Released:
		return Class{Disposition: Held}
	default:
		sender = true
	}
	if !sender {
		return Class{Disposition: ReceiverSide}
	}
	return counted(Internal, PathInternal)
}

// classifyPublic gives traffic between an ordinary interface and a public remote its path, or drops it as the copy of what a NAT gateway
// forwarded. An IPv6 remote is never reached through NAT, except under the NAT64 prefix.
func classifyPublic(f Facts, s Shape) Class {
	egress := s.FromClient()
	if s.DirectionOpen() {
		if !f.OwnKnown && !f.Released {
			return Class{Disposition: Held}
		}
		egress = !f.OwnKnown || f.ClientOwn
	}
	direction, path := Ingress, PathUnknown
	if egress {
		direction, path = Egress, egressPath(s.TrafficPath())
	}
	switch {
	case s.is(shapeIPv6):
		return counted(direction, path)
	case f.Role == RoleUndecided && f.Suspect && !f.BehindNAT && !s.ShowsClientView() && !f.Released:
		return Class{Disposition: Held}
	case path == PathInternetGateway, path == PathInternetGatewayOrEndpoint, path == PathGatewayEndpoint:
		return counted(direction, path)
	case f.BehindNAT || s.ShowsClientView():
		return classifyClientView(f, direction)
	case f.Settled || f.Released:
		return counted(direction, path)
	default:
		return Class{Disposition: Held}
	}
}

// classifyClientView drops the client's view where the gateway's own rows are logged; otherwise it is all there is.
func classifyClientView(f Facts, d Direction) Class {
	switch {
	case f.NATLogged:
		return Class{Disposition: ClientView}
	case f.Released:
		return counted(d, PathUnseenMiddlebox)
	default:
		return Class{Disposition: Held}
	}
}
