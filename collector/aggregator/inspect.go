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
	for _, s := range a.totals.stores() {
		s.inspect(&c)
	}
	return c, nil
}

// inspect counts the series of a table.
func (s storedTable[K, V]) inspect(c *Contents) {
	c.Series = append(c.Series, MetricSeries{s.metric, s.table.len()})
	v := view[K, V]{s.table.keys, s.table.chunks}
	for row := range v.all {
		if c.Oldest.IsZero() || row.Created.Before(c.Oldest) {
			c.Oldest = row.Created
		}
		if row.Created.After(c.Newest) {
			c.Newest = row.Created
		}
	}
}
