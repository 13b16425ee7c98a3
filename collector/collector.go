// Package collector is the prometheus.Collector of the subject metrics: their names, labels, types and help texts in one place.
//
// It keeps no numbers. Every scrape reads one immutable snapshot of the aggregator and emits it as const metrics, so the numbers of a page belong
// together, and a scrape never waits for a commit.
package collector

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// Prices are the prices in force.
type Prices interface {
	Price(region string, item pricing.Item) (pricing.Rate, bool)
}

// A Collector emits the totals. It is safe for concurrent use.
type Collector struct {
	snapshot func() *aggregator.Snapshot
	prices   func() Prices
	names    Names // names is nil without enrichment.
	descs    []*prometheus.Desc

	packets, bytes                           metric
	natBytes, natCost, unpriced              metric
	pricePerGB, pricePerHour, priceTimestamp metric
	gatewayInfo, gatewayFirst, gatewayLast   metric
	flowLogLast, placeLast                   metric
	records, observedBytes, held             metric
	files, fileErrors, compressed, inflated  metric
	formatInfo, seriesLimited, deltaFolds    metric
	top                                      topMetrics
	destinationInfo                          metric
}

// New returns a collector over the snapshots and prices that the functions return. Both are asked once per scrape. Names may be nil: then no address is described.
func New(snapshot func() *aggregator.Snapshot, prices func() Prices, names Names) *Collector {
	c := &Collector{snapshot: snapshot, prices: prices, names: names}
	c.describeTraffic()
	c.describeNAT()
	c.describeTop()
	c.describeInfo()
	c.describeReading()
	return c
}

// A metric is a description tied to its type, so that a counter cannot be emitted as a gauge.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func (c *Collector) counter(name, help string, labels ...string) metric {
	return c.metric(prometheus.CounterValue, name, help, labels)
}

func (c *Collector) gauge(name, help string, labels ...string) metric {
	return c.metric(prometheus.GaugeValue, name, help, labels)
}

func (c *Collector) metric(kind prometheus.ValueType, name, help string, labels []string) metric {
	desc := prometheus.NewDesc(prometheus.BuildFQName("vpcflow", "", name), help, labels, nil)
	c.descs = append(c.descs, desc)
	return metric{desc, kind}
}

func (c *Collector) describeTraffic() {
	c.packets = c.counter("packets_total",
		"Packets as flow logs count them, each once, by direction and path. Replicas add up.",
		"account_id", "region", "direction", "path")
	c.bytes = c.counter("bytes_total",
		"Bytes of all counted traffic, each once: egress and ingress between clients and public remotes, internal between private addresses. Replicas add up.",
		"account_id", "region", "direction", "path", "aws_service")
}

func (c *Collector) describeNAT() {
	labels := []string{"account_id", "region", "nat_gateway", "direction", "aws_service"}
	c.natBytes = c.counter("nat_bytes_total",
		"Bytes that NAT gateways forwarded between clients and remotes, each once, in both directions: what AWS bills as data processed. Replicas add up.", labels...)
	c.natCost = c.counter("nat_cost_usd_total",
		"Cost of the data that NAT gateways processed, in USD at list price or the configured one. Hours and data transfer are not in it. Replicas add up.", labels...)
	c.unpriced = c.counter("unpriced_bytes_total",
		"Bytes that NAT gateways forwarded in a region without a known price: they are missing from vpcflow_nat_cost_usd_total. Set pricing.overrides. Replicas add up.", "region")
	c.pricePerGB = c.gauge("price_usd_per_gigabyte",
		"Price in force per GB, by region and item of the price list. The same in every replica.", "region", "item")
	c.pricePerHour = c.gauge("price_usd_per_hour",
		"Price in force per hour, by region and item of the price list. The same in every replica.", "region", "item")
	c.priceTimestamp = c.gauge("price_timestamp_seconds",
		"Date of the price in force, by region and item; overrides have none. The same in every replica.", "region", "item")
	c.gatewayInfo = c.gauge("nat_gateway_info",
		"A NAT gateway seen in the logs, and the rule that recognised it. Always 1; take the maximum over replicas.",
		"account_id", "region", "nat_gateway", "nat_gateway_id", "name", "vpc_id", "subnet_id", "az_id", "kind", "recognised_by")
	c.gatewayFirst = c.gauge("nat_gateway_first_seen_timestamp_seconds",
		"Start of the oldest record of a NAT gateway. Take the minimum over replicas.", "account_id", "region", "nat_gateway")
	c.gatewayLast = c.gauge("nat_gateway_last_seen_timestamp_seconds",
		"End of the newest record of a NAT gateway. Take the maximum over replicas.", "account_id", "region", "nat_gateway")
}

