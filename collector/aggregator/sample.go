package aggregator

import (
	"cmp"
	"slices"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// sampleSize bounds the addresses that one sample holds.
const sampleSize = 32

// An addressSample remembers some of the addresses that were added: those with the smallest hashes, so that it depends neither on their order nor on how
// often each came, and two samples of the same addresses are the same. The zero value is empty.
type addressSample struct {
	sorted []hashedAddr
}

type hashedAddr struct {
	hash    uint64
	address flowlog.Addr
}

// hashAddr mixes the bits of an address by the finalizer of MurmurHash3.
func hashAddr(a flowlog.Addr) uint64 {
	h := a.Hi*fibonacci ^ a.Lo
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (s *addressSample) add(a flowlog.Addr) {
	h := hashAddr(a)
	n := len(s.sorted)
	if n == sampleSize && h >= s.sorted[n-1].hash {
		return
	}
	i, found := s.find(h, a)
	if found {
		return
	}
	if n == sampleSize {
		s.sorted = s.sorted[:n-1]
	}
	s.sorted = slices.Insert(s.sorted, i, hashedAddr{h, a})
}

// merge adds the addresses of another sample.
func (s *addressSample) merge(t *addressSample) {
	for _, a := range t.sorted {
		s.add(a.address)
	}
}

func (s *addressSample) find(h uint64, a flowlog.Addr) (int, bool) {
	return slices.BinarySearchFunc(s.sorted, hashedAddr{h, a}, compareHashed)
}

func compareHashed(a, b hashedAddr) int {
	if c := cmp.Compare(a.hash, b.hash); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.address.Hi, b.address.Hi), cmp.Compare(a.address.Lo, b.address.Lo))
}

// meets says whether the samples have an address in common.
func (s *addressSample) meets(t *addressSample) bool {
	for i, j := 0, 0; i < len(s.sorted) && j < len(t.sorted); {
		switch c := compareHashed(s.sorted[i], t.sorted[j]); {
		case c == 0:
			return true
		case c < 0:
			i++
		default:
			j++
		}
	}
	return false
}

func (s *addressSample) has(a flowlog.Addr) bool {
	_, found := s.find(hashAddr(a), a)
	return found
}

// A sighting is what an interface has shown of remotes: behind its address, and as ends of packets of its own.
type sighting struct {
	hidden, bare addressSample
	// passed are the remotes of packets that left with another source address than the interface's.
	passed addressSample
	both   bool // both: a remote was shown hidden and bare.
}

// has says whether a remote that is shown one way was shown the other way.
func (s *sighting) has(sight classifier.Sight, remote flowlog.Addr) bool {
	return sight == classifier.SightHidden && s.bare.has(remote) || sight == classifier.SightBare && s.hidden.has(remote)
}

// merge adds what was seen elsewhere.
func (s *sighting) merge(t *sighting) {
	s.hidden.merge(&t.hidden)
	s.bare.merge(&t.bare)
	s.passed.merge(&t.passed)
	s.both = s.both || t.forwards()
}

func (s *sighting) add(sight classifier.Sight, remote flowlog.Addr) {
	switch sight {
	case classifier.SightHidden:
		s.hidden.add(remote)
	case classifier.SightBare:
		s.bare.add(remote)
	case classifier.SightPassed:
		s.passed.add(remote)
	case classifier.SightNone:
	}
}

// forwards says whether one remote was shown both ways, as only what translates addresses shows it.
func (s *sighting) forwards() bool { return s.both || s.hidden.meets(&s.bare) }

// sightings are those of public and of private remotes.
type sightings struct {
	public, private sighting
}

// of returns those of the remotes of a shape.
func (s *sightings) of(shape classifier.Shape) *sighting {
	if shape.Private() {
		return &s.private
	}
	return &s.public
}

func (s *sightings) merge(t *sightings) {
	s.public.merge(&t.public)
	s.private.merge(&t.private)
}

// hide says whether a remote was hidden.
func (s *sightings) hide() bool {
	return len(s.public.hidden.sorted) > 0 || len(s.private.hidden.sorted) > 0
}
