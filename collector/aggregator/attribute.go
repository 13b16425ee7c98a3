package aggregator

import (
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/topn"
)

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
		a.countAvoidable(p, key.remote, bytes, now)
	}
	if p.gateway != "" && class.Direction == classifier.Ingress && hidesRemote(key.shape) {
		a.countSource(n, p, key.remote, bytes, now) // The remote of such a row is the client.
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

// move moves bytes of the commit in progress from the series of all others to one of its own.
func move[K comparable](in *table[K, uint64], others, own K, bytes uint64, now time.Time) {
	*in.at(own, now) += bytes
	*in.at(others, now) -= bytes
}

// moveCost is move for bytes at a price.
func moveCost[K comparable](in *table[K, NATBytes], others, own K, bytes uint64, price Price, now time.Time) {
	in.at(own, now).add(bytes, price, true)
	in.at(others, now).remove(bytes, price)
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
		move(&t.destinations, p.destination(End{}), line.DestinationLabels, bytes, now)
	}
	if !p.priced {
		return
	}
	cost := DestinationCostLabels{p.costRegion, id.end}
	if top.Counts(at, destinationLine{DestinationLabels{Region: cost.Region, Destination: cost.Destination}, true}) {
		moveCost(&t.destinationCosts, DestinationCostLabels{Region: p.costRegion}, cost, bytes, p.price, now)
	}
}

// countSource gives forwarded rows, which are among the others, to their client.
func (a *Aggregator) countSource(n *netInterface, p *posting, client flowlog.Addr, bytes uint64, now time.Time) {
	if client.IsZero() || bytes == 0 {
		return
	}
	top, t := a.tops.sources, &a.totals
	named := a.source(n, client)
	id := source{p.gateway, named.end}
	at := top.Add(id, bytes)
	if at == topn.Nowhere {
		return
	}
	a.sources.describe(id, named.workload)
	line := sourceLine{SourceLabels: SourceLabels{p.gateway, p.bytes.Direction, id.end}}
	if top.Counts(at, line) {
		move(&t.sources, SourceLabels{NATGateway: p.gateway, Direction: p.bytes.Direction}, line.SourceLabels, bytes, now)
	}
	if !p.priced {
		return
	}
	cost := SourceCostLabels{p.gateway, id.end}
	if top.Counts(at, sourceLine{SourceLabels{NATGateway: cost.NATGateway, Source: cost.Source}, true}) {
		moveCost(&t.sourceCosts, SourceCostLabels{NATGateway: p.gateway}, cost, bytes, p.price, now)
	}
}

// countPair gives forwarded rows, which are among the others, to their client and remote.
func (a *Aggregator) countPair(n *netInterface, p *posting, client, remote flowlog.Addr, bytes uint64, now time.Time) {
	if client.IsZero() || remote.IsZero() || bytes == 0 {
		return
	}
	named := a.source(n, client)
	id := pair{p.gateway, named.end, End{Address: remote}}
	at := a.tops.pairs.Add(id, bytes)
	if at == topn.Nowhere {
		return
	}
	a.sources.describe(source{p.gateway, named.end}, named.workload)
	labels := PairLabels{p.gateway, p.bytes.Direction, id.source, id.destination}
	if a.tops.pairs.Counts(at, labels) {
		move(&a.totals.pairs, PairLabels{NATGateway: p.gateway, Direction: p.bytes.Direction}, labels, bytes, now)
	}
}

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
				a.countSource(n, p, key.client, c.Bytes, now)
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
