package aggregator

import (
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// learn draws from an interface's rows what they prove: whether it is a NAT gateway, and who its clients are.
func (a *Aggregator) learn(n *netInterface) {
	a.touch(n)
	was := n.role
	n.decide()
	if !n.role.IsNAT() {
		if _, known := a.gateways[n.name]; known {
			delete(a.gateways, n.name)
			a.findNATScopes()
		}
		return
	}
	if n.role != was {
		a.found(FindingGateway, n, "", n.recognisedBy)
	}
	if _, known := a.gateways[n.name]; known || len(a.gateways) < maxGateways {
		a.gateways[n.name] = n
		a.addNATScope(n)
	}
	if n.role != classifier.RoleRegionalNAT {
		n.learnLegs()
	}
	for client := range n.gatewayClients {
		a.clients.add(n.place(), n.attributes.vpcID, client, n.held.span)
	}
}

func (a *Aggregator) addNATScope(n *netInterface) {
	a.natScopes[natScope{place: n.place()}] = struct{}{}
	if n.attributes.vpcID != "" {
		a.natScopes[natScope{vpc: n.attributes.vpcID}] = struct{}{}
	}
}

// findNATScopes works out the scopes anew, after gateways have gone.
func (a *Aggregator) findNATScopes() {
	clear(a.natScopes)
	for _, n := range a.gateways {
		a.addNATScope(n)
	}
}

// natLogged says whether the rows of the NAT gateways that an interface may be a client of are logged.
func (a *Aggregator) natLogged(n *netInterface) bool {
	if a.config.Vantage == VantageGateway {
		return true
	}
	if _, ok := a.natScopes[natScope{place: n.place()}]; ok {
		return true
	}
	_, ok := a.natScopes[natScope{vpc: n.attributes.vpcID}]
	return ok && n.attributes.vpcID != ""
}

// facts says what is known about an interface apart from a single key of its tables.
func (a *Aggregator) facts(n *netInterface) classifier.Facts {
	facts := classifier.Facts{
		Role:         n.role,
		Translates:   n.evidence.translated,
		Suspect:      n.suspect(),
		Instance:     n.attributes.instanceID != "",
		Relay:        n.relay(),
		CountClients: a.config.Vantage == VantageClient,
		NATLogged:    a.natLogged(n),
		Released:     n.released,
		HidesOwn:     n.legs.hidesOwn(),
	}
	if !n.role.IsNAT() {
		facts.Named = a.named(n)
		facts.ShowsView = n.showsView()
	}
	return facts
}

// showsView says whether rows of the interface prove that it is behind a middlebox. A NAT gateway's own leg B may look like such a row, if its next hop is
// another gateway, until it is known to be none; and a later row with a direct route proves that the route has changed.
func (n *netInterface) showsView() bool {
	return n.viewAt > 0 && n.directAt <= n.viewAt+contradictSeconds && (n.released || !n.suspect())
}

// named says whether a NAT gateway has named the interface's address as its client. Without vpc-id that may be the same address in another VPC, so where the
// interface's own rows could tell (traffic-path) but never do, it is believed only at the end of the wait.
func (a *Aggregator) named(n *netInterface) bool {
	last, ok := a.lastNamed(n)
	switch {
	case !ok || n.directAt > last+contradictSeconds:
		return false
	case n.attributes.vpcID != "" || !n.evidence.path || n.viewAt > 0:
		return true
	default:
		return n.released && n.directAt == 0
	}
}

// lastNamed returns when a NAT gateway has last named an address of the interface as a client. To be a client is a fact about the interface, so it holds for all
// of its addresses, and for rows of later files that show others.
func (a *Aggregator) lastNamed(n *netInterface) (last int64, ok bool) {
	before := n.named
	try := func(address flowlog.Addr) {
		if at, known := a.clients.named(n.place(), n.attributes.vpcID, address, n.life); known {
			n.named = max(n.named, at)
		}
	}
	for _, own := range [...]*candidates{&n.own.v4, &n.own.v6} {
		if address, known := own.address(); known {
			try(address)
		}
	}
	for _, address := range n.addresses.sorted {
		try(address.address)
	}
	if n.named != before {
		a.touch(n)
	}
	return n.named, n.named > 0 && n.named >= a.newest-forgetSeconds
}
