package demo

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

const (
	kilobyte = 1e3
	megabyte = 1e6
	// The outbreak is when the first job runs away after the start; it does so again every outbreakEvery, for outbreakLasts.
	outbreak      = 2 * time.Minute
	outbreakEvery = time.Hour
	outbreakLasts = 20 * time.Minute
)

// stream is what a client and a kind of remote exchange all the time.
type stream struct {
	client *flowgen.Instance
	// gateway forwards it; where nil, path says how it leaves.
	gateway *flowgen.Gateway
	path    int
	// remotes are those it may talk to, each time to as many as fan.
	remotes []flowgen.Remote
	fan     int
	// up and down are bytes per second on average.
	up, down float64
	// runaway streams flow only during an outbreak.
	runaway bool
	// phase shifts its waves against those of others.
	phase float64
}

// internalStream is what two instances exchange.
type internalStream struct {
	a, b     *flowgen.Instance
	up, down float64
	phase    float64
}

// traffic makes the network's rows.
type traffic struct {
	network  *network
	rng      *rand.Rand
	recorder *flowgen.Recorder
	began    time.Time
	streams  []stream
	inside   []internalStream
	// scanned are instances that the Internet knocks at, idle ones those that say nothing.
	scanned, idle []*flowgen.Instance
}

func newTraffic(n *network, rng *rand.Rand, seed uint64, began time.Time) *traffic {
	t := &traffic{network: n, rng: rng, recorder: flowgen.NewRecorder(seed), began: began}
	t.populateMain()
	t.populateSecond()
	return t
}

// nat adds a stream through a gateway.
func (t *traffic) nat(client *flowgen.Instance, gateway *flowgen.Gateway, remotes []flowgen.Remote, fan int, up, down float64) {
	if len(client.Gateways) == 0 {
		client.Gateways = []*flowgen.Gateway{gateway}
	}
	t.streams = append(t.streams, stream{client: client, gateway: gateway, remotes: remotes, fan: fan, up: up, down: down, phase: t.phase()})
}

// direct adds a stream that no gateway forwards.
func (t *traffic) direct(client *flowgen.Instance, path int, remotes []flowgen.Remote, fan int, up, down float64) {
	t.streams = append(t.streams, stream{client: client, path: path, remotes: remotes, fan: fan, up: up, down: down, phase: t.phase()})
}

func (t *traffic) internal(a, b *flowgen.Instance, up, down float64) {
	t.inside = append(t.inside, internalStream{a: a, b: b, up: up, down: down, phase: t.phase()})
}

func (t *traffic) phase() float64 { return 2 * math.Pi * t.rng.Float64() }

// during returns the rows of a span.
func (t *traffic) during(span flowgen.Span) []flowgen.Logged {
	for i := range t.streams {
		t.flow(&t.streams[i], span)
	}
	for _, s := range t.inside {
		level := t.level(span, s.phase)
		t.recorder.Internal(s.a, s.b, volume(s.up*level, span), volume(s.down*level, span), span, flowgen.TrafficPathVPC)
	}
	t.noise(span)
	return t.recorder.Take()
}

func (t *traffic) flow(s *stream, span flowgen.Span) {
	if s.runaway && !t.outbreak(span) {
		return
	}
	level := t.level(span, s.phase)
	for remote, share := range t.shares(s) {
		if share == 0 {
			continue
		}
		c := flowgen.Conversation{
			Client: s.client, Remote: s.remotes[remote], Span: span,
			Up: volume(s.up*level*share, span), Down: volume(s.down*level*share, span),
		}
		if s.gateway == nil {
			t.recorder.Direct(c, s.path)
			continue
		}
		t.recorder.NAT(s.gateway, c)
	}
}

// outbreak says whether a job runs away during the span.
func (t *traffic) outbreak(span flowgen.Span) bool {
	since := span.To.Sub(t.began.Add(outbreak))
	return since > 0 && since%outbreakEvery < outbreakLasts
}

// shares says which part of a stream goes to which of its remotes.
func (t *traffic) shares(s *stream) []float64 {
	shares := make([]float64, len(s.remotes))
	if s.fan >= len(s.remotes) {
		// The first remotes have most of it.
		sum := 0.0
		for i := range shares {
			shares[i] = 1 / float64(i+1)
			sum += shares[i]
		}
		for i := range shares {
			shares[i] /= sum
		}
		return shares
	}
	for range s.fan {
		shares[t.rng.IntN(len(shares))] += 1 / float64(s.fan)
	}
	return shares
}

// level is what the time of day, the minutes and chance make of a rate: 1 on average of a day.
func (t *traffic) level(span flowgen.Span, phase float64) float64 {
	seconds := float64(span.From.Unix())
	day := 2 * math.Pi * (seconds/86400 - 9.0/24)
	wave := math.Sin(2*math.Pi*seconds/420 + phase)
	drift := math.Sin(2*math.Pi*seconds/1500 + 3*phase)
	return (1 + 0.35*math.Sin(day)) * (1 + 0.12*wave + 0.15*drift) * (0.9 + 0.2*t.rng.Float64())
}

// noise is what is no conversation: scans, refused connections, idle interfaces, lost records.
func (t *traffic) noise(span flowgen.Span) {
	gateways := t.network.main.zonal
	for range 1 + t.rng.IntN(4) {
		scanner := flowgen.Remote{Addr: t.scanner(), Port: 40000 + t.rng.IntN(20000)}
		t.recorder.Scan(gateways[t.rng.IntN(len(gateways))], scanner, flowgen.Volume{Bytes: 40 + t.rng.Int64N(200)}, span)
		for _, in := range t.scanned {
			t.recorder.RejectFrom(scanner, in, flowgen.Volume{Bytes: 44, Packets: 1}, span, "")
		}
	}
	t.recorder.Scan(t.network.main.regional, flowgen.Remote{Addr: t.scanner(), Port: 50000}, flowgen.Volume{Bytes: 60}, span)
	for _, in := range t.idle {
		t.recorder.NoData(in, span)
	}
	if t.rng.IntN(150) == 0 {
		t.recorder.SkipData(gateways[t.rng.IntN(len(gateways))], span)
	}
}

// scanner is one of the few addresses that knock again and again.
func (t *traffic) scanner() netip.Addr {
	return netip.AddrFrom4([4]byte{198, 51, 100, byte(200 + t.rng.IntN(12))})
}

// volume is what a rate makes of a span.
func volume(rate float64, span flowgen.Span) flowgen.Volume {
	size := int64(rate * span.To.Sub(span.From).Seconds())
	if size <= 0 {
		return flowgen.Volume{}
	}
	return flowgen.Volume{Bytes: size, Packets: 1 + size/1300}
}
