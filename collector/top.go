package collector

import "github.com/vpcflow/vpcflow_exporter/collector/aggregator"

// topMetrics are the series of the largest destinations, sources and pairs.
type topMetrics struct {
	destinationBytes, destinationCost metric
	sourceBytes, sourceCost           metric
	pairBytes                         metric
}

func (c *Collector) describeTop() {
	const top = " A series shows 0 for top.hold before it counts, and disappears when it has not been among the largest for top.idle; what it has not counted is in other. " +
		"Replicas choose for themselves: their sum over one label value is a lower bound, the sum over all is exact."
	c.top = topMetrics{
		destinationBytes: c.counter("destination_bytes_total",
			"Bytes by remote address, for the largest ones; all others, and the remotes of internal traffic, are destination other. Adds up to vpcflow_bytes_total."+top,
			"region", "direction", "path", "aws_service", "destination"),
		destinationCost: c.counter("destination_nat_cost_usd_total",
			"Cost of the data that NAT gateways processed, in USD, by remote address, for the largest ones. Adds up to vpcflow_nat_cost_usd_total."+top,
			"region", "destination"),
		sourceBytes: c.counter("source_nat_bytes_total",
			"Bytes that NAT gateways forwarded by client, for the largest ones; a private address means something only together with its gateway. Adds up to vpcflow_nat_bytes_total."+top,
			"nat_gateway", "direction", "source"),
		sourceCost: c.counter("source_nat_cost_usd_total",
			"Cost of the data that NAT gateways processed, in USD, by client, for the largest ones. Adds up to vpcflow_nat_cost_usd_total."+top,
			"nat_gateway", "source"),
		pairBytes: c.counter("pair_nat_bytes_total",
			"Bytes that NAT gateways forwarded by client and remote address, for the largest pairs; all others are source other and destination other. Adds up to vpcflow_nat_bytes_total."+top,
			"nat_gateway", "direction", "source", "destination"),
	}
}

func (c *Collector) collectTop(e emitter, s *aggregator.Snapshot) {
	for m := range s.Destinations() {
		l := m.Labels
		e.counter(c.top.destinationBytes, float64(m.Value), m.Created, l.Region, l.Direction.String(), l.Path.String(), l.AWSService, l.Destination.Label())
	}
	for m := range s.DestinationCosts() {
		cost, _ := m.Value.CostUSD()
		e.counter(c.top.destinationCost, cost, m.Created, m.Labels.Region, m.Labels.Destination.Label())
	}
	for m := range s.Sources() {
		e.counter(c.top.sourceBytes, float64(m.Value), m.Created, m.Labels.NATGateway, m.Labels.Direction.String(), m.Labels.Source.Label())
	}
	for m := range s.SourceCosts() {
		cost, _ := m.Value.CostUSD()
		e.counter(c.top.sourceCost, cost, m.Created, m.Labels.NATGateway, m.Labels.Source.Label())
	}
	for m := range s.Pairs() {
		l := m.Labels
		e.counter(c.top.pairBytes, float64(m.Value), m.Created, l.NATGateway, l.Direction.String(), l.Source.Label(), l.Destination.Label())
	}
}
