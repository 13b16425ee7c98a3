package aggregator

import (
	"math/bits"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// A keyTable sums counts by the keys of one file: an address within a group. Both fit into 64 bits, because an IPv4 address has 32 of them, and other addresses are
// numbered as they come. It is an open-addressing hash table without deletion. The zero value is empty.
type keyTable struct {
	slots []keySlot
	used  int
	shift uint8 // shift makes an index into slots of a hash.

	others   []flowlog.Addr // others are the addresses that are not IPv4 ones, by their numbers. The first one is the zero address.
	byOthers map[flowlog.Addr]uint32
}

// keySlot is a key with its counts; no key is 0, because groups are numbered from 1.
type keySlot struct {
	key    uint64
	counts Counts
}

const (
	// The mark of a group whose addresses are numbers into keyTable.others.
	otherAddr = 1 << 63
	maxGroups = 1<<31 - 1

	minSlots = 1 << 10

	// 2^64 over the golden ratio, the multiplier of Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4). The upper bits of a product
	// with it are the hash.
	fibonacci = 0x9e3779b97f4a7c15
)

// shiftFor returns the shift that makes an index into that many slots, a power of two, of a hash.
func shiftFor(slots int) uint8 { return uint8(64 - bits.TrailingZeros(uint(slots))) }

// key returns the key of an address in a group.
func (t *keyTable) key(group uint32, a flowlog.Addr) uint64 {
	if a.Is4() {
		return uint64(group)<<32 | a.Lo&0xffffffff
	}
	return otherAddr | uint64(group)<<32 | uint64(t.number(a))
}

func (t *keyTable) number(a flowlog.Addr) uint32 {
	if len(t.others) == 0 {
		t.others = append(t.others, flowlog.Addr{})
	}
	if a.IsZero() {
		return 0
	}
	if n, ok := t.byOthers[a]; ok {
		return n
	}
	if t.byOthers == nil {
		t.byOthers = make(map[flowlog.Addr]uint32)
	}
	n := uint32(len(t.others))
	t.others = append(t.others, a)
	t.byOthers[a] = n
	return n
}

// split returns the group and the address of a key.
func (t *keyTable) split(key uint64) (group uint32, a flowlog.Addr) {
	group = uint32(key >> 32 & maxGroups)
	if key&otherAddr != 0 {
		return group, t.others[uint32(key)]
	}
	return group, flowlog.V4(uint32(key))
}

// find returns the counts of a key, or nil and where to add it.
func (t *keyTable) find(key uint64) (*Counts, int) {
	if len(t.slots) == 0 {
		return nil, 0
	}
	mask := len(t.slots) - 1
	for i := int(key * fibonacci >> t.shift); ; i = (i + 1) & mask {
		slot := &t.slots[i]
		switch slot.key {
		case key:
			return &slot.counts, i
		case 0:
			return nil, i
		}
	}
}

// add adds a key that find has not found, at the place that it named.
func (t *keyTable) add(key uint64, at int) *Counts {
	if t.used >= len(t.slots)/2 {
		t.grow()
		_, at = t.find(key)
	}
	t.used++
	t.slots[at] = keySlot{key: key}
	return &t.slots[at].counts
}

func (t *keyTable) grow() {
	old := t.slots
	t.resize(max(2*len(old), minSlots))
	for _, slot := range old {
		if slot.key != 0 {
			_, at := t.find(slot.key)
			t.slots[at] = slot
		}
	}
}

func (t *keyTable) resize(slots int) {
	t.slots = make([]keySlot, slots)
	t.shift = shiftFor(slots)
}

// reset empties the table. It keeps its memory unless that was much more than the file needed.
func (t *keyTable) reset() {
	if len(t.slots) > 64*minSlots && t.used < len(t.slots)/16 {
		t.resize(len(t.slots) / 8)
	} else {
		clear(t.slots)
	}
	t.used = 0
	if len(t.others) > 0 {
		t.others = t.others[:1]
		clear(t.byOthers)
	}
}

// A row of a table is a group, an address in it, and its counts.
type tableRow struct {
	group   uint32
	address flowlog.Addr
	counts  *Counts
}

// all yields the rows, in no order.
func (t *keyTable) all(yield func(tableRow) bool) {
	for i := range t.slots {
		slot := &t.slots[i]
		if slot.key == 0 {
			continue
		}
		group, address := t.split(slot.key)
		if !yield(tableRow{group, address, &slot.counts}) {
			return
		}
	}
}

// An idTable numbers 64-bit keys as they come, from 1. The zero value is empty.
type idTable struct {
	slots []idSlot
	used  uint32
	shift uint8
}

type idSlot struct {
	key uint64
	id  uint32
}

// id returns the number of a key that is not 0, and whether it is new.
func (t *idTable) id(key uint64) (id uint32, added bool) {
	if 2*int(t.used) >= len(t.slots) {
		t.grow()
	}
	slot := t.find(key)
	if slot.key == key {
		return slot.id, false
	}
	t.used++
	*slot = idSlot{key, t.used}
	return t.used, true
}

func (t *idTable) find(key uint64) *idSlot {
	mask := len(t.slots) - 1
	for i := int(key * fibonacci >> t.shift); ; i = (i + 1) & mask {
		if slot := &t.slots[i]; slot.key == key || slot.key == 0 {
			return slot
		}
	}
}

func (t *idTable) grow() {
	old := t.slots
	t.slots = make([]idSlot, max(2*len(old), minSlots))
	t.shift = shiftFor(len(t.slots))
	for _, slot := range old {
		if slot.key != 0 {
			*t.find(slot.key) = slot
		}
	}
}

func (t *idTable) reset() {
	clear(t.slots)
	t.used = 0
}
