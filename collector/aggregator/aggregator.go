// Package aggregator adds up what flow log files say. A file's Delta is private to the worker that reads the file; Commit adds it to the totals
// wholly or not at all, and once.
//
// What a row counts as may depend on what its interface is, which other rows tell. Totals do not depend on how AWS cut the rows into files: rows of an
// interface that is not decided yet are held back, and counted when it is, or after 30 minutes of record time. The package knows nothing of Prometheus;
// a scrape reads an immutable Snapshot, which costs a commit nothing and waits for none.
package aggregator

import (
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

// The vantages. VantageAuto drops a client's view wherever a gateway of its account and region is logged, VantageGateway everywhere.
const (
	VantageAuto    Vantage = "auto"
	VantageGateway Vantage = "gateway"
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
	// A record that lies further in the future no longer moves the clock.
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
	clients    clientSet
	clocks     map[place]int64
	pruned     map[place]int64
	natPlaces  map[place]bool
	gateways   map[interfaceName]*netInterface // gateways are the interfaces that are NAT gateways.
	heldKeys   int

	totals totals
}

// New returns an empty aggregator. Now is the wall clock.
func New(config Config, prices Pricer, now func() time.Time) *Aggregator {
	a := &Aggregator{
		config: config, prices: prices, now: now,
		duplicates: newDuplicates(config.Duplicates),
		interfaces: make(map[interfaceName]*netInterface),
		waiting:    make(map[*netInterface]struct{}),
		clocks:     make(map[place]int64),
		pruned:     make(map[place]int64),
		natPlaces:  make(map[place]bool),
		gateways:   make(map[interfaceName]*netInterface),
	}
	a.totals.init(config.Series, now())
	a.publish()
	return a
}

// Reconfigure replaces the configuration. It changes what is counted from now on, never what was.
func (a *Aggregator) Reconfigure(config Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.config = config
	a.totals.limit = config.Series
	for _, n := range a.interfaces {
		n.gateway = a.configured(n.name)
		if n.gateway == nil && n.recognisedBy == recognisedByConfig {
			n.become(classifier.RoleUndecided, "")
			delete(a.gateways, n.name)
		}
	}
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
	a.learn(touched)
	for n := range touched {
		a.settle(n)
	}
	a.settleWaiting()
	for n := range touched {
		a.prune(n.place())
	}
	a.totals.file(file, d, a.now())
	a.publish()
	return true
}

// absorb brings a delta's interfaces up to date and gives them its rows.
func (a *Aggregator) absorb(file File, d *Delta) map[*netInterface]struct{} {
	touched := make(map[*netInterface]struct{}, len(d.interfaces))
	byIndex := make([]*netInterface, len(d.interfaces))
	for i := range d.interfaces {
		in := &d.interfaces[i]
		n := a.interfaceNamed(file, in.name)
		n.absorb(in)
		a.tick(n.place(), in.last)
		a.totals.seen(n.place(), file.FlowLogID, min(in.last, a.now().Unix()+aheadSeconds), a.now())
		byIndex[i] = n
		touched[n] = struct{}{}
	}
	for key, i := range d.remotes {
		byIndex[key.iface].addRemote(remoteKey{key.remote, key.shape, d.services[key.service]}, d.counts[i])
	}
	for key, i := range d.clients {
		byIndex[key.iface].addClient(clientKey{key.client, key.shape}, d.counts[i])
	}
	return touched
}

// interfaceNamed finds an interface; what its records do not say of account and region the file's name does.
func (a *Aggregator) interfaceNamed(file File, name interfaceName) *netInterface {
	account, ok := accountLabel(name.account)
	if !ok {
		account, _ = accountLabel(file.AccountID)
	}
	if file.Region != "" {
		name.region = file.Region
	}
	name.account, name.region = account, idLabel(name.region)
	n, ok := a.interfaces[name]
	if !ok {
		n = &netInterface{name: name, gateway: a.configured(name)}
		a.interfaces[name] = n
	}
	return n
}

// configured returns the configuration's entry for an interface.
func (a *Aggregator) configured(name interfaceName) *Gateway {
	for i := range a.config.NATGateways {
		g := &a.config.NATGateways[i]
		if g.ENI == name.id || g.ENI == "" && g.ID == name.id {
			return g
		}
	}
	return nil
}

// tick moves the clock of a place. A record from the future must not end everybody's wait.
func (a *Aggregator) tick(p place, end int64) {
	if end <= a.now().Unix()+aheadSeconds && end > a.clocks[p] {
		a.clocks[p] = end
	}
}

func (n *netInterface) addRemote(key remoteKey, c Counts) {
	if n.remotes == nil {
		n.remotes = make(map[remoteKey]Counts)
	}
	sum := n.remotes[key]
	sum.add(c)
	n.remotes[key] = sum
}

func (n *netInterface) addClient(key clientKey, c Counts) {
	if n.clients == nil {
		n.clients = make(map[clientKey]Counts)
	}
	sum := n.clients[key]
	sum.add(c)
	n.clients[key] = sum
}

// learn draws from the new rows what they prove: which interfaces are NAT gateways, and who their clients are.
func (a *Aggregator) learn(touched map[*netInterface]struct{}) {
	for n := range touched {
		n.decide()
		if !n.role.IsNAT() {
			continue
		}
		a.natPlaces[n.place()] = true
		a.gateways[n.name] = n
		if n.role != classifier.RoleRegionalNAT {
			n.learnOwnAddresses()
		}
		for client := range n.gatewayClients {
			a.clients.add(n.place(), n.scope(), client, n.last)
		}
	}
}

// isBehindNAT says whether a row of the interface proves that it is a client, or one of its addresses is one.
func (a *Aggregator) isBehindNAT(n *netInterface) bool {
	if n.evidence.clientView {
		return true
	}
	if own, ok := n.own.address(); ok && a.clients.has(n.place(), n.scope(), own) {
		return true
	}
	for key := range n.clients {
		if !key.shape.Private() && a.clients.has(n.place(), n.scope(), key.client) {
			return true
		}
	}
	return false
}

// facts says what is known about an interface apart from which end of a row is its own.
func (a *Aggregator) facts(n *netInterface) classifier.Facts {
	_, ownKnown := n.isOwn(flowlog.Addr{})
	relay := n.attributes.hasInstanceField && n.attributes.instanceID == "" ||
		n.evidence.interfaceType == flowlog.InterfaceTransitGateway || n.evidence.interfaceType == flowlog.InterfaceVPCEndpoint
	return classifier.Facts{
		Role:       n.role,
		Translates: n.evidence.translated,
		Suspect:    n.evidence.pkt && relay,
		Relay:      relay,
		BehindNAT:  n.behindNAT,
		NATLogged:  a.config.Vantage == VantageGateway || a.natPlaces[n.place()],
		Settled:    n.evidence.direct,
		Released:   n.released,
		OwnKnown:   ownKnown,
	}
}

// settle counts the rows of an interface that can be classified and holds the others.
func (a *Aggregator) settle(n *netInterface) {
	if !n.role.IsNAT() && !n.behindNAT {
		n.behindNAT = a.isBehindNAT(n)
	}
	facts := a.facts(n)
	n.held = Counts{}
	for key, counts := range n.remotes {
		class := classifier.Classify(withEnds(facts, n, key), key.shape)
		if class.Disposition == classifier.Held {
			n.held.add(counts)
			continue
		}
		a.totals.count(n, key, class, counts, a.prices, a.now())
		delete(n.remotes, key)
	}
	n.settled = facts
	a.hold(n)
}

// withEnds adds to the facts what they say about one key. All rows of an interface carry its own address, so of an untranslated row one end is it.
func withEnds(f classifier.Facts, n *netInterface, key remoteKey) classifier.Facts {
	f.RemoteOwn, f.OwnKnown = n.isOwn(key.remote)
	f.ClientOwn = f.OwnKnown && !f.RemoteOwn && !key.shape.Translated()
	return f
}

// hold keeps what is left of an interface's rows waiting, or forgets the tables if nothing is.
func (a *Aggregator) hold(n *netInterface) {
	a.heldKeys += len(n.remotes) - n.heldKeys
	n.heldKeys = len(n.remotes)
	if len(n.remotes) == 0 {
		n.remotes, n.clients, n.waiting = nil, nil, false
		delete(a.waiting, n)
		return
	}
	if !n.waiting {
		n.waiting, n.heldSince = true, a.clocks[n.place()]
		a.waiting[n] = struct{}{}
	}
}

// settleWaiting counts what others have taught enough about, releases what has waited too long, and holds the bound on memory.
func (a *Aggregator) settleWaiting() {
	for n := range a.waiting {
		if a.clocks[n.place()] >= n.heldSince+holdSeconds {
			n.released = true
		}
		n.behindNAT = n.behindNAT || !n.role.IsNAT() && a.isBehindNAT(n)
		if a.facts(n) != n.settled {
			a.settle(n)
		}
	}
	for a.heldKeys > a.config.HeldKeys {
		largest := a.largestWaiting()
		largest.released = true
		a.settle(largest)
	}
}

func (a *Aggregator) largestWaiting() *netInterface {
	var largest *netInterface
	for n := range a.waiting {
		if largest == nil || n.heldKeys > largest.heldKeys {
			largest = n
		}
	}
	return largest
}

// prune forgets the interfaces and clients of a place that have had no rows for a day of record time, once an hour.
func (a *Aggregator) prune(p place) {
	const hour = 60 * 60
	if a.clocks[p] < a.pruned[p]+hour {
		return
	}
	a.pruned[p] = a.clocks[p]
	before := a.clocks[p] - forgetSeconds
	a.clients.prune(p, before)
	delete(a.natPlaces, p)
	for name, n := range a.interfaces {
		switch {
		case n.place() != p:
		case n.last < before && !n.waiting:
			delete(a.interfaces, name)
			delete(a.gateways, name)
		case n.role.IsNAT():
			a.natPlaces[p] = true
		}
	}
}
