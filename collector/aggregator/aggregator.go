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

// absorb brings a delta's interfaces up to date and gives them its rows.
func (a *Aggregator) absorb(file File, d *Delta) map[*netInterface]struct{} {
	d.flush()
	touched := make(map[*netInterface]struct{}, len(d.interfaces))
	parts := make([]part, len(d.interfaces))
	for i := range d.interfaces {
		in := &d.interfaces[i]
		n := a.interfaceNamed(file, in.name)
		in.last = a.recordEnd(file, in.last)
		in.believe()
		n.absorb(in)
		n.waitAnew(in.last)
		a.tick(n.place(), in.last)
		a.totals.seen(n.place(), file.FlowLogID, in.last, a.now())
		parts[i] = part{netInterface: n, overlaps: a.overlaps(n, file, in), observes: n.observes()}
		if !parts[i].overlaps {
			n.held.span.add(span{in.first, in.last})
		}
		touched[n] = struct{}{}
		a.findPublicInterface(n, d.networks)
	}
	a.absorbRemotes(d, parts)
	for row := range d.clients.all {
		group := d.clientGroups[row.group-1]
		p := parts[group.iface]
		if !row.address.IsZero() && p.isOwnEnd(group.shape) {
			p.addresses.add(row.address)
		}
		if !p.overlaps {
			p.held.addClient(clientKey{row.address, group.shape}, *row.counts)
		}
	}
	return touched
}

// A part is what a file has of one interface.
type part struct {
	*netInterface
	overlaps bool // overlaps: another flow log owns the interface at that time.
	observes bool
}

// groupPlan is what is done with the rows of a group.
type groupPlan struct {
	sighting *sighting // sighting is where to remember what the rows show of their remotes, or nil.
	sight    classifier.Sight
	keyed    bool   // keyed: the rows keep their remotes.
	sum      Counts // sum is over the rows that do not.
}

// absorbRemotes gives the interfaces their rows. Those of an overlapping flow log are no more than evidence.
func (a *Aggregator) absorbRemotes(d *Delta, parts []part) {
	plans := make([]groupPlan, len(d.groups))
	for g := range plans {
		plans[g] = parts[d.groups[g].iface].plan(d.groups[g].shape, a.classes != nil)
		plans[g].sum = d.groups[g].sum
	}
	for i := range d.interfaces {
		if parts[i].observes {
			parts[i].public.bare.merge(&d.interfaces[i].bare)
		}
	}
	for row := range d.remotes.all {
		plan := &plans[row.group-1]
		if plan.sighting != nil && !row.address.IsZero() {
			plan.sighting.add(plan.sight, row.address)
		}
		if plan.keyed {
			group := &d.groups[row.group-1]
			parts[group.iface].held.addRemote(remoteKey{row.address, group.shape, d.services[group.service]}, *row.counts)
		} else {
			plan.sum.add(*row.counts)
		}
	}
	for g, group := range d.groups {
		p := parts[group.iface]
		switch {
		case plans[g].sum == Counts{}:
		case p.overlaps:
			a.totals.dispositions[classifier.OverlappingFlowLog].add(plans[g].sum)
		default:
			p.held.addRemote(remoteKey{shape: group.shape, service: d.services[group.service]}, plans[g].sum)
		}
	}
	compareSightings(d, parts, plans)
}

// plan says what to do with rows of a shape; they may be told to keep their remotes though nothing depends on them, but for an explanation.
func (p part) plan(s classifier.Shape, keep bool) groupPlan {
	plan := groupPlan{keyed: !p.overlaps && (keep || p.keepsRemotes(s))}
	if p.observes {
		plan.sight, plan.sighting = s.Sight(), p.sightingOf(s)
	}
	return plan
}

// compareSightings looks for what the samples of remotes may have missed within the file.
func compareSightings(d *Delta, parts []part, plans []groupPlan) {
	if !slices.ContainsFunc(parts, func(p part) bool { return p.observes && p.hides() }) {
		return
	}
	for row := range d.remotes.all {
		if plan := &plans[row.group-1]; plan.sighting != nil && !row.address.IsZero() {
			plan.sighting.compare(plan.sight, row.address)
		}
	}
}

// overlaps says whether another flow log owns an interface at the time of a file's rows. A file that does not name its flow log, and rows that do not name
// their interface, cannot be told from others.
func (a *Aggregator) overlaps(n *netInterface, file File, in *deltaInterface) bool {
	flowLogID := file.FlowLogID
	if flowLogID == "" || in.rows == 0 || n.nameless() {
		return false
	}
	owner := n.reigns.owner(flowLogID, in.columns, in.last)
	if owner == flowLogID {
		return false
	}
	if a.copies != nil {
		a.copies[copyKey{file.Identity, n.name}] = struct{}{}
	}
	a.found(FindingOverlap, n, flowLogID, idLabel(owner))
	return true
}

