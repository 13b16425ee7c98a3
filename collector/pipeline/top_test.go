package pipeline

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// topRun reads scenarios with a clock of its own, and looks at the page after each file.
type topRun struct {
	t      *testing.T
	now    time.Time
	a      *aggregator.Aggregator
	worker *worker
	root   string
	page   topPage
}

func newTopRun(t *testing.T, s flowgen.Scenario, top aggregator.TopConfig, services func() aggregator.Services) *topRun {
	r := &topRun{t: t, now: s.Closing[0].Time.Add(time.Hour), root: t.TempDir()}
	clock := func() time.Time { return r.now }
	config := aggregator.DefaultConfig()
	config.Vantage, config.Top, config.Services = aggregator.Vantage(s.Vantage), top, services
	for _, g := range s.NATGateways {
		config.NATGateways = append(config.NATGateways, aggregator.Gateway{ENI: g.ENI, ID: g.ID, Name: g.Name})
	}
	r.a = aggregator.New(config, NewPricer(pricing.NewBook(newPrices(t, pricing.DefaultConfig())), slog.New(slog.DiscardHandler)), clock)
	pipelineConfig := DefaultConfig()
	pipelineConfig.MaxAge = 0
	r.worker = newWorker(New(pipelineConfig, nil, objstore.NewDir(r.root), r.a, slog.New(slog.DiscardHandler), nil, clock))
	r.page = pageOf(r.a.Snapshot())
	return r
}

// read reads a file under a name and holds the page to the one before.
func (r *topRun) read(name string, f flowgen.File) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.root, name), f.Gzip(), 0o644); err != nil {
		r.t.Fatal(err)
	}
	file, err := r.worker.read(context.Background(), s3event.Object{Bucket: "logs", Key: name, Size: -1})
	if err != nil {
		r.t.Fatalf("read %s: %v", f.Key, err)
	}
	origin := s3event.ParseOrigin(f.Key)
	file.AccountID, file.Region, file.FlowLogID, file.Time = origin.Account, origin.Region, origin.FlowLogID, origin.Time
	if committed, err := r.a.Commit(file, r.worker.delta); err != nil || !committed {
		r.t.Fatalf("file %s: got committed %t, %v", f.Key, committed, err)
	}
	next := pageOf(r.a.Snapshot())
	next.follows(r.t, r.page)
	r.page = next
}

// topPage is the series of the largest, with integers only: bytes, and bytes at a price.
type topPage struct {
	bytes        series[aggregator.ByteLabels]
	nat          series[aggregator.NATLabels]
	destinations series[aggregator.DestinationLabels]
	sources      series[aggregator.SourceLabels]
	pairs        series[aggregator.PairLabels]

	natCosts         costs[aggregator.NATLabels]
	destinationCosts costs[aggregator.DestinationCostLabels]
	sourceCosts      costs[aggregator.SourceCostLabels]
}

type sample struct {
	value   uint64
	created time.Time
}

type series[K comparable] map[K]sample

// costs are bytes by label set and price.
type costs[K comparable] map[priceOf[K]]sample

type priceOf[K comparable] struct {
	labels K
	price  aggregator.Price
}

func collect[K comparable](all func(func(aggregator.Series[K, uint64]) bool)) series[K] {
	page := make(series[K])
	for m := range all {
		page[m.Labels] = sample{m.Value, m.Created}
	}
	return page
}

func collectCosts[K comparable](all func(func(aggregator.Series[K, aggregator.NATBytes]) bool)) costs[K] {
	page := make(costs[K])
	for m := range all {
		for _, p := range m.Value.Priced {
			page[priceOf[K]{m.Labels, p.Price}] = sample{p.Bytes, m.Created}
		}
	}
	return page
}

func pageOf(s *aggregator.Snapshot) topPage {
	nat := make(series[aggregator.NATLabels])
	for m := range s.NAT() {
		nat[m.Labels] = sample{m.Value.Bytes, m.Created}
	}
	return topPage{
		bytes: collect(s.Bytes()), nat: nat, destinations: collect(s.Destinations()), sources: collect(s.Sources()), pairs: collect(s.Pairs()),
		natCosts: collectCosts(s.NAT()), destinationCosts: collectCosts(s.DestinationCosts()), sourceCosts: collectCosts(s.SourceCosts()),
	}
}

// byRegion and byGateway are what the series of the largest share with the totals.
type byRegion struct {
	region    string
	direction classifier.Direction
	path      classifier.Path
	service   string
}

type byGateway struct {
	gateway   string
	direction classifier.Direction
}

