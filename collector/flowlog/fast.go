package flowlog

import "encoding/binary"

const (
	// Columns of a line that the fast path takes; AWS has 54 fields.
	maxFastColumns = 64
	// What the parsers of several bytes at once may touch before and behind a value.
	padBefore, padBehind = 16, 64
)

// A fastPlan says in which column each field stands that a Record carries, noColumn if in none.
type fastPlan struct {
	columns                             int // columns is 0 for a format that is read by the readable path only.
	srcAddr, dstAddr, pktSrc, pktDst    int
	addresses                           [4]uint32 // addresses are those four, with the leg's in place of true ends that the format does not have.
	bytes, packets, start, end          int
	srcPort, dstPort                    int
	action, status, direction, path     int
	account, region, iface, resource    int
	vpc, subnet, instance, az           int
	srcService, dstService              int
	interfaceType, nextHopInterfaceType int
	names                               []nameColumn // names are in few formats, so the others pay for one look at them and not for one at each.
}

type nameColumn struct {
	column int
	name   Name
}

const noColumn = -1

// compileFast compiles the plan of the fast path.
func (f *Format) compileFast() {
	column := func(field Field) int {
		for i, planned := range f.plan {
			if planned == field {
				return i
			}
		}
		return noColumn
	}
	if len(f.plan) > maxFastColumns {
		return
	}
	f.fast = fastPlan{
		columns: len(f.plan),
		srcAddr: column(FieldSrcAddr), dstAddr: column(FieldDstAddr), pktSrc: column(FieldPktSrcAddr), pktDst: column(FieldPktDstAddr),
		bytes: column(FieldBytes), packets: column(FieldPackets), start: column(FieldStart), end: column(FieldEnd),
		srcPort: column(FieldSrcPort), dstPort: column(FieldDstPort),
		action: column(FieldAction), status: column(FieldLogStatus), direction: column(FieldFlowDirection), path: column(FieldTrafficPath),
		account: column(FieldAccountID), region: column(FieldRegion), iface: column(FieldInterfaceID), resource: column(FieldResourceID),
		vpc: column(FieldVPCID), subnet: column(FieldSubnetID), instance: column(FieldInstanceID), az: column(FieldAZID),
		srcService: column(FieldPktSrcAWSService), dstService: column(FieldPktDstAWSService),
		interfaceType: column(FieldInterfaceType), nextHopInterfaceType: column(FieldNextHopInterfaceType),
	}
	for i, field := range f.plan {
		if name, ok := nameOf(field); ok {
			f.fast.names = append(f.fast.names, nameColumn{i, name})
		}
	}
	f.fast.addresses = [4]uint32{uint32(f.fast.srcAddr), uint32(f.fast.dstAddr), uint32(f.fast.srcAddr), uint32(f.fast.dstAddr)}
	if f.fast.pktSrc != noColumn {
		f.fast.addresses[2] = uint32(f.fast.pktSrc)
	}
	if f.fast.pktDst != noColumn {
		f.fast.addresses[3] = uint32(f.fast.pktDst)
	}
}

// A splitLine is a line cut into columns: column i lies between bounds[i]+1 and bounds[i+1]. It borrows block and window.
type splitLine struct {
	b      []byte
	bounds *[maxFastColumns + 1]uint32
	simd   bool // simd: fourV4 may be called.
}

func (l *splitLine) start(column int) int { return int(l.bounds[column&63]) + 1 }
func (l *splitLine) end(column int) int   { return int(l.bounds[column&63+1]) }

// text returns a column as text, nil if it is missing.
func (l *splitLine) text(column int) []byte {
	start, end := l.start(column), l.end(column)
	if end-start == 1 && l.b[start] == '-' {
		return nil
	}
	return l.b[start:end:end]
}

func (l *splitLine) missing(column int) bool {
	return l.end(column)-l.start(column) == 1 && l.b[l.start(column)] == '-'
}

// addr reads an address that is not missing.
func (l *splitLine) addr(column int) (Addr, bool) {
	start, end := l.start(column), l.end(column)
	if v, ok := fastV4(l.b, start, end); ok {
		return V4(v), true
	}
	return parseAddr(l.b[start:end])
}

// sameAddr says whether two columns hold the same text of an IPv4 address, from 7 to 15 bytes. It may miss one beside the end of a line.
func (l *splitLine) sameAddr(a, b int) bool {
	startA, endA, startB, endB := l.start(a), l.end(a), l.start(b), l.end(b)
	n := endA - startA
	return n == endB-startB && uint(n-7) <= 8 &&
		binary.LittleEndian.Uint64(l.b[startA:]) == binary.LittleEndian.Uint64(l.b[startB:]) &&
		binary.LittleEndian.Uint64(l.b[endA-8:]) == binary.LittleEndian.Uint64(l.b[endB-8:])
}

// uint reads a number, 0 where missing.
func (l *splitLine) uint(column int) (uint64, bool) {
	if v, ok := fastUint(l.b, l.start(column), l.end(column)); ok {
		return v, true
	}
	return 0, l.missing(column)
}

// is says whether a column holds a word of n bytes, up to 8, given as word returns it.
func (l *splitLine) is(column, n int, w uint64) bool {
	end := l.end(column)
	return end-l.start(column) == n && word(l.b, end, n) == w
}

// Words that columns hold.
var (
	wordReject  = wordOf("REJECT")
	wordOK      = wordOf("OK")
	wordIngress = wordOf("ingress")
	wordEgress  = wordOf("egress")
)

func wordOf(text string) (w uint64) {
	for i := range len(text) {
		w |= uint64(text[i]) << (8 * i)
	}
	return w
}

