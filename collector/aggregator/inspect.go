package aggregator

import (
	"math"
	"time"
)

// Contents is what a journal holds, for whoever looks into it.
type Contents struct {
	Snapshot *Snapshot
	// Series are the numbers of series by metric, in a fixed order.
	Series         []MetricSeries
	Oldest, Newest time.Time // Oldest and Newest are created timestamps.
	Interfaces     int
	Waiting        int // Waiting are the interfaces with rows that wait for a decision.
	HeldKeys       int // HeldKeys are the sums that these rows make up.
	Clients        int // Clients are the addresses that NAT gateways have named.
	FilesByDay     map[string]int
}

// MetricSeries is how many series a metric has.
type MetricSeries struct {
	Metric string
	Series int
}

// Inspect reads a journal and changes nothing.
func Inspect(journal Journal) (Contents, error) {
	config := DefaultConfig()
	config.Series = math.MaxInt
	a := New(config, nil, time.Now)
	if err := a.load(journal); err != nil {
		return Contents{}, err
	}
	a.publish()
	c := Contents{
		Snapshot: a.Snapshot(), Interfaces: len(a.interfaces), Waiting: len(a.waiting), HeldKeys: a.heldKeys, Clients: len(a.clients.seen),
		FilesByDay: a.duplicates.byDay(),
	}
	t := &a.totals
	count(&c, "vpcflow_packets_total", &t.packets)
	count(&c, "vpcflow_bytes_total", &t.bytes)
	count(&c, "vpcflow_nat_bytes_total", &t.nat)
	count(&c, "vpcflow_unpriced_bytes_total", &t.unpriced)
	count(&c, "vpcflow_flow_log_last_record_timestamp_seconds", &t.flowLogs)
	count(&c, "vpcflow_last_record_timestamp_seconds", &t.places)
	count(&c, "vpcflow_files_total", &t.files)
	count(&c, "vpcflow_file_errors_total", &t.errors)
	count(&c, "vpcflow_format_info", &t.formats)
	count(&c, "vpcflow_series_limited_total", &t.limited)
	return c, nil
}

func count[K comparable, V any](c *Contents, metric string, t *table[K, V]) {
	c.Series = append(c.Series, MetricSeries{metric, t.len()})
	v := view[K, V]{t.keys, t.chunks}
	for s := range v.all {
		if c.Oldest.IsZero() || s.Created.Before(c.Oldest) {
			c.Oldest = s.Created
		}
		if s.Created.After(c.Newest) {
			c.Newest = s.Created
		}
	}
}
