package aggregator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// The encoding of durable records: fields one after the other, numbers as varints, texts with their length in front. It has one form for each value, so a
// record that can be read is written again as the same bytes. What the fields are belongs to the schema version of the whole state.

// An encoder appends fields. The zero value is empty.
type encoder struct {
	b []byte
}

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

func (e *encoder) int(v int64) { e.b = binary.AppendVarint(e.b, v) }

func (e *encoder) byte(v byte) { e.b = append(e.b, v) }

func (e *encoder) float(v float64) { e.b = binary.BigEndian.AppendUint64(e.b, math.Float64bits(v)) }

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// flags packs up to eight of them into a byte.
func (e *encoder) flags(flags ...bool) {
	var b byte
	for i, f := range flags {
		if f {
			b |= 1 << i
		}
	}
	e.byte(b)
}

// addr is 0, 4 or 16 bytes with their number in front.
func (e *encoder) addr(a flowlog.Addr) {
	switch {
	case a.IsZero():
		e.byte(0)
	case a.Is4():
		e.byte(4)
		e.b = binary.BigEndian.AppendUint32(e.b, uint32(a.Lo))
	default:
		e.byte(16)
		e.b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(e.b, a.Hi), a.Lo)
	}
}

func (e *encoder) counts(c Counts) {
	e.uint(c.Records)
	e.uint(c.Bytes)
	e.uint(c.Packets)
}

// A decoder takes fields from bytes that may be anything. After the first error it returns zero values, so that only the end has to be checked.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) failf(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
	d.b = nil
}

// end returns the first error; bytes that are left are one.
func (d *decoder) end() error {
	if len(d.b) > 0 {
		d.failf("%d bytes too many", len(d.b))
	}
	return d.err
}

var errShort = errors.New("too short")

// take returns the next n bytes, or nil.
func (d *decoder) take(n int) []byte {
	if d.err != nil || n > len(d.b) {
		d.failf("%w", errShort)
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 {
		d.failf("bad number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v := d.uint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// enum takes a byte below a limit.
func (d *decoder) enum(limit byte) byte {
	b := d.byte()
	if b >= limit {
		d.failf("value %d out of range", b)
		return 0
	}
	return b
}

func (d *decoder) float() float64 {
	b := d.take(8)
	if b == nil {
		return 0
	}
	v := math.Float64frombits(binary.BigEndian.Uint64(b))
	if math.IsNaN(v) {
		d.failf("not a number")
	}
	return v
}

func (d *decoder) text() string {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.failf("%w", errShort)
		return ""
	}
	return string(d.take(int(n)))
}

func (d *decoder) flags(flags ...*bool) {
	b := d.byte()
	if b>>len(flags) != 0 {
		d.failf("flags %#x out of range", b)
		return
	}
	for i, f := range flags {
		*f = b>>i&1 == 1
	}
}

func (d *decoder) addr() flowlog.Addr {
	var a flowlog.Addr
	n := d.byte()
	switch n {
	case 0:
		return a
	case 4:
		if b := d.take(4); b != nil {
			a = flowlog.V4(binary.BigEndian.Uint32(b))
		}
	case 16:
		if b := d.take(16); b != nil {
			a = flowlog.Addr{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
			if a.Is4() || a.IsZero() {
				d.failf("address %s in the wrong form", a)
			}
		}
	default:
		d.failf("address of %d bytes", n)
	}
	return a
}

func (d *decoder) counts() Counts { return Counts{d.uint(), d.uint(), d.uint()} }
