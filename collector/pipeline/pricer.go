package pipeline

import (
	"log/slog"
	"sync"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// maxUnpriced bounds the regions warned about; AWS has some forty.
const maxUnpriced = 100

// A Pricer answers the aggregator from the prices in force, and warns once about each region that has none. It is safe for concurrent use.
type Pricer struct {
	book   *pricing.Book
	logger *slog.Logger

	mu       sync.Mutex
	unpriced map[string]struct{}
}

// NewPricer returns a pricer.
func NewPricer(book *pricing.Book, logger *slog.Logger) *Pricer {
	return &Pricer{book: book, logger: logger, unpriced: make(map[string]struct{})}
}

// NATPrice implements aggregator.Pricer.
func (p *Pricer) NATPrice(account, region, gateway string) (aggregator.Price, bool) {
	prices := p.book.Prices()
	usd, ok := prices.Account(account).GatewayPerGB(region, gateway)
	if !ok {
		p.warn(region)
	}
	return aggregator.Price{USDPerGB: usd, BytesPerGB: prices.BytesPerGB()}, ok
}

func (p *Pricer) warn(region string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.unpriced[region]; known || len(p.unpriced) >= maxUnpriced {
		return
	}
	p.unpriced[region] = struct{}{}
	p.logger.Warn("Region without a price, bytes of its NAT gateways are in vpcflow_unpriced_bytes_total and in no dollars: set pricing.overrides",
		"region", region)
}
