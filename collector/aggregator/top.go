package aggregator

import (
	"math/rand/v2"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/topn"
)

// An End is an end of traffic that has series of its own: an address, or a name that several addresses share. The zero End is all others.
type End struct {
	Address flowlog.Addr
	Name    string
}

// Label returns the end as a label value.
func (e End) Label() string {
	switch {
	case e.Name != "":
		return e.Name
	case e.Address.IsZero():
		return otherLabel
	default:
		return e.Address.String()
	}
}

// Labels of the series of the largest destinations, sources and pairs. Field order is that of the metric's labels.
type (
	// DestinationLabels are the labels of vpcflow_destination_bytes_total.
	DestinationLabels struct {
		Region      string
		Direction   classifier.Direction
		Path        classifier.Path
		AWSService  string
		Destination End
	}
	// DestinationCostLabels are the labels of vpcflow_destination_nat_cost_usd_total.
	DestinationCostLabels struct {
		Region      string
		Destination End
	}
	// SourceLabels are the labels of vpcflow_source_nat_bytes_total.
	SourceLabels struct {
		NATGateway string
		Direction  classifier.Direction
		Source     End
	}
	// SourceCostLabels are the labels of vpcflow_source_nat_cost_usd_total.
	SourceCostLabels struct {
		NATGateway string
		Source     End
	}
	// PairLabels are the labels of vpcflow_pair_nat_bytes_total.
	PairLabels struct {
		NATGateway  string
		Direction   classifier.Direction
		Source      End
		Destination End
	}
)

// TopConfig bounds the series of the largest destinations, sources and pairs.
type TopConfig struct {
	Destinations, Sources, Pairs int           // So many of each count into series of their own at a time.
	Hold                         time.Duration // Hold is how long a new series shows 0 before it counts. It has to exceed the interval of scrapes.
	Idle                         time.Duration // Idle is how long a series stays that does not count any more.
	// SourceKey is what a client is called by: the first of these that it has, its address if none.
	SourceKey []SourceKind

	seed uint64 // seed of the sketches; 0 is a random one, which nobody can aim at.
}

// DefaultTopConfig returns the documented defaults.
func DefaultTopConfig() TopConfig {
	return TopConfig{Destinations: 100, Sources: 50, Pairs: 100, Hold: 2 * time.Minute, Idle: 24 * time.Hour, SourceKey: DefaultSourceKey()}
}

// Series below one identity. A destination has one for each direction, path and service.
const (
	seriesPerDestination = 16
	seriesPerSource      = 3 // Both directions and the cost.
	seriesPerPair        = 2
)

// A private address means something only together with its gateway, and a remote's cost is the region's.
type (
	destination struct {
		region string
		end    End
	}
	source struct {
		gateway string
		end     End
	}
	pair struct {
		gateway             string
		source, destination End
	}
)

// A destinationLine is a series of a destination: of its bytes, or of its cost, which has the labels Region and Destination only.
type destinationLine struct {
	DestinationLabels
	cost bool
}

// A sourceLine is a series of a source: of its bytes, or of its cost, which has no direction.
type sourceLine struct {
	SourceLabels
	cost bool
}

// labels returns the labels of the line's series among the bytes, and among the costs, and whether it is one of the latter.
func (l destinationLine) labels() (DestinationLabels, DestinationCostLabels, bool) {
	return l.DestinationLabels, DestinationCostLabels{l.Region, l.Destination}, l.cost
}

// labels is as that of a destinationLine.
func (l sourceLine) labels() (SourceLabels, SourceCostLabels, bool) {
	return l.SourceLabels, SourceCostLabels{l.NATGateway, l.Source}, l.cost
}

// tops say who is among the largest. The values are in the totals, where all that has no series of its own is in the one of the zero End: rows are added there, and moved
// within the same commit.
type tops struct {
	destinations *topn.Top[destination, destinationLine]
	sources      *topn.Top[source, sourceLine]
	pairs        *topn.Top[pair, PairLabels]

	open  bool // open: something may have been counted since the last ranking.
	moved bool // moved: pairs have come onto the page, or off it, or the configuration has changed, since the last Watch.
}

