package enrich

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"slices"
)

// A prefixValue gives the addresses of a prefix a value. Value 0 stands for none.
type prefixValue struct {
	prefix netip.Prefix
	value  uint16
}

// A table finds the value of the longest prefix that holds an address. The prefixes are flattened to disjoint ranges, sorted by where they start, so
// a look-up is one binary search; for IPv4, only among the ranges that start within the address's /16. It is immutable, and so safe for concurrent use.
type table struct {
	v4 []range4
	// v4Index[i] is the position of the first IPv4 range that starts at or after i<<16.
	v4Index []uint32
	v6      []range6
	// v6High[i] is the upper half of where v6[i] starts: nearly all prefixes are at most 64 bits long, and the search goes through less memory.
	v6High []uint64
}

// A range reaches from its start to that of the next one.
type range4 struct {
	start uint32
	value uint16
}

type range6 struct {
	start bits128
	value uint16
}

// bits128 is an address as a number. An IPv4 address has its IPv4-mapped form.
type bits128 struct{ hi, lo uint64 }

const (
	v4Mapped    = uint64(0xffff) << 32
	nat64Prefix = uint64(0x0064ff9b) << 32
)

func bitsOf(a netip.Addr) bits128 {
	b := a.As16()
	return bits128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (b bits128) addr() netip.Addr {
	var bytes [16]byte
	binary.BigEndian.PutUint64(bytes[:8], b.hi)
	binary.BigEndian.PutUint64(bytes[8:], b.lo)
	return netip.AddrFrom16(bytes).Unmap()
}

func (b bits128) is4() bool { return b.hi == 0 && b.lo>>32 == 0xffff }

func (b bits128) compare(other bits128) int {
	if c := cmp.Compare(b.hi, other.hi); c != 0 {
		return c
	}
	return cmp.Compare(b.lo, other.lo)
}

// next returns the following address, and false after the last one.
func (b bits128) next() (bits128, bool) {
	b.lo++
	if b.lo == 0 {
		b.hi++
	}
	return b, b != bits128{}
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) bits128 {
	b := bitsOf(p.Addr())
	host := p.Addr().BitLen() - p.Bits()
	switch {
	case host >= 128:
		return bits128{math.MaxUint64, math.MaxUint64}
	case host >= 64:
		return bits128{b.hi | (1<<(host-64) - 1), math.MaxUint64}
	default:
		return bits128{b.hi, b.lo | (1<<host - 1)}
	}
}

// newTable takes prefixes without host bits, each at most once, in any order, and sorts them in place.
func newTable(prefixes []prefixValue) *table {
	slices.SortFunc(prefixes, func(a, b prefixValue) int {
		return cmp.Or(bitsOf(a.prefix.Addr()).compare(bitsOf(b.prefix.Addr())), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
	})
	var four, six flattener
	for _, p := range prefixes {
		if p.prefix.Addr().Is4() {
			four.add(p)
		} else {
			six.add(p)
		}
	}
	t := &table{}
	t.setV4(four.finish())
	t.setV6(six.finish())
	return t
}

func (t *table) setV4(ranges []range6) {
	t.v4 = make([]range4, 1, len(ranges)+1) // The first one starts at 0 and has no value.
	for _, r := range ranges {
		switch start := uint32(r.start.lo); {
		case !r.start.is4(): // What follows the last IPv4 address.
		case start == 0:
			t.v4[0].value = r.value
		default:
			t.v4 = append(t.v4, range4{start, r.value})
		}
	}
	t.v4Index = make([]uint32, 1<<16+1)
	i := 0
	for high := range uint32(1 << 16) {
		for i < len(t.v4) && t.v4[i].start>>16 < high {
			i++
		}
		t.v4Index[high] = uint32(i)
	}
	t.v4Index[1<<16] = uint32(len(t.v4))
}

func (t *table) setV6(ranges []range6) {
	t.v6 = append([]range6{{}}, ranges...) // The first one starts at :: and has no value.
	if len(ranges) > 0 && ranges[0].start == (bits128{}) {
		t.v6 = t.v6[1:]
	}
	t.v6High = make([]uint64, len(t.v6))
	for i, r := range t.v6 {
		t.v6High[i] = r.start.hi
	}
}

// flattener turns nested prefixes, sorted by their first address and then the longer one last, into disjoint ranges.
type flattener struct {
	ranges []range6
	open   []openPrefix
}

type openPrefix struct {
	last  bits128
	value uint16
}

func (f *flattener) add(p prefixValue) {
	start := bitsOf(p.prefix.Addr())
	f.close(start)
	f.start(start, p.value)
	f.open = append(f.open, openPrefix{lastOf(p.prefix), p.value})
}

// close ends the prefixes that end before an address.
func (f *flattener) close(before bits128) {
	for len(f.open) > 0 && f.open[len(f.open)-1].last.compare(before) < 0 {
		f.pop()
	}
}

func (f *flattener) pop() {
	top := f.open[len(f.open)-1]
	f.open = f.open[:len(f.open)-1]
	after, ok := top.last.next()
	if !ok {
		return
	}
	var outer uint16
	if len(f.open) > 0 {
		outer = f.open[len(f.open)-1].value
	}
	f.start(after, outer)
}

// start begins a range. Of several that start at one address the last one said counts, since outer prefixes are closed after inner ones, and inner
// ones opened after outer ones.
func (f *flattener) start(at bits128, value uint16) {
	if n := len(f.ranges); n > 0 && f.ranges[n-1].start == at {
		f.ranges[n-1].value = value
		return
	}
	f.ranges = append(f.ranges, range6{at, value})
}

func (f *flattener) finish() []range6 {
	for len(f.open) > 0 {
		f.pop()
	}
	return f.ranges
}

// lookup returns the value of an address, given as the two halves of its 16 bytes. An IPv4 address may be IPv4-mapped or inside 64:ff9b::/96.
func (t *table) lookup(hi, lo uint64) uint16 {
	if lo>>32 == 0xffff && hi == 0 || lo>>32 == 0 && hi == nat64Prefix {
		return t.lookup4(uint32(lo))
	}
	return t.lookup6(bits128{hi, lo})
}

func (t *table) lookup4(a uint32) uint16 {
	low, high := t.v4Index[a>>16], t.v4Index[a>>16+1]
	for low < high {
		if middle := (low + high) / 2; t.v4[middle].start <= a {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return t.v4[low-1].value // The range that starts at 0 makes low at least 1.
}

func (t *table) lookup6(a bits128) uint16 {
	// The last range whose upper half is not above that of the address. The comparison is arithmetic, since half of the branches would be
	// predicted wrongly.
	at := 0
	for n := len(t.v6High); n > 1; {
		half := n / 2
		_, above := bits.Sub64(a.hi, t.v6High[at+half], 0)
		at += half & (int(above) - 1)
		n -= half
	}
	if r := &t.v6[at]; r.start.hi == a.hi && r.start.lo > a.lo {
		// Several ranges start within one /64.
		position, found := slices.BinarySearchFunc(t.v6[:at], a, func(r range6, a bits128) int { return r.start.compare(a) })
		if !found {
			position--
		}
		return t.v6[position].value
	}
	return t.v6[at].value
}
