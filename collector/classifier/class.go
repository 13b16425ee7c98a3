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
	Transit                               // Transit: a copy that a transit gateway, firewall, load balancer or endpoint logged on the way.
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
