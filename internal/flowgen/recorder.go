package flowgen

import (
	"math/rand/v2"
	"net/netip"
	"time"
)

// Interval is the longest time that a row covers: the shorter of AWS's two maximum aggregation intervals.
const Interval = time.Minute

// maxRows bounds the rows that one leg of one conversation is cut into.
const maxRows = 6

// Volume is what one side of a conversation sends. Without Bytes nothing is sent; without Packets they are full-sized ones.
type Volume struct {
	Bytes, Packets int64
}

// whole returns the volume with its packets, none of them empty.
func (v Volume) whole() Volume {
	if v.Packets <= 0 {
		v.Packets = 1 + v.Bytes/1400
	}
	v.Packets = min(v.Packets, v.Bytes)
	return v
}

// Span is a stretch of time; To is not part of it.
type Span struct {
	From, To time.Time
}

// Logged is a row in a flow log, with what is to be made of it.
type Logged struct {
	FlowLog *FlowLog
	Row     Row
	Verdict Verdict
	// text stands in place of the row where it is not empty.
	text string
}

// AppendLine appends the row's line in its flow log's format, without a line end.
func (l *Logged) AppendLine(b []byte) []byte {
	if l.text != "" {
		return append(b, l.text...)
	}
	return l.FlowLog.Format.AppendRow(b, &l.Row)
}

// Recorder is the simulated network's flow logs: it turns conversations into rows at every interface that logs them, and books each row as it is
// made. Rows come out in the order they were made. A Recorder with the same seed and the same calls makes the same rows. It is not safe for
// concurrent use.
type Recorder struct {
	// Vantage is how the reader counts; it must be set before the first row.
	Vantage Vantage

	rng      *rand.Rand
	rows     []Logged
	ledger   Ledger
	clients  []Client
	overlaps []overlap
	// seen are the interfaces that have logged rows, seenIDs their ids.
	seen    []Interface
	seenIDs map[string]struct{}
}

// NewRecorder returns a recorder without rows.
func NewRecorder(seed uint64) *Recorder {
	return &Recorder{rng: newRand(seed)}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x666c6f7767656e)) }

// Take returns the rows made since the last call and forgets them. The ledger stays.
func (r *Recorder) Take() []Logged {
	rows := r.rows
	r.rows = nil
	return rows
}

// Ledger returns a copy of what has been booked since the recorder was made.
func (r *Recorder) Ledger() Ledger { return r.ledger.Clone() }

// end is a host's address and port, and the AWS service to which the address belongs.
type end struct {
	addr    netip.Addr
	port    int
	service string
}

// addresses are the ends of a leg as an interface logs them, and those of the packets themselves.
type addresses struct {
	src, dst, pktSrc, pktDst end
}

// plain are the addresses of a leg on which nothing is translated.
func plain(src, dst end) addresses { return addresses{src, dst, src, dst} }

func (a addresses) reverse() addresses { return addresses{a.dst, a.src, a.pktDst, a.pktSrc} }

// exchange is one leg of a conversation as one interface logs it, in both directions: up is what goes from the addresses' src to their dst.
type exchange struct {
	at Interface
	addresses
	protocol int
	// sends says that the interface sends what goes up: up is its egress, down its ingress.
	sends bool
	// path is the traffic-path of the direction that is egress.
	path int
	// peer is the interface at the other side.
	peer NextHop
	// up and down are what is to be made of the rows.
	up, down Verdict
}

// log records the rows of an exchange.
func (r *Recorder) log(x exchange, up, down Volume, s Span) {
	r.leg(x, x.sends, up, s, x.up)
	x.addresses = x.reverse()
	r.leg(x, !x.sends, down, s, x.down)
}

