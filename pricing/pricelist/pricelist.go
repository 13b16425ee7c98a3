// Package pricelist finds the prices that the exporter needs among the products
// of AWS's price list, as the Price List API and the bulk files hold them.
//
// A product is taken by its usage type, matched whole: the region's prefix, then
// the name. NatGateway-Bytes is within RegionalNatGateway-Bytes, and a sum or the
// last of both would be another price.
package pricelist

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// Product is what matters of a product and its prices on demand.
type Product struct {
	Region    string // As the product says; empty where it has no such attribute.
	UsageType string
	Tiers     []Tier
}

// Tier is the price of a range of usage.
type Tier struct {
	Begin    float64           // Where the range begins, in units.
	Prices   map[string]string // By currency, as written.
	Quantity string            // The unit.
}

// Document is a product as the API and the bulk files write it.
type Document struct {
	Product DocumentProduct `json:"product"`
	Terms   DocumentTerms   `json:"terms"`
}

// DocumentProduct is the part of a document that names the product.
type DocumentProduct struct {
	Attributes struct {
		RegionCode string `json:"regionCode"`
		UsageType  string `json:"usagetype"`
	} `json:"attributes"`
}

// DocumentTerms is the part of a document that holds the prices, by terms.
type DocumentTerms struct {
	OnDemand map[string]DocumentTerm `json:"OnDemand"`
}

// DocumentTerm is one offer.
type DocumentTerm struct {
	PriceDimensions map[string]struct {
		Unit         string            `json:"unit"`
		BeginRange   string            `json:"beginRange"`
		PricePerUnit map[string]string `json:"pricePerUnit"`
	} `json:"priceDimensions"`
}

// Parse reads one product of the API, JSON with the product and its terms.
func Parse(text []byte) (Product, error) {
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		return Product{}, fmt.Errorf("parse product: %w", err)
	}
	return d.Decode()
}

// Decode returns what matters of a document.
func (d Document) Decode() (Product, error) {
	p := Product{Region: d.Product.Attributes.RegionCode, UsageType: d.Product.Attributes.UsageType}
	if p.UsageType == "" {
		return Product{}, errors.New("parse product: no usage type")
	}
	for _, term := range d.Terms.OnDemand {
		for _, dimension := range term.PriceDimensions {
			begin, err := strconv.ParseFloat(dimension.BeginRange, 64)
			if err != nil {
				return Product{}, fmt.Errorf("parse product %q: parse begin of range: %w", p.UsageType, err)
			}
			p.Tiers = append(p.Tiers, Tier{begin, dimension.PricePerUnit, dimension.Unit})
		}
	}
	return p, nil
}

// names are the usage types without a region's prefix.
var names = map[string]pricing.Item{
	"NatGateway-Bytes":            pricing.NATGB,
	"NatGateway-Hours":            pricing.NATHour,
	"DataTransfer-Out-Bytes":      pricing.InternetEgressGB,
	"DataTransfer-Regional-Bytes": pricing.CrossAZGB,
	"VpcEndpoint-Hours":           pricing.InterfaceEndpointHour,
	"VpcEndpoint-Bytes":           pricing.InterfaceEndpointGB,
}

// UsageTypes returns the usage types of an item in a region, one for each prefix
// that AWS uses.
func UsageTypes(region string, item pricing.Item) []string {
	var types []string
	for name, of := range names {
		if of != item {
			continue
		}
		for _, prefix := range Prefixes(region) {
			types = append(types, strings.TrimPrefix(prefix+"-", "-")+name)
		}
	}
	slices.Sort(types)
	return types
}

// Identify returns which price a product is; ok is false for all that is none of
// ours. The region comes from the prefix, and must be the one that the product
// names, if it does.
func (p Product) Identify() (region string, item pricing.Item, ok bool) {
	prefix, name, found := strings.Cut(p.UsageType, "-")
	if item, ok = names[p.UsageType]; ok {
		prefix, found = "", true
	} else {
		item, ok = names[name]
	}
	region, known := regions[prefix]
	if !found || !ok || !known || p.Region != "" && p.Region != region {
		return "", "", false
	}
	return region, item, true
}

