package parquet

import "encoding/binary"

// Types of Thrift's compact protocol.
const (
	thriftStop = iota
	thriftTrue
	thriftFalse
	thriftByte
	thriftI16
	thriftI32
	thriftI64
	thriftDouble
	thriftBinary
	thriftList
	thriftSet
	thriftMap
	thriftStruct
	thriftUUID
)

// maxDepth bounds the nesting of what is skipped.
const maxDepth = 16

// A thrift reads Thrift's compact protocol from bytes. The first thing that is wrong makes it bad: from then on all it reads is zero.
type thrift struct {
	b    []byte
	at   int
	bad  bool
	left int // left is for the caller's use: elements of a list that are not read yet.
}

func (t *thrift) fail() {
	t.bad, t.at = true, len(t.b)
}

func (t *thrift) byte() byte {
	if t.at >= len(t.b) {
		t.fail()
		return 0
	}
	t.at++
	return t.b[t.at-1]
}

func (t *thrift) uvarint() uint64 {
	v, n := binary.Uvarint(t.b[t.at:])
	if n <= 0 {
		t.fail()
		return 0
	}
	t.at += n
	return v
}

func (t *thrift) varint() int64 {
	v := t.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// int reads a field of one of the integer types.
func (t *thrift) int(typ byte) int64 {
	switch typ {
	case thriftByte:
		return int64(int8(t.byte()))
	case thriftI16, thriftI32, thriftI64:
		return t.varint()
	default:
		t.fail()
		return 0
	}
}

// binary reads a field of bytes, which borrow the input.
func (t *thrift) binary(typ byte) []byte {
	n := t.uvarint()
	if typ != thriftBinary || n > uint64(len(t.b)-t.at) {
		t.fail()
		return nil
	}
	t.at += int(n)
	return t.b[t.at-int(n) : t.at]
}

// field reads the head of a field of a structure. Id is the last field's and becomes this one's; the type is thriftStop at the end.
func (t *thrift) field(id *int16) (typ byte) {
	head := t.byte()
	typ = head & 15
	switch {
	case head == thriftStop:
		return thriftStop
	case head>>4 != 0:
		*id += int16(head >> 4)
	default:
		*id = int16(t.varint())
	}
	if typ == thriftStop || typ > thriftUUID {
		t.fail()
		return thriftStop
	}
	return typ
}

// list reads the head of a list. An element takes a byte at least, so there cannot be more of them than bytes.
func (t *thrift) list(typ, element byte) int {
	head := t.byte()
	n := uint64(head >> 4)
	if n == 15 {
		n = t.uvarint()
	}
	if typ != thriftList || n > 0 && head&15 != element || n > uint64(len(t.b)-t.at) {
		t.fail()
		return 0
	}
	return int(n)
}

// skip passes over a field's value.
func (t *thrift) skip(typ byte, depth int) {
	if depth > maxDepth {
		t.fail()
		return
	}
	switch typ {
	case thriftTrue, thriftFalse: // The type is the value.
	case thriftByte:
		t.byte()
	case thriftI16, thriftI32, thriftI64:
		t.uvarint()
	case thriftDouble:
		t.pass(8)
	case thriftUUID:
		t.pass(16)
	case thriftBinary:
		t.pass(t.uvarint())
	case thriftList, thriftSet:
		t.skipList(depth)
	case thriftMap:
		t.skipMap(depth)
	case thriftStruct:
		var id int16
		for typ := t.field(&id); typ != thriftStop; typ = t.field(&id) {
			t.skip(typ, depth+1)
		}
	default:
		t.fail()
	}
}

func (t *thrift) pass(n uint64) {
	if n > uint64(len(t.b)-t.at) {
		t.fail()
		return
	}
	t.at += int(n)
}

func (t *thrift) skipList(depth int) {
	head := t.byte()
	n := uint64(head >> 4)
	if n == 15 {
		n = t.uvarint()
	}
	for ; n > 0 && !t.bad; n-- {
		t.skipElement(head&15, depth)
	}
}

func (t *thrift) skipMap(depth int) {
	n := t.uvarint()
	if n == 0 {
		return
	}
	types := t.byte()
	for ; n > 0 && !t.bad; n-- {
		t.skipElement(types>>4, depth)
		t.skipElement(types&15, depth)
	}
}

// skipElement passes over an element, which takes a byte even if it is a boolean.
func (t *thrift) skipElement(typ byte, depth int) {
	if typ == thriftTrue || typ == thriftFalse {
		typ = thriftByte
	}
	t.skip(typ, depth+1)
}
