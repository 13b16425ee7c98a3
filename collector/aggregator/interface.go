package aggregator

import (
	"strings"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// Values of the label recognised_by: which rule told that an interface is a NAT gateway.
const (
	recognisedByConfig        = "config"
	recognisedByInterfaceType = "interface_type"
	recognisedByResourceID    = "resource_id"
	recognisedByLearning      = "learned"
	recognisedUnverified      = "unverified" // learned from a format without instance-id: it may be a NAT instance.
)

// netInterface is what all committed files say about one interface, and its rows that wait for a decision.
type netInterface struct {
	name       interfaceName
	attributes attributes
	own        ownAddress
	evidence   evidence

	role         classifier.Role
	recognisedBy string
	gateway      *Gateway                  // gateway is its entry in the configuration, or nil.
	ownAddresses map[flowlog.Addr]struct{} // ownAddresses of a NAT gateway: it has up to eight.
	clientOfNAT  bool                      // clientOfNAT: a NAT gateway has named one of its addresses as a client.
	released     bool                      // released: a wait of its rows has ended without a decision.
	// hidden and reached are the remotes that its rows have shown behind its address, and as destinations of its own; bounded.
	hidden, reached map[flowlog.Addr]struct{}
	// publicRemote and privateRemote: as a NAT gateway it has forwarded for a public, a private address.
	publicRemote, privateRemote bool

	first, last int64

	remotes   map[remoteKey]Counts
	clients   map[clientKey]Counts
	waiting   bool  // waiting: some of remotes are held.
	heldSince int64 // heldSince is the clock of the region when the wait began.
	heldKeys  int
	held      Counts
	heldUnder heldFacts // heldUnder are the facts that the held rows were classified by last.
}

// heldFacts is all that a decision about held rows depends on.
type heldFacts struct {
	classifier.Facts
	own4, own6 bool
}

// remoteKey and clientKey are the two tables of a delta without their interface.
type remoteKey struct {
	remote  flowlog.Addr
	shape   classifier.Shape
	service string
}

type clientKey struct {
	client flowlog.Addr
	shape  classifier.Shape
}

func (n *netInterface) place() place { return place{n.name.account, n.name.region} }

// place is a region of an account: what has a clock of its own, and NAT gateways that are logged or not.
type place struct {
	account, region string
}

// label returns the value of nat_gateway: the ENI id of a zonal, the nat- id of a regional gateway.
func (n *netInterface) label() string {
	if strings.HasPrefix(n.name.id, "-") {
		return unknownLabel
	}
	return idLabel(n.name.id)
}

// absorb adds what one file says about the interface.
func (n *netInterface) absorb(in *deltaInterface) {
	if in.evidence.translated && !n.evidence.translated {
		// What was waited for before was something else.
		n.released = n.name.id == otherLabel
	}
	n.attributes.merge(in.attributes)
	n.own.merge(in.own)
	n.evidence.merge(in.evidence)
	if in.first > 0 && (n.first == 0 || in.first < n.first) {
		n.first = in.first
	}
	n.last = max(n.last, in.last)
}

// decide settles the role by the first rule that answers: configuration, interface-type, resource-id, and what the rows teach. What was learned is
// learned again, since a later file may know more.
func (n *netInterface) decide() {
	switch {
	case n.gateway != nil && (n.evidence.regional || strings.HasPrefix(n.name.id, "nat-")):
		n.become(classifier.RoleRegionalNAT, recognisedByConfig)
	case n.gateway != nil:
		n.become(classifier.RoleZonalNAT, recognisedByConfig)
	case n.evidence.interfaceType == flowlog.InterfaceNATGateway:
		n.become(classifier.RoleZonalNAT, recognisedByInterfaceType)
	case n.evidence.interfaceType == flowlog.InterfaceRegionalNATGateway:
		n.become(classifier.RoleRegionalNAT, recognisedByInterfaceType)
	case n.evidence.regional:
		n.become(classifier.RoleRegionalNAT, recognisedByResourceID)
	case n.evidence.interfaceType > flowlog.InterfaceOther,
		n.evidence.interfaceType == flowlog.InterfaceOther && n.attributes.instanceID == "":
		// Version 11 names every NAT gateway; what it leaves open is an instance that translates.
		n.become(classifier.RoleOrdinary, "")
	case n.translatesLikeNAT():
		n.learn()
	}
}

func (n *netInterface) become(role classifier.Role, by string) {
	n.role, n.recognisedBy = role, by
	n.hidden, n.reached = nil, nil
}

// learn makes a NAT gateway, or a NAT instance where the format tells instances, of an interface that translates.
func (n *netInterface) learn() {
	switch {
	case n.attributes.instanceID != "":
		n.become(classifier.RoleNATInstance, recognisedByLearning)
	case n.attributes.hasInstanceField:
		n.become(classifier.RoleZonalNAT, recognisedByLearning)
	default:
		n.become(classifier.RoleZonalNAT, recognisedUnverified)
	}
}

// maxEvidence bounds the remotes that an undecided interface is remembered to have hidden or reached.
const maxEvidence = 256

// translatesLikeNAT says whether one remote has appeared both hidden behind the interface's address and as the destination of a packet that the interface
// sent on in its own name. Rows without an interface belong to many, and prove nothing.
func (n *netInterface) translatesLikeNAT() bool {
	if n.role.IsNAT() {
		return true
	}
	if strings.HasPrefix(n.name.id, "-") || n.name.id == otherLabel {
		return false
	}
	hidden, reached := n.hidden, n.reached
	for key := range n.remotes {
		switch {
		case key.remote.IsZero():
		case key.shape.Hides():
			hidden = remember(hidden, key.remote)
		case key.shape.Reaches() && (n.evidence.translated || n.attributes.instanceID == ""):
			reached = remember(reached, key.remote)
		}
	}
	for remote := range hidden {
		if _, ok := reached[remote]; ok {
			return true
		}
	}
	n.hidden, n.reached = bounded(hidden), bounded(reached)
	return false
}

func remember(set map[flowlog.Addr]struct{}, a flowlog.Addr) map[flowlog.Addr]struct{} {
	if set == nil {
		set = make(map[flowlog.Addr]struct{})
	}
	set[a] = struct{}{}
	return set
}

// bounded drops some of what is too much to keep.
func bounded(set map[flowlog.Addr]struct{}) map[flowlog.Addr]struct{} {
	for a := range set {
		if len(set) <= maxEvidence {
			break
		}
		delete(set, a)
	}
	return set
}

// maxOwnAddresses bounds what a hostile log can make of a NAT gateway, which has at most 8 private addresses.
const maxOwnAddresses = 64

// learnOwnAddresses collects the addresses of a zonal gateway: the one in all of its rows, and those that its public legs show.
func (n *netInterface) learnOwnAddresses() {
	if n.ownAddresses == nil {
		n.ownAddresses = make(map[flowlog.Addr]struct{})
	}
	if a, ok := n.own.v4.address(); ok {
		n.ownAddresses[a] = struct{}{}
	}
	for key := range n.clients {
		if !key.client.IsZero() && !key.shape.Translated() && !key.shape.NAT64() && key.shape.OneEndPrivate() && len(n.ownAddresses) < maxOwnAddresses {
			n.ownAddresses[key.client] = struct{}{}
		}
	}
}

// isOwn says whether the interface's own addresses are known, and whether a is one of them.
func (n *netInterface) isOwn(a flowlog.Addr) (own, known bool) {
	if len(n.ownAddresses) > 0 {
		_, own = n.ownAddresses[a]
		return own, true
	}
	address, known := n.own.of(a).address()
	return known && a == address, known
}

// gatewayClients yields the clients of a NAT gateway as its rows show them.
func (n *netInterface) gatewayClients(yield func(flowlog.Addr) bool) {
	for key := range n.clients {
		own, known := n.isOwn(key.client)
		if own || !n.showsClient(key.shape, known) {
			continue
		}
		if !yield(key.client) {
			return
		}
	}
	for key := range n.remotes {
		// Without pkt-addresses the client of leg D is the destination.
		if key.shape.HasPkt() || !key.shape.Private() || n.role == classifier.RoleRegionalNAT {
			continue
		}
		if own, known := n.isOwn(key.remote); known && !own && !key.remote.IsZero() && !yield(key.remote) {
			return
		}
	}
}

// showsClient says whether rows of a shape name a client of the gateway as their Client.
func (n *netInterface) showsClient(s classifier.Shape, ownKnown bool) bool {
	switch {
	case n.role == classifier.RoleRegionalNAT:
		return s.OneEndPrivate()
	case !s.HasPkt():
		return s.Private() && ownKnown
	default:
		return s.NAT64() || s.Translated() && !s.LegPublic()
	}
}
