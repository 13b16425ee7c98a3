package enrich

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// syntheticRanges writes a file of the size and the prefix lengths that AWS's has.
func syntheticRanges(tb testing.TB) []byte {
	tb.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	bits4 := []int{24, 24, 24, 32, 22, 23, 16, 26, 31, 29, 28, 15, 21, 27, 20, 18, 12}
	bits6 := []int{40, 40, 40, 48, 48, 56, 36, 60, 39, 47, 64, 128}
	services := []string{"AMAZON", "AMAZON", "AMAZON", "EC2", "S3", "ROUTE53_RESOLVER", "CLOUDFRONT", "DYNAMODB"}
	regions := []string{"us-east-1", "us-west-2", "eu-west-1", "eu-west-3", "ap-southeast-1", "GLOBAL"}
	items := func(key string, n int, bits []int, draw func() netip.Addr) []map[string]string {
		list := make([]map[string]string, n)
		for i := range list {
			list[i] = map[string]string{
				key:       netip.PrefixFrom(draw(), bits[random.IntN(len(bits))]).Masked().String(),
				"region":  regions[random.IntN(len(regions))],
				"service": services[random.IntN(len(services))],
			}
		}
		return list
	}
	data, err := json.Marshal(map[string]any{
		"syncToken": "1", "createDate": "2026-01-01-00-00-00",
		"prefixes":      items("ip_prefix", 10_668, bits4, func() netip.Addr { return clusteredAddr4(random) }),
		"ipv6_prefixes": items("ipv6_prefix", 6_160, bits6, func() netip.Addr { return clusteredAddr6(random) }),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// clusteredAddr4 draws from as few /8 networks as AWS has.
func clusteredAddr4(random *rand.Rand) netip.Addr {
	first := []byte{3, 13, 15, 16, 18, 34, 35, 43, 44, 50, 51, 52, 54, 63, 99, 130, 142, 157, 175, 184, 204, 205, 216}
	b := [4]byte{first[random.IntN(len(first))]}
	for i := 1; i < len(b); i++ {
		b[i] = byte(random.Uint32())
	}
	return netip.AddrFrom4(b)
}

func clusteredAddr6(random *rand.Rand) netip.Addr {
	first := []byte{0x00, 0x05, 0x06, 0x07, 0x1f}
	b := [16]byte{0x26, 0x00, first[random.IntN(len(first))]}
	for i := 3; i < len(b); i++ {
		b[i] = byte(random.Uint32())
	}
	return netip.AddrFrom16(b)
}

func BenchmarkRangesLookup(b *testing.B) {
	ranges, err := ParseRanges(syntheticRanges(b))
	if err != nil {
		b.Fatal(err)
	}
	benchmarkLookup(b, ranges)
}

// benchmarkLookup looks up addresses in an order that no cache can guess.
func benchmarkLookup(b *testing.B, ranges *Ranges) {
	for name, draw := range map[string]func(*rand.Rand) netip.Addr{"v4": clusteredAddr4, "v6": clusteredAddr6} {
		b.Run(name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(3, 4))
			var addrs [1 << 14]bits128
			for i := range addrs {
				addrs[i] = bitsOf(draw(random))
			}
			b.ReportAllocs()
			found, i := 0, 0
			for b.Loop() {
				a := addrs[i&(len(addrs)-1)]
				if _, _, ok := ranges.Lookup(a.hi, a.lo); ok {
					found++
				}
				i++
			}
			if i > len(addrs) && (found == 0 || found == i) {
				b.Errorf("found %d of %d addresses, want some", found, i)
			}
		})
	}
}

func BenchmarkParseRanges(b *testing.B) {
	data := syntheticRanges(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRanges(data); err != nil {
			b.Fatal(err)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	ranges, err := ParseRanges(syntheticRanges(t))
	if err != nil {
		t.Fatal(err)
	}
	networks, err := NewNetworks(map[string][]netip.Prefix{"office": {netip.MustParsePrefix("10.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"3.5.140.1", "10.1.2.3", "2600:1f00::1"} {
		a := bitsOf(netip.MustParseAddr(text))
		if n := testing.AllocsPerRun(100, func() { ranges.Lookup(a.hi, a.lo); networks.Lookup(a.hi, a.lo) }); n != 0 {
			t.Errorf("looking up %s allocates %v times, want none", text, n)
		}
	}
}
