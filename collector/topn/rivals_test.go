package topn

import (
	"container/heap"
	"math"
	"math/rand/v2"
)

// A heavyHitters is an algorithm that finds heavy keys. Weights are bytes scaled by forward decay, so that it need not know of time.
type heavyHitters interface {
	add(key uint64, weight float64)
	// estimates yields the keys that it holds, with what it thinks their weight is.
	estimates(yield func(key uint64, weight float64))
	bytes() int // bytes is the size of its tables.
}

// setAssociative is the package's own sketch. It ranks by proven weight.
type setAssociative struct{ sketch[uint64] }

func newSetAssociative(counters int) *setAssociative {
	return &setAssociative{newSketch[uint64](counters)}
}

func (s *setAssociative) add(key uint64, weight float64) { s.sketch.add(mix(key), key, weight, 0) }

func (s *setAssociative) estimates(yield func(uint64, float64)) {
	for i := range s.counters {
		if s.tags[i] != 0 {
			yield(s.counters[i].key, s.counters[i].proven())
		}
	}
}

func (s *setAssociative) bytes() int { return len(s.tags) * (4 + 8 + 40 + 1) }

// spaceSaving is Space-Saving with one heap over all counters.
type spaceSaving struct {
	limit    int
	index    map[uint64]*ssCounter
	counters ssHeap
}

type ssCounter struct {
	key              uint64
	weight, inherits float64
	at               int
}

type ssHeap []*ssCounter

func (h ssHeap) Len() int           { return len(h) }
func (h ssHeap) Less(i, j int) bool { return h[i].weight < h[j].weight }
func (h ssHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }
func (h *ssHeap) Push(x any)        { *h = append(*h, x.(*ssCounter)) }
func (h *ssHeap) Pop() any          { panic("a counter is never given up") }

func newSpaceSaving(limit int) *spaceSaving {
	return &spaceSaving{limit: limit, index: make(map[uint64]*ssCounter, limit)}
}

func (s *spaceSaving) add(key uint64, weight float64) {
	c, ok := s.index[key]
	switch {
	case ok:
		c.weight += weight
	case len(s.counters) < s.limit:
		c = &ssCounter{key: key, weight: weight, at: len(s.counters)}
		s.index[key] = c
		heap.Push(&s.counters, c)
		return
	default:
		c = s.counters[0]
		delete(s.index, c.key)
		s.index[key] = c
		c.key, c.inherits = key, c.weight
		c.weight += weight
	}
	heap.Fix(&s.counters, c.at)
}

func (s *spaceSaving) estimates(yield func(uint64, float64)) {
	for _, c := range s.counters {
		yield(c.key, c.weight-c.inherits)
	}
}

// bytes counts a counter, its pointer, and some 1.5 times a map's entry.
func (s *spaceSaving) bytes() int { return s.limit * (32 + 8 + 24) }

// misraGries is Misra-Gries with amortised purges (Anderson et al., 2017), as in Apache DataSketches: when the table is full, the median of a sample is subtracted from
// all counters.
type misraGries struct {
	limit  int
	index  map[uint64]float64
	sample []float64
}

func newMisraGries(limit int) *misraGries {
	return &misraGries{limit: limit, index: make(map[uint64]float64, limit)}
}

func (m *misraGries) add(key uint64, weight float64) {
	m.index[key] += weight
	if len(m.index) > m.limit {
		m.purge()
	}
}

func (m *misraGries) purge() {
	m.sample = m.sample[:0]
	for _, w := range m.index {
		if m.sample = append(m.sample, w); len(m.sample) == 1024 {
			break
		}
	}
	median := quickMedian(m.sample)
	for key, w := range m.index {
		if w <= median {
			delete(m.index, key)
		} else {
			m.index[key] = w - median
		}
	}
}

func (m *misraGries) estimates(yield func(uint64, float64)) {
	for key, w := range m.index {
		yield(key, w)
	}
}

func (m *misraGries) bytes() int { return m.limit * 24 }

// quickMedian returns the median and reorders the values.
func quickMedian(v []float64) float64 {
	k := len(v) / 2
	for lo, hi := 0, len(v)-1; lo < hi; {
		pivot := v[(lo+hi)/2]
		i, j := lo, hi
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return v[k]
		}
	}
	return v[k]
}

