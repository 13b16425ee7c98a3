package pricing

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Config is what the user says about prices.
type Config struct {
	// BytesPerGB is how many bytes are billed as one GB.
	BytesPerGB float64
	// Overrides replace list prices, by region and item, in US dollars. The
	// region need not be in the list: this is how one that is missing gets a
	// price. 0 is a price like any other.
	Overrides map[string]map[string]float64
	// Gateways replace the price per processed GB of single NAT gateways, by
	// network interface id (eni-) or NAT gateway id (nat-), in US dollars. A
	// gateway with provisioned bandwidth has 0.
	Gateways map[string]float64
	// Discounts are shares off the list prices of all accounts.
	Discounts Discounts
	// AccountDiscounts take the place of Discounts, by account and group.
	AccountDiscounts map[string]Discounts
}

// DefaultConfig returns list prices for binary gigabytes.
func DefaultConfig() Config {
	return Config{BytesPerGB: DefaultBytesPerGB}
}

// Validate checks all values and returns all errors, in a fixed order. Each
// names the key's path in the configuration file.
func (c Config) Validate() error {
	var errs []error
	if math.IsNaN(c.BytesPerGB) || math.IsInf(c.BytesPerGB, 0) || c.BytesPerGB <= 0 {
		errs = append(errs, fmt.Errorf("pricing.bytes_per_gb: got %v, want a number above 0", c.BytesPerGB))
	}
	for _, region := range slices.Sorted(maps.Keys(c.Overrides)) {
		errs = append(errs, validateRegion(region, c.Overrides[region])...)
	}
	errs = append(errs, c.Discounts.validate("pricing.discount")...)
	for _, account := range slices.Sorted(maps.Keys(c.AccountDiscounts)) {
		path := "pricing.account_discounts." + account
		if account == "" {
			errs = append(errs, fmt.Errorf("%s: got no account", path))
		}
		errs = append(errs, c.AccountDiscounts[account].validate(path)...)
	}
	for _, gateway := range slices.Sorted(maps.Keys(c.Gateways)) {
		if gateway == "" {
			errs = append(errs, errors.New("flow_logs.nat_gateways: nat_gb: gateway has neither eni nor id"))
		}
		if usd := c.Gateways[gateway]; !isPrice(usd) {
			errs = append(errs, fmt.Errorf("flow_logs.nat_gateways %q: nat_gb: got %v, want a price of 0 or more", gateway, usd))
		}
	}
	return errors.Join(errs...)
}

func validateRegion(region string, overrides map[string]float64) []error {
	path := "pricing.overrides." + region
	if region == "" || strings.ContainsFunc(region, isSpace) {
		return []error{fmt.Errorf("%s: got region %q, want a name like %q", path, region, "eu-west-3")}
	}
	var errs []error
	for _, item := range slices.Sorted(maps.Keys(overrides)) {
		if !slices.Contains(Items(), Item(item)) {
			errs = append(errs, fmt.Errorf("%s.%s: unknown item, want one of %s", path, item, itemList()))
			continue
		}
		if usd := overrides[item]; !isPrice(usd) {
			errs = append(errs, fmt.Errorf("%s.%s: got %v, want a price of 0 or more", path, item, usd))
		}
	}
	return errs
}

func isSpace(r rune) bool { return r <= ' ' }

func isPrice(usd float64) bool {
	return usd >= 0 && !math.IsInf(usd, 1)
}

func itemList() string {
	var names []string
	for _, item := range Items() {
		names = append(names, string(item))
	}
	return strings.Join(names, ", ")
}
