package aggregator

import (
	"errors"
	"fmt"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
)

// A series is one record: its labels are the key, account and region first, so that the series of one file lie together; its value and when it was created are
// the value.

// A tableStore writes and restores one table.
type tableStore interface {
	bucket() string
	track()
	changes(b *Batch)
	clean()
	restore(key, value []byte) error
	inspect(c *Contents)
}

// A storedTable ties a table to its encoding.
type storedTable[K comparable, V any] struct {
	name   string
	metric string
	table  *table[K, V]
	key    func(*encoder, K)
	value  func(*encoder, V)
	label  func(*decoder) K
	sum    func(*decoder) V
}

func (s storedTable[K, V]) bucket() string { return s.name }

func (s storedTable[K, V]) track() { s.table.tracks = true }

func (s storedTable[K, V]) clean() { s.table.clean() }

// changes reports the rows that were removed or written since the last call.
func (s storedTable[K, V]) changes(b *Batch) {
	for _, labels := range s.table.removed {
		var key encoder
		s.key(&key, labels)
		b.delete(s.name, key.b)
	}
	for _, i := range s.table.dirty {
		r := &s.table.chunks[i/chunkRows][i%chunkRows]
		if r.created.IsZero() {
			continue // Removed again.
		}
		var key, value encoder
		s.key(&key, s.table.keys[i])
		value.int(r.created.UnixNano())
		s.value(&value, r.value)
		b.put(s.name, key.b, value.b)
	}
	s.table.clean()
}

func (s storedTable[K, V]) restore(key, value []byte) error {
	k, v := decoder{b: key}, decoder{b: value}
	labels, created, sum := s.label(&k), time.Unix(0, v.int()), s.sum(&v)
	if err := errors.Join(k.end(), v.end()); err != nil {
		return err
	}
	if s.table.has(labels) {
		return errors.New("labels are there twice")
	}
	*s.table.at(labels, created) = sum
	return nil
}

// stores returns all tables, in a fixed order.
func (t *totals) stores() []tableStore {
	return []tableStore{
		storedTable[PacketLabels, uint64]{"packets", "vpcflow_packets_total", &t.packets, putPacketLabels, putUint, takePacketLabels, takeUint},
		storedTable[ByteLabels, uint64]{"bytes", "vpcflow_bytes_total", &t.bytes, putByteLabels, putUint, takeByteLabels, takeUint},
		storedTable[NATLabels, NATBytes]{"nat_bytes", "vpcflow_nat_bytes_total", &t.nat, putNATLabels, putNATBytes, takeNATLabels, takeNATBytes},
		storedTable[DestinationLabels, uint64]{"destination_bytes", "vpcflow_destination_bytes_total", &t.destinations, putDestinationLabels, putUint, takeDestinationLabels, takeUint},
		storedTable[DestinationCostLabels, NATBytes]{"destination_costs", "vpcflow_destination_nat_cost_usd_total", &t.destinationCosts, putDestinationCostLabels, putNATBytes, takeDestinationCostLabels, takeNATBytes},
		storedTable[SourceLabels, uint64]{"source_bytes", "vpcflow_source_nat_bytes_total", &t.sources, putSourceLabels, putUint, takeSourceLabels, takeUint},
		storedTable[SourceCostLabels, NATBytes]{"source_costs", "vpcflow_source_nat_cost_usd_total", &t.sourceCosts, putSourceCostLabels, putNATBytes, takeSourceCostLabels, takeNATBytes},
		storedTable[PairLabels, uint64]{"pair_bytes", "vpcflow_pair_nat_bytes_total", &t.pairs, putPairLabels, putUint, takePairLabels, takeUint},
		storedTable[AvoidableLabels, NATBytes]{"avoidable_costs", "vpcflow_avoidable_cost_usd_total", &t.avoidable, putAvoidableLabels, putNATBytes, takeAvoidableLabels, takeNATBytes},
		storedTable[string, uint64]{"unpriced_bytes", "vpcflow_unpriced_bytes_total", &t.unpriced, putText, putUint, takeText, takeUint},
		storedTable[FlowLogLabels, int64]{"flow_logs", "vpcflow_flow_log_last_record_timestamp_seconds", &t.flowLogs, putFlowLogLabels, putInt, takeFlowLogLabels, takeInt},
		storedTable[PlaceLabels, int64]{"places", "vpcflow_last_record_timestamp_seconds", &t.places, putPlaceLabels, putInt, takePlaceLabels, takeInt},
		storedTable[Result, uint64]{"file_results", "vpcflow_files_total", &t.files, putResult, putUint, takeResult, takeUint},
		storedTable[string, uint64]{"file_errors", "vpcflow_file_errors_total", &t.errors, putText, putUint, takeText, takeUint},
		storedTable[FormatLabels, struct{}]{"formats", "vpcflow_format_info", &t.formats, putFormatLabels, putNothing, takeFormatLabels, takeNothing},
		storedTable[string, uint64]{"series_limited", "vpcflow_series_limited_total", &t.limited, putText, putUint, takeText, takeUint},
	}
}

