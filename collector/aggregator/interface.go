package aggregator

import (
	"strings"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// netInterface is what all committed files say about one interface, and its rows that wait for a decision.
type netInterface struct {
	name       interfaceName
	attributes attributes
	names      *interfaceNames // names are what the workload is called, nil if no record says it.
	own        ownAddress
	evidence   evidence
	life       span // life are the times of its records of any kind.
	// viewAt and directAt are the newest ends of files whose rows prove that its public traffic goes through a middlebox, or straight to an internet gateway.
	viewAt, directAt int64
	reigns           reigns // reigns are the flow logs that own it.
	// addresses are the private ends of its rows with public remotes: its own ones, of which an interface with many pods has many.
	addresses addressSample
	residents residents
	named     int64 // named is when a NAT gateway has last named one of its addresses as a client, 0 if none has.
	publicOwn bool  // publicOwn: its own IPv4 address is a public one, which has been reported.

	role         classifier.Role
	recognisedBy string
	gateway      *Gateway // gateway is its entry in the configuration, or nil.
	released     bool     // released: a wait of its rows has ended without a decision, and later rows do not wait again.
	leftOpen     int64    // leftOpen is the newest end of rows that were counted because of that.

	sightings    sightings // sightings are of the remotes that it has shown, until it is a NAT gateway.
	sightedSince int64     // sightedSince is the record time when they were begun.
	legs         gatewayLegs
	held         heldRows
	written      *written // written is what a journal holds of it, nil without one.
	forgotten    bool     // forgotten: it is no interface of the aggregator's any more.
}

// heldRows are the rows of an interface that are not counted yet. While a file is committed they are all of its rows.
type heldRows struct {
	remotes map[remoteKey]Counts
	clients map[clientKey]Counts
	span    span // span are the times of the rows.
	waiting bool
	since   int64 // since is the clock of the region when the wait began.
	keys    int
	counts  Counts
	under   classifier.Facts // under are the facts that the rows were classified by last.
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

func (h *heldRows) addRemote(key remoteKey, c Counts) {
	if h.remotes == nil {
		h.remotes = make(map[remoteKey]Counts)
	}
	counts := h.remotes[key]
	counts.add(c)
	h.remotes[key] = counts
}

func (h *heldRows) addClient(key clientKey, c Counts) {
	if h.clients == nil {
		h.clients = make(map[clientKey]Counts)
	}
	counts := h.clients[key]
	counts.add(c)
	h.clients[key] = counts
}

func (n *netInterface) place() place { return place{n.name.account, n.name.region} }

// place is a region of an account: what has a clock of its own, and NAT gateways that are logged or not.
type place struct {
	account, region string
}

// nameless says whether the rows have no id to tell their interface by, so that they may be rows of many.
func (n *netInterface) nameless() bool {
	return strings.HasPrefix(n.name.id, "-") || n.name.id == otherLabel
}

// label returns the value of nat_gateway: the ENI id of a zonal, the nat- id of a regional gateway.
func (n *netInterface) label() string { return n.name.label() }

func (n interfaceName) label() string {
	if strings.HasPrefix(n.id, "-") {
		return unknownLabel
	}
	return idLabel(n.id)
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
	n.life.add(span{in.first, in.last})
	if in.evidence.view {
		n.viewAt = max(n.viewAt, in.last)
	}
	if in.evidence.direct {
		n.directAt = max(n.directAt, in.last)
	}
	if n.life.last > n.sightedSince+sightSeconds {
		// An address that was one thing and is another now is no evidence: a pod that has moved to another node.
		n.sightings, n.addresses, n.sightedSince = sightings{}, addressSample{}, n.life.last
	}
}

// waitAnew lets rows wait again that come long after the ones that have waited in vain: a client of a NAT gateway may have been quiet till then.
func (n *netInterface) waitAnew(end int64) {
	if end > n.leftOpen+quietSeconds && n.name.id != otherLabel {
		n.released = false
	}
}

// After so much record time without rows that could have been anything, an interface is looked at as if it were new.
const quietSeconds = 60 * 60

// What an interface has shown of remotes is kept for so long, in seconds of record time.
const sightSeconds = 2 * 60 * 60

// observes says whether what rows show of remotes is evidence: the interface may still turn out to be a NAT gateway. Of an instance that has waited in
// vain, only a translation is.
func (n *netInterface) observes() bool {
	return n.role == classifier.RoleUndecided && !n.nameless() && (!n.released || n.evidence.translated || n.suspect())
}

// proves says whether what rows of a shape show of their remotes is evidence. A private remote proves nothing at an instance, whose pods hide behind it and come
// and go.
func (n *netInterface) proves(s classifier.Shape) bool {
	return s.Sight() != classifier.SightNone && (!s.Private() || n.attributes.instanceID == "")
}

// isOwnEnd says whether the private end of rows with a public remote is an address of the interface's own. Behind a translation that is a pod's at an instance;
// elsewhere it is somebody's whose packets pass.
func (n *netInterface) isOwnEnd(s classifier.Shape) bool {
	return s.OneEndPrivate() && !n.role.IsNAT() && (!s.Translated() || n.attributes.instanceID != "")
}

// suspect says whether nothing speaks against a NAT gateway.
func (n *netInterface) suspect() bool {
	return n.evidence.pkt && n.attributes.instanceID == "" && !n.nameless()
}

// relay says whether packets that the interface translates are others', as far as its fields tell.
func (n *netInterface) relay() bool {
	return isRelayType(n.evidence.interfaceType) || n.attributes.hasInstanceField && n.attributes.instanceID == ""
}

// keepsRemotes says whether rows of a shape must keep their remotes to be classified, or while they wait. What a NAT gateway has proved to be needs them no more.
func (n *netInterface) keepsRemotes(s classifier.Shape) bool {
	switch {
	case n.role == classifier.RoleRegionalNAT:
		return false
	case n.role.IsNAT():
		return s.Private()
	case s.DirectionOpen():
		return true
	case s.Private() && (!s.HasPkt() || !s.Ingress() && !s.Egress()):
		return true
	default:
		return n.role == classifier.RoleUndecided && (s.InnerLeg() || s.Private() && n.suspect())
	}
}

// isOwn says whether the interface's own addresses are known, and whether a is one of them.
func (n *netInterface) isOwn(a flowlog.Addr) (own, known bool) {
	if len(n.legs.own) > 0 {
		_, own = n.legs.own[a]
		return own, true
	}
	address, known := n.own.of(a).address()
	return known && a == address, known
}
