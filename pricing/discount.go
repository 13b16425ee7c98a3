package pricing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Discounts are shares of the list price that an account does not pay, by group
// of items: 0.08 is 8 % off. The groups are those of [DiscountGroups].
type Discounts map[string]float64

// discountGroups says which items a discount covers. AWS grants them by kind of
// usage, hours and GB alike.
var discountGroups = map[Item]string{
	NATGB:                 "nat",
	NATHour:               "nat",
	InternetEgressGB:      "internet_egress",
	CrossAZGB:             "cross_az",
	InterfaceEndpointHour: "interface_endpoint",
	InterfaceEndpointGB:   "interface_endpoint",
}

// DiscountGroups returns the groups in a fixed order.
func DiscountGroups() []string {
	var groups []string
	for _, item := range Items() {
		groups = append(groups, discountGroups[item])
	}
	return slices.Compact(groups)
}

func (d Discounts) validate(path string) []error {
	var errs []error
	for _, group := range slices.Sorted(maps.Keys(d)) {
		switch share := d[group]; {
		case !slices.Contains(DiscountGroups(), group):
			errs = append(errs, fmt.Errorf("%s.%s: unknown group, want one of %s", path, group, strings.Join(DiscountGroups(), ", ")))
		case !(share >= 0 && share < 1):
			errs = append(errs, fmt.Errorf("%s.%s: got %v, want a share from 0 to below 1", path, group, share))
		}
	}
	return errs
}

// AccountPrices are the prices that one account pays. They are as immutable as
// the [Prices] that they belong to.
type AccountPrices struct {
	prices    *Prices
	discounts Discounts
}

// Account returns the prices of an account. One that the configuration does not
// name pays what all pay.
func (p *Prices) Account(account string) AccountPrices {
	return AccountPrices{prices: p, discounts: p.accounts[account]}
}

// Price is [Prices.Price] for the account. A discount of the account takes the
// place of the one for all, item by item; neither applies to a price that the
// user has set.
func (a AccountPrices) Price(region string, item Item) (rate Rate, ok bool) {
	p := a.prices
	if usd, ok := p.overrides[key{region, item}]; ok {
		return Rate{USD: usd, Source: SourceConfig, Override: true}, true
	}
	rate, ok = p.table.Price(region, item)
	group := discountGroups[item]
	share, own := a.discounts[group]
	if !own {
		share = p.discounts[group]
	}
	if ok && share > 0 {
		rate.USD, rate.Discount = rate.USD*(1-share), share
	}
	return rate, ok
}

// NATPerGB is [Prices.NATPerGB] for the account.
func (a AccountPrices) NATPerGB(region string) (usd float64, ok bool) {
	rate, ok := a.Price(region, NATGB)
	return rate.USD, ok
}

// GatewayPerGB is [Prices.GatewayPerGB] for the account.
func (a AccountPrices) GatewayPerGB(region, gateway string) (usd float64, ok bool) {
	if usd, ok := a.prices.gateways[gateway]; ok {
		return usd, true
	}
	return a.NATPerGB(region)
}
