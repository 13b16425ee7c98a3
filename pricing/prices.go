package pricing

import (
	"maps"
	"slices"
)

// Prices are a list and what the user overrides of it: one consistent state of
// all prices. They are immutable and safe for concurrent use.
type Prices struct {
	table      *Table
	overrides  map[key]float64
	gateways   map[string]float64
	discounts  Discounts
	accounts   map[string]Discounts
	bytesPerGB float64
}

// New checks the configuration and copies it over the list. The caller may
// change the configuration's maps afterwards.
func New(table *Table, cfg Config) (*Prices, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Prices{
		table:      table,
		overrides:  make(map[key]float64),
		gateways:   maps.Clone(cfg.Gateways),
		discounts:  maps.Clone(cfg.Discounts),
		accounts:   make(map[string]Discounts),
		bytesPerGB: cfg.BytesPerGB,
	}
	for account, discounts := range cfg.AccountDiscounts {
		p.accounts[account] = maps.Clone(discounts)
	}
	for region, items := range cfg.Overrides {
		for item, usd := range items {
			p.overrides[key{region, Item(item)}] = usd
		}
	}
	return p, nil
}

// withTable returns the same configuration over another list.
func (p *Prices) withTable(table *Table) *Prices {
	q := *p
	q.table = table
	return &q
}

// Price returns the price in force of an item in a region, after the discount
// for all accounts; ok is false if neither the list nor the configuration has
// one.
func (p *Prices) Price(region string, item Item) (rate Rate, ok bool) {
	return p.Account("").Price(region, item)
}

// NATPerGB returns the dollars for one GB through a NAT gateway in a region; ok
// is false if there is no price, and usd is then of no meaning.
func (p *Prices) NATPerGB(region string) (usd float64, ok bool) {
	return p.Account("").NATPerGB(region)
}

// GatewayPerGB is [Prices.NATPerGB] for one gateway, for which the user may have
// set a price of its own. The gateway is a network interface id or a NAT gateway
// id, whichever the configuration holds.
func (p *Prices) GatewayPerGB(region, gateway string) (usd float64, ok bool) {
	return p.Account("").GatewayPerGB(region, gateway)
}

// BytesPerGB returns how many bytes are billed as one GB.
func (p *Prices) BytesPerGB() float64 { return p.bytesPerGB }

// Cost returns the price of bytes at a price per GB, see [Cost].
func (p *Prices) Cost(bytes uint64, usdPerGB float64) float64 {
	return Cost(bytes, usdPerGB, p.bytesPerGB)
}

// Regions returns the regions that have at least one price, sorted, those that
// only the configuration prices included.
func (p *Prices) Regions() []string {
	regions := p.table.Regions()
	for k := range p.overrides {
		regions = append(regions, k.region)
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}