// recordEnd returns the newest end of an interface's records as far as it can be believed: never later than a little ahead of now. What cannot be, and a format
// without end, leave the time in the file's name, or now.
func (a *Aggregator) recordEnd(file File, end int64) int64 {
	now := a.now().Unix()
	switch {
	case end > 0 && end <= now+aheadSeconds:
		return end
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

// tick moves the clock of a place. One beyond the limit follows the others.
func (a *Aggregator) tick(p place, end int64) {
	if clock, known := a.clocks[p]; known || len(a.clocks) < maxClocks {
		a.clocks[p] = max(clock, end)
	}
	a.newest = max(a.newest, end)
}

// clock returns the record time of a place. One that has fallen silent must not keep its rows waiting for ever.
func (a *Aggregator) clock(p place) int64 { return max(a.clocks[p], a.newest-silentSeconds) }

// learn draws from an interface's rows what they prove: whether it is a NAT gateway, and who its clients are.
func (a *Aggregator) learn(n *netInterface) {
	was := n.role
	n.decide()
	if !n.role.IsNAT() {
		delete(a.gateways, n.name)
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
	return n.named, n.named > 0 && n.named >= a.newest-forgetSeconds
}

// settle counts the rows of an interface that can be classified and holds the others.
func (a *Aggregator) settle(n *netInterface) {
	facts := a.facts(n)
	h := &n.held
	h.counts = Counts{}
	folded := make(map[remoteKey]Counts)
	for key, counts := range h.remotes {
		keyFacts := withKey(facts, n, key)
		class := classifier.Classify(keyFacts, key.shape)
		switch {
		case class.Disposition != classifier.Held:
			if classifier.WaitedFor(keyFacts, key.shape) {
				n.leftOpen = max(n.leftOpen, h.span.last)
			}
			a.count(n, key, class, counts)
			delete(h.remotes, key)
		case foldable(key) && a.classes == nil:
			sum := folded[unnamed(key)]
			sum.add(counts)
			folded[unnamed(key)] = sum
			delete(h.remotes, key)
			h.counts.add(counts)
		default:
			h.counts.add(counts)
		}
	}
	for key, counts := range folded {
		h.addRemote(key, counts)
	}
	h.under = facts
	a.hold(n)
}

// count counts rows of one key.
func (a *Aggregator) count(n *netInterface, key remoteKey, class classifier.Class, c Counts) {
	if class.Path == classifier.PathUnseenMiddlebox {
		a.found(FindingUnseenMiddlebox, n, "", "")
	}
	if a.classes != nil {
		a.classes[classKey{n.name, key.remote, key.shape}] = n.explained(class)
	}
	a.totals.count(n, key, class, c, a.prices, a.now())
}

// foldable says whether held rows may lose their remote: it was evidence only, and where they are counted at last, it is among the others.
func foldable(key remoteKey) bool {
	return key.shape.OneEndPrivate() && !key.shape.InnerLeg()
}

func unnamed(key remoteKey) remoteKey {
	key.remote = flowlog.Addr{}
	return key
}

// withKey adds to the facts what they say about one key. All rows of an interface carry its own address, so of an untranslated row one end is it. A NAT gateway
// has several, but clients send to the primary one only.
func withKey(f classifier.Facts, n *netInterface, key remoteKey) classifier.Facts {
	f.RemoteOwn, f.OwnKnown = n.isOwn(key.remote)
	f.ClientOwn = f.OwnKnown && !f.RemoteOwn && !key.shape.Translated() && (n.legs.primary || !n.role.IsNAT())
	f.RemoteSeen = n.legs.bare.has(key.remote) || n.legs.shown.has(key.remote) || len(n.legs.hidden) >= maxPrivateEnds
	return f
}

// hold keeps what is left of an interface's rows waiting, or forgets the tables if nothing is.
func (a *Aggregator) hold(n *netInterface) {
	h := &n.held
	if len(h.remotes) == 0 {
		h.remotes, h.clients, h.span, h.waiting = nil, nil, span{}, false
		delete(a.waiting, n)
	} else if !h.waiting {
		h.waiting, h.since = true, a.clock(n.place())
		a.waiting[n] = struct{}{}
	}
	keys := len(h.remotes) + len(h.clients)
	a.heldKeys += keys - h.keys
	h.keys = keys
}

// settleWaiting counts what others have taught enough about, releases what has waited too long, and holds the bound on memory.
func (a *Aggregator) settleWaiting() {
	a.endWaits(func(n *netInterface) bool { return a.clock(n.place()) >= n.held.since+holdSeconds })
	for n := range a.waiting {
		if a.facts(n) != n.held.under {
			a.settle(n)
		}
	}
	a.boundHeld()
}

// boundHeld holds the bound on the keys of held rows: it releases the interfaces with most of them. It makes some room too, since to look for them takes as long as
// there are interfaces that wait.
func (a *Aggregator) boundHeld() {
	if a.heldKeys <= a.config.HeldKeys {
		return
	}
	largest := slices.SortedFunc(maps.Keys(a.waiting), func(m, n *netInterface) int { return n.held.keys - m.held.keys })
	for _, n := range largest {
		if a.heldKeys <= a.config.HeldKeys-a.config.HeldKeys/10 {
			return
		}
		a.release(n)
	}
}

// endWaits releases the interfaces whose wait is over. What only the end of a wait tells about one of them may concern the others, and comes first.
func (a *Aggregator) endWaits(over func(*netInterface) bool) {
	for n := range a.waiting {
		if over(n) && n.forwardsThroughSecondary() {
			n.public.both = true
			a.learn(n)
		}
	}
	for n := range a.waiting {
		if over(n) {
			a.release(n)
		}
	}
}

// release ends the wait of an interface's rows. What a gateway still waits for is a single remote, and the next one waits anew.
func (a *Aggregator) release(n *netInterface) {
	n.released = true
	a.settle(n)
	if n.role.IsNAT() {
		n.released = false
	} else if !n.observes() {
		n.public, n.private = sighting{}, sighting{}
	}
}

// Finish ends all waits, as at the end of a range of files that is read as a whole.
func (a *Aggregator) Finish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.endWaits(func(*netInterface) bool { return true })
	a.publish()
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
