package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Magic is what a Parquet file begins and ends with.
const Magic = "PAR1"

const (
	encryptedMagic = "PARE"
	// A footer of a thousand row groups with all fields of flow logs has some 16 MiB.
	maxFooterBytes = 64 << 20
	maxColumns     = 10_000
)

// Physical types.
const (
	typeInt32     = 1
	typeInt64     = 2
	typeByteArray = 6
)

// Converted types, which say how to understand a physical one.
const (
	convertedNone    = -1
	convertedDecimal = 5
	convertedUint8   = 11
	convertedUint32  = 13
)

// Repetition types.
const (
	required = 0
	optional = 1
)

// A footer is what a file says of itself. The row groups are parsed one at a time and as often as they are needed.
type footer struct {
	bytes      []byte
	dataEnd    int64 // dataEnd is where the footer begins.
	rows       int64
	schema     []schemaColumn
	names      []string
	groupsAt   int
	groupCount int
}

type schemaColumn struct {
	name      string
	kind      int64
	converted int64
	optional  bool
}

// unsigned says whether a 32-bit integer has no sign.
func (s *schemaColumn) unsigned() bool {
	return s.converted >= convertedUint8 && s.converted <= convertedUint32
}

// A group is a row group.
type group struct {
	rows   int64
	chunks []chunk
}

// A chunk is a column of a row group.
type chunk struct {
	kind, codec, values          int64
	inflated, packed             int64
	dataOffset, dictionaryOffset int64
	elsewhere, described         bool // elsewhere: in another file.
}

// start is where the chunk's first page is.
func (c *chunk) start() int64 {
	if c.dictionaryOffset > 0 && c.dictionaryOffset < c.dataOffset {
		return c.dictionaryOffset
	}
	return c.dataOffset
}

func (f *footer) reset() {
	trim(&f.bytes)
	f.rows, f.groupsAt, f.groupCount, f.schema, f.names = 0, 0, 0, f.schema[:0], nil
}

// read reads and parses the footer.
func (f *footer) read(source io.ReaderAt, size int64) error {
	const head, tail = int64(len(Magic)), 8
	if size < head+tail {
		return fmt.Errorf("%d bytes: %w", size, ErrTruncated)
	}
	var ends [tail]byte
	if err := readAt(source, ends[:head], 0); err != nil {
		return err
	}
	if string(ends[:head]) != Magic {
		return fmt.Errorf("begin %q: %w", ends[:head], ErrCorrupt)
	}
	if err := readAt(source, ends[:], size-tail); err != nil {
		return err
	}
	switch string(ends[4:]) {
	case Magic:
	case encryptedMagic:
		return fmt.Errorf("encrypted footer: %w", ErrUnsupported)
	default:
		return fmt.Errorf("end %q: %w", ends[4:], ErrTruncated)
	}
	length := int64(binary.LittleEndian.Uint32(ends[:]))
	if f.dataEnd = size - tail - length; f.dataEnd < head || length > maxFooterBytes {
		return fmt.Errorf("footer of %d bytes in a file of %d: %w", length, size, ErrCorrupt)
	}
	f.bytes = slices.Grow(f.bytes[:0], int(length))[:length]
	if err := readAt(source, f.bytes, f.dataEnd); err != nil {
		return err
	}
	return f.parse()
}

// readAt fills b. What is there by the file's size and cannot be read is the source's error.
func readAt(source io.ReaderAt, b []byte, offset int64) error {
	n, err := source.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("read %d bytes at %d: %w", len(b), offset, ErrTruncated)
	default:
		return fmt.Errorf("read %d bytes at %d: %w", len(b), offset, err)
	}
}

// parse reads FileMetaData as far as it is about all columns.
func (f *footer) parse() error {
	t := thrift{b: f.bytes}
	encrypted := false
	var id int16
	for typ := t.field(&id); typ != thriftStop; typ = t.field(&id) {
		switch id {
		case 2:
			if err := f.parseSchema(&t, typ); err != nil {
				return err
			}
		case 3:
			f.rows = t.int(typ)
		case 4:
			f.groupCount = t.list(typ, thriftStruct)
			f.groupsAt = t.at
			for range f.groupCount {
				t.skip(thriftStruct, 0)
			}
		case 8:
			encrypted = true
			t.skip(typ, 0)
		default:
			t.skip(typ, 0)
		}
	}
	switch {
	case t.bad || f.names == nil:
		return fmt.Errorf("parse footer: %w", ErrCorrupt)
	case encrypted:
		return fmt.Errorf("encrypted columns: %w", ErrUnsupported)
	default:
		return nil
	}
}

