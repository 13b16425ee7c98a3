package aggregator

import (
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/topn"
)

// A verdict is what rows of a shape at an interface have been counted as by one settling.
type verdict struct {
	netInterface *netInterface
	shape        classifier.Shape
	class        classifier.Class
	decided      bool // decided: some rows do not wait.
	// apart: not all rows are of one class, so that only those who know a row's remote know its class.
	apart    bool
	counted  []countedRows
	ofClient uint64 // ofClient are the bytes of the clients that may be sources.
}

// countedRows are the rows of a verdict that were counted under one posting.
type countedRows struct {
	service  string // service is that of their key.
	posting  posting
	nameless bool // nameless: their key has no remote.
	bytes    uint64
}

func (v *verdict) decide(class classifier.Class) {
	v.apart = v.apart || v.decided && (class.Disposition != v.class.Disposition || class.Direction != v.class.Direction || class.Path != v.class.Path)
	v.class, v.decided = class, true
}

// add notes that rows of a key were counted. Those of one key are counted once.
func (v *verdict) add(key remoteKey, p posting, bytes uint64) {
	for i := range v.counted {
		if c := &v.counted[i]; c.service == key.service && c.nameless == key.remote.IsZero() && c.posting == p {
			c.bytes += bytes
			return
		}
	}
	v.counted = append(v.counted, countedRows{key.service, p, key.remote.IsZero(), bytes})
}

// verdicts are those of one commit, in the order in which they were given.
type verdicts struct {
	all   []verdict
	first int // first is where the ones of the settling in progress begin.
	keep  bool
}

// begin starts a settling.
func (v *verdicts) begin() {
	v.first = len(v.all)
}

// of returns the verdict on a shape in the settling in progress.
func (v *verdicts) of(n *netInterface, s classifier.Shape) *verdict {
	if found := v.find(s); found != nil {
		return found
	}
	if len(v.all) < cap(v.all) {
		// The memory of an earlier one.
		v.all = v.all[:len(v.all)+1]
		last := &v.all[len(v.all)-1]
		*last = verdict{netInterface: n, shape: s, counted: last.counted[:0]}
		return last
	}
	v.all = append(v.all, verdict{netInterface: n, shape: s})
	return &v.all[len(v.all)-1]
}

func (v *verdicts) find(s classifier.Shape) *verdict {
	current := v.all[v.first:]
	for i := range current {
		if current[i].shape == s {
			return &current[i]
		}
	}
	return nil
}

// end ends a settling. What nobody will ask for is forgotten.
func (v *verdicts) end() {
	if !v.keep {
		v.all = v.all[:v.first]
	}
}

// clear forgets all verdicts, and keeps those of the commit that begins.
func (v *verdicts) clear(keep bool) {
	v.all, v.keep = v.all[:0], keep
}

// attribute counts rows, which were just counted in the totals, as the ones of others, and moves them to the series of their remote if it has any.
func (a *Aggregator) attribute(n *netInterface, key remoteKey, class classifier.Class, p *posting, bytes uint64, now time.Time) {
	t := &a.totals
	*t.destinations.at(p.destination(End{}), now) += bytes
	if p.gateway != "" {
		*t.pairs.at(PairLabels{NATGateway: p.gateway, Direction: p.bytes.Direction}, now) += bytes
		*t.sources.at(SourceLabels{NATGateway: p.gateway, Direction: p.bytes.Direction}, now) += bytes
		if p.priced {
			t.destinationCosts.at(DestinationCostLabels{Region: p.costRegion}, now).add(bytes, p.price, true)
			t.sourceCosts.at(SourceCostLabels{NATGateway: p.gateway}, now).add(bytes, p.price, true)
		}
	}
	if p.limited {
		return
	}
	if namesRemote(n.role, key.shape, class.Direction) {
		a.countDestination(p, key.remote, bytes, now)
	}
	if p.gateway != "" && class.Direction == classifier.Ingress && hidesRemote(key.shape) {
		a.countSource(p, key.remote, bytes, now) // The remote of such a row is the client.
	}
}

// hidesRemote says whether rows of a NAT gateway show no more than the client and the gateway, in a format without pkt-addresses.
func hidesRemote(s classifier.Shape) bool { return s.Private() && !s.HasPkt() }

// namesRemote says whether the remote of counted rows is one that has series of its own. Where nothing tells the direction of a row, its remote may be the interface itself, and a
// regional gateway's private remotes cannot be told from its clients on the way back.
func namesRemote(role classifier.Role, s classifier.Shape, d classifier.Direction) bool {
	switch {
	case d == classifier.Internal, hidesRemote(s):
		return false
	case d == classifier.Ingress:
		return !s.DirectionOpen() && (role != classifier.RoleRegionalNAT || !s.Private())
	default:
		return true
	}
}

