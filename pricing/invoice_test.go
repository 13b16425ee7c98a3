package pricing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestInvoices prices a month by hand-computed invoices, one per class of regions.
// A GB is 2^30 bytes, a month of hours 730.
func TestInvoices(t *testing.T) {
	const gb = 1 << 30
	for _, invoice := range []struct {
		region         string
		in, out        uint64 // Bytes through the gateway from and to the internet.
		azs            int
		data, hours    string // Of the gateway.
		egress, cross  string // Of what it sends, and of all if the client is in another zone.
		endpointMonth  string
		priced, egrOK  bool
		crossPriceable bool
	}{
		{
			// 1,500 GB + 350.5 GB at 0.045 = 83.2725; 730 h at 0.045 = 32.85; 350.5 GB at 0.09 = 31.545;
			// 1,850.5 GB at 0.02 = 37.01; 3 x 730 h at 0.01 = 21.90.
			region: "us-east-1", in: 1500 * gb, out: 350*gb + gb/2, azs: 3,
			data: "83.2725", hours: "32.8500", egress: "31.5450", cross: "37.0100", endpointMonth: "21.9000",
			priced: true, egrOK: true, crossPriceable: true,
		},
		{
			// 1,000 GB + 1,000 GB at 0.054 = 108; 730 h at 0.054 = 39.42; 1,000 GB at 0.155 = 155;
			// 2,000 GB at 0.02 = 40; 2 x 730 h at 0.0125 = 18.25.
			region: "us-gov-west-1", in: 1000 * gb, out: 1000 * gb, azs: 2,
			data: "108.0000", hours: "39.4200", egress: "155.0000", cross: "40.0000", endpointMonth: "18.2500",
			priced: true, egrOK: true, crossPriceable: true,
		},
		{
			// NAT alone is known: 10 GB + 0.25 GB at 0.0558 = 0.57195; 730 h at 0.0558 = 40.734; 730 h at 0.0126 = 9.198.
			region: "ap-east-2", in: 10 * gb, out: gb / 4, azs: 1,
			data: "0.5720", hours: "40.7340", endpointMonth: "9.1980", priced: true,
		},
		// Nothing is known, so nothing is 0.
		{region: "cn-northwest-1", in: gb, out: gb, azs: 3},
	} {
		p := newPrices(t, DefaultConfig())
		line := func(what string, usd float64, ok, wantOK bool, want string) {
			t.Helper()
			if ok != wantOK || ok && fmt.Sprintf("%.4f", usd) != want {
				t.Errorf("%s: %s is %.4f, priced %v, want %s, priced %v", invoice.region, what, usd, ok, want, wantOK)
			}
		}
		perGB, ok := p.GatewayPerGB(invoice.region, "eni-0a")
		line("data", p.Cost(invoice.in, perGB)+p.Cost(invoice.out, perGB), ok, invoice.priced, invoice.data)
		hours, ok := p.NATMonth(invoice.region)
		line("hours", hours, ok, invoice.priced, invoice.hours)
		egress, ok := p.Price(invoice.region, InternetEgressGB)
		line("egress", p.Cost(invoice.out, egress.USD), ok, invoice.egrOK, invoice.egress)
		cross, ok := p.CrossAZBothEnds(invoice.region)
		line("cross-AZ", p.Cost(invoice.in+invoice.out, cross), ok, invoice.crossPriceable, invoice.cross)
		endpoint, ok := p.EndpointMonth(invoice.region, invoice.azs)
		line("endpoint", endpoint, ok, invoice.priced, invoice.endpointMonth)
	}
}

// TestCostIsTheSumOverKeys draws keys, bytes and prices, splits the bytes of each
// key over files in a random order, and wants the cost of the sum, from the
// integer bytes of a key, to be that of the parts.
func TestCostIsTheSumOverKeys(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		p, regions, gateways := drawPrices(t, rng)
		total, exact, split := 0.0, 0.0, 0.0
		for range 1 + rng.IntN(30) {
			account := []string{"111111111111", "222222222222"}[rng.IntN(2)]
			region, gateway := regions[rng.IntN(len(regions))], gateways[rng.IntN(len(gateways))]
			usd, ok := p.Account(account).GatewayPerGB(region, gateway)
			if !ok {
				t.Fatalf("%s has no price", region)
			}
			bytes := rng.Uint64N(1 << 45)
			total += p.Cost(bytes, usd)
			exact += float64(bytes) * usd / p.BytesPerGB()
			for left := bytes; left > 0; {
				part := 1 + rng.Uint64N(left)
				split += p.Cost(part, usd)
				left -= part
			}
		}
		if math.Abs(total-exact) > 1e-9*exact || math.Abs(split-exact) > 1e-9*exact {
			t.Fatalf("the keys cost %v, their files %v, want %v", total, split, exact)
		}
	}
}

func drawPrices(t *testing.T, rng *rand.Rand) (p *Prices, regions, gateways []string) {
	cfg := DefaultConfig()
	if rng.IntN(2) == 0 {
		cfg.BytesPerGB = 1e9
	}
	cfg.Discounts = Discounts{"nat": rng.Float64() / 2}
	cfg.AccountDiscounts = map[string]Discounts{"111111111111": {"nat": rng.Float64() / 2}}
	cfg.Overrides = map[string]map[string]float64{"cn-north-1": {"nat_gb": rng.Float64()}}
	cfg.Gateways = map[string]float64{"eni-0a": 0, "nat-0b": rng.Float64()}
	return newPrices(t, cfg), append([]string{"cn-north-1"}, defaultRegions...), []string{"eni-0a", "nat-0b", "eni-0c"}
}
