package pricing

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func newPrices(t *testing.T, cfg Config) *Prices {
	t.Helper()
	p, err := New(Default(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPrices(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Overrides = map[string]map[string]float64{
		"eu-west-3":      {"nat_gb": 0.041},
		"us-east-1":      {"nat_gb": 0, "cross_az_gb": 0.008},
		"cn-northwest-1": {"nat_gb": 0.051},
	}
	cfg.Gateways = map[string]float64{"eni-0a": 0, "nat-0b": 0.03}
	p := newPrices(t, cfg)

	override := func(usd float64) Rate { return Rate{USD: usd, Source: SourceConfig, Override: true} }
	listed := func(region string, item Item) Rate {
		rate, ok := Default().Price(region, item)
		if !ok {
			t.Fatalf("%s in %s is not listed", item, region)
		}
		return rate
	}
	for _, test := range []struct {
		region string
		item   Item
		want   Rate
		ok     bool
	}{
		{"eu-west-3", NATGB, override(0.041), true},
		{"eu-west-3", NATHour, listed("eu-west-3", NATHour), true},
		{"us-east-1", NATGB, override(0), true},
		{"us-east-1", CrossAZGB, override(0.008), true},
		{"cn-northwest-1", NATGB, override(0.051), true},
		{"cn-northwest-1", NATHour, Rate{}, false},
		{"eu-west-1", NATGB, listed("eu-west-1", NATGB), true},
		{"moon-north-1", NATGB, Rate{}, false},
		{"", NATGB, Rate{}, false},
		{"ap-east-2", InternetEgressGB, Rate{}, false},
		{"eu-west-3", "nat_tb", Rate{}, false},
	} {
		if got, ok := p.Price(test.region, test.item); ok != test.ok || got != test.want {
			t.Errorf("%s in %q is %+v, %v, want %+v, %v", test.item, test.region, got, ok, test.want, test.ok)
		}
	}

	for _, test := range []struct {
		region, gateway string
		want            float64
		ok              bool
	}{
		{"eu-west-1", "eni-0a", 0, true},
		{"eu-west-1", "nat-0b", 0.03, true},
		{"eu-west-1", "eni-0c", 0.048, true},
		{"eu-west-3", "eni-0c", 0.041, true},
		{"moon-north-1", "eni-0a", 0, true},
		{"moon-north-1", "eni-0c", 0, false},
	} {
		if got, ok := p.GatewayPerGB(test.region, test.gateway); ok != test.ok || got != test.want {
			t.Errorf("a GB through %s in %s is %v, %v, want %v, %v", test.gateway, test.region, got, ok, test.want, test.ok)
		}
	}
	if usd, ok := p.NATPerGB("us-east-1"); !ok || usd != 0 {
		t.Errorf("overridden with 0: %v, %v", usd, ok)
	}
	if _, ok := p.NATPerGB("moon-north-1"); ok {
		t.Error("a region that nobody prices has a price")
	}
	if got := p.Cost(1<<31, 0.05); got != 0.1 {
		t.Errorf("2 GB at 0.05 cost %v", got)
	}
	want := slices.Insert(slices.Clone(defaultRegions), slices.Index(defaultRegions, "eu-central-1"), "cn-northwest-1")
	if got := p.Regions(); !slices.Equal(got, want) {
		t.Errorf("regions are %q, want %q", got, want)
	}
}

// TestPricesAreCopied changes the configuration's maps afterwards.
func TestPricesAreCopied(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Overrides = map[string]map[string]float64{"eu-west-3": {"nat_gb": 0.041}}
	cfg.Gateways = map[string]float64{"nat-0b": 0.03}
	p := newPrices(t, cfg)
	cfg.Overrides["eu-west-3"]["nat_gb"] = 9
	cfg.Gateways["nat-0b"] = 9
	if usd, _ := p.NATPerGB("eu-west-3"); usd != 0.041 {
		t.Errorf("override is %v, want 0.041", usd)
	}
	if usd, _ := p.GatewayPerGB("eu-west-3", "nat-0b"); usd != 0.03 {
		t.Errorf("price of the gateway is %v, want 0.03", usd)
	}
}

func TestConfigRefused(t *testing.T) {
	override := func(region, item string, usd float64) Config {
		return Config{BytesPerGB: 1e9, Overrides: map[string]map[string]float64{region: {item: usd}}}
	}
	tests := map[string]struct {
		cfg  Config
		want string
	}{
		"no unit":         {Config{}, "pricing.bytes_per_gb: got 0, want a number above 0"},
		"negative unit":   {Config{BytesPerGB: -1}, "pricing.bytes_per_gb: got -1, want a number above 0"},
		"NaN unit":        {Config{BytesPerGB: math.NaN()}, "pricing.bytes_per_gb: got NaN, want a number above 0"},
		"infinite unit":   {Config{BytesPerGB: math.Inf(1)}, "pricing.bytes_per_gb: got +Inf, want a number above 0"},
		"negative":        {override("eu-west-3", "nat_gb", -0.1), "pricing.overrides.eu-west-3.nat_gb: got -0.1, want a price of 0 or more"},
		"NaN":             {override("eu-west-3", "nat_hour", math.NaN()), "pricing.overrides.eu-west-3.nat_hour: got NaN, want a price of 0 or more"},
		"infinite":        {override("eu-west-3", "nat_gb", math.Inf(1)), "pricing.overrides.eu-west-3.nat_gb: got +Inf, want a price of 0 or more"},
		"unknown item":    {override("eu-west-3", "nat_tb", 1), "pricing.overrides.eu-west-3.nat_tb: unknown item, want one of nat_gb, nat_hour, internet_egress_gb, cross_az_gb, interface_endpoint_hour, interface_endpoint_gb"},
		"no region":       {override("", "nat_gb", 1), `pricing.overrides.: got region "", want a name like "eu-west-3"`},
		"region of space": {override("eu west", "nat_gb", 1), `pricing.overrides.eu west: got region "eu west", want a name like "eu-west-3"`},
		"gateway":         {Config{BytesPerGB: 1, Gateways: map[string]float64{"nat-1": -1}}, `flow_logs.nat_gateways "nat-1": nat_gb: got -1, want a price of 0 or more`},
		"no gateway":      {Config{BytesPerGB: 1, Gateways: map[string]float64{"": 1}}, "flow_logs.nat_gateways: nat_gb: gateway has neither eni nor id"},
		"all at once": {
			Config{
				Overrides: map[string]map[string]float64{"b": {"y": 1, "x": 1}, "a": {"nat_gb": -1}},
			},
			"pricing.bytes_per_gb: got 0|pricing.overrides.a.nat_gb: got -1|pricing.overrides.b.x: unknown|pricing.overrides.b.y: unknown",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := New(Default(), test.cfg)
			if err == nil || p != nil {
				t.Fatalf("prices %v, error %v", p, err)
			}
			lines := strings.Split(err.Error(), "\n")
			wants := strings.Split(test.want, "|")
			if len(lines) != len(wants) {
				t.Fatalf("error is %q, want %d lines", err, len(wants))
			}
			for i, want := range wants {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("line %d is %q, want %q", i, lines[i], want)
				}
			}
		})
	}
}
