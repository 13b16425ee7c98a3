package aggregator

import (
	"slices"
	"time"
)

// chunkRows is the number of rows that are copied together when a shared chunk is written.
const chunkRows = 256

// A table maps label sets to values. A snapshot of it shares the rows; a chunk of rows that a snapshot shares is copied before it is written, so
// taking a snapshot costs one pointer per chunk and a scrape never waits for a commit nor a commit for a scrape.
type table[K comparable, V any] struct {
	index  map[K]int
	keys   []K
	chunks []*[chunkRows]row[V]
	shared []bool

	dead int // dead is how many rows have been removed; they have no time of creation.

	tracks  bool   // tracks: what changes is noted, for a journal.
	dirty   []int  // dirty are the rows written since clean.
	marked  []bool // marked are the same, by row.
	removed []K    // removed are the label sets removed since clean.
}

type row[V any] struct {
	created time.Time
	value   V
}

// A Series is one label set with its value and the time it was created.
type Series[K comparable, V any] struct {
	Labels  K
	Value   V
	Created time.Time
}

func (t *table[K, V]) len() int { return len(t.keys) - t.dead }

func (t *table[K, V]) has(key K) bool {
	_, ok := t.index[key]
	return ok
}

// at returns the value of a label set for writing; a new one starts at zero.
func (t *table[K, V]) at(key K, now time.Time) *V {
	i, ok := t.index[key]
	if !ok {
		i = t.add(key, now)
	}
	if t.tracks && !t.marked[i] {
		t.marked[i] = true
		t.dirty = append(t.dirty, i)
	}
	return &t.rowAt(i).value
}

// rowAt returns a row for writing.
func (t *table[K, V]) rowAt(i int) *row[V] {
	c := i / chunkRows
	if t.shared[c] {
		chunk := *t.chunks[c]
		t.chunks[c], t.shared[c] = &chunk, false
	}
	return &t.chunks[c][i%chunkRows]
}

func (t *table[K, V]) add(key K, now time.Time) int {
	if t.index == nil {
		t.index = make(map[K]int)
	}
	i := len(t.keys)
	t.index[key] = i
	t.keys = append(t.keys, key)
	if t.tracks {
		t.marked = append(t.marked, false)
	}
	if i/chunkRows == len(t.chunks) {
		t.chunks = append(t.chunks, new([chunkRows]row[V]))
		t.shared = append(t.shared, false)
	}
	t.rowAt(i).created = now
	return i
}

// remove takes a label set out, if it is there. Should it come back, it is a new one.
func (t *table[K, V]) remove(key K) {
	i, ok := t.index[key]
	if !ok {
		return
	}
	delete(t.index, key)
	*t.rowAt(i) = row[V]{}
	t.dead++
	if t.tracks {
		t.removed = append(t.removed, key)
	} else {
		t.compact()
	}
}

// compact drops the rows that were removed, once they are most of all.
func (t *table[K, V]) compact() {
	if t.dead < chunkRows || t.dead < len(t.keys)/2 {
		return
	}
	packed := table[K, V]{tracks: t.tracks}
	for s := range t.snapshot().all {
		*packed.at(s.Labels, s.Created) = s.Value
	}
	packed.clean()
	*t = packed
}

// clean forgets what has changed.
func (t *table[K, V]) clean() {
	for _, i := range t.dirty {
		t.marked[i] = false
	}
	t.dirty, t.removed = t.dirty[:0], t.removed[:0]
	t.compact()
}

// view is a table as it was at one moment.
type view[K comparable, V any] struct {
	keys   []K
	chunks []*[chunkRows]row[V]
}

// snapshot returns the table as it is now and marks its rows as shared.
func (t *table[K, V]) snapshot() view[K, V] {
	for i := range t.shared {
		t.shared[i] = true
	}
	return view[K, V]{keys: slices.Clip(t.keys), chunks: append([]*[chunkRows]row[V](nil), t.chunks...)}
}

// all yields the series in the order of their creation.
func (v view[K, V]) all(yield func(Series[K, V]) bool) {
	for i, key := range v.keys {
		r := &v.chunks[i/chunkRows][i%chunkRows]
		if r.created.IsZero() {
			continue
		}
		if !yield(Series[K, V]{Labels: key, Value: r.value, Created: r.created}) {
			return
		}
	}
}
