// Package aggregator adds up what flow log files say. A file's Delta is private to the worker that reads the file; Commit adds it to the totals
// wholly or not at all, and once.
//
// What a row counts as may depend on what its interface is, which other rows tell. Totals do not depend on how AWS cut the rows into files: rows of an
// interface that is not decided yet are held back, and counted when it is, or after 30 minutes of record time. The package knows nothing of Prometheus;
// a scrape reads an immutable Snapshot, which costs a commit nothing and waits for none.
package aggregator

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
)

// Gateway is a NAT gateway of the configuration. In the logs ENI identifies a zonal gateway and ID a regional
// one; ID and Name are shown with either.
type Gateway struct {
	ENI, ID, Name string
}

// Vantage says which rows count where a NAT gateway and its clients are both logged.
type Vantage string

// The vantages. VantageAuto drops a client's view wherever a gateway of its account and region is logged, VantageGateway everywhere. VantageClient counts the
// clients' views and drops the gateways' legs.
const (
	VantageAuto    Vantage = "auto"
	VantageGateway Vantage = "gateway"
	VantageClient  Vantage = "client"
)

// A Price is the price of NAT processing in force: USD per GB, and the bytes that AWS bills as one GB.
type Price struct {
	USDPerGB   float64
	BytesPerGB float64
}

// A Pricer knows the price of a GB through a NAT gateway, named by its region and by the value of the label nat_gateway. Without a price it says false: the bytes
// are then counted as unpriced. It must be safe for concurrent use and quick.
type Pricer interface {
	NATPrice(region, gateway string) (Price, bool)
}

// Config is what an operator sets. It may be replaced while the aggregator runs.
type Config struct {
	NATGateways []Gateway
	Vantage     Vantage
	Series      int // Series bounds all label sets together.
	HeldKeys    int // HeldKeys bounds the keys of all rows held back.
	Duplicates  int // Duplicates bounds the identities of files remembered.
	// Explain makes the aggregator remember what it has counted each key as, for its method Explain. That is not bounded.
	Explain bool
}

// DefaultConfig returns the documented defaults.
func DefaultConfig() Config {
	return Config{Vantage: VantageAuto, Series: 50_000, HeldKeys: 1_000_000, Duplicates: 500_000}
}

const (
	// Rows wait so long, in record time, for a decision about their interface.
	holdSeconds = 30 * 60
	// An interface or client without rows is remembered so long, in record time.
	forgetSeconds = 24 * 60 * 60
	// So many interfaces are remembered. Beyond them the ones that have nothing to lose but what can be learned again are forgotten.
	maxInterfaces = 500_000
	// So many NAT gateways are described and tell whether those of an account and region are logged; what others forward is counted all the same.
	maxGateways = 20_000
	// So many accounts' regions have clocks of their own.
	maxClocks = 10_000
	// The clock of a place that has fallen silent follows the others' at this distance, in seconds.
	silentSeconds = 60 * 60
	// Forgetting is looked into so often, in seconds of record time.
	pruneSeconds = 60 * 60
	// A record that ends further in the future has a wrong time, which moves no clock.
	aheadSeconds = 10 * 60
)

// An Aggregator holds the totals. Its methods are safe for concurrent use.
type Aggregator struct {
	mu       sync.Mutex
	config   Config
	prices   Pricer
	now      func() time.Time
	snapshot atomic.Pointer[Snapshot]

	duplicates *duplicates
	interfaces map[interfaceName]*netInterface
	waiting    map[*netInterface]struct{}
	gateways   map[interfaceName]*netInterface // gateways are the interfaces that are NAT gateways.
	clients    clientSet
	natScopes  map[natScope]struct{}
	clocks     map[place]int64 // clocks are the newest record ends.
	newest     int64           // newest is the newest of all clocks.
	pruned     int64
	heldKeys   int
	findings   findings
	copies     map[copyKey]struct{}        // copies are the files' interfaces that overlap, nil without Config.Explain.
	classes    map[classKey]explainedClass // classes are what keys were counted as, nil without Config.Explain.

	totals totals
}

// natScope is a VPC, or a region of an account, whose NAT gateways are logged.
type natScope struct {
	place place
	vpc   string
}

// New returns an empty aggregator. The wall clock is now.
func New(config Config, prices Pricer, now func() time.Time) *Aggregator {
	a := &Aggregator{
		config: config, prices: prices, now: now,
		duplicates: newDuplicates(config.Duplicates),
		interfaces: make(map[interfaceName]*netInterface),
		waiting:    make(map[*netInterface]struct{}),
		gateways:   make(map[interfaceName]*netInterface),
		natScopes:  make(map[natScope]struct{}),
		clocks:     make(map[place]int64),
	}
	if config.Explain {
		a.classes = make(map[classKey]explainedClass)
		a.copies = make(map[copyKey]struct{})
	}
	a.totals.init(config.Series, now())
	a.publish()
	return a
}

// Reconfigure replaces the configuration. It changes what is counted from now on, and what waits for a decision, never what was counted.
func (a *Aggregator) Reconfigure(config Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.config = config
	a.totals.limit = config.Series
	for _, n := range a.interfaces {
		n.gateway = a.configured(n.name)
		if n.gateway == nil && n.recognisedBy == recognisedByConfig {
			n.become(classifier.RoleUndecided, "")
		}
		a.learn(n)
	}
	a.findNATScopes()
	a.settleWaiting()
	a.publish()
}

// Known says whether a file has been committed already.
func (a *Aggregator) Known(identity string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.duplicates.has(identity)
}

// Commit adds a file to the totals, unless it is there already: then it changes nothing and returns false. The delta stays the caller's.
func (a *Aggregator) Commit(file File, d *Delta) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.duplicates.add(file.Identity) {
		return false
	}
	touched := a.absorb(file, d)
	for n := range touched {
		a.learn(n)
	}
	for n := range touched {
		a.settle(n)
	}
	a.settleWaiting()
	a.prune()
	a.evict()
	a.totals.file(file, d, a.now())
	a.publish()
	return true
}

// prune forgets, once an hour, what has had no rows for a day of record time.
func (a *Aggregator) prune() {
	if a.newest < a.pruned+pruneSeconds {
		return
	}
	a.pruned = a.newest
	before := a.newest - forgetSeconds
	a.clients.prune(before)
	maps.DeleteFunc(a.clocks, func(_ place, clock int64) bool { return clock < before })
	maps.DeleteFunc(a.interfaces, func(_ interfaceName, n *netInterface) bool { return n.life.last < before && !n.held.waiting })
	maps.DeleteFunc(a.gateways, func(name interfaceName, _ *netInterface) bool { return a.interfaces[name] == nil })
	a.findNATScopes()
}

// evict holds the bound on interfaces.
func (a *Aggregator) evict() {
	if len(a.interfaces) <= maxInterfaces {
		return
	}
	for name, n := range a.interfaces {
		if len(a.interfaces) <= maxInterfaces*9/10 {
			return
		}
		if _, gateway := a.gateways[name]; !gateway && !n.held.waiting {
			delete(a.interfaces, name)
		}
	}
}
