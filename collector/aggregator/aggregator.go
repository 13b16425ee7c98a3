// Package aggregator adds up what flow log files say. A file's Delta is private to the worker that reads the file; Commit adds it to the totals
// wholly or not at all, and once.
//
// What a row counts as may depend on what its interface is, which other rows tell. Totals do not depend on how AWS cut the rows into files: rows of an
// interface that is not decided yet are held back, and counted when it is, or after 30 minutes of record time. The package knows nothing of Prometheus;
// a scrape reads an immutable Snapshot, which costs a commit nothing and waits for none.
package aggregator

import (
	"maps"
	"slices"
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
	// So many interfaces are remembered. Beyond them the ones that have nothing to lose but what can be learned again are forgotten.
	maxInterfaces = 500_000
	// The clock of a place that has fallen silent follows the others' at this distance, in seconds.
	silentSeconds = 60 * 60
	// Forgetting is looked into so often, in seconds of record time.
	pruneSeconds = 60 * 60
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
	gateways   map[interfaceName]*netInterface // gateways are the interfaces that are NAT gateways.
	clients    clientSet
	natScopes  map[natScope]struct{}
	clocks     map[place]int64 // clocks are the newest record ends.
	newest     int64           // newest is the newest of all clocks.
	pruned     int64
	heldKeys   int

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

// absorb brings a delta's interfaces up to date and gives them its rows.
func (a *Aggregator) absorb(file File, d *Delta) map[*netInterface]struct{} {
	touched := make(map[*netInterface]struct{}, len(d.interfaces))
	byIndex := make([]*netInterface, len(d.interfaces))
	for i := range d.interfaces {
		in := &d.interfaces[i]
		n := a.interfaceNamed(file, in.name)
		in.last = a.recordEnd(file, in.last)
		n.absorb(in)
		a.tick(n.place(), in.last)
		a.totals.seen(n.place(), file.FlowLogID, in.last, a.now())
		byIndex[i] = n
		touched[n] = struct{}{}
	}
	for key, i := range d.remotes {
		byIndex[key.iface].addRemote(remoteKey{key.remote, key.shape, d.services[key.service]}, d.remoteCounts[i])
	}
	for key, i := range d.clients {
		byIndex[key.iface].addClient(clientKey{key.client, key.shape}, d.clientCounts[i])
	}
	return touched
}

// recordEnd returns the newest end of an interface's records as far as it can be believed: never later than a little ahead of now. A format without
// end leaves the time in the file's name, or now.
func (a *Aggregator) recordEnd(file File, end int64) int64 {
	now := a.now().Unix()
	switch {
	case end > 0:
		return min(end, now+aheadSeconds)
	case !file.Time.IsZero():
		return min(file.Time.Unix(), now)
	default:
		return now
	}
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
		// What is summed for all interfaces beyond the limit can never be decided.
		n = &netInterface{name: name, gateway: a.configured(name), released: name.id == otherLabel}
		a.interfaces[name] = n
	}
	return n
}

// configured returns the configuration's entry for an interface.
func (a *Aggregator) configured(name interfaceName) *Gateway {
	for i := range a.config.NATGateways {
		g := &a.config.NATGateways[i]
		if g.ENI == name.id || g.ID == name.id {
			return g
		}
	}
	return nil
}

// tick moves the clock of a place.
func (a *Aggregator) tick(p place, end int64) {
	a.clocks[p] = max(a.clocks[p], end)
	a.newest = max(a.newest, end)
}

// clock returns the record time of a place. One that has fallen silent must not keep its rows waiting for ever.
func (a *Aggregator) clock(p place) int64 { return max(a.clocks[p], a.newest-silentSeconds) }

func (n *netInterface) addRemote(key remoteKey, c Counts) {
	if n.remotes == nil {
		n.remotes = make(map[remoteKey]Counts)
	}
	counts := n.remotes[key]
	counts.add(c)
	n.remotes[key] = counts
}

func (n *netInterface) addClient(key clientKey, c Counts) {
	if n.clients == nil {
		n.clients = make(map[clientKey]Counts)
	}
	counts := n.clients[key]
	counts.add(c)
	n.clients[key] = counts
}