func (r *Recorder) leg(x exchange, egress bool, v Volume, s Span, verdict Verdict) {
	if v.Bytes <= 0 {
		return
	}
	flowLog, row := r.row(x, egress)
	if flowLog == nil {
		return
	}
	for _, p := range r.cut(v, s) {
		row.Start, row.End, row.Bytes, row.Packets = p.start, p.end, p.bytes, p.packets
		r.add(Logged{FlowLog: flowLog, Row: row, Verdict: verdict})
	}
}

// row returns a row of an exchange without its volume and times.
func (r *Recorder) row(x exchange, egress bool) (*FlowLog, Row) {
	flowLog, row, _ := x.at.vantage()
	r.note(x.at, &row)
	row.SrcAddr, row.DstAddr = x.src.addr, x.dst.addr
	row.SrcPort, row.DstPort = x.pktSrc.port, x.pktDst.port
	row.PktSrcAddr, row.PktDstAddr = x.pktSrc.addr, x.pktDst.addr
	row.PktSrcService, row.PktDstService = x.pktSrc.service, x.pktDst.service
	row.Protocol, row.TCPFlags, row.Type = x.protocol, r.tcpFlags(x.protocol), "IPv4"
	if x.pktSrc.addr.Is6() {
		row.Type = "IPv6"
	}
	row.Action, row.LogStatus = Accept, StatusOK
	row.FlowDirection = string(Ingress)
	if egress {
		row.FlowDirection, row.TrafficPath = string(Egress), x.path
	}
	row.NextHop = x.peer
	return flowLog, row
}

// note remembers that an interface has logged a row.
func (r *Recorder) note(at Interface, row *Row) {
	id := row.InterfaceID + row.ResourceID
	if _, known := r.seenIDs[id]; known {
		return
	}
	if r.seenIDs == nil {
		r.seenIDs = make(map[string]struct{})
	}
	r.seenIDs[id] = struct{}{}
	r.seen = append(r.seen, at)
}

// add enters a row, and its copies in flow logs that log the same interface.
func (r *Recorder) add(l Logged) {
	r.enter(l)
	for _, o := range r.overlaps {
		if o.covers(l) {
			r.enter(o.copy(l))
		}
	}
}

func (r *Recorder) enter(l Logged) {
	r.ledger.Book(l.FlowLog, &l.Row, l.Verdict)
	r.rows = append(r.rows, l)
}

func (r *Recorder) tcpFlags(protocol int) int {
	if protocol != protocolTCP {
		return 0
	}
	return [...]int{0, 2, 3, 18, 19}[r.rng.IntN(5)]
}

// piece is the part of a volume that one row shows.
type piece struct {
	start, end, bytes, packets int64
}

// cut splits a volume at random into rows that sum up to it, each within one aggregation interval of the span.
func (r *Recorder) cut(v Volume, s Span) []piece {
	v = v.whole()
	intervals := max(1, int(s.To.Sub(s.From)/Interval))
	n := 1 + r.rng.IntN(int(min(int64(intervals), maxRows, v.Packets)))
	pieces := make([]piece, n)
	for i, packets := range r.partition(v.Packets, n) {
		pieces[i].packets = packets
	}
	for i, size := range r.partition(v.Bytes, n) {
		pieces[i].bytes = size
		pieces[i].start, pieces[i].end = r.interval(s, intervals)
	}
	return pieces
}

// interval picks one of a span's aggregation intervals; the end is the second of the last packet.
func (r *Recorder) interval(s Span, intervals int) (start, end int64) {
	start = s.From.Add(time.Duration(r.rng.IntN(intervals)) * Interval).Unix()
	return start, max(start, min(start+int64(Interval/time.Second), s.To.Unix())-1)
}

// partition splits total into n positive parts at random; total is at least n.
func (r *Recorder) partition(total int64, n int) []int64 {
	parts := make([]int64, n)
	rest := total - int64(n)
	for i := range n - 1 {
		share := r.rng.Int64N(rest + 1)
		parts[i] = 1 + share
		rest -= share
	}
	parts[n-1] = 1 + rest
	return parts
}
