package parquet

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// A column reads one selected column, value by value. A column without repetition has one value a row, null or not, so columns stay side by side whatever
// their pages are.
type column struct {
	file   *File
	place  int
	schema *schemaColumn
	value  Value

	chunk   chunk
	at, end int64 // at is the next page's header, end the end of the chunk.
	rows    int64 // rows of the chunk are not read yet, pageRows of the page.

	pageRows   int64
	page       []byte
	levels     hybrid
	values     values
	dictionary dictionary
}

// begin makes the column one of a file.
func (c *column) begin(place int, schema *schemaColumn) {
	c.place, c.schema, c.rows, c.pageRows = place, schema, 0, 0
	c.page, c.dictionary.bytes = c.page[:0], c.dictionary.bytes[:0]
}

// release lets go of unusually large buffers.
func (c *column) release() {
	trim(&c.page)
	trim(&c.dictionary.bytes)
	trim(&c.values.last)
	if cap(c.dictionary.offsets) > maxKept/4 {
		c.dictionary.offsets = nil
	}
	if cap(c.dictionary.ints) > maxKept/8 {
		c.dictionary.ints = nil
	}
}

// beginChunk goes to the column's chunk of another row group.
func (c *column) beginChunk(chunk chunk, rows int64) {
	c.chunk, c.rows, c.pageRows = chunk, rows, 0
	c.at = chunk.start()
	c.end = c.at + chunk.packed
	c.dictionary.count = 0
}

// next reads the next value.
func (c *column) next() error {
	if c.pageRows == 0 {
		if err := c.nextPage(); err != nil {
			return err
		}
	}
	c.rows--
	c.pageRows--
	if c.schema.optional {
		level, ok := c.levels.next()
		if !ok {
			return fmt.Errorf("definition levels end too early: %w", ErrCorrupt)
		}
		if level == 0 {
			c.value.Kind = Null
			return nil
		}
	}
	return c.values.next(&c.value)
}

// A dictionary holds the values that a chunk's pages refer to.
type dictionary struct {
	id      int
	count   int
	bytes   []byte
	ints    []int64
	offsets []uint32 // offsets are of the values in bytes: each is followed by its length and the value.
}

// parse reads the values of a dictionary page from bytes.
func (d *dictionary) parse(s *schemaColumn, values int64) error {
	d.id++
	d.count = 0
	d.ints, d.offsets = d.ints[:0], d.offsets[:0]
	size := int64(4)
	if s.kind == typeInt64 {
		size = 8
	}
	if values > int64(len(d.bytes))/size {
		return fmt.Errorf("dictionary of %d values in %d bytes: %w", values, len(d.bytes), ErrCorrupt)
	}
	if s.kind != typeByteArray {
		d.ints = slices.Grow(d.ints, int(values))
		for i := range values {
			d.ints = append(d.ints, plainInt(s, d.bytes[i*size:]))
		}
		d.count = int(values)
		return nil
	}
	d.offsets = slices.Grow(d.offsets, int(values))
	at := 0
	for range values {
		_, rest, err := plainBytes(d.bytes[at:])
		if err != nil {
			return err
		}
		d.offsets = append(d.offsets, uint32(at))
		at = len(d.bytes) - len(rest)
	}
	d.count = int(values)
	return nil
}

// get returns the value at a place, which must be less than count.
func (d *dictionary) get(s *schemaColumn, i int, v *Value) {
	v.Index = i
	if s.kind != typeByteArray {
		v.Kind, v.Int = Int, d.ints[i]
		return
	}
	at := d.offsets[i]
	n := binary.LittleEndian.Uint32(d.bytes[at:])
	v.Kind, v.Bytes = Bytes, d.bytes[at+4:at+4+n:at+4+n]
}

// plainInt reads an integer as it stands in the file.
func plainInt(s *schemaColumn, b []byte) int64 {
	switch {
	case s.kind == typeInt64:
		return int64(binary.LittleEndian.Uint64(b))
	case s.unsigned():
		return int64(binary.LittleEndian.Uint32(b))
	default:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	}
}

// plainBytes reads a length and a value.
func plainBytes(b []byte) (v, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, fmt.Errorf("values end too early: %w", ErrCorrupt)
	}
	n := int64(binary.LittleEndian.Uint32(b))
	switch {
	case n > int64(len(b)-4):
		return nil, nil, fmt.Errorf("value of %d bytes where %d are left: %w", n, len(b)-4, ErrCorrupt)
	case n > MaxValueBytes:
		return nil, nil, ErrValueTooLong
	}
	return b[4 : 4+n : 4+n], b[4+n:], nil
}