// learn draws from an interface's rows what they prove: whether it is a NAT gateway, and who its clients are.
func (a *Aggregator) learn(n *netInterface) {
	n.decide()
	if !n.role.IsNAT() {
		delete(a.gateways, n.name)
		return
	}
	a.gateways[n.name] = n
	a.addNATScope(n)
	if n.role != classifier.RoleRegionalNAT {
		n.learnOwnAddresses()
	}
	for client := range n.gatewayClients {
		a.clients.add(n.place(), n.attributes.vpcID, client, n.last)
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

// behindNAT says whether the interface's public traffic goes through a middlebox of the VPC: a row of its own says so, or a NAT gateway has named one of
// its addresses. The latter is weak where no VPC tells whose address it is, and yields to a direct route.
func (a *Aggregator) behindNAT(n *netInterface) bool {
	if n.evidence.clientView {
		return true
	}
	n.clientOfNAT = n.clientOfNAT || !n.role.IsNAT() && a.isClient(n)
	return n.clientOfNAT && (n.attributes.vpcID != "" || !n.evidence.direct)
}

func (a *Aggregator) isClient(n *netInterface) bool {
	for _, own := range [...]*candidates{&n.own.v4, &n.own.v6} {
		if address, ok := own.address(); ok && a.clients.has(n.place(), n.attributes.vpcID, address) {
			return true
		}
	}
	for key := range n.clients {
		if !key.shape.Private() && a.clients.has(n.place(), n.attributes.vpcID, key.client) {
			return true
		}
	}
	return false
}

// facts says what is known about an interface apart from which end of a row is its own.
func (a *Aggregator) facts(n *netInterface) heldFacts {
	relay := n.attributes.hasInstanceField && n.attributes.instanceID == "" ||
		n.evidence.interfaceType == flowlog.InterfaceTransitGateway || n.evidence.interfaceType == flowlog.InterfaceVPCEndpoint
	facts := heldFacts{Facts: classifier.Facts{
		Role:       n.role,
		Translates: n.evidence.translated,
		Suspect:    n.evidence.pkt && relay,
		Relay:      relay,
		BehindNAT:  a.behindNAT(n),
		NATLogged:  a.natLogged(n),
		Settled:    n.evidence.direct,
		Released:   n.released,
	}}
	_, facts.own4 = n.own.v4.address()
	_, facts.own6 = n.own.v6.address()
	return facts
}

// settle counts the rows of an interface that can be classified and holds the others.
func (a *Aggregator) settle(n *netInterface) {
	facts := a.facts(n)
	n.held = Counts{}
	for key, counts := range n.remotes {
		class := classifier.Classify(withEnds(facts.Facts, n, key), key.shape)
		if class.Disposition == classifier.Held {
			n.held.add(counts)
			continue
		}
		a.totals.count(n, key, class, counts, a.prices, a.now())
		delete(n.remotes, key)
	}
	n.heldUnder = facts
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
	if len(n.remotes) == 0 {
		n.remotes, n.clients, n.waiting = nil, nil, false
		delete(a.waiting, n)
	} else if !n.waiting {
		n.waiting, n.heldSince = true, a.clock(n.place())
		a.waiting[n] = struct{}{}
	}
	keys := len(n.remotes) + len(n.clients)
	a.heldKeys += keys - n.heldKeys
	n.heldKeys = keys
}

// settleWaiting counts what others have taught enough about, releases what has waited too long, and holds the bound on memory.
func (a *Aggregator) settleWaiting() {
	for n := range a.waiting {
		if a.clock(n.place()) >= n.heldSince+holdSeconds {
			n.released = true
		}
		if a.facts(n) != n.heldUnder {
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
	return slices.MaxFunc(slices.Collect(maps.Keys(a.waiting)), func(m, n *netInterface) int { return m.heldKeys - n.heldKeys })
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
	maps.DeleteFunc(a.interfaces, func(_ interfaceName, n *netInterface) bool { return n.last < before && !n.waiting })
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
		if !n.waiting && !n.role.IsNAT() {
			delete(a.interfaces, name)
		}
	}
}