func putText(e *encoder, s string)   { e.text(s) }
func takeText(d *decoder) string     { return d.text() }
func putUint(e *encoder, v uint64)   { e.uint(v) }
func takeUint(d *decoder) uint64     { return d.uint() }
func putInt(e *encoder, v int64)     { e.int(v) }
func takeInt(d *decoder) int64       { return d.int() }
func putNothing(*encoder, struct{})  {}
func takeNothing(*decoder) struct{}  { return struct{}{} }
func putResult(e *encoder, r Result) { e.text(string(r)) }
func takeResult(d *decoder) Result   { return Result(d.text()) }

func putPacketLabels(e *encoder, l PacketLabels) {
	e.text(l.AccountID)
	e.text(l.Region)
	e.byte(byte(l.Direction))
	e.byte(byte(l.Path))
}

func takePacketLabels(d *decoder) PacketLabels {
	return PacketLabels{d.text(), d.text(), takeDirection(d), takePath(d)}
}

func takeDirection(d *decoder) classifier.Direction {
	return classifier.Direction(d.enum(byte(classifier.Internal) + 1))
}

func putByteLabels(e *encoder, l ByteLabels) {
	putPacketLabels(e, l.PacketLabels)
	e.text(l.AWSService)
}

func takeByteLabels(d *decoder) ByteLabels { return ByteLabels{takePacketLabels(d), d.text()} }

func putNATLabels(e *encoder, l NATLabels) {
	e.text(l.AccountID)
	e.text(l.Region)
	e.text(l.NATGateway)
	e.byte(byte(l.Direction))
	e.text(l.AWSService)
}

func takeNATLabels(d *decoder) NATLabels {
	return NATLabels{d.text(), d.text(), d.text(), takeDirection(d), d.text()}
}

func putNATBytes(e *encoder, n NATBytes) {
	e.uint(n.Bytes)
	for _, p := range n.Priced {
		e.float(p.Price.USDPerGB)
		e.float(p.Price.BytesPerGB)
		e.uint(p.Bytes)
	}
}

func takeNATBytes(d *decoder) NATBytes {
	n := NATBytes{Bytes: d.uint()}
	for len(d.b) > 0 {
		p := PricedBytes{Price{d.float(), d.float()}, d.uint()}
		if i := len(n.Priced); i > 0 && comparePrices(n.Priced[i-1].Price, p.Price) >= 0 {
			d.failf("prices out of order")
		}
		n.Priced = append(n.Priced, p)
	}
	return n
}

func putAvoidableLabels(e *encoder, l AvoidableLabels) {
	e.text(l.Region)
	e.text(l.Remedy)
	e.text(l.AWSService)
}

func takeAvoidableLabels(d *decoder) AvoidableLabels {
	return AvoidableLabels{d.text(), d.text(), d.text()}
}

func putFlowLogLabels(e *encoder, l FlowLogLabels) {
	e.text(l.AccountID)
	e.text(l.Region)
	e.text(l.FlowLogID)
}

func takeFlowLogLabels(d *decoder) FlowLogLabels {
	return FlowLogLabels{d.text(), d.text(), d.text()}
}

func putPlaceLabels(e *encoder, l PlaceLabels) {
	e.text(l.AccountID)
	e.text(l.Region)
}

func takePlaceLabels(d *decoder) PlaceLabels { return PlaceLabels{d.text(), d.text()} }

// texts returns the labels in their order.
func (l *FormatLabels) texts() []*string {
	return []*string{
		&l.FieldsVersion, &l.PktAddresses, &l.FlowDirection, &l.TrafficPath, &l.AWSService, &l.VPCID, &l.InstanceID, &l.NATRecognition,
	}
}

func putFormatLabels(e *encoder, l FormatLabels) {
	for _, text := range l.texts() {
		e.text(*text)
	}
}

func takeFormatLabels(d *decoder) FormatLabels {
	var l FormatLabels
	for _, text := range l.texts() {
		*text = d.text()
	}
	return l
}

// sumsBucket holds one record of what has no labels of its own.
const sumsBucket = "sums"

var sumsKey = []byte("sums")

func (a *Aggregator) encodeSums() []byte {
	var e encoder
	t := &a.totals
	e.int(t.started.UnixNano())
	e.int(a.newest)
	e.int(a.pruned)
	for _, v := range []uint64{t.committed, t.compressed, t.inflated, t.foldings} {
		e.uint(v)
	}
	e.uint(uint64(len(t.dispositions)))
	for _, c := range t.dispositions {
		e.counts(c)
	}
	return e.b
}

func (a *Aggregator) restoreSums(key, value []byte) error {
	if string(key) != string(sumsKey) {
		return errors.New("no sums")
	}
	d := decoder{b: value}
	t := &a.totals
	t.started, a.newest, a.pruned = time.Unix(0, d.int()), d.int(), d.int()
	for _, v := range []*uint64{&t.committed, &t.compressed, &t.inflated, &t.foldings} {
		*v = d.uint()
	}
	if n := d.uint(); n != uint64(len(t.dispositions)) {
		return fmt.Errorf("%d dispositions", n)
	}
	for i := range t.dispositions {
		t.dispositions[i] = d.counts()
	}
	return d.end()
}
