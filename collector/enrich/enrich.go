// Package enrich finds names for addresses: the network that the operator named, the autonomous system and the country from MMDB files or from IPinfo,
// the AWS service and region from AWS's published ranges. It is asked for the few addresses that have series of their own, never for a record.
//
// All files are held in memory, so an answer is a matter of microseconds. What needs the network is done by background work: Lookup never waits for it,
// but says whether its answer is final. Networks and Ranges are look-up tables of their own, for those who need only one of them, and fast.
package enrich

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Info is what is known of an address. An empty field is not known. All fields are safe as label values: valid UTF-8 on one line, at most 128 bytes
// long. Infos can be compared.
type Info struct {
	ASN        string // The autonomous system, as AS15169.
	ASName     string // Its organisation.
	Country    string // Two letters, ISO 3166-1 alpha-2.
	AWSService string // As flow logs write it: S3, DYNAMODB.
	AWSRegion  string // As AWS writes it; GLOBAL for what has no region.
	Network    string // The operator's name for the network.
}

// Deps are what an Enricher works with.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Client sends the requests to IPinfo and for ip-ranges.json; nil is one with timeouts that proxies of the environment apply to.
	Client *http.Client
}

// An Enricher answers what is known of an address. All methods are safe for concurrent use.
//
// An answer is final once every configured source has been tried, and IPinfo has been asked if it had to be. A final answer stays the same until a
// source is replaced; it then changes at the next Lookup after the new one was read, and stays final. If the new sources leave the address to IPinfo,
// the old answer is given until IPinfo has answered.
type Enricher struct {
	logger  *slog.Logger
	client  *http.Client
	metrics *metrics
	queue   *askQueue
	wake    chan struct{} // Holds a value when the configuration has changed.

	current atomic.Pointer[sources]

	mu      sync.Mutex // Guards what follows, and writing current.
	config  Config
	refused refusal
	cache   *lru.Cache[netip.Addr, answer]
}

// sources are everything that answers are made of. They are immutable and replaced as a whole.
type sources struct {
	generation uint64
	tried      bool // Every source was read, or reading it has failed often enough.
	networks   *Networks
	internal   *table
	ranges     *Ranges
	databases  []*database // In the order of the configuration.
	token      Secret      // Empty if IPinfo is not to be asked.
}

// An answer is what the cache holds of an address.
type answer struct {
	generation uint64 // Of the sources that it was made of.
	info       Info
	final      bool
	toAsk      bool // The address is IPinfo's to answer.
	remote     remoteAnswer
}

// remoteAnswer is what IPinfo has said of an address.
type remoteAnswer struct {
	asked bool
	until time.Time // When it should be asked again.
	info  Info
}

// New returns an Enricher that knows the networks, has not read anything else yet, and does so in Run.
func New(config Config, deps Deps) (*Enricher, error) {
	config = config.withDefaults()
	networks, internal, err := config.tables()
	if err != nil {
		return nil, err
	}
	e := &Enricher{
		logger: deps.Logger, client: deps.Client, metrics: newMetrics(deps.Registerer),
		queue: newAskQueue(config.CacheSize), wake: make(chan struct{}, 1), config: config,
	}
	if e.client == nil {
		e.client = newClient()
	}
	e.cache, err = lru.NewWithEvict(config.CacheSize, func(netip.Addr, answer) { e.metrics.evicted.Inc() })
	if err != nil {
		return nil, err
	}
	e.current.Store(&sources{networks: networks, internal: internal})
	return e, nil
}

// Run reads the sources, reads them again when they change, and asks IPinfo, until ctx ends. It is called once.
func (e *Enricher) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { e.refresh(ctx) })
	wg.Go(func() { e.ask(ctx) })
	wg.Wait()
	e.client.CloseIdleConnections() // Each has goroutines of its own.
}

// Reconfigure brings another configuration into effect: networks at once, files and URLs when Run has read them. A configuration with an error changes
// nothing; a file that it is the first to name and that cannot be used is one.
func (e *Enricher) Reconfigure(config Config) error {
	config = config.withDefaults()
	networks, internal, err := config.tables()
	if err != nil {
		return err
	}
	if err := config.checkFiles(e.configuration()); err != nil {
		return err
	}
	e.mu.Lock()
	e.config = config
	e.cache.Resize(config.CacheSize)
	e.queue.resize(config.CacheSize)
	e.mu.Unlock()
	e.update(func(s *sources) { s.networks, s.internal = networks, internal })
	select {
	case e.wake <- struct{}{}:
	default: // Run has not seen the last change yet, and will see both.
	}
	return nil
}

