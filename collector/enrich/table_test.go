package enrich

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// longest is the look-up that the table must agree with: it tries every prefix.
func longest(prefixes []prefixValue, addr netip.Addr) uint16 {
	best, value := -1, uint16(0)
	for _, p := range prefixes {
		if p.prefix.Contains(addr) && p.prefix.Bits() > best {
			best, value = p.prefix.Bits(), p.value
		}
	}
	return value
}

// randomPrefixes draws prefixes from a small part of the address space, so that they nest, touch and share their first addresses.
func randomPrefixes(random *rand.Rand, n int) []prefixValue {
	seen := make(map[netip.Prefix]bool)
	var prefixes []prefixValue
	for range n {
		addr := randomAddr(random)
		prefix := netip.PrefixFrom(addr, random.IntN(addr.BitLen()+1)).Masked()
		if !seen[prefix] {
			seen[prefix] = true
			prefixes = append(prefixes, prefixValue{prefix, uint16(1 + random.IntN(5))})
		}
	}
	return prefixes
}

func randomAddr(random *rand.Rand) netip.Addr {
	edges := []byte{0, 1, 127, 128, 254, 255}
	edge := func() byte { return edges[random.IntN(len(edges))] }
	if random.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte{edge(), edge(), edge(), edge()})
	}
	var b [16]byte
	b[0] = 0x26 // Not ::ffff:0:0/96, which is IPv4.
	if random.IntN(4) == 0 {
		b[0] = 0xff
	}
	for i := 1; i < len(b); i++ {
		b[i] = edge()
	}
	return netip.AddrFrom16(b)
}

func TestTableLookupRandom(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		prefixes := randomPrefixes(random, random.IntN(40))
		table := newTable(append([]prefixValue(nil), prefixes...))
		for range 300 {
			addr := randomAddr(random)
			b := bitsOf(addr)
			if got, want := table.lookup(b.hi, b.lo), longest(prefixes, addr); got != want {
				t.Fatalf("seed %d: %s has value %d, want %d of %v", seed, addr, got, want, prefixes)
			}
		}
	}
}

// TestTableLookupEdges looks at both sides of both ends of each prefix.
func TestTableLookupEdges(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 2))
		prefixes := randomPrefixes(random, 30)
		table := newTable(append([]prefixValue(nil), prefixes...))
		for _, p := range prefixes {
			first, last := p.prefix.Addr(), lastOf(p.prefix).addr()
			if !p.prefix.Contains(last) || p.prefix.Contains(last.Next()) {
				t.Fatalf("last address of %s is %s", p.prefix, last)
			}
			for _, addr := range []netip.Addr{first.Prev(), first, last, last.Next()} {
				if !addr.IsValid() || addr.Is4In6() {
					continue
				}
				b := bitsOf(addr)
				if got, want := table.lookup(b.hi, b.lo), longest(prefixes, addr); got != want {
					t.Fatalf("seed %d: %s has value %d, want %d of %v", seed, addr, got, want, prefixes)
				}
			}
		}
	}
}

func TestTableLookupNAT64(t *testing.T) {
	table := newTable([]prefixValue{{netip.MustParsePrefix("192.0.2.0/24"), 7}, {netip.MustParsePrefix("::/0"), 3}})
	for text, want := range map[string]uint16{"192.0.2.9": 7, "64:ff9b::192.0.2.9": 7, "64:ff9b::192.0.3.9": 0, "64:ff9b:0:0:1::c000:209": 3, "::192.0.2.9": 3} {
		b := bitsOf(netip.MustParseAddr(text))
		if got := table.lookup(b.hi, b.lo); got != want {
			t.Errorf("%s has value %d, want %d", text, got, want)
		}
	}
}

func TestEmptyTable(t *testing.T) {
	table := newTable(nil)
	for _, text := range []string{"0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		b := bitsOf(netip.MustParseAddr(text))
		if got := table.lookup(b.hi, b.lo); got != 0 {
			t.Errorf("%s has value %d, want none", text, got)
		}
	}
}