func (p *posting) destination(e End) DestinationLabels {
	return DestinationLabels{p.bytes.Region, p.bytes.Direction, p.bytes.Path, p.bytes.AWSService, e}
}

// countDestination gives rows, which are among the others, to their remote.
func (a *Aggregator) countDestination(p *posting, remote flowlog.Addr, bytes uint64, now time.Time) {
	if remote.IsZero() || bytes == 0 {
		return
	}
	top, t := a.tops.destinations, &a.totals
	id := destination{p.bytes.Region, End{Address: remote}}
	at := top.Add(id, bytes)
	if at == topn.Nowhere {
		return
	}
	line := destinationLine{DestinationLabels: p.destination(id.end)}
	if top.Counts(at, line) {
		*t.destinations.at(line.DestinationLabels, now) += bytes
		*t.destinations.at(p.destination(End{}), now) -= bytes
	}
	if !p.priced {
		return
	}
	cost := DestinationCostLabels{p.costRegion, id.end}
	if top.Counts(at, destinationLine{DestinationLabels{Region: cost.Region, Destination: cost.Destination}, true}) {
		t.destinationCosts.at(cost, now).add(bytes, p.price, true)
		t.destinationCosts.at(DestinationCostLabels{Region: p.costRegion}, now).remove(bytes, p.price)
	}
}

// countSource gives forwarded rows, which are among the others, to their client.
func (a *Aggregator) countSource(p *posting, client flowlog.Addr, bytes uint64, now time.Time) {
	if client.IsZero() || bytes == 0 {
		return
	}
	top, t := a.tops.sources, &a.totals
	id := source{p.gateway, a.sourceEnd(client)}
	at := top.Add(id, bytes)
	line := sourceLine{SourceLabels: SourceLabels{p.gateway, p.bytes.Direction, id.end}}
	if top.Counts(at, line) {
		*t.sources.at(line.SourceLabels, now) += bytes
		*t.sources.at(SourceLabels{NATGateway: p.gateway, Direction: p.bytes.Direction}, now) -= bytes
	}
	if !p.priced {
		return
	}
	cost := SourceCostLabels{p.gateway, id.end}
	if top.Counts(at, sourceLine{SourceLabels{NATGateway: cost.NATGateway, Source: cost.Source}, true}) {
		t.sourceCosts.at(cost, now).add(bytes, p.price, true)
		t.sourceCosts.at(SourceCostLabels{NATGateway: p.gateway}, now).remove(bytes, p.price)
	}
}

// countPair gives forwarded rows, which are among the others, to their client and remote.
func (a *Aggregator) countPair(p *posting, client, remote flowlog.Addr, bytes uint64, now time.Time) {
	if client.IsZero() || remote.IsZero() || bytes == 0 {
		return
	}
	id := pair{p.gateway, a.sourceEnd(client), End{Address: remote}}
	labels := PairLabels{p.gateway, p.bytes.Direction, id.source, id.destination}
	if a.tops.pairs.Count(id, labels, bytes) {
		*a.totals.pairs.at(labels, now) += bytes
		*a.totals.pairs.at(PairLabels{NATGateway: p.gateway, Direction: p.bytes.Direction}, now) -= bytes
	}
}

// sourceEnd returns what a client is counted as.
func (a *Aggregator) sourceEnd(client flowlog.Addr) End { return End{Address: client} }

// countSources gives the rows of a settling to their clients. The table of clients does not know the remotes, so it says whose the rows of a shape are only if all of them
// have the same class. A client's rows are given once: what is left of the table while others wait is evidence.
func (a *Aggregator) countSources(n *netInterface, now time.Time) {
	clients := n.held.clients
	for key, c := range clients {
		if v := a.verdicts.find(key.shape); v != nil && n.isClient(key, v) {
			v.ofClient = sum(v.ofClient, c.Bytes)
		}
	}
	for key, c := range clients {
		v := a.verdicts.find(key.shape)
		if v == nil || !v.decided {
			continue
		}
		if n.isClient(key, v) {
			if p, bytes, ok := v.forwarded(sourceDirection(key.shape, v)); ok && v.ofClient <= bytes {
				a.countSource(p, key.client, c.Bytes, now)
			}
		}
		clients[key] = Counts{}
	}
}