// Ranges returns AWS's address ranges as they were read last, nil while there are none. They answer by themselves whether ip-ranges.json is loaded,
// which tells an address that is none of AWS's from one that nothing is known of.
func (e *Enricher) Ranges() *Ranges { return e.current.Load().ranges }

// Networks returns the operator's networks.
func (e *Enricher) Networks() *Networks { return e.current.Load().networks }

// Lookup returns what is known of an address, and whether that is final. It never waits for a file or the network. An address that is IPinfo's to answer
// is put on the list of those to ask, so Lookup is called again, for as long as the address matters.
func (e *Enricher) Lookup(addr netip.Addr) (info Info, final bool) {
	addr = canonical(addr)
	if !addr.IsValid() {
		return Info{}, true
	}
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.current.Load()
	known, found := e.cache.Get(addr)
	if found && known.generation == s.generation && known.final && !known.stale(now) {
		e.metrics.cacheHit.Inc()
		return known.info, true
	}
	e.metrics.cacheMiss.Inc()
	next := known
	if !found || known.generation != s.generation {
		next = e.compute(s, addr, known)
	}
	if next.stale(now) {
		e.queue.add(addr)
	}
	e.cache.Add(addr, next)
	return next.info, next.final
}

// stale says whether IPinfo has to be asked.
func (a *answer) stale(now time.Time) bool {
	return a.toAsk && (!a.remote.asked || !now.Before(a.remote.until))
}

// compute makes an answer of the sources and of what IPinfo has said before. It needs the lock.
func (e *Enricher) compute(s *sources, addr netip.Addr, known answer) answer {
	next := answer{generation: s.generation, remote: known.remote, final: s.tried}
	info, open := e.local(s, addr)
	next.toAsk = open && s.token != ""
	switch {
	case !open:
	case next.remote.asked:
		info.ASN, info.ASName, info.Country = next.remote.info.ASN, next.remote.info.ASName, next.remote.info.Country
	case next.toAsk && known.final:
		info.ASN, info.ASName, info.Country = known.info.ASN, known.info.ASName, known.info.Country
		next.final = true
	case next.toAsk:
		next.final = false
	}
	next.info = info
	return next
}

// local asks the sources in memory, and says whether they leave open what IPinfo may be asked about.
func (e *Enricher) local(s *sources, addr netip.Addr) (info Info, open bool) {
	b := bitsOf(addr)
	named := false
	if !s.networks.empty() {
		info.Network, named = s.networks.Lookup(b.hi, b.lo)
		e.metrics.networks.count(named, nil)
	}
	if isPrivate(addr) || s.internal.lookup(b.hi, b.lo) != 0 {
		return info, false
	}
	if s.ranges != nil {
		var ok bool
		info.AWSService, info.AWSRegion, ok = s.ranges.Lookup(b.hi, b.lo)
		e.metrics.ipRanges.count(ok, nil)
	}
	answered := e.askDatabases(s, addr, &info)
	return info, !answered && !named && isPublic(addr)
}

// learn takes an answer of IPinfo.
func (e *Enricher) learn(addr netip.Addr, remote remoteAnswer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	known, found := e.cache.Peek(addr)
	if !found {
		return // Evicted while IPinfo was asked; nobody waits for it any more.
	}
	known.remote = remote
	e.cache.Add(addr, e.compute(e.current.Load(), addr, known))
}

// update replaces the sources, if they change by it: answers have to be made anew then.
func (e *Enricher) update(change func(next *sources)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.current.Load()
	next := *old
	change(&next)
	if !next.equal(old) {
		next.generation++
		e.current.Store(&next)
	}
}

func (s *sources) equal(other *sources) bool {
	return s.tried == other.tried && s.networks == other.networks && s.internal == other.internal && s.ranges == other.ranges &&
		s.token == other.token && slices.Equal(s.databases, other.databases)
}

func (e *Enricher) configuration() Config {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.config
}
