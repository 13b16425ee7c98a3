package pipeline

import (
	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// Pricer answers the aggregator from the prices in force.
type Pricer struct {
	Book *pricing.Book
}

// NATPrice implements aggregator.Pricer.
func (p Pricer) NATPrice(region, gateway string) (aggregator.Price, bool) {
	prices := p.Book.Prices()
	usd, ok := prices.GatewayPerGB(region, gateway)
	return aggregator.Price{USDPerGB: usd, BytesPerGB: prices.BytesPerGB()}, ok
}
