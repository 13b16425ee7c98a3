package parquet

import (
	"encoding/binary"
	"fmt"
)

// Encodings of values and levels.
const (
	encodingPlain                = 0
	encodingPlainDictionary      = 2
	encodingRLE                  = 3
	encodingDeltaInts            = 5
	encodingDeltaLengths         = 6
	encodingDeltaBytes           = 7
	encodingRLEDictionary        = 8
	encodingByteStreamSplit      = 9
	maxIndexBits                 = 32
	errShort                     = "values end too early: %w"
	maxDeltaBlock                = 1 << 16
	maxDeltaWidth           uint = 64
)

// values reads the values of a page that are not null.
type values struct {
	column   *column
	encoding int64
	b        []byte // b are the bytes that are not read yet; of split integers all.
	indexes  hybrid
	ints     delta  // ints are the integers, or the lengths of what is behind them.
	prefixes delta  // prefixes are how much of a value is the one before's.
	last     []byte // last is the value before, where the next one may need it.
	at       int
}

// begin begins a page.
func (v *values) begin(c *column, encoding int64, b []byte) error {
	v.column, v.encoding, v.b, v.at = c, encoding, b, 0
	isBytes := c.schema.kind == typeByteArray
	ok := true
	switch {
	case encoding == encodingPlain:
	case encoding == encodingPlainDictionary, encoding == encodingRLEDictionary:
		v.encoding = encodingRLEDictionary
		if len(b) == 0 { // A page of nulls.
			v.indexes.begin(nil, 1)
			break
		}
		if ok = b[0] <= maxIndexBits; ok {
			v.indexes.begin(b[1:], uint(b[0]))
		}
	case encoding == encodingDeltaInts && !isBytes:
		ok = v.ints.begin(&v.b)
	case encoding == encodingDeltaLengths && isBytes:
		ok = v.ints.begin(&v.b) && v.ints.pass(&v.b)
	case encoding == encodingDeltaBytes && isBytes:
		v.last = v.last[:0]
		ok = v.prefixes.begin(&v.b) && v.prefixes.pass(&v.b) && v.ints.begin(&v.b) && v.ints.pass(&v.b)
	case encoding == encodingByteStreamSplit && !isBytes:
	default:
		return fmt.Errorf("encoding %d: %w", encoding, ErrUnsupported)
	}
	if !ok {
		return fmt.Errorf("begin of values with encoding %d: %w", encoding, ErrCorrupt)
	}
	return nil
}

// next reads the next value.
func (v *values) next(out *Value) (err error) {
	switch v.encoding {
	case encodingRLEDictionary:
		i, ok := v.indexes.next()
		d := &v.column.dictionary
		if !ok || uint64(i) >= uint64(d.count) {
			return fmt.Errorf("value %d of a dictionary of %d: %w", i, d.count, ErrCorrupt)
		}
		d.get(v.column.schema, int(i), out)
		return nil
	case encodingPlain:
		if v.column.schema.kind == typeByteArray {
			out.Kind, out.Index = Bytes, -1
			out.Bytes, v.b, err = plainBytes(v.b)
			return err
		}
		return v.nextPlainInt(out)
	case encodingDeltaInts:
		return v.nextDelta(out)
	case encodingByteStreamSplit:
		return v.nextSplit(out)
	default:
		return v.nextDeltaBytes(out)
	}
}

func (v *values) nextPlainInt(out *Value) error {
	size := v.size()
	if len(v.b) < size {
		return fmt.Errorf(errShort, ErrCorrupt)
	}
	out.Kind, out.Index, out.Int = Int, -1, plainInt(v.column.schema, v.b)
	v.b = v.b[size:]
	return nil
}

// size is the size of an integer.
func (v *values) size() int {
	if v.column.schema.kind == typeInt64 {
		return 8
	}
	return 4
}

func (v *values) nextDelta(out *Value) error {
	n, ok := v.ints.next()
	if !ok {
		return fmt.Errorf(errShort, ErrCorrupt)
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n)) // Of 32-bit integers the sums wrap, too.
	out.Kind, out.Index, out.Int = Int, -1, plainInt(v.column.schema, b[:])
	return nil
}

// nextSplit puts an integer together whose bytes stand in as many streams.
func (v *values) nextSplit(out *Value) error {
	size := v.size()
	n := len(v.b) / size
	if v.at >= n {
		return fmt.Errorf(errShort, ErrCorrupt)
	}
	var b [8]byte
	for i := range size {
		b[i] = v.b[i*n+v.at]
	}
	v.at++
	out.Kind, out.Index, out.Int = Int, -1, plainInt(v.column.schema, b[:])
	return nil
}

// nextDeltaBytes reads a value whose length stands elsewhere, and of which the first bytes may be those of the one before.
func (v *values) nextDeltaBytes(out *Value) error {
	n, ok := v.ints.next()
	prefix := int64(0)
	if ok && v.encoding == encodingDeltaBytes {
		prefix, ok = v.prefixes.next()
	}
	switch {
	case !ok || n < 0 || n > int64(len(v.b)):
		return fmt.Errorf(errShort, ErrCorrupt)
	case n+prefix > MaxValueBytes:
		return ErrValueTooLong
	}
	out.Kind, out.Index, out.Bytes = Bytes, -1, v.b[:n:n]
	v.b = v.b[n:]
	if v.encoding == encodingDeltaLengths {
		return nil
	}
	if prefix < 0 || prefix > int64(len(v.last)) {
		return fmt.Errorf("prefix of %d bytes of a value of %d: %w", prefix, len(v.last), ErrCorrupt)
	}
	v.last = append(v.last[:prefix], out.Bytes...)
	out.Bytes = v.last
	return nil
}

