// Package aggregator adds up what flow log files say. A file's Delta is private to the worker that reads the file; Commit adds it to the totals
// wholly or not at all, and once.
//
// What a row counts as may depend on what its interface is, which other rows tell. Totals do not depend on how AWS cut the rows into files: rows of an
// interface that is not decided yet are held back, and counted when it is, or after 30 minutes of record time. The package knows nothing of Prometheus;
// a scrape reads an immutable Snapshot, which costs a commit nothing and waits for none.
package aggregator

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
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

// A Pricer knows the price of a GB through a NAT gateway, named by the account that pays it, its region and the value of the label nat_gateway. Without a price it says false: the bytes
// are then counted as unpriced. It must be safe for concurrent use and quick.
type Pricer interface {
	NATPrice(account, region, gateway string) (Price, bool)
}

// Config is what an operator sets. It may be replaced while the aggregator runs.
type Config struct {
	NATGateways []Gateway
	Vantage     Vantage
	Top         TopConfig
	Series      int // Series bounds all label sets together.
	HeldKeys    int // HeldKeys bounds the keys of all rows held back.
	// MaxAge is the age from which on a file is not offered any more, by the time in its name; 0 is none. Files are remembered a day longer, and 15 days if their
	// names have no time or there is no such age, because SQS keeps a message for 14.
	MaxAge     time.Duration
	Duplicates int // Duplicates bounds the identities of files remembered; the oldest hours of them are forgotten first.
	// Services returns the services of addresses as they are known now, for flow logs that do not name them; nil, as what it returns may be, is none. It must be safe for
	// concurrent use. It is asked once per file: all of its rows are resolved by one table.
	Services func() Services
	// Network returns the operator's name for the network of an address, as a label, "" if there is none; nil knows none. It must be safe for concurrent use and quick.
	Network func(flowlog.Addr) string
	// Explain makes the aggregator remember what it has counted each key as, for its method Explain. That is not bounded.
	Explain bool
}

// DefaultConfig returns the documented defaults.
func DefaultConfig() Config {
	return Config{Vantage: VantageAuto, Top: DefaultTopConfig(), Series: 50_000, HeldKeys: 1_000_000, MaxAge: 7 * 24 * time.Hour, Duplicates: 500_000}
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
	requests requests
	lead     chan struct{} // lead holds a token while somebody commits what waits.

	mu       sync.Mutex // mu is held while a group is written, so nothing that others wait for takes it.
	config   Config
	prices   Pricer
	now      func() time.Time
	snapshot atomic.Pointer[Snapshot]

	journal    Journal    // journal is nil without durable state.
	unwritten  *unwritten // unwritten is nil without a journal.
	uncounted  map[fileCount]uint64
	writeError atomic.Pointer[error]
	reserve    int // reserve is the space to ask for after a write that found none.
	failed     chan struct{}

	duplicates *duplicates
	interfaces map[interfaceName]*netInterface
	waiting    map[*netInterface]struct{}
	gateways   map[interfaceName]*netInterface // gateways are the interfaces that are NAT gateways.
	clients    clientSet
	workloads  workloads
	natScopes  map[natScope]struct{}
	clocks     map[place]int64 // clocks are the newest record ends.
	newest     int64           // newest is the newest of all clocks.
	pruned     int64
	heldKeys   int
	findings   findings
	copies     map[copyKey]struct{}        // copies are the files' interfaces that overlap, nil without Config.Explain.
	classes    map[classKey]explainedClass // classes are what keys were counted as, nil without Config.Explain.

	totals   totals
	tops     tops
	verdicts verdicts
	sources  sourceNames
	watch    atomic.Pointer[Watch]
	unseen   bool // unseen: something has been counted with the path unseen_middlebox.
}

// natScope is a VPC, or a region of an account, whose NAT gateways are logged.
type natScope struct {
	place place
	vpc   string
}