const rows = 2

// heavyKeeper is HeavyKeeper (Gong et al., 2018) with weights: an update that meets a foreign fingerprint wears it down with probability base^-c for each unit of
// its own weight. A unit is a part of the total weight, since counts in bytes would never be worn down.
type heavyKeeper struct {
	rng   *rand.Rand
	width uint64
	cells [rows][]hkCell
	top   spaceSaving // top holds the candidates by their estimates.
	total float64
}

type hkCell struct {
	fingerprint uint32
	weight      float64
}

func newHeavyKeeper(width, candidates int) *heavyKeeper {
	h := &heavyKeeper{rng: rand.New(rand.NewPCG(1, 1)), width: uint64(width), top: *newSpaceSaving(candidates)}
	for i := range h.cells {
		h.cells[i] = make([]hkCell, width)
	}
	return h
}

func (h *heavyKeeper) add(key uint64, weight float64) {
	h.total += weight
	unit := h.total * 1e-6
	estimate := 0.0
	for i := range h.cells {
		hash := mix(key + uint64(i)*0x9e3779b97f4a7c15)
		cell := &h.cells[i][hash>>32&(h.width-1)]
		fingerprint := uint32(hash)
		if cell.fingerprint != fingerprint {
			h.wear(cell, fingerprint, weight, unit)
		} else {
			cell.weight += weight
		}
		if cell.fingerprint == fingerprint {
			estimate = max(estimate, cell.weight)
		}
	}
	h.offer(key, estimate)
}

// wear takes from a foreign cell, and hands it over with what weight is left when nothing remains.
func (h *heavyKeeper) wear(cell *hkCell, fingerprint uint32, weight, unit float64) {
	const base = 1.08
	for weight > 0 && cell.weight > 0 {
		step := min(weight, unit)
		if h.rng.Float64() < math.Pow(base, -cell.weight/unit) {
			cell.weight -= step
		} else if cell.weight/unit > 200 {
			return // The probability is below 1e-6 for each further unit.
		}
		weight -= step
	}
	if cell.weight <= 0 {
		*cell = hkCell{fingerprint, weight}
	}
}

// offer puts an estimate among the candidates.
func (h *heavyKeeper) offer(key uint64, estimate float64) {
	h.top.offer(key, estimate)
}

// offer sets a key's weight, if it is among the largest.
func (s *spaceSaving) offer(key uint64, weight float64) {
	c, ok := s.index[key]
	switch {
	case ok:
		c.weight = weight
	case len(s.counters) < s.limit:
		s.add(key, weight)
		return
	case weight <= s.counters[0].weight:
		return
	default:
		c = s.counters[0]
		delete(s.index, c.key)
		s.index[key] = c
		c.key, c.weight = key, weight
	}
	heap.Fix(&s.counters, c.at)
}

func (h *heavyKeeper) estimates(yield func(uint64, float64)) { h.top.estimates(yield) }

func (h *heavyKeeper) bytes() int { return rows*int(h.width)*16 + h.top.bytes() }

// countMin is a count-min sketch (Cormode, Muthukrishnan, 2005) with conservative update and a heap of candidates.
type countMin struct {
	width uint64
	cells [4][]float64
	top   spaceSaving
}

func newCountMin(width, candidates int) *countMin {
	c := &countMin{width: uint64(width), top: *newSpaceSaving(candidates)}
	for i := range c.cells {
		c.cells[i] = make([]float64, width)
	}
	return c
}

func (c *countMin) add(key uint64, weight float64) {
	hash := mix(key)
	estimate := math.Inf(1)
	for i := range c.cells {
		estimate = min(estimate, *c.cell(hash, i))
	}
	estimate += weight
	for i := range c.cells {
		cell := c.cell(hash, i)
		*cell = max(*cell, estimate)
	}
	c.top.offer(key, estimate)
}

// cell places rows by two halves of one hash (Kirsch, Mitzenmacher, 2006).
func (c *countMin) cell(hash uint64, row int) *float64 {
	return &c.cells[row][(hash>>32+uint64(row)*(hash&0xffffffff|1))&(c.width-1)]
}

func (c *countMin) estimates(yield func(uint64, float64)) { c.top.estimates(yield) }

func (c *countMin) bytes() int { return 4*int(c.width)*8 + c.top.bytes() }