// follows holds a page to the one before it.
func (p topPage) follows(t *testing.T, before topPage) {
	t.Helper()
	ofBytes := func(l aggregator.ByteLabels) byRegion { return byRegion{l.Region, l.Direction, l.Path, l.AWSService} }
	ofNAT := func(l aggregator.NATLabels) byGateway { return byGateway{l.NATGateway, l.Direction} }
	same(t, "destinations", growth(t, p.bytes, before.bytes, ofBytes), growth(t, p.destinations, before.destinations, func(l aggregator.DestinationLabels) byRegion {
		return byRegion{l.Region, l.Direction, l.Path, l.AWSService}
	}))
	same(t, "sources", growth(t, p.nat, before.nat, ofNAT), growth(t, p.sources, before.sources, func(l aggregator.SourceLabels) byGateway {
		return byGateway{l.NATGateway, l.Direction}
	}))
	same(t, "pairs", growth(t, p.nat, before.nat, ofNAT), growth(t, p.pairs, before.pairs, func(l aggregator.PairLabels) byGateway {
		return byGateway{l.NATGateway, l.Direction}
	}))
	same(t, "cost by destination",
		growth(t, p.natCosts, before.natCosts, func(l priceOf[aggregator.NATLabels]) priceOf[string] {
			return priceOf[string]{l.labels.Region, l.price}
		}),
		growth(t, p.destinationCosts, before.destinationCosts, func(l priceOf[aggregator.DestinationCostLabels]) priceOf[string] {
			return priceOf[string]{l.labels.Region, l.price}
		}))
	same(t, "cost by source",
		growth(t, p.natCosts, before.natCosts, func(l priceOf[aggregator.NATLabels]) priceOf[string] {
			return priceOf[string]{l.labels.NATGateway, l.price}
		}),
		growth(t, p.sourceCosts, before.sourceCosts, func(l priceOf[aggregator.SourceCostLabels]) priceOf[string] {
			return priceOf[string]{l.labels.NATGateway, l.price}
		}))
}

// growth sums what series have grown by. None may go down, nor change its time of creation.
func growth[M ~map[K]sample, K, L comparable](t *testing.T, page, before M, of func(K) L) map[L]uint64 {
	t.Helper()
	grown := make(map[L]uint64)
	for k, s := range page {
		old, known := before[k]
		if s.value < old.value {
			t.Fatalf("%v went down from %d to %d", k, old.value, s.value)
		}
		if known && !s.created.Equal(old.created) {
			t.Fatalf("%v was created at %s and at %s", k, old.created, s.created)
		}
		if s.value > old.value {
			grown[of(k)] += s.value - old.value
		}
	}
	return grown
}

func same[L comparable](t *testing.T, what string, want, got map[L]uint64) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Fatalf("%s do not add up: got %v, want %v", what, got, want)
	}
}

// TestTopAddsUp reads random scenarios with bounds that are too small for them, at random times: between any two pages, the series of the largest and of all others grow
// together by as much as the totals, nothing goes down, and no end is given more than it had.
func TestTopAddsUp(t *testing.T) {
	for name, services := range tables {
		t.Run(name, func(t *testing.T) { topAddsUp(t, services) })
	}
}

func topAddsUp(t *testing.T, services func() aggregator.Services) {
	t.Helper()
	first := firstSeed(t)
	var named topSums
	enough := *scenarios >= manyScenarios
	for i := range uint64(max(*scenarios/10, 1)) {
		s := flowgen.Random(first+i, flowgen.Options{})
		random := rand.New(rand.NewPCG(first+i, 5))
		r := newTopRun(t, s, aggregator.TopConfig{
			Destinations: random.IntN(8), Sources: random.IntN(6), Pairs: random.IntN(8),
			Hold: time.Duration(random.IntN(3)) * time.Minute, Idle: time.Duration(5+random.IntN(60)) * time.Minute,
		}, services)
		for round, files := range [][]flowgen.File{slices.Concat(s.Leading, s.Files, s.Closing), s.Recut(1), s.Recut(2)} {
			for n, f := range files {
				r.now = r.now.Add(time.Duration(random.IntN(int(4 * time.Minute))))
				r.read(string(rune('a'+round))+"-"+string(rune(0x4e00+n))+".gz", f)
			}
		}
		named.add(sumsOf(r.page))
		if t.Failed() {
			t.Fatalf("rerun with -seed=%d -scenarios=1", first+i)
		}
	}
	if enough && (named.destinations == 0 || named.sources == 0 || named.pairs == 0) {
		t.Errorf("%+v bytes have series of their own: the scenarios test nothing", named)
	}
}

// TestTopIsTrue reads scenarios twice, with room for everybody: the second time, all ends have their series, which are given what the traffic really was.
func TestTopIsTrue(t *testing.T) {
	for name, services := range tables {
		t.Run(name, func(t *testing.T) { topIsTrue(t, services) })
	}
}