// New returns an empty aggregator that keeps its totals in memory only. The wall clock is now.
func New(config Config, prices Pricer, now func() time.Time) *Aggregator {
	a := &Aggregator{
		config: config, prices: prices, now: now,
		lead: make(chan struct{}, 1), failed: make(chan struct{}), uncounted: make(map[fileCount]uint64),
		duplicates: newDuplicates(),
	}
	if config.Explain {
		a.classes = make(map[classKey]explainedClass)
		a.copies = make(map[copyKey]struct{})
	}
	a.empty()
	a.totals.begin(now())
	a.publish()
	return a
}

// Open returns an aggregator that goes on from what a journal holds, and writes each commit to it. A configuration that has changed since takes effect as by
// Reconfigure. A journal without space is no error of Open, but of Err.
func Open(config Config, prices Pricer, now func() time.Time, journal Journal) (*Aggregator, error) {
	a := New(config, prices, now)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.journal = journal
	if err := a.load(journal); err != nil {
		return nil, err
	}
	a.publish()
	a.tops.resume(a.now())
	a.configure()
	if err := a.persist(nil); err != nil && !errors.Is(err, ErrFull) {
		return nil, err
	}
	return a, nil
}

// empty forgets everything but the duplicates.
func (a *Aggregator) empty() {
	a.interfaces = make(map[interfaceName]*netInterface)
	a.waiting = make(map[*netInterface]struct{})
	a.gateways = make(map[interfaceName]*netInterface)
	a.clients = clientSet{}
	a.workloads = workloads{}
	a.natScopes = make(map[natScope]struct{})
	a.clocks = make(map[place]int64)
	a.newest, a.pruned, a.heldKeys = 0, 0, 0
	a.totals = totals{limit: a.config.Series}
	a.tops, a.unseen, a.sources = newTops(a.config.Top, a.now()), false, sourceNames{}
	a.unwritten = nil
	if a.journal != nil {
		a.track()
	}
}

// Reconfigure replaces the configuration. It changes what is counted from now on, and what waits for a decision, never what was counted.
func (a *Aggregator) Reconfigure(config Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.config = config
	a.configure()
	// An error is that of the journal, which Err and Failed tell.
	_ = a.persist(nil)
}

// configure brings the configuration into effect.
func (a *Aggregator) configure() {
	a.totals.limit = a.config.Series
	a.tops.reconfigure(a.config.Top)
	a.tops.moved = true
	clear(a.sources.known)
	a.tops.begin(a.now())
	for _, n := range a.interfaces {
		n.gateway = a.configured(n.name)
		if n.gateway == nil && n.recognisedBy == recognisedByConfig {
			n.become(classifier.RoleUndecided, "")
		}
		a.learn(n)
		a.settleWorkload(n)
	}
	a.findNATScopes()
	a.settleWaiting()
}

// Known says whether a file has been committed already. It does not wait for a commit, and does not know the files of one that is not durable yet.
func (a *Aggregator) Known(identity string) bool { return a.duplicates.has(hash(identity)) }

// prune forgets, once an hour, what has had no rows for a day of record time.
func (a *Aggregator) prune() {
	if a.newest < a.pruned+pruneSeconds {
		return
	}
	a.pruned = a.newest
	before := a.newest - forgetSeconds
	a.clients.prune(before)
	maps.DeleteFunc(a.clocks, func(p place, clock int64) bool {
		if clock < before && a.unwritten != nil {
			a.unwritten.clocks[p] = struct{}{}
		}
		return clock < before
	})
	for name, n := range a.interfaces {
		if n.life.last < before && !n.held.waiting {
			a.forget(name)
		} else if n.pruneResidents(before) {
			a.touch(n)
		}
	}
	a.workloads.prune()
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
			a.forget(name)
		}
	}
}

// forget drops all that is known about an interface.
func (a *Aggregator) forget(name interfaceName) {
	a.interfaces[name].forgotten = true
	delete(a.interfaces, name)
	a.forgot(name)
}