// decode fills the record from a data row of the usual form. It says false for any other line, which the readable path decodes then; the record holds
// nothing of value in that case.
func (l *splitLine) decode(p *fastPlan, times *timeCache, record *Record) bool {
	if p.status >= 0 && !l.is(p.status, 2, wordOK) {
		return false
	}
	record.Status = StatusOK
	if !l.decodeAddresses(p, record) || !l.decodeNumbers(p, record) || !l.decodeTimes(p, times, record) {
		return false
	}
	if p.action >= 0 {
		record.Rejected = l.is(p.action, 6, wordReject)
	}
	if p.direction >= 0 {
		record.Direction = l.direction(p.direction)
	}
	l.decodeTexts(p, record)
	if len(p.names) > 0 {
		l.decodeNames(p, record)
	}
	if p.interfaceType >= 0 {
		record.InterfaceType = parseInterfaceType(l.b[l.start(p.interfaceType):l.end(p.interfaceType)])
	}
	if p.nextHopInterfaceType >= 0 {
		record.NextHopInterfaceType = parseInterfaceType(l.b[l.start(p.nextHopInterfaceType):l.end(p.nextHopInterfaceType)])
	}
	return true
}

func (l *splitLine) direction(column int) Direction {
	switch {
	case l.is(column, 7, wordIngress):
		return DirectionIngress
	case l.is(column, 6, wordEgress):
		return DirectionEgress
	default:
		return DirectionUnknown
	}
}

func (l *splitLine) decodeAddresses(p *fastPlan, record *Record) (ok bool) {
	if l.simd && fourV4(&l.b[0], l.bounds, &p.addresses, record.addresses()) {
		return true
	}
	if record.SrcAddr, ok = l.addr(p.srcAddr); !ok {
		return false
	}
	if record.DstAddr, ok = l.addr(p.dstAddr); !ok {
		return false
	}
	record.PktSrcAddr, record.PktDstAddr = record.SrcAddr, record.DstAddr
	if p.pktSrc >= 0 && !l.sameAddr(p.pktSrc, p.srcAddr) && !l.missing(p.pktSrc) {
		if record.PktSrcAddr, ok = l.addr(p.pktSrc); !ok {
			return false
		}
	}
	if p.pktDst >= 0 && !l.sameAddr(p.pktDst, p.dstAddr) && !l.missing(p.pktDst) {
		if record.PktDstAddr, ok = l.addr(p.pktDst); !ok {
			return false
		}
	}
	return true
}

func (l *splitLine) decodeNumbers(p *fastPlan, record *Record) (ok bool) {
	if record.Bytes, ok = l.uint(p.bytes); !ok || record.Bytes > MaxRecordBytes {
		return false
	}
	if p.packets >= 0 {
		if record.Packets, ok = l.uint(p.packets); !ok || record.Packets > MaxRecordBytes {
			return false
		}
	}
	record.SrcPort, record.DstPort = 0, 0
	if record.translated() {
		if p.srcPort >= 0 {
			record.SrcPort = l.port(p.srcPort)
		}
		if p.dstPort >= 0 {
			record.DstPort = l.port(p.dstPort)
		}
	}
	if p.path >= 0 {
		path, ok := l.uint(p.path)
		if !ok || path > trafficPathOther {
			return false
		}
		record.TrafficPath = uint8(path)
	}
	return true
}

func (l *splitLine) port(column int) uint16 {
	v, ok := fastUint(l.b, l.start(column), l.end(column))
	if !ok || v > 65535 {
		return 0
	}
	return uint16(v)
}

// A timeCache remembers the last times read: those of neighbouring rows are often the same.
type timeCache struct {
	start, end cachedTime
}

// cachedTime is a time of ten digits: its last eight ones as a word, and the two before them.
type cachedTime struct {
	low   uint64
	high  uint16
	value int64
}

func (l *splitLine) decodeTimes(p *fastPlan, times *timeCache, record *Record) bool {
	if p.start >= 0 && !l.time(p.start, &times.start, &record.Start) {
		return false
	}
	return p.end < 0 || l.time(p.end, &times.end, &record.End)
}

func (l *splitLine) time(column int, cached *cachedTime, dst *int64) bool {
	const digits = 10
	end := l.end(column)
	if end-l.start(column) != digits {
		return false
	}
	low, high := word(l.b, end, 8), binary.LittleEndian.Uint16(l.b[end-digits:])
	if low == cached.low && high == cached.high {
		*dst = cached.value
		return true
	}
	v, ok := fastUint(l.b, end-digits, end)
	if ok {
		*cached = cachedTime{low, high, int64(v)}
		*dst = int64(v)
	}
	return ok
}

func (l *splitLine) decodeTexts(p *fastPlan, record *Record) {
	if p.account >= 0 {
		record.AccountID = l.text(p.account)
	}
	if p.region >= 0 {
		record.Region = l.text(p.region)
	}
	if p.iface >= 0 {
		record.InterfaceID = l.text(p.iface)
	}
	if p.resource >= 0 {
		record.ResourceID = l.text(p.resource)
	}
	if p.vpc >= 0 {
		record.VPCID = l.text(p.vpc)
	}
	if p.subnet >= 0 {
		record.SubnetID = l.text(p.subnet)
	}
	if p.instance >= 0 {
		record.InstanceID = l.text(p.instance)
	}
	if p.az >= 0 {
		record.AZID = l.text(p.az)
	}
	if p.srcService >= 0 {
		record.PktSrcAWSService = l.text(p.srcService)
	}
	if p.dstService >= 0 {
		record.PktDstAWSService = l.text(p.dstService)
	}
}

func (l *splitLine) decodeNames(p *fastPlan, record *Record) {
	for _, c := range p.names {
		record.Names[c.name%NumNames] = l.text(c.column)
	}
}
