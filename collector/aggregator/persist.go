package aggregator

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
)

// clocksBucket holds the clocks of places.
const clocksBucket = "clocks"

// unwritten is what has changed since the last write, as far as it is not noted where it changes. It is nil without a journal.
type unwritten struct {
	interfaces map[*netInterface]struct{}
	forgotten  map[interfaceName]struct{}
	clocks     map[place]struct{}
	sums       uint64 // sums is the hash of the sums as they were written last.
	tops       [3]uint64
	reserved   bool // reserved: the journal holds space that is to be set free.
}

// touch notes that an interface may have changed.
func (a *Aggregator) touch(n *netInterface) {
	if a.unwritten != nil {
		a.unwritten.interfaces[n] = struct{}{}
	}
}

// forgot notes that an interface is gone.
func (a *Aggregator) forgot(name interfaceName) {
	if a.unwritten != nil {
		a.unwritten.forgotten[name] = struct{}{}
	}
}

// track begins to note changes.
func (a *Aggregator) track() {
	a.unwritten = &unwritten{
		interfaces: make(map[*netInterface]struct{}), forgotten: make(map[interfaceName]struct{}), clocks: make(map[place]struct{}),
	}
	a.clients.dirty = make(map[clientBlock]struct{})
	for _, s := range a.totals.stores() {
		s.track()
	}
}

// changes reports what has changed since the last call, in an order that makes neighbours of what lies together.
func (a *Aggregator) changes() Batch {
	var b Batch
	u := a.unwritten
	if u.reserved {
		b.drop(reserveBucket)
		u.reserved = false
	}
	for name := range u.forgotten {
		forgetInterface(&b, name)
	}
	clear(u.forgotten)
	for _, n := range slices.SortedFunc(maps.Keys(u.interfaces), func(m, n *netInterface) int { return compareNames(m.name, n.name) }) {
		// An interface that was forgotten meanwhile may be there anew.
		if a.interfaces[n.name] == n {
			a.writeInterface(&b, n)
		}
	}
	clear(u.interfaces)
	a.clients.changes(&b)
	a.writeClocks(&b)
	for _, s := range a.totals.stores() {
		s.changes(&b)
	}
	a.tops.changes(&b, &u.tops)
	writeRecord(&b, sumsBucket, sumsKey, a.encodeSums(), &u.sums)
	return b
}

func compareNames(a, b interfaceName) int {
	return cmp.Or(strings.Compare(a.account, b.account), strings.Compare(a.region, b.region), strings.Compare(a.id, b.id))
}

func (a *Aggregator) writeClocks(b *Batch) {
	for p := range a.unwritten.clocks {
		var key, value encoder
		key.text(p.account)
		key.text(p.region)
		if clock, ok := a.clocks[p]; ok {
			value.int(clock)
			b.put(clocksBucket, key.b, value.b)
		} else {
			b.delete(clocksBucket, key.b)
		}
	}
	clear(a.unwritten.clocks)
}

func (a *Aggregator) restoreClock(key, value []byte) error {
	k, v := decoder{b: key}, decoder{b: value}
	p, clock := place{k.text(), k.text()}, v.int()
	if err := errors.Join(k.end(), v.end()); err != nil {
		return err
	}
	a.clocks[p] = clock
	return nil
}

// load replaces everything by what the journal holds, and leaves it to configure to bring that into effect. After an error the aggregator is of no use.
func (a *Aggregator) load(journal Journal) error {
	a.empty()
	known, tops := newDuplicates(), make(topRecords)
	stores := make(map[string]tableStore)
	for _, s := range a.totals.stores() {
		stores[s.bucket()] = s
	}
	err := journal.Load(func(bucket string, key, value []byte) error {
		if err := a.restore(stores, known, tops, bucket, key, value); err != nil {
			return fmt.Errorf("decode record %q in %q: %w", key, bucket, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, n := range a.interfaces {
		if n.written.identity == 0 || n.written.life == 0 {
			return fmt.Errorf("decode interface %q of %q in %q: a part of it is missing", n.name.id, n.name.account, n.name.region)
		}
	}
	if err := errors.Join(a.tops.restore(a.config.Top, tops), a.checkTops()); err != nil {
		return err
	}
	if a.unwritten != nil {
		a.unwritten.tops = [3]uint64{tops.header(topDestinationsBucket), tops.header(topSourcesBucket), tops.header(topPairsBucket)}
	}
	a.unseen = slices.ContainsFunc(a.totals.bytes.keys, func(l ByteLabels) bool { return l.Path == classifier.PathUnseenMiddlebox })
	a.duplicates.replace(known)
	for _, s := range stores {
		s.clean()
	}
	a.totals.begin(a.now())
	return nil
}

// restore takes one record.
func (a *Aggregator) restore(stores map[string]tableStore, known *duplicates, tops topRecords, bucket string, key, value []byte) error {
	if s, ok := stores[bucket]; ok {
		return s.restore(key, value)
	}
	switch bucket {
	case reserveBucket:
		if a.unwritten != nil {
			a.unwritten.reserved = true
		}
		return nil
	case sumsBucket:
		if a.unwritten != nil {
			a.unwritten.sums = hashRecord(value)
		}
		return a.restoreSums(key, value)
	case topDestinationsBucket, topSourcesBucket, topPairsBucket:
		tops.keep(bucket, key, value)
		return nil
	case clocksBucket:
		return a.restoreClock(key, value)
	case clientsBucket:
		return a.clients.restore(key, value)
	case interfacesBucket, livesBucket, sightingsBucket, legsBucket, residentsBucket, heldBucket:
		return a.restoreInterface(bucket, key, value)
	}
	if hour, ok := parseHour(bucket); ok {
		return known.restore(hour, key, value)
	}
	return errors.New("unknown bucket")
}
