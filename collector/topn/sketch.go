package topn

import (
	"math"
	"math/bits"
	"slices"
)

const (
	// A key has so many places: the ways of its bucket.
	ways        = 8
	minCounters = 1 << 13
	maxCounters = 1 << 16
	noSlot      = -1
)

// A sketch counts the heaviest keys in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi, 2005) within buckets of a few counters, as the ways of a cache.
// A key without a counter takes over the lightest one of its bucket and inherits its volume as a possible error. So a key whose volume exceeds the bucket's divided
// by its ways has a counter, whatever came in which order. Counters of keys on the page are pinned: nobody takes them over.
type sketch[K comparable] struct {
	shift    uint8        // shift makes a bucket of a hash.
	tags     []uint32     // tags are part of the hash of the key in a slot, 0 if it is empty.
	order    []float64    // order is what counters are compared by: the fast volume, +Inf if pinned, -1 if empty.
	counters []counter[K] // counters are bucket after bucket.
	touched  []bool       // touched marks slots that changed since the last export.
	due      []bool       // due marks buckets that the next export has to contain.
}

// A counter is a key with its volumes, scaled by the clock. The fast one may be too large by as much as inherited; the slow one counts from when the key came.
type counter[K comparable] struct {
	key             K
	fast, inherited float64
	slow            float64
	member          int32 // member is 1 more than the number of the key's member, or 0.
}

// proven is the part of the fast volume that is surely the key's own.
func (c *counter[K]) proven() float64 { return c.fast - c.inherited }

func newSketch[K comparable](counters int) sketch[K] {
	s := sketch[K]{
		shift: uint8(64 - bits.TrailingZeros(uint(counters/ways))),
		tags:  make([]uint32, counters), order: make([]float64, counters),
		counters: make([]counter[K], counters), touched: make([]bool, counters), due: make([]bool, counters/ways),
	}
	for i := range s.order {
		s.order[i] = -1
	}
	return s
}

// sketchSize is the number of counters for that many identities: enough that the error stays far below the volume of the last of them.
func sketchSize(identities int) int {
	n := min(max(64*identities, minCounters), maxCounters)
	return 1 << bits.Len(uint(n-1))
}

// mix spreads a hash over all bits: the finalizer of MurmurHash3.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (s *sketch[K]) base(hash uint64) int { return int(hash>>s.shift) * ways }

func tagOf(hash uint64) uint32 { return uint32(hash) | 1 }

// find returns the slot of a key, or noSlot.
func (s *sketch[K]) find(hash uint64, key K) int {
	base, tag := s.base(hash), tagOf(hash)
	for i, t := range (*[ways]uint32)(s.tags[base:]) {
		if t == tag && s.counters[base+i].key == key {
			return base + i
		}
	}
	return noSlot
}

// add adds scaled bytes to a key and returns its slot, or noSlot if all counters of its bucket are pinned.
func (s *sketch[K]) add(hash uint64, key K, fast, slow float64) int {
	slot := s.find(hash, key)
	if slot == noSlot {
		return s.takeOver(hash, key, fast, slow)
	}
	c := &s.counters[slot]
	c.fast += fast
	c.slow += slow
	if c.member == 0 {
		s.order[slot] = c.fast
	}
	s.touched[slot] = true
	return slot
}

func (s *sketch[K]) takeOver(hash uint64, key K, fast, slow float64) int {
	base := s.base(hash)
	order := (*[ways]float64)(s.order[base:])
	lightest := 0
	for i := 1; i < ways; i++ {
		if order[i] < order[lightest] {
			lightest = i
		}
	}
	inherited := max(order[lightest], 0)
	if math.IsInf(inherited, 1) {
		return noSlot
	}
	s.put(base+lightest, hash, counter[K]{key: key, fast: inherited + fast, inherited: inherited, slow: slow})
	return base + lightest
}

func (s *sketch[K]) put(slot int, hash uint64, c counter[K]) {
	s.tags[slot] = tagOf(hash)
	s.order[slot] = c.fast
	s.counters[slot] = c
	s.touched[slot] = true
}

// emptySlot returns an empty slot in a hash's bucket, which has one.
func (s *sketch[K]) emptySlot(hash uint64) int {
	base := s.base(hash)
	return base + slices.Index(s.tags[base:base+ways], 0)
}

func (s *sketch[K]) pin(slot, member int) {
	s.counters[slot].member = int32(member) + 1
	s.order[slot] = math.Inf(1)
	s.touched[slot], s.due[slot/ways] = true, true
}

func (s *sketch[K]) unpin(slot int) {
	s.counters[slot].member = 0
	s.order[slot] = s.counters[slot].fast
	s.touched[slot] = true
}

// shrink multiplies all volumes.
func (s *sketch[K]) shrink(fast, slow float64) {
	for i := range s.counters {
		if s.tags[i] == 0 {
			continue
		}
		c := &s.counters[i]
		c.fast *= fast
		c.inherited *= fast
		c.slow *= slow
		if c.member == 0 {
			s.order[i] = c.fast
		}
		s.touched[i], s.due[i/ways] = true, true
	}
}