func (c TopConfig) destinations() topn.Config {
	return topn.Config{Identities: c.Destinations, SeriesPerIdentity: seriesPerDestination, Hold: c.Hold, Idle: c.Idle, Seed: c.seed}
}

func (c TopConfig) sources() topn.Config {
	return topn.Config{Identities: c.Sources, SeriesPerIdentity: seriesPerSource, Hold: c.Hold, Idle: c.Idle, Seed: c.seed}
}

func (c TopConfig) pairs() topn.Config {
	return topn.Config{Identities: c.Pairs, SeriesPerIdentity: seriesPerPair, Hold: c.Hold, Idle: c.Idle, Seed: c.seed}
}

func newTops(c TopConfig, now time.Time) tops {
	if c.seed == 0 {
		c.seed = rand.Uint64()
	}
	return tops{
		destinations: topn.New[destination, destinationLine](c.destinations(), destination.hash, now),
		sources:      topn.New[source, sourceLine](c.sources(), source.hash, now),
		pairs:        topn.New[pair, PairLabels](c.pairs(), pair.hash, now),
		moved:        true,
	}
}

func (t *tops) reconfigure(c TopConfig) {
	t.destinations.Reconfigure(c.destinations())
	t.sources.Reconfigure(c.sources())
	t.pairs.Reconfigure(c.pairs())
}

// begin starts a group of files, or whatever else makes rows count.
func (t *tops) begin(now time.Time) {
	t.destinations.Begin(now)
	t.sources.Begin(now)
	t.pairs.Begin(now)
	t.open = true
}

// rank ends it, and brings series onto the page and off it.
func (t *tops) rank(totals *totals, now time.Time) {
	if !t.open {
		return
	}
	t.open = false
	appeared, left := t.destinations.Rank()
	show(&totals.destinations, &totals.destinationCosts, appeared, left, destinationLine.labels, now)
	sourcesAppeared, sourcesLeft := t.sources.Rank()
	show(&totals.sources, &totals.sourceCosts, sourcesAppeared, sourcesLeft, sourceLine.labels, now)
	pairsAppeared, pairsLeft := t.pairs.Rank()
	t.moved = t.moved || len(pairsAppeared)+len(pairsLeft) > 0
	for _, l := range pairsAppeared {
		totals.pairs.at(l, now)
	}
	for _, l := range pairsLeft {
		totals.pairs.remove(l)
	}
}

// show makes series of bytes and of costs appear and leave. Labels tells which of the two a line is.
func show[L any, B, C comparable](bytes *table[B, uint64], costs *table[C, NATBytes], appeared, left []L, labels func(L) (B, C, bool), now time.Time) {
	for _, l := range appeared {
		if b, c, cost := labels(l); cost {
			costs.at(c, now)
		} else {
			bytes.at(b, now)
		}
	}
	for _, l := range left {
		if b, c, cost := labels(l); cost {
			costs.remove(c)
		} else {
			bytes.remove(b)
		}
	}
}

// resume says that nobody could scrape until now.
func (t *tops) resume(now time.Time) {
	t.destinations.Resume(now)
	t.sources.Resume(now)
	t.pairs.Resume(now)
}

// The hash of an identity is FNV-1a over eight bytes at a time.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hashText(h uint64, s string) uint64 {
	for ; len(s) >= 8; s = s[8:] {
		h = (h ^ (uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56)) * fnvPrime
	}
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return h
}

func (e End) hash(h uint64) uint64 {
	return ((hashText(h, e.Name)^e.Address.Hi)*fnvPrime ^ e.Address.Lo) * fnvPrime
}

func (d destination) hash() uint64 { return d.end.hash(hashText(fnvOffset, d.region)) }
func (s source) hash() uint64      { return s.end.hash(hashText(fnvOffset, s.gateway)) }
func (p pair) hash() uint64 {
	return p.destination.hash(p.source.hash(hashText(fnvOffset, p.gateway)))
}