// units are what an item may be counted in.
func unitOf(item pricing.Item) []string {
	if strings.HasSuffix(string(item), "_hour") {
		return []string{"Hrs", "Hours"}
	}
	return []string{"GB", "Quantity"}
}

// Price returns the dollars of a unit in the first tier. Anything but exactly one
// sound price in dollars is an error.
func (p Product) Price(item pricing.Item) (usd float64, err error) {
	var first *Tier
	for i, tier := range p.Tiers {
		if tier.Begin != 0 {
			continue
		}
		if first != nil {
			return 0, fmt.Errorf("read price of %q: two first tiers", p.UsageType)
		}
		first = &p.Tiers[i]
	}
	if first == nil {
		return 0, fmt.Errorf("read price of %q: no first tier", p.UsageType)
	}
	if !slices.ContainsFunc(unitOf(item), func(unit string) bool { return strings.EqualFold(unit, first.Quantity) }) {
		return 0, fmt.Errorf("read price of %q: unknown unit %q", p.UsageType, first.Quantity)
	}
	text, ok := first.Prices["USD"]
	if !ok {
		return 0, fmt.Errorf("read price of %q: no price in USD", p.UsageType)
	}
	usd, err = strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("read price of %q: %w", p.UsageType, err)
	}
	if !(usd > 0) || math.IsInf(usd, 0) {
		return 0, fmt.Errorf("read price of %q: got %q, want a number above 0", p.UsageType, text)
	}
	return usd, nil
}

// List collects the prices of products. The zero value is empty.
type List struct {
	prices map[string]map[pricing.Item]float64
}

// Add takes the price of a product if it is one of ours. Two prices for the same
// thing are an error if they differ.
func (l *List) Add(p Product) error {
	region, item, ok := p.Identify()
	if !ok {
		return nil
	}
	usd, err := p.Price(item)
	if err != nil {
		return err
	}
	if l.prices == nil {
		l.prices = make(map[string]map[pricing.Item]float64)
	}
	if l.prices[region] == nil {
		l.prices[region] = make(map[pricing.Item]float64)
	}
	if other, twice := l.prices[region][item]; twice && other != usd {
		return fmt.Errorf("add %q: got %v, and %v before", p.UsageType, usd, other)
	}
	l.prices[region][item] = usd
	return nil
}

// factor is by how much a price may differ from the one known before. AWS's
// prices hardly change; what differs by more was read wrong.
const factor = 3

// Rows is [List.Sound] for a list that must hold both prices of NAT.
func (l *List) Rows(region, source string, date time.Time, known *pricing.Table) ([]pricing.Row, error) {
	for _, item := range []pricing.Item{pricing.NATGB, pricing.NATHour} {
		if _, ok := l.prices[region][item]; !ok {
			return nil, fmt.Errorf("accept prices of %s: no %s", region, item)
		}
	}
	return l.Sound(region, source, date, known)
}

// Sound returns the prices of a region, with a source and a date. One that is
// beyond belief beside the known list makes it return an error and nothing.
func (l *List) Sound(region, source string, date time.Time, known *pricing.Table) ([]pricing.Row, error) {
	prices := l.prices[region]
	var rows []pricing.Row
	for _, item := range pricing.Items() {
		usd, ok := prices[item]
		if !ok {
			continue
		}
		low, high := bounds(region, item, known)
		if usd < low/factor || usd > high*factor {
			return nil, fmt.Errorf("accept prices of %s: %s is %v, want %v to %v", region, item, usd, low/factor, high*factor)
		}
		rows = append(rows, pricing.Row{Region: region, Item: item, Rate: pricing.Rate{USD: usd, Source: source, Date: date}})
	}
	return rows, nil
}

// Regions returns the regions with any price, sorted.
func (l *List) Regions() []string {
	var all []string
	for region := range l.prices {
		all = append(all, region)
	}
	slices.Sort(all)
	return all
}

// bounds returns the known price of a region, or of all regions if it has none.
func bounds(region string, item pricing.Item, known *pricing.Table) (low, high float64) {
	if rate, ok := known.Price(region, item); ok {
		return rate.USD, rate.USD
	}
	low, high = math.Inf(1), 0
	for _, other := range known.Regions() {
		if rate, ok := known.Price(other, item); ok {
			low, high = min(low, rate.USD), max(high, rate.USD)
		}
	}
	return low, high
}
