// Package pricing knows what AWS charges for a gigabyte and an hour, by region.
//
// The list prices are embedded, each with its source and date; the configuration
// overrides single ones, for accounts with a discount and for regions that the
// list lacks. A region without a price is never priced 0: every lookup says
// whether it found one. [Table] and [Prices] are immutable, and a [Book] swaps
// whole snapshots, so that a reload never shows half a price list.
package pricing

import (
	"sync"
	"sync/atomic"
	"time"
)

// DefaultBytesPerGB is how many bytes AWS is taken to bill as one GB: 2^30.
//
// No document of AWS's says so of NAT gateways. The tiers of the price list
// (10 TB are 10,240 GB) and AWS's examples for S3 are binary, which is the
// evidence; with 10^9 every cost would be 7.4 % higher.
const DefaultBytesPerGB = 1 << 30

// Item is a thing that has a price. Its text is the value of the metric label
// and the key in the configuration.
type Item string

// The items. A GB is what [DefaultBytesPerGB] says.
const (
	// NATGB is a GB processed by a NAT gateway, in either direction.
	NATGB Item = "nat_gb"
	// NATHour is an hour of a NAT gateway.
	NATHour Item = "nat_hour"
	// InternetEgressGB is a GB sent to the internet, in the first paid tier.
	InternetEgressGB Item = "internet_egress_gb"
	// CrossAZGB is a GB sent to another availability zone. Both sides pay it.
	CrossAZGB Item = "cross_az_gb"
	// InterfaceEndpointHour is an hour of an interface endpoint in one
	// availability zone.
	InterfaceEndpointHour Item = "interface_endpoint_hour"
	// InterfaceEndpointGB is a GB processed by interface endpoints, in the first
	// tier.
	InterfaceEndpointGB Item = "interface_endpoint_gb"
)

// Items returns all items in a fixed order.
func Items() []Item {
	return []Item{NATGB, NATHour, InternetEgressGB, CrossAZGB, InterfaceEndpointHour, InterfaceEndpointGB}
}

// Rate is the price of one item in one region.
type Rate struct {
	// USD is the price of one unit.
	USD float64
	// Date is the day on which the newest source stated the price, in UTC; zero
	// for an override.
	Date time.Time
	// Source holds the keys of the sources, which rates.csv explains;
	// [SourceConfig] for an override.
	Source string
	// Override says that the price is the user's own.
	Override bool
	// Discount is the share that the price is below the list's, for a discount.
	Discount float64
}

// SourceConfig is the source of a price from the configuration.
const SourceConfig = "config"

// Cost returns the price of bytes in US dollars. It is one multiplication of one
// quotient, so equal arguments give equal dollars.
func Cost(bytes uint64, usdPerGB, bytesPerGB float64) float64 {
	return float64(bytes) / bytesPerGB * usdPerGB
}

// Book holds the prices in force. It is safe for concurrent use; a reader that
// asks for several prices takes the snapshot once.
type Book struct {
	mu     sync.Mutex // Held while one snapshot is made from another.
	prices atomic.Pointer[Prices]
}

// NewBook returns a Book of the given prices, which must not be nil.
func NewBook(prices *Prices) *Book {
	b := new(Book)
	b.Swap(prices)
	return b
}

// Prices returns the prices in force.
func (b *Book) Prices() *Prices { return b.prices.Load() }

// Swap puts other prices in force, list and configuration, which must not be
// nil.
func (b *Book) Swap(prices *Prices) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prices.Store(prices)
}

// Reconfigure puts the configuration of other prices in force and keeps the
// list, which may be newer than the one that they were made from.
func (b *Book) Reconfigure(prices *Prices) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prices.Store(prices.withTable(b.prices.Load().table))
}

// Refresh puts another list in force and keeps the configuration.
func (b *Book) Refresh(table *Table) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prices.Store(b.prices.Load().withTable(table))
}