// parseSchema reads the list of schema elements, which for a flat file are the root and its columns.
func (f *footer) parseSchema(t *thrift, typ byte) error {
	count := t.list(typ, thriftStruct)
	if count > maxColumns {
		return fmt.Errorf("%d columns: %w", count, ErrUnsupported)
	}
	f.schema, f.names = f.schema[:0], make([]string, 0, count)
	_, columns := schemaElement(t)
	for i := 1; i < count; i++ {
		element, children := schemaElement(t)
		if t.bad {
			break
		}
		if children > 0 || element.kind < 0 {
			return fmt.Errorf("column %q is nested or repeated: %w", clip(element.name), ErrUnsupported)
		}
		f.schema = append(f.schema, element)
		f.names = append(f.names, element.name)
	}
	if t.bad || columns != int64(len(f.schema)) {
		return fmt.Errorf("parse schema: %w", ErrCorrupt)
	}
	return nil
}

// schemaElement reads a SchemaElement. The kind of what is no plain column is negative.
func schemaElement(t *thrift) (s schemaColumn, children int64) {
	s = schemaColumn{kind: -1, converted: convertedNone}
	repetition := int64(required)
	var id int16
	for typ := t.field(&id); typ != thriftStop; typ = t.field(&id) {
		switch id {
		case 1:
			s.kind = t.int(typ)
		case 3:
			repetition = t.int(typ)
		case 4:
			s.name = string(t.binary(typ))
		case 5:
			children = t.int(typ)
		case 6:
			s.converted = t.int(typ)
		default:
			t.skip(typ, 0)
		}
	}
	s.optional = repetition == optional
	if repetition != required && repetition != optional {
		s.kind = -1
	}
	return s, children
}

// groups returns a reader before the first row group.
func (f *footer) groups() thrift {
	return thrift{b: f.bytes, at: f.groupsAt, left: f.groupCount}
}

// group parses the next row group into g.
func (f *footer) group(t *thrift, g *group) error {
	g.rows = -1
	g.chunks = slices.Grow(g.chunks[:0], len(f.schema))
	var id int16
	for typ := t.field(&id); typ != thriftStop; typ = t.field(&id) {
		switch id {
		case 1:
			if n := t.list(typ, thriftStruct); n != len(f.schema) {
				return fmt.Errorf("row group with %d columns, and the schema has %d: %w", n, len(f.schema), ErrCorrupt)
			}
			g.chunks = g.chunks[:0]
			for range f.schema {
				g.chunks = append(g.chunks, columnChunk(t))
			}
		case 3:
			g.rows = t.int(typ)
		default:
			t.skip(typ, 0)
		}
	}
	if t.bad || g.rows < 0 || len(g.chunks) != len(f.schema) {
		return fmt.Errorf("parse row group: %w", ErrCorrupt)
	}
	return nil
}

// columnChunk reads a ColumnChunk.
func columnChunk(t *thrift) (c chunk) {
	var id int16
	for typ := t.field(&id); typ != thriftStop; typ = t.field(&id) {
		switch {
		case id == 1:
			c.elsewhere = len(t.binary(typ)) > 0
		case id == 3 && typ == thriftStruct:
			c.described = true
			c.metaData(t)
		default:
			t.skip(typ, 0)
		}
	}
	return c
}

// metaData reads ColumnMetaData.
func (c *chunk) metaData(t *thrift) {
	var id int16
	for typ := t.field(&id); typ != thriftStop; typ = t.field(&id) {
		switch id {
		case 1:
			c.kind = t.int(typ)
		case 4:
			c.codec = t.int(typ)
		case 5:
			c.values = t.int(typ)
		case 6:
			c.inflated = t.int(typ)
		case 7:
			c.packed = t.int(typ)
		case 9:
			c.dataOffset = t.int(typ)
		case 11:
			c.dictionaryOffset = t.int(typ)
		default:
			t.skip(typ, 0)
		}
	}
}

// check holds a chunk against the schema, the file and the number of rows.
func (f *footer) check(s *schemaColumn, c *chunk, rows int64) error {
	start := c.start()
	switch {
	case rows == 0: // Nothing is read of it, and some give it no place.
		return nil
	case c.elsewhere:
		return fmt.Errorf("column %q is in another file: %w", clip(s.name), ErrUnsupported)
	case !c.described || c.kind != s.kind || c.values != rows:
		return fmt.Errorf("column %q of type %d has %d values of type %d for %d rows: %w", clip(s.name), s.kind, c.values, c.kind, rows, ErrCorrupt)
	case start < int64(len(Magic)) || c.packed < 0 || c.inflated < 0 || start > f.dataEnd || c.packed > f.dataEnd-start:
		return fmt.Errorf("column %q of %d bytes at %d, and data ends at %d: %w", clip(s.name), c.packed, start, f.dataEnd, ErrCorrupt)
	default:
		return nil
	}
}

// clip bounds foreign text in messages.
func clip(s string) string { return s[:min(len(s), 64)] }