func (c *Collector) describeReading() {
	c.flowLogLast = c.gauge("flow_log_last_record_timestamp_seconds",
		"End of the newest record of a flow log that was committed. Take the maximum over replicas.", "account_id", "region", "flow_log_id")
	c.placeLast = c.gauge("last_record_timestamp_seconds",
		"End of the newest record that was committed. Take the maximum over replicas.", "account_id", "region")
	c.records = c.counter("records_total",
		"Data lines of committed files by what they were taken for. With vpcflow_held_records they add up to all lines. Replicas add up.", "disposition")
	c.observedBytes = c.counter("observed_bytes_total",
		"Bytes in the data lines of committed files by what they were taken for: only disposition counted is in vpcflow_bytes_total. Replicas add up.", "disposition")
	c.held = c.gauge("held_records",
		"Data lines of committed files that wait for a decision about their interface, for at most 30 minutes of record time. Replicas add up.")
	c.files = c.counter("files_total",
		"Flow log files by result; failed counts attempts. Replicas add up.", "result")
	c.fileErrors = c.counter("file_errors_total",
		"Failed attempts to read a file, by reason. Replicas add up.", "reason")
	c.compressed = c.counter("file_compressed_bytes_total",
		"Bytes of committed files as they lie in S3. Replicas add up.")
	c.inflated = c.counter("file_decompressed_bytes_total",
		"Bytes of committed files after decompression. Replicas add up.")
	c.formatInfo = c.gauge("format_info",
		"A format of flow logs that was read, and what its fields allow. Always 1; take the maximum over replicas.",
		"fields_version", "pkt_addresses", "flow_direction", "traffic_path", "aws_service", "vpc_id", "instance_id", "nat_recognition")
	c.seriesLimited = c.counter("series_limited_total",
		"Values added to the series other because limits.series was reached, by metric. Replicas add up.", "metric")
	c.deltaFolds = c.counter("delta_folds_total",
		"Records summed without their remote because one file had more keys than limits.delta_keys. Replicas add up.")
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.snapshot()
	e := emitter{ch}
	c.collectTraffic(e, s)
	c.collectNAT(e, s)
	c.collectTop(e, s)
	c.collectSourceInfo(e, s)
	c.collectInfo(e, s)
	c.collectPrices(e, s)
	c.collectReading(e, s)
}

func (c *Collector) collectTraffic(e emitter, s *aggregator.Snapshot) {
	for m := range s.Packets() {
		e.counter(c.packets, float64(m.Value), m.Created, m.Labels.AccountID, m.Labels.Region, m.Labels.Direction.String(), m.Labels.Path.String())
	}
	for m := range s.Bytes() {
		e.counter(c.bytes, float64(m.Value), m.Created, m.Labels.AccountID, m.Labels.Region, m.Labels.Direction.String(), m.Labels.Path.String(), m.Labels.AWSService)
	}
}

