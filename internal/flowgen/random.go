package flowgen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Recognition is how the NAT gateways of a scenario can be told from other interfaces.
type Recognition uint8

// The ways of recognition.
const (
	// AnyRecognition picks one of the others.
	AnyRecognition Recognition = iota
	// Learned: by their rows alone; no format has interface-type, nothing is configured. Regional ones are known by resource-id.
	Learned
	// Typed: every format has interface-type.
	Typed
	// Configured: Scenario.NATGateways lists them all; formats are random.
	Configured
	// Plain: no format has pkt-addresses, as in version 2; Scenario.NATGateways lists them all, and all are zonal.
	Plain
)

// String names the way.
func (r Recognition) String() string {
	return [...]string{"any", "learned", "typed", "configured", "plain"}[r]
}

// Options choose what Random leaves to chance otherwise. The zero value leaves everything to it.
type Options struct {
	Recognition Recognition
	// Conversations is the number of conversations beyond those that every scenario needs; 80 where zero.
	Conversations int
	// Format is the format of all flow logs where it is not nil. It must suit Recognition.
	Format []string
	// Everyday leaves out the rarer topologies, formats and vantages, but for those that are asked for.
	Everyday bool
	// With are topologies that every scenario has, as far as its formats allow.
	With []Topology
	// Vantage is left to chance where empty.
	Vantage Vantage
	// Start is when the traffic begins, on a full minute; a day in March 2026 where zero. Leading files are three hours older, closing ones up to
	// three hours younger.
	Start time.Time
}

// GatewayConfig is an item of the exporter's nat_gateways setting.
type GatewayConfig struct {
	ENI, ID, Name string
}

// Scenario is a random network's traffic of up to 20 minutes, as files, and what a reader must have counted after all of them.
type Scenario struct {
	Seed        uint64
	Recognition Recognition
	// Vantage is what to configure as nat_vantage.
	Vantage Vantage
	// Topologies are the rarer ones that the network has.
	Topologies []Topology
	// Leading files come first, if there are any. Their rows are three hours older than the traffic.
	Leading []File
	// Files hold the traffic, in no order; any order is as good.
	Files []File
	// Closing files come last. They hold NODATA rows of every interface, two hours younger than the traffic, and end every wait for later rows.
	Closing []File
	// Ledger is the outcome of Leading, Files and Closing.
	Ledger Ledger
	// Clients are those of all gateways, logged or not.
	Clients []Client
	// NATGateways is what to configure.
	NATGateways []GatewayConfig
	// Gateways are all gateways that are logged, NAT instances among them; FlowLogs are all flow logs.
	Gateways []*Gateway
	FlowLogs []*FlowLog

	rows     []Logged
	overlaps []overlap
}

// Recut returns the rows of Files in other files and another order. The Ledger is the same.
func (s Scenario) Recut(seed uint64) []File { return cutFiles(newRand(seed), s.rows) }

// CutInto returns the rows of Files, shuffled, in files of so many rows; only the last one of a flow log may have less. A file is named for its newest row
// and may hold older ones, other than AWS's. Flow logs that overlap are cut by window first, since a reader tells by windows which of them it
// believes. The Ledger is the same.
func (s Scenario) CutInto(rowsPerFile int, seed uint64) []File {
	return cutInto(newRand(seed), s.rows, rowsPerFile, func(l *FlowLog) bool {
		return slices.ContainsFunc(s.overlaps, func(o overlap) bool { return l == o.first || l == o.second })
	})
}

// String describes the scenario for the message of a failed test.
func (s Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, recognition %s, vantage %s, %d rows in %d files, topologies %v",
		s.Seed, s.Recognition, s.Vantage, len(s.rows), len(s.Files), s.Topologies)
	for _, l := range s.FlowLogs {
		fmt.Fprintf(&b, "\n%s of %s in %s: %s", l.ID, l.Account, l.Region, l.Format.Header())
	}
	for _, g := range s.Gateways {
		fmt.Fprintf(&b, "\n%s (%s) in %s", g.Label(), g.ID, g.VPC.ID)
	}
	return b.String()
}

const defaultConversations = 80

// defaultStart is when the traffic of a scenario begins that says nothing else.
var defaultStart = time.Date(2026, 3, 14, 9, 25, 0, 0, time.UTC)

// Random returns the scenario of a seed: the same for the same seed and options.
func Random(seed uint64, opt Options) Scenario {
	rng := newRand(seed)
	if opt.Recognition == AnyRecognition {
		opt.Recognition = [...]Recognition{Learned, Learned, Learned, Typed, Configured, Plain}[rng.IntN(6)]
	}
	if opt.Conversations == 0 {
		opt.Conversations = defaultConversations
	}
	start := opt.Start
	if start.IsZero() {
		start = defaultStart
	}
	n := newRandomNetwork(rng, opt)
	s := Scenario{
		Seed: seed, Recognition: opt.Recognition, Vantage: n.vantage, Topologies: n.rarities, Gateways: n.gateways(), FlowLogs: n.logs,
		overlaps: n.overlaps,
	}
	t := randomTraffic{rng: rng, network: n, recorder: NewRecorder(seed)}
	t.recorder.Vantage = n.vantage
	for _, o := range n.overlaps {
		t.recorder.Overlap(o.first, o.second, o.interfaces...)
	}

	t.span = Span{start.Add(-3 * time.Hour), start.Add(-3*time.Hour + FileWindow)}
	t.leading()
	s.Leading = cutFiles(rng, t.recorder.Take())

	t.span = Span{start, start.Add(time.Duration(1+rng.IntN(4)) * FileWindow)}
	t.needed()
	for range opt.Conversations {
		t.conversation()
	}
	t.odds()
	s.rows = t.recorder.Take()
	s.Files = cutFiles(rng, s.rows)

	t.close(Span{t.span.To.Add(2 * time.Hour), t.span.To.Add(2*time.Hour + Interval)})
	s.Closing = cutFiles(rng, t.recorder.Take())
	s.Ledger, s.Clients = t.recorder.Ledger(), t.recorder.Clients()
	if opt.Recognition == Configured || opt.Recognition == Plain {
		s.NATGateways = configure(rng, s.Gateways)
	}
	return s
}

// configure lists gateways as an operator may: zonal ones by interface, with or without the rest. NAT instances are none.
func configure(rng *rand.Rand, gateways []*Gateway) []GatewayConfig {
	var configs []GatewayConfig
	for _, g := range gateways {
		if g.IsInstance() {
			continue
		}
		c := GatewayConfig{ENI: g.ENI}
		if g.Regional() || rng.IntN(2) == 0 {
			c.ID, c.Name = g.ID, g.Name
		}
		configs = append(configs, c)
	}
	return configs
}
