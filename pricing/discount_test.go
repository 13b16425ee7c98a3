package pricing

import (
	"math"
	"slices"
	"testing"
)

func TestDiscountGroups(t *testing.T) {
	want := []string{"nat", "internet_egress", "cross_az", "interface_endpoint"}
	if got := DiscountGroups(); !slices.Equal(got, want) {
		t.Errorf("groups are %q, want %q", got, want)
	}
	for _, item := range Items() {
		if !slices.Contains(want, discountGroups[item]) {
			t.Errorf("%s is in no group", item)
		}
	}
}

// TestDiscounts has two accounts of a bill: 10.5 % off NAT for one, for the
// others 8 %, and a price of its own in one region.
func TestDiscounts(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Discounts = Discounts{"nat": 0.08, "cross_az": 0.5}
	cfg.AccountDiscounts = map[string]Discounts{
		"111111111111": {"nat": 0.105},
		"222222222222": {"nat": 0},
	}
	cfg.Overrides = map[string]map[string]float64{"us-west-2": {"nat_gb": 0.04}}
	cfg.Gateways = map[string]float64{"nat-0b": 0.03}
	p := newPrices(t, cfg)
	cfg.Discounts["nat"], cfg.AccountDiscounts["111111111111"]["nat"] = 0.9, 0.9 // Not the prices' own.

	for _, test := range []struct {
		account, region string
		item            Item
		want, share     float64
	}{
		{"333333333333", "us-east-2", NATGB, 0.0414, 0.08},
		{"", "us-east-2", NATGB, 0.0414, 0.08},
		{"", "eu-west-1", NATHour, 0.04416, 0.08},
		{"", "us-east-2", CrossAZGB, 0.005, 0.5},
		{"", "us-east-2", InternetEgressGB, 0.09, 0},
		{"111111111111", "us-east-2", NATGB, 0.040275, 0.105},
		{"111111111111", "us-east-2", CrossAZGB, 0.005, 0.5},
		{"222222222222", "us-east-2", NATGB, 0.045, 0},
		{"111111111111", "us-west-2", NATGB, 0.04, 0},
		{"111111111111", "us-west-2", NATHour, 0.040275, 0.105},
	} {
		rate, ok := p.Account(test.account).Price(test.region, test.item)
		if !ok || math.Abs(rate.USD-test.want) > 1e-12 || rate.Discount != test.share {
			t.Errorf("%s of %q in %s is %+v, %v, want %v less %v", test.item, test.account, test.region, rate, ok, test.want, test.share)
		}
	}
	if usd, ok := p.Account("111111111111").GatewayPerGB("us-east-2", "nat-0b"); !ok || usd != 0.03 {
		t.Errorf("a gateway's own price is discounted: %v, %v", usd, ok)
	}
	if usd, ok := p.Account("111111111111").GatewayPerGB("us-east-2", "nat-0c"); !ok || math.Abs(usd-0.040275) > 1e-12 {
		t.Errorf("a gateway costs %v, %v", usd, ok)
	}
	if rate, ok := p.Account("111111111111").Price("cn-north-1", NATGB); ok || rate != (Rate{}) {
		t.Errorf("a discount made a price: %+v", rate)
	}
}

func TestDiscountsRefused(t *testing.T) {
	for want, discounts := range map[string]Discounts{
		"pricing.discount.nat: got 8, want a share from 0 to below 1":         {"nat": 8},
		"pricing.discount.nat: got 1, want a share from 0 to below 1":         {"nat": 1},
		"pricing.discount.cross_az: got -0.1, want a share from 0 to below 1": {"cross_az": -0.1},
		"pricing.discount.nat: got NaN, want a share from 0 to below 1":       {"nat": math.NaN()},
		"pricing.discount.nat_gb: unknown group, want one of nat, internet_egress, cross_az, interface_endpoint": {
			"nat_gb": 0.1,
		},
	} {
		cfg := DefaultConfig()
		cfg.Discounts = discounts
		if _, err := New(Default(), cfg); err == nil || err.Error() != want {
			t.Errorf("error is %q, want %q", err, want)
		}
	}
	cfg := DefaultConfig()
	cfg.AccountDiscounts = map[string]Discounts{"": {"nat": 2}}
	want := "pricing.account_discounts.: got no account\npricing.account_discounts..nat: got 2, want a share from 0 to below 1"
	if _, err := New(Default(), cfg); err == nil || err.Error() != want {
		t.Errorf("error is %q, want %q", err, want)
	}
}
