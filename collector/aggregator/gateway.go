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
	case n.role.IsNAT() && n.contradicted():
		n.forget()
	case n.role.IsNAT() || n.forwards():
		n.learn()
	}
}

// forwards says whether one remote has appeared both hidden behind the interface's address and as an end of its own packets.
func (n *netInterface) forwards() bool {
	return n.sightings.public.forwards() || n.attributes.instanceID == "" && n.sightings.private.forwards()
}

// forwardsThroughSecondary says, at the end of a wait, whether the interface is a NAT gateway that sends by secondary addresses only, and whose rows show the
// primary one in their place: it passes on to a remote that it has hidden, but with sources that are none of its clients. A firewall's endpoint passes on
// its clients' own packets.
func (n *netInterface) forwardsThroughSecondary() bool {
	if n.role != classifier.RoleUndecided || !n.suspect() || !n.sightings.public.hidden.meets(&n.sightings.public.passed) {
		return false
	}
	var clients, sources addressSet
	for key := range n.held.clients {
		switch key.shape.Sight() {
		case classifier.SightHidden:
			clients.add(key.client, maxPrivateEnds)
		case classifier.SightPassed:
			sources.add(key.client, maxOwnAddresses)
		case classifier.SightNone, classifier.SightBare:
		}
	}
	for source := range sources {
		if clients.has(source) {
			return false
		}
	}
	return len(clients) > 0 && len(sources) > 0 && len(sources) <= maxAddresses
}

// AWS gives a NAT gateway at most so many private addresses.
const maxAddresses = 8

func (n *netInterface) become(role classifier.Role, by string) {
	if role != n.role {
		n.released = n.name.id == otherLabel
	}
	if role.IsNAT() {
		// The private ends of its rows are its clients, not itself.
		n.addresses, n.named = addressSample{}, 0
	}
	n.role, n.recognisedBy = role, by
}

// learn makes a NAT gateway, or a NAT instance where the format tells instances, of an interface that translates.
func (n *netInterface) learn() {
	if !n.role.IsNAT() {
		n.legs.inner = n.held.span.last
	}
	switch {
	case n.attributes.instanceID != "":
		n.become(classifier.RoleNATInstance, recognisedByLearning)
	case n.attributes.hasInstanceField:
		n.become(classifier.RoleZonalNAT, recognisedByLearning)
	default:
		n.become(classifier.RoleZonalNAT, recognisedUnverified)
	}
}

// forget makes an interface that does no longer translate what it was before it was learned.
func (n *netInterface) forget() {
	n.become(classifier.RoleUndecided, "")
	n.evidence.translated, n.released = false, false
	n.sightings, n.legs = sightings{}, gatewayLegs{}
}

// gatewayLegs is what a NAT gateway's rows show of its addresses and of its remotes.
type gatewayLegs struct {
	own addressSet // own are the gateway's addresses: it has up to eight.
	// primary: the address that all of leg A and leg C arrive at is among them; leg B leaves from any.
	primary bool
	// hidden are the private ends that rows hide, shown those opposite to them, and bare the remotes of untranslated private rows. Only a private gateway has any.
	hidden, shown, bare addressSet
	// inner and outer are the newest ends of rows of a learned gateway's client legs and of its leg B.
	inner, outer int64
	// public and private: it has forwarded for a public, a private remote.
	public, private bool
}

// addressSet is a bounded set of addresses.
type addressSet map[flowlog.Addr]struct{}

func (s *addressSet) add(a flowlog.Addr, limit int) {
	if *s == nil {
		*s = make(addressSet)
	}
	if _, known := (*s)[a]; known || len(*s) < limit {
		(*s)[a] = struct{}{}
	}
}

func (s addressSet) has(a flowlog.Addr) bool {
	_, ok := s[a]
	return ok
}

const (
	// The bound on what a hostile log can make of a NAT gateway's addresses.
	maxOwnAddresses = 64
	// The bound on the private remotes that a gateway is remembered to have shown.
	maxPrivateEnds = 10_000
	// A learned gateway that sends to remotes for so long without a client, in seconds, translates no longer.
	contradictSeconds = 60 * 60
)

// contradicted says whether the rows of a learned gateway have stopped to be those of one.
func (n *netInterface) contradicted() bool {
	for key := range n.held.remotes {
		switch {
		case key.shape.InnerLeg():
			n.legs.inner = max(n.legs.inner, n.held.span.last)
		case key.shape.OuterEgress():
			n.legs.outer = max(n.legs.outer, n.held.span.last)
		}
	}
	return n.legs.inner > 0 && n.legs.outer > n.legs.inner+contradictSeconds
}

// learnLegs collects what the rows of a zonal gateway show of its addresses and of its private remotes.
func (n *netInterface) learnLegs() {
	l := &n.legs
	for key := range n.held.remotes {
		switch {
		case !key.shape.Private():
		case key.shape.InnerLeg():
			l.hidden.add(key.remote, maxPrivateEnds)
		case !key.shape.Ingress():
			l.bare.add(key.remote, maxPrivateEnds)
		}
	}
	for key := range n.held.clients {
		switch {
		case key.client.IsZero(), key.shape.NAT64(), !key.shape.HasPkt() && key.shape.Private():
		case key.shape.Private() && key.shape.Translated():
			l.shown.add(key.client, maxPrivateEnds)
		case key.shape.Translated():
		case key.shape.OneEndPrivate():
			l.own.add(key.client, maxOwnAddresses)
			l.primary = l.primary || !key.shape.HasPkt() && !key.shape.FromClient()
		case key.shape.Ingress():
			l.bare.add(key.client, maxPrivateEnds)
		case key.shape.Egress():
			l.own.add(key.client, maxOwnAddresses)
		}
	}
	for key := range n.held.remotes {
		// A private row to an own address is leg A.
		l.primary = l.primary || !key.shape.HasPkt() && key.shape.Private() && l.own.has(key.remote)
	}
}

// hidesOwn says whether remotes have been shown opposite to hidden ends, as on legs B and C of a gateway whose own address hides behind its primary one.
func (l *gatewayLegs) hidesOwn() bool {
	for a := range l.shown {
		if l.hidden.has(a) {
			return true
		}
	}
	return false
}

// gatewayClients yields the clients of a NAT gateway as its rows show them.
func (n *netInterface) gatewayClients(yield func(flowlog.Addr) bool) {
	for key := range n.held.clients {
		own, known := n.isOwn(key.client)
		if own || !n.showsClient(key, known) {
			continue
		}
		if !yield(key.client) {
			return
		}
	}
	for key := range n.held.remotes {
		// Without pkt-addresses the client of leg D is the destination.
		if key.shape.HasPkt() || !key.shape.Private() || n.role == classifier.RoleRegionalNAT {
			continue
		}
		if own, known := n.isOwn(key.remote); known && !own && !key.remote.IsZero() && !yield(key.remote) {
			return
		}
	}
}

// showsClient says whether rows name a client of the gateway as their Client.
func (n *netInterface) showsClient(key clientKey, ownKnown bool) bool {
	s := key.shape
	switch {
	case n.role == classifier.RoleRegionalNAT:
		return s.OneEndPrivate()
	case !s.HasPkt():
		return s.Private() && ownKnown
	case s.Private() && n.legs.hidden.has(key.client):
		return false // A private remote, opposite to an address of the gateway.
	default:
		return s.InnerLeg()
	}
}
