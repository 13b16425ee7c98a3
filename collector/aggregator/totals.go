package aggregator

import (
	"slices"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// Labels of the series. Field order is that of the metric's labels.
type (
	// PacketLabels are the labels of vpcflow_packets_total.
	PacketLabels struct {
		AccountID, Region string
		Direction         classifier.Direction
		Path              classifier.Path
	}
	// ByteLabels are the labels of vpcflow_bytes_total.
	ByteLabels struct {
		PacketLabels
		AWSService string
	}
	// NATLabels are the labels of vpcflow_nat_bytes_total and vpcflow_nat_cost_usd_total.
	NATLabels struct {
		AccountID, Region, NATGateway string
		Direction                     classifier.Direction
		AWSService                    string
	}
	// FlowLogLabels are the labels of vpcflow_flow_log_last_record_timestamp_seconds.
	FlowLogLabels struct {
		AccountID, Region, FlowLogID string
	}
	// PlaceLabels are the labels of vpcflow_last_record_timestamp_seconds.
	PlaceLabels struct {
		AccountID, Region string
	}
	// FormatLabels are the labels of vpcflow_format_info: what a header allows.
	FormatLabels struct {
		FieldsVersion                                                           string
		PktAddresses, FlowDirection, TrafficPath, AWSService, VPCID, InstanceID string
		NATRecognition                                                          string
	}
)

// PricedBytes are the bytes that were billed at one price.
type PricedBytes struct {
	Price Price
	Bytes uint64
}

// NATBytes is what a NAT gateway forwarded, and at which prices. Priced is never changed once it is in a snapshot.
type NATBytes struct {
	Bytes  uint64
	Priced []PricedBytes // Priced is sorted, so equal bytes give equal dollars.
}

// remove takes away bytes that were added at a price.
func (b *NATBytes) remove(bytes uint64, price Price) {
	b.Bytes -= bytes
	b.Priced = slices.Clone(b.Priced)
	for i := range b.Priced {
		if b.Priced[i].Price == price {
			b.Priced[i].Bytes -= bytes
		}
	}
}

// CostUSD returns the cost of the priced bytes, and whether any have a price.
func (b NATBytes) CostUSD() (float64, bool) {
	cost := 0.0
	for _, p := range b.Priced {
		cost += float64(p.Bytes) / p.Price.BytesPerGB * p.Price.USDPerGB
	}
	return cost, len(b.Priced) > 0
}

// add returns b with bytes added at a price. The list is copied, because snapshots share it.
func (b *NATBytes) add(bytes uint64, price Price, priced bool) {
	b.Bytes += bytes
	if !priced {
		return
	}
	b.Priced = slices.Clone(b.Priced)
	i, found := slices.BinarySearchFunc(b.Priced, price, func(p PricedBytes, q Price) int {
		return comparePrices(p.Price, q)
	})
	if !found {
		b.Priced = slices.Insert(b.Priced, i, PricedBytes{Price: price})
	}
	b.Priced[i].Bytes += bytes
}

func comparePrices(a, b Price) int {
	switch {
	case a == b:
		return 0
	case a.USDPerGB < b.USDPerGB, a.USDPerGB == b.USDPerGB && a.BytesPerGB < b.BytesPerGB:
		return -1
	default:
		return 1
	}
}

// Result is how a file ended.
type Result string

// The results of vpcflow_files_total.
const (
	Processed Result = "processed"
	Duplicate Result = "duplicate"
	Skipped   Result = "skipped"
	Missing   Result = "missing"
	Failed    Result = "failed"
)

// Results lists all results; each has a series from the start.
func Results() []Result { return []Result{Processed, Duplicate, Skipped, Missing, Failed} }

const maxFormats = 20

// totals are all series.
type totals struct {
	limit   int
	started time.Time

	packets  table[PacketLabels, uint64]
	bytes    table[ByteLabels, uint64]
	nat      table[NATLabels, NATBytes]
	unpriced table[string, uint64]
	flowLogs table[FlowLogLabels, int64]
	places   table[PlaceLabels, int64]
	files    table[Result, uint64]
	errors   table[string, uint64]
	formats  table[FormatLabels, struct{}]
	limited  table[string, uint64]

	destinations     table[DestinationLabels, uint64]
	destinationCosts table[DestinationCostLabels, NATBytes]
	sources          table[SourceLabels, uint64]
	sourceCosts      table[SourceCostLabels, NATBytes]
	pairs            table[PairLabels, uint64]

	dispositions                   [classifier.NumDispositions]Counts
	committed                      uint64
	compressed, inflated, foldings uint64
}

// begin makes what is there from the start, as far as it is not yet.
func (t *totals) begin(now time.Time) {
	if t.started.IsZero() {
		t.started = now
	}
	for _, r := range Results() {
		if !t.files.has(r) {
			t.files.at(r, now)
		}
	}
}

// countFile counts files that were not committed.
func (t *totals) countFile(c fileCount, n uint64, now time.Time) {
	*t.files.at(c.result, now) += n
	if c.reason != "" {
		*t.errors.at(idLabel(c.reason), now) += n
	}
}

// len returns the number of label sets that grow with what the logs name.
func (t *totals) len() int {
	return t.packets.len() + t.bytes.len() + 2*t.nat.len() + t.unpriced.len() + t.flowLogs.len() + t.places.len() +
		t.destinations.len() + t.destinationCosts.len() + t.sources.len() + t.sourceCosts.len() + t.pairs.len()
}

// A posting is where rows of one key were counted.
type posting struct {
	bytes ByteLabels
	// gateway and costRegion are labels of the forwarded bytes and their cost; "" where no NAT gateway forwarded any.
	gateway, costRegion string

	price   Price
	priced  bool
	limited bool // limited: their labels are those of all others, because of the limit on series.
}

// count adds rows of one key, now decided, to where their class says. It is for rows that are Counted.
func (t *totals) count(n *netInterface, key remoteKey, class classifier.Class, c Counts, prices Pricer, now time.Time) posting {
	if key.service == noServices[serviceOpen] {
		key.service = unknownLabel
		if class.Direction == classifier.Internal {
			key.service = noneLabel
		}
	}
	labels := PacketLabels{n.name.account, n.name.region, class.Direction, class.Path}
	otherLabels := PacketLabels{otherLabel, otherLabel, class.Direction, class.Path}
	packets, _ := admit(t, &t.packets, "vpcflow_packets_total", labels, otherLabels, now)
	*packets += c.Packets
	bytes, byteLabels := admit(t, &t.bytes, "vpcflow_bytes_total", ByteLabels{labels, key.service}, ByteLabels{otherLabels, otherLabel}, now)
	*bytes += c.Bytes
	p := posting{bytes: byteLabels, limited: byteLabels.AccountID == otherLabel}
	if class.Path == classifier.PathNAT || class.Path == classifier.PathNATInstance {
		t.countNAT(&p, n, key, class, c, prices, now)
	}
	return p
}

// countNAT adds forwarded bytes. A NAT instance forwards without a price; a region without a price is never priced as 0.
func (t *totals) countNAT(p *posting, n *netInterface, key remoteKey, class classifier.Class, c Counts, prices Pricer, now time.Time) {
	gateway := unknownLabel // A client's view does not name the gateway.
	if n.role.IsNAT() {
		gateway = n.label()
		n.legs.public = n.legs.public || !key.shape.Private()
		n.legs.private = n.legs.private || key.shape.Private() && key.shape.HasPkt()
	}
	labels := NATLabels{n.name.account, n.name.region, gateway, class.Direction, key.service}
	if class.Path == classifier.PathNAT {
		if p.price, p.priced = prices.NATPrice(n.name.account, n.name.region, labels.NATGateway); !p.priced {
			unpriced, _ := admit(t, &t.unpriced, "vpcflow_unpriced_bytes_total", n.name.region, otherLabel, now)
			*unpriced += c.Bytes
		}
	}
	other := NATLabels{otherLabel, otherLabel, otherLabel, class.Direction, otherLabel}
	nat, labels := admit(t, &t.nat, "vpcflow_nat_bytes_total", labels, other, now)
	nat.add(c.Bytes, p.price, p.priced)
	p.gateway, p.costRegion, p.limited = labels.NATGateway, labels.Region, p.limited || labels == other
}

// admit returns the value of a label set, or of the set that stands for all others once the limit on series is reached, and whose it is.
func admit[K comparable, V any](t *totals, in *table[K, V], metric string, labels, other K, now time.Time) (*V, K) {
	if !in.has(labels) && t.len() >= t.limit {
		*t.limited.at(metric, now)++
		labels = other
	}
	return in.at(labels, now), labels
}

// seen moves the newest record end of a flow log and of its place.
func (t *totals) seen(p place, flowLogID string, end int64, now time.Time) {
	if end <= 0 {
		return
	}
	last, _ := admit(t, &t.places, "vpcflow_last_record_timestamp_seconds", PlaceLabels{p.account, p.region}, PlaceLabels{otherLabel, otherLabel}, now)
	*last = max(*last, end)
	last, _ = admit(t, &t.flowLogs, "vpcflow_flow_log_last_record_timestamp_seconds",
		FlowLogLabels{p.account, p.region, idLabel(flowLogID)}, FlowLogLabels{otherLabel, otherLabel, otherLabel}, now)
	*last = max(*last, end)
}

// file counts a committed file and what needs no decision about an interface.
func (t *totals) file(file File, d *Delta, now time.Time) {
	*t.files.at(Processed, now)++
	t.committed++
	t.compressed += uint64(file.CompressedBytes)
	t.inflated += uint64(file.InflatedBytes)
	t.foldings += d.folds
	for i, c := range d.dispositions {
		t.dispositions[i].add(c)
	}
	for _, f := range d.formats {
		labels := formatLabels(f)
		if !t.formats.has(labels) && t.formats.len() >= maxFormats {
			labels = otherFormat
		}
		t.formats.at(labels, now)
	}
}

var otherFormat = FormatLabels{otherLabel, otherLabel, otherLabel, otherLabel, otherLabel, otherLabel, otherLabel, otherLabel}

// formatLabels says what a header allows.
func formatLabels(f *flowlog.Format) FormatLabels {
	has := func(fields ...flowlog.Field) string {
		for _, field := range fields {
			if !f.Has(field) {
				return "no"
			}
		}
		return "yes"
	}
	return FormatLabels{
		FieldsVersion:  versionLabel(f.Version()),
		PktAddresses:   has(flowlog.FieldPktSrcAddr, flowlog.FieldPktDstAddr),
		FlowDirection:  has(flowlog.FieldFlowDirection),
		TrafficPath:    has(flowlog.FieldTrafficPath),
		AWSService:     has(flowlog.FieldPktSrcAWSService, flowlog.FieldPktDstAWSService),
		VPCID:          has(flowlog.FieldVPCID),
		InstanceID:     has(flowlog.FieldInstanceID),
		NATRecognition: NATRecognition(f),
	}
}
