package flowgen

import (
	"slices"
	"strings"
)

// Damage is what is wrong with a malformed line.
type Damage uint8

// The kinds of damage.
const (
	TooFewFields Damage = iota
	TooManyFields
	BadBytes
	BadAddress
	numDamages
)

// Malform records a line of an interface that cannot be read: an accepted conversation with a remote, damaged. A file fails that has more than 10
// such lines if they are more than 1 % of its data lines. The format must have srcaddr, dstaddr and bytes.
func (r *Recorder) Malform(at Interface, remote Remote, s Span, d Damage) {
	flowLog, row := r.row(exchange{at: at, addresses: plain(r.end(at.own()), remote.end()), protocol: protocolTCP, sends: true}, true)
	row.Start, row.End = r.interval(s, 1)
	row.Bytes, row.Packets = 1+r.rng.Int64N(1e6), 1
	line := strings.Split(string(flowLog.Format.AppendRow(nil, &row)), " ")
	r.add(Logged{FlowLog: flowLog, Row: row, Verdict: Verdict{Disposition: Malformed}, text: strings.Join(r.damage(line, flowLog.Format, d), " ")})
}

func (r *Recorder) damage(line []string, f Format, d Damage) []string {
	pick := func(values ...string) string { return values[r.rng.IntN(len(values))] }
	switch d {
	case TooFewFields:
		return line[:1+r.rng.IntN(len(line)-1)]
	case TooManyFields:
		return append(line, pick("0", "-", "OK"))
	case BadBytes:
		line[slices.Index(f.names, "bytes")] = pick("12a", "-7", "1e9", "0x10", "99999999999999999999", "18446744073709551616")
	default:
		line[slices.Index(f.names, pick("srcaddr", "dstaddr"))] = pick("10.0.0.999", "10.0.0", "10.0.0.1.2", "eni-1", "fe80::zz")
	}
	return line
}