func (c *Collector) collectNAT(e emitter, s *aggregator.Snapshot) {
	for m := range s.NAT() {
		labels := []string{m.Labels.AccountID, m.Labels.Region, m.Labels.NATGateway, m.Labels.Direction.String(), m.Labels.AWSService}
		e.counter(c.natBytes, float64(m.Value.Bytes), m.Created, labels...)
		if cost, priced := m.Value.CostUSD(); priced {
			e.counter(c.natCost, cost, m.Created, labels...)
		}
	}
	for m := range s.Unpriced() {
		e.counter(c.unpriced, float64(m.Value), m.Created, m.Labels)
	}
	for _, g := range s.Gateways {
		e.gauge(c.gatewayInfo, 1, g.AccountID, g.Region, g.NATGateway, g.NATGatewayID, strings.ToValidUTF8(g.Name, "_"), g.VPCID, g.SubnetID, g.AZID, g.Kind, g.RecognisedBy)
		e.gauge(c.gatewayFirst, float64(g.FirstSeen), g.AccountID, g.Region, g.NATGateway)
		e.gauge(c.gatewayLast, float64(g.LastSeen), g.AccountID, g.Region, g.NATGateway)
	}
}

// collectPrices shows the prices of the regions that the logs name.
func (c *Collector) collectPrices(e emitter, s *aggregator.Snapshot) {
	prices := c.prices()
	for _, region := range regions(s) {
		for _, item := range pricing.Items() {
			rate, ok := prices.Price(region, item)
			if !ok {
				continue
			}
			m := c.pricePerGB
			if strings.HasSuffix(string(item), "_hour") {
				m = c.pricePerHour
			}
			e.gauge(m, rate.USD, region, string(item))
			if !rate.Date.IsZero() {
				e.gauge(c.priceTimestamp, float64(rate.Date.Unix()), region, string(item))
			}
		}
	}
}

func regions(s *aggregator.Snapshot) []string {
	var names []string
	for m := range s.Places() {
		names = append(names, m.Labels.Region)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c *Collector) collectReading(e emitter, s *aggregator.Snapshot) {
	for m := range s.FlowLogs() {
		e.gauge(c.flowLogLast, float64(m.Value), m.Labels.AccountID, m.Labels.Region, m.Labels.FlowLogID)
	}
	for m := range s.Places() {
		e.gauge(c.placeLast, float64(m.Value), m.Labels.AccountID, m.Labels.Region)
	}
	for d := classifier.Counted; d < classifier.NumDispositions; d++ {
		e.counter(c.records, float64(s.Dispositions[d].Records), s.Started, d.String())
		e.counter(c.observedBytes, float64(s.Dispositions[d].Bytes), s.Started, d.String())
	}
	e.gauge(c.held, float64(s.Held.Records))
	for m := range s.Files() {
		e.counter(c.files, float64(m.Value), m.Created, string(m.Labels))
	}
	for m := range s.FileErrors() {
		e.counter(c.fileErrors, float64(m.Value), m.Created, m.Labels)
	}
	e.counter(c.compressed, float64(s.CompressedBytes), s.Started)
	e.counter(c.inflated, float64(s.DecompressedBytes), s.Started)
	for m := range s.Formats() {
		l := m.Labels
		e.gauge(c.formatInfo, 1, l.FieldsVersion, l.PktAddresses, l.FlowDirection, l.TrafficPath, l.AWSService, l.VPCID, l.InstanceID, l.NATRecognition)
	}
	for m := range s.Limited() {
		e.counter(c.seriesLimited, float64(m.Value), m.Created, m.Labels)
	}
	e.counter(c.deltaFolds, float64(s.DeltaFolds), s.Started)
}

// An emitter sends const metrics. A value that Prometheus refuses becomes an invalid metric, which the handler reports without losing the others.
type emitter struct {
	ch chan<- prometheus.Metric
}

func (e emitter) counter(m metric, value float64, created time.Time, labels ...string) {
	sample, err := prometheus.NewConstMetricWithCreatedTimestamp(m.desc, m.kind, value, created, labels...)
	e.send(m, sample, err)
}

func (e emitter) gauge(m metric, value float64, labels ...string) {
	sample, err := prometheus.NewConstMetric(m.desc, m.kind, value, labels...)
	e.send(m, sample, err)
}

func (e emitter) send(m metric, sample prometheus.Metric, err error) {
	if err != nil {
		sample = prometheus.NewInvalidMetric(m.desc, err)
	}
	e.ch <- sample
}
