package flowgen

import (
	"fmt"
	"math/rand/v2"
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
	// Format is the format of all flow logs where it is not nil. It must suit Recognition, and have resource-id.
	Format []string
}

// GatewayConfig is an item of the exporter's nat_gateways setting.
type GatewayConfig struct {
	ENI, ID, Name string
}

// Scenario is a random network's traffic of up to 20 minutes, as files, and what a reader must have counted after all of them.
type Scenario struct {
	Seed        uint64
	Recognition Recognition
	// Files hold the traffic, in no order; any order is as good.
	Files []File
	// Closing files come last. They hold NODATA rows of every interface, two hours younger than the traffic, and end every wait for later rows.
	Closing []File
	// Ledger is the outcome of Files and Closing.
	Ledger Ledger
	// NATGateways is what to configure.
	NATGateways []GatewayConfig
	// Gateways are all gateways, FlowLogs all flow logs.
	Gateways []*Gateway
	FlowLogs []*FlowLog

	rows []Logged
}

// Recut returns the same rows in other files and another order. The Ledger is the same.
func (s Scenario) Recut(seed uint64) []File { return cutFiles(newRand(seed), s.rows) }

// String describes the scenario for the message of a failed test.
func (s Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, recognition %s, %d rows in %d files", s.Seed, s.Recognition, len(s.rows), len(s.Files))
	for _, l := range s.FlowLogs {
		fmt.Fprintf(&b, "\n%s of %s in %s: %s", l.ID, l.Account, l.Region, l.Format.Header())
	}
	for _, g := range s.Gateways {
		fmt.Fprintf(&b, "\n%s (%s) in %s", g.Label(), g.ID, g.VPC.ID)
	}
	return b.String()
}

const defaultConversations = 80

// start is when the traffic of every scenario begins.
var start = time.Date(2026, 3, 14, 9, 25, 0, 0, time.UTC)

// Random returns the scenario of a seed: the same for the same seed and options.
func Random(seed uint64, opt Options) Scenario {
	rng := newRand(seed)
	if opt.Recognition == AnyRecognition {
		opt.Recognition = [...]Recognition{Learned, Learned, Learned, Typed, Configured, Plain}[rng.IntN(6)]
	}
	if opt.Conversations == 0 {
		opt.Conversations = defaultConversations
	}
	n := newRandomNetwork(rng, opt)
	traffic := Span{start, start.Add(time.Duration(1+rng.IntN(4)) * FileWindow)}
	t := randomTraffic{rng: rng, network: n, recorder: NewRecorder(seed), span: traffic}
	t.needed()
	for range opt.Conversations {
		t.conversation()
	}
	t.odds()

	s := Scenario{Seed: seed, Recognition: opt.Recognition, Gateways: n.gateways(), FlowLogs: n.flowLogs()}
	s.rows = t.recorder.Take()
	s.Files = cutFiles(rng, s.rows)
	t.close(Span{traffic.To.Add(2 * time.Hour), traffic.To.Add(2*time.Hour + Interval)})
	s.Closing = cutFiles(rng, t.recorder.Take())
	s.Ledger = t.recorder.Ledger()
	if opt.Recognition == Configured || opt.Recognition == Plain {
		s.NATGateways = configure(rng, s.Gateways)
	}
	return s
}

// configure lists gateways as an operator may: zonal ones by interface, with or without the rest.
func configure(rng *rand.Rand, gateways []*Gateway) []GatewayConfig {
	var configs []GatewayConfig
	for _, g := range gateways {
		c := GatewayConfig{ENI: g.ENI}
		if g.Regional() || rng.IntN(2) == 0 {
			c.ID, c.Name = g.ID, g.Name
		}
		configs = append(configs, c)
	}
	return configs
}