// isClient says whether the end of rows that a verdict is about is the client of a NAT gateway.
func (n *netInterface) isClient(key clientKey, v *verdict) bool {
	if hidesRemote(key.shape) {
		own, known := n.isOwn(key.client)
		return n.role.IsNAT() && known && !own
	}
	return !v.apart && (n.role != classifier.RoleRegionalNAT || !key.shape.Private() || v.class.Direction != classifier.Ingress)
}

// sourceDirection is the direction of the rows whose client is in the table of clients. In a format without pkt-addresses that is the way out; on the way back the client stands
// where otherwise the remote does.
func sourceDirection(s classifier.Shape, v *verdict) classifier.Direction {
	if hidesRemote(s) {
		return classifier.Egress
	}
	return v.class.Direction
}

// forwarded returns the posting of all rows that a NAT gateway forwarded in a direction, and their bytes, if there is only one gateway and price.
func (v *verdict) forwarded(d classifier.Direction) (p *posting, bytes uint64, ok bool) {
	for i := range v.counted {
		c := &v.counted[i]
		if c.posting.gateway == "" || c.posting.bytes.Direction != d {
			continue
		}
		if c.posting.limited || p != nil && (c.posting.gateway != p.gateway || c.posting.price != p.price || c.posting.priced != p.priced) {
			return nil, 0, false
		}
		p = &c.posting
		bytes = sum(bytes, c.bytes)
	}
	return p, bytes, p != nil
}

// countRows gives the rows of a file that the totals have without their remotes, because their class does not depend on them, to these remotes, and forwarded rows to
// their pairs.
func (a *Aggregator) countRows(d *Delta, parts []part, plans []groupPlan) {
	now := a.now()
	groups := a.attributions(d, parts, plans)
	for row := range d.remotes.all {
		if p := groups[row.group-1].remotes; p != nil {
			a.countDestination(p, row.address, row.counts.Bytes, now)
		}
	}
	for i := range d.pairs.slots {
		slot := &d.pairs.slots[i]
		if slot.remote == 0 {
			continue
		}
		group, remote := d.remotes.split(slot.remote)
		if p := groups[group-1].pairs; p != nil {
			_, client := d.clients.split(slot.client)
			a.countPair(p, client, remote, slot.bytes, now)
		}
	}
}

// An attribution says where the rows of a group were counted, as far as they are still to be given to their remotes and pairs.
type attribution struct {
	remotes, pairs *posting
}

// shapeAt is a shape at an interface.
type shapeAt struct {
	netInterface *netInterface
	shape        classifier.Shape
}

func (a *Aggregator) attributions(d *Delta, parts []part, plans []groupPlan) []attribution {
	verdicts := make(map[shapeAt][]*verdict, len(a.verdicts.all))
	for i := range a.verdicts.all {
		v := &a.verdicts.all[i]
		at := shapeAt{v.netInterface, v.shape}
		verdicts[at] = append(verdicts[at], v)
	}
	groups := make([]attribution, len(d.groups))
	for g := range groups {
		group := &d.groups[g]
		p := parts[group.iface]
		if p.overlaps {
			continue
		}
		on := verdicts[shapeAt{p.netInterface, group.shape}]
		service := d.services[group.service]
		if !plans[g].keyed {
			groups[g].remotes = postingOf(on, service, true)
			if q := groups[g].remotes; q != nil && !namesRemote(p.role, group.shape, q.bytes.Direction) {
				groups[g].remotes = nil
			}
		}
		if group.pairs {
			groups[g].pairs = pairPosting(on, service, p.role, group.shape)
		}
	}
	return groups
}

// postingOf returns the only posting of the rows of a service that are to be given to somebody, those without remotes alone if nameless, or nil.
func postingOf(verdicts []*verdict, service string, nameless bool) *posting {
	var found *posting
	for _, v := range verdicts {
		for i := range v.counted {
			c := &v.counted[i]
			switch {
			case c.service != service, nameless && !c.nameless:
			case c.posting.limited, found != nil && *found != c.posting:
				return nil
			default:
				found = &c.posting
			}
		}
	}
	return found
}

// pairPosting returns the posting of forwarded rows, if all rows of their shape have one class, and name client and remote.
func pairPosting(verdicts []*verdict, service string, role classifier.Role, s classifier.Shape) *posting {
	for _, v := range verdicts {
		if v.apart || v.class != verdicts[0].class {
			return nil
		}
	}
	p := postingOf(verdicts, service, false)
	if p == nil || p.gateway == "" || !namesRemote(role, s, p.bytes.Direction) {
		return nil
	}
	return p
}