func topIsTrue(t *testing.T, services func() aggregator.Services) {
	t.Helper()
	first := firstSeed(t)
	var named, all topSums
	for i := range uint64(max(*scenarios/10, 1)) {
		s := flowgen.Random(first+i, flowgen.Options{})
		if slices.Contains(s.Topologies, flowgen.ReusedAddress) {
			continue // Whose address it is at the end makes something else of the rows from the beginning, when they are read again.
		}
		r := newTopRun(t, s, aggregator.TopConfig{Destinations: 10_000, Sources: 10_000, Pairs: 10_000, Idle: time.Hour}, services)
		for n, f := range slices.Concat(s.Leading, s.Files, s.Closing) {
			r.read("a-"+string(rune(0x4e00+n))+".gz", f)
		}
		before := r.page
		for n, f := range s.Files {
			r.read("b-"+string(rune(0x4e00+n))+".gz", f)
		}
		shown := !slices.ContainsFunc(s.FlowLogs, func(l *flowgen.FlowLog) bool { return !l.Format.Has("pkt-srcaddr") || !l.Format.Has("pkt-dstaddr") })
		truth := truthOf(s.Ledger)
		got := r.page.grownSince(before)
		for k, v := range got.ends {
			// Without pkt-addresses, a pod's traffic is its node's.
			if v > truth.ends[k] && (shown || !slices.Contains(s.Topologies, flowgen.PrivatePods) && !slices.Contains(s.Topologies, flowgen.PublicPods)) {
				t.Errorf("rerun with -seed=%d -scenarios=1: %v got %d, had %d\n%s", first+i, k, v, truth.ends[k], s)
			}
		}
		if shown {
			named.add(got.topSums)
			all.add(truth.topSums)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("named %+v of %+v", named, all)
	// What waits for a decision loses its remote, so not all has a series.
	if enough := *scenarios >= manyScenarios; enough && (2*named.destinations < all.destinations || 10*named.sources < 9*all.sources || 2*named.pairs < all.pairs) {
		t.Errorf("named %+v of %+v", named, all)
	}
}

// topSums are bytes that have series of their own.
type topSums struct {
	destinations, sources, pairs uint64
}

func (s *topSums) add(more topSums) {
	s.destinations += more.destinations
	s.sources += more.sources
	s.pairs += more.pairs
}

func sumsOf(p topPage) topSums { return p.grownSince(topPage{}).topSums }

// endOf is somebody's series, whatever its other labels: a destination has a region, a source and a pair have a gateway.
type endOf struct {
	region, gateway string
	direction       string
	source, remote  string
}

type ends struct {
	topSums
	ends map[endOf]uint64
}

// grownSince returns what the series of ends have got.
func (p topPage) grownSince(before topPage) ends {
	e := ends{ends: make(map[endOf]uint64)}
	for l, s := range p.destinations {
		if grown := s.value - before.destinations[l].value; l.Destination != (aggregator.End{}) {
			e.destinations += grown
			e.ends[endOf{region: l.Region, direction: l.Direction.String(), remote: l.Destination.Label()}] += grown
		}
	}
	for l, s := range p.sources {
		if grown := s.value - before.sources[l].value; l.Source != (aggregator.End{}) {
			e.sources += grown
			e.ends[endOf{gateway: l.NATGateway, direction: l.Direction.String(), source: l.Source.Label()}] += grown
		}
	}
	for l, s := range p.pairs {
		if grown := s.value - before.pairs[l].value; l.Source != (aggregator.End{}) {
			e.pairs += grown
			e.ends[endOf{gateway: l.NATGateway, direction: l.Direction.String(), source: l.Source.Label(), remote: l.Destination.Label()}] += grown
		}
	}
	return e
}

func truthOf(l flowgen.Ledger) ends {
	e := ends{ends: make(map[endOf]uint64)}
	for k, v := range l.Ends {
		remote, direction := unwrap(k.Remote).String(), string(k.Direction)
		e.destinations += v
		e.ends[endOf{region: k.Region, direction: direction, remote: remote}] += v
		if k.Gateway != "" {
			e.sources += v
			e.pairs += v
			e.ends[endOf{gateway: k.Gateway, direction: direction, source: k.Client.String()}] += v
			e.ends[endOf{gateway: k.Gateway, direction: direction, source: k.Client.String(), remote: remote}] += v
		}
	}
	return e
}

// unwrap returns the IPv4 address under the NAT64 prefix.
func unwrap(a netip.Addr) netip.Addr {
	if b := a.As16(); netip.MustParsePrefix("64:ff9b::/96").Contains(a) {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}
