package collector

import "github.com/vpcflow/vpcflow_exporter/collector/aggregator"

// topMetrics are the series of the largest destinations, sources and pairs.
type topMetrics struct {
	destinationBytes, destinationCost metric
	sourceBytes, sourceCost           metric
	pairBytes                         metric
	sourceInfo                        metric
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
		sourceInfo: c.gauge("source_info",
			"What is known of a source that has series of its own, from the rows of its own network interface; of one that several clients share, what they have in common. Always 1; take the maximum over replicas.",
			"nat_gateway", "source", "instance_id", "subnet_id", "az_id", "interface_id", "ecs_cluster", "ecs_service", "asg_tag", "instance_tag", "interface_tag", "network"),
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

// collectSourceInfo describes each source of the page once, and those of all others.
func (c *Collector) collectSourceInfo(e emitter, s *aggregator.Snapshot) {
	done := make(map[aggregator.SourceCostLabels]struct{})
	describe := func(gateway string, source aggregator.End) {
		key := aggregator.SourceCostLabels{NATGateway: gateway, Source: source}
		if _, ok := done[key]; ok {
			return
		}
		done[key] = struct{}{}
		w, known := s.SourceInfo[key]
		if !known && source != (aggregator.End{}) {
			return // After a restart, until it is seen again.
		}
		network := ""
		if c.names != nil {
			network = SourceNetwork(c.names, source)
		}
		e.gauge(c.top.sourceInfo, 1, gateway, source.Label(), w.InstanceID, w.SubnetID, w.AZID, w.InterfaceID, w.ECSCluster, w.ECSService, w.ASGTag, w.InstanceTag, w.InterfaceTag, network)
	}
	for m := range s.Sources() {
		describe(m.Labels.NATGateway, m.Labels.Source)
	}
	for m := range s.Pairs() {
		describe(m.Labels.NATGateway, m.Labels.Source)
	}
}
