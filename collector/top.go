package collector

import "github.com/vpcflow/vpcflow_exporter/collector/aggregator"

// topMetrics are the series of the largest destinations, sources and pairs.
type topMetrics struct {
	destinationBytes, destinationCost metric
	sourceBytes, sourceCost           metric
	pairBytes                         metric
}

func (c *Collector) describeTop() {
	c.top = topMetrics{
		destinationBytes: c.counter("destination_bytes_total",
			"Bytes by remote address: the largest ones; destination other is all the rest and internal traffic. Adds up to vpcflow_bytes_total."+chosen,
			"region", "direction", "path", "aws_service", "destination"),
		destinationCost: c.counter("destination_nat_cost_usd_total",
			"Cost of the data that NAT gateways processed, in USD, by remote address: the largest ones; destination other is all the rest. Adds up to vpcflow_nat_cost_usd_total."+chosen,
			"region", "destination"),
		sourceBytes: c.counter("source_nat_bytes_total",
			"Bytes that NAT gateways forwarded, by client: the largest ones; source other is all the rest. A private address means something only together with its gateway. Adds up to vpcflow_nat_bytes_total."+chosen,
			"nat_gateway", "direction", "source"),
		sourceCost: c.counter("source_nat_cost_usd_total",
			"Cost of the data that NAT gateways processed, in USD, by client: the largest ones; source other is all the rest. Adds up to vpcflow_nat_cost_usd_total."+chosen,
			"nat_gateway", "source"),
		pairBytes: c.counter("pair_nat_bytes_total",
			"Bytes that NAT gateways forwarded, by client and remote address: the largest pairs; source and destination other are all the rest. Adds up to vpcflow_nat_bytes_total."+chosen,
			"nat_gateway", "direction", "source", "destination"),
	}
}

// chosen says how such series are to be read.
const chosen = " A new series shows 0 for top.hold, meanwhile its bytes are in other. Replicas choose for themselves: what they sum to by one label value is a lower bound, over all values it is exact."

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