// A hybrid reads integers that are run-length encoded or bit-packed in turn.
type hybrid struct {
	b     []byte
	width uint
	run   uint64 // run integers are left of the run.
	same  bool   // same: the run is value over and over.
	value uint32
	bits  []byte // bits are the run's, bit the place in them.
	bit   uint64
}

func (h *hybrid) begin(b []byte, width uint) { *h = hybrid{b: b, width: width} }

// next returns the next integer, and false where there is none.
func (h *hybrid) next() (uint32, bool) {
	if h.run == 0 {
		if h.width == 0 {
			return 0, true // Nothing needs to be written to say it.
		}
		if !h.nextRun() {
			return 0, false
		}
	}
	h.run--
	if h.same {
		return h.value, true
	}
	at := h.bit
	h.bit += uint64(h.width)
	if h.bit > uint64(len(h.bits))*8 {
		return 0, false
	}
	return uint32(unpack(h.bits, at, h.width)), true
}

// nextRun reads the head of a run that is not empty.
func (h *hybrid) nextRun() bool {
	for h.run == 0 {
		head, n := binary.Uvarint(h.b)
		if n <= 0 || head > 1<<40 {
			return false
		}
		h.b = h.b[n:]
		size := uint64(h.width+7) / 8
		if h.same = head&1 == 0; h.same {
			h.run = head >> 1
		} else {
			h.run = head >> 1 * 8
			size = head >> 1 * uint64(h.width)
		}
		if size > uint64(len(h.b)) {
			if h.same {
				return false
			}
			size = uint64(len(h.b)) // Some leave out what pads the last run.
		}
		h.bits, h.bit, h.b = h.b[:size], 0, h.b[size:]
		if h.same {
			h.value = 0
			for i, b := range h.bits {
				h.value |= uint32(b) << (8 * i)
			}
		}
	}
	return true
}

// unpack reads the width bits at a place, which must be there; the first bit is the lowest one.
func unpack(b []byte, bit uint64, width uint) uint64 {
	at, shift := bit/8, uint(bit%8)
	var w uint64
	if at+8 <= uint64(len(b)) {
		w = binary.LittleEndian.Uint64(b[at:])
	} else {
		for i, c := range b[at:] {
			w |= uint64(c) << (8 * i)
		}
	}
	w >>= shift
	if shift+width > 64 {
		w |= uint64(b[at+8]) << (64 - shift)
	}
	return w & (1<<width - 1)
}

// A delta reads integers of which each is stored as the difference from the one before, in blocks of miniblocks.
type delta struct {
	b         []byte
	perMini   uint64
	minis     int
	left      uint64 // left are the integers not read yet.
	first     bool
	value     int64
	least     int64
	widths    []byte // widths are those of the block's miniblocks that are still to come.
	width     uint
	bits      []byte
	bit       uint64
	miniCount uint64 // miniCount integers are left of the miniblock.
}

// begin reads the head.
func (d *delta) begin(b *[]byte) bool {
	t := thrift{b: *b}
	block, minis, count, value := t.uvarint(), t.uvarint(), t.uvarint(), t.varint()
	if t.bad || block == 0 || block > maxDeltaBlock || minis == 0 || minis > block || block%minis != 0 || block/minis%8 != 0 {
		return false
	}
	*d = delta{b: t.b[t.at:], perMini: block / minis, minis: int(minis), left: count, first: true, value: value}
	*b = d.b
	return true
}

// pass goes behind the integers without reading them.
func (d *delta) pass(b *[]byte) bool {
	walk := *d
	for left := walk.left; left > 1; left -= min(left-1, walk.perMini) {
		if !walk.nextMini() {
			return false
		}
	}
	*b = walk.b
	return true
}

// next returns the next integer, and false where there is none.
func (d *delta) next() (int64, bool) {
	if d.left == 0 {
		return 0, false
	}
	d.left--
	if d.first {
		d.first = false
		return d.value, true
	}
	if d.miniCount == 0 && !d.nextMini() {
		return 0, false
	}
	d.miniCount--
	var diff uint64
	if d.width > 0 {
		at := d.bit
		d.bit += uint64(d.width)
		if d.bit > uint64(len(d.bits))*8 {
			return 0, false
		}
		diff = unpack(d.bits, at, d.width)
	}
	d.value += d.least + int64(diff)
	return d.value, true
}

// nextMini begins the next miniblock, and with it a block where that is due.
func (d *delta) nextMini() bool {
	if len(d.widths) == 0 {
		t := thrift{b: d.b}
		d.least = t.varint()
		if t.bad || len(t.b)-t.at < d.minis {
			return false
		}
		d.widths, d.b = t.b[t.at:t.at+d.minis], t.b[t.at+d.minis:]
	}
	d.width = uint(d.widths[0])
	d.widths = d.widths[1:]
	size := min(d.perMini/8*uint64(d.width), uint64(len(d.b))) // Some leave out what pads the last miniblock.
	if d.width > maxDeltaWidth {
		return false
	}
	d.bits, d.bit, d.miniCount, d.b = d.b[:size], 0, d.perMini, d.b[size:]
	return true
}
