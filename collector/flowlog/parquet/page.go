package parquet

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// Page types.
const (
	pageData       = 0
	pageDictionary = 2
	pageDataV2     = 3
)

const (
	firstHeadBytes = 1 << 10
	// Statistics of long values may stand in a page's header.
	maxHeadBytes = 1 << 20
)

// A pageHeader says what a page is.
type pageHeader struct {
	typ              int64
	inflated, packed int64
	crc              int64
	hasCRC           bool

	// Of data pages and dictionaries.
	values, encoding int64
	// Of data pages of version 1.
	levelEncoding int64
	// Of version 2: lengths of the levels, which are not compressed.
	definitionBytes, repetitionBytes int64
	rows                             int64
	plain                            bool // plain: the values are not compressed.
}

// parse reads a PageHeader.
func (h *pageHeader) parse(t *thrift) {
	*h = pageHeader{typ: -1}
	var id int16
	for typ := t.field(&id); typ != thriftStop; typ = t.field(&id) {
		switch {
		case id == 1:
			h.typ = t.int(typ)
		case id == 2:
			h.inflated = t.int(typ)
		case id == 3:
			h.packed = t.int(typ)
		case id == 4:
			h.crc, h.hasCRC = t.int(typ), true
		case id == 5 && typ == thriftStruct:
			h.parseData(t)
		case id == 7 && typ == thriftStruct:
			h.parseDictionary(t)
		case id == 8 && typ == thriftStruct:
			h.parseDataV2(t)
		default:
			t.skip(typ, 0)
		}
	}
}

func (h *pageHeader) parseData(t *thrift) {
	var id int16
	for typ := t.field(&id); typ != thriftStop; typ = t.field(&id) {
		switch id {
		case 1:
			h.values = t.int(typ)
			h.rows = h.values
		case 2:
			h.encoding = t.int(typ)
		case 3:
			h.levelEncoding = t.int(typ)
		default:
			t.skip(typ, 0)
		}
	}
}

func (h *pageHeader) parseDictionary(t *thrift) {
	var id int16
	for typ := t.field(&id); typ != thriftStop; typ = t.field(&id) {
		switch id {
		case 1:
			h.values = t.int(typ)
		case 2:
			h.encoding = t.int(typ)
		default:
			t.skip(typ, 0)
		}
	}
}

func (h *pageHeader) parseDataV2(t *thrift) {
	h.levelEncoding = encodingRLE
	var id int16
	for typ := t.field(&id); typ != thriftStop; typ = t.field(&id) {
		switch {
		case id == 1:
			h.values = t.int(typ)
		case id == 3:
			h.rows = t.int(typ)
		case id == 4:
			h.encoding = t.int(typ)
		case id == 5:
			h.definitionBytes = t.int(typ)
		case id == 6:
			h.repetitionBytes = t.int(typ)
		case id == 7 && (typ == thriftTrue || typ == thriftFalse):
			h.plain = typ == thriftFalse
		default:
			t.skip(typ, 0)
		}
	}
}

// valid holds the header's numbers against each other and the bytes that are left of the chunk.
func (h *pageHeader) valid(left int64) bool {
	const most = 1<<31 - 1
	for _, n := range [...]int64{h.inflated, h.packed, h.values, h.definitionBytes, h.repetitionBytes} {
		if n < 0 || n > most {
			return false
		}
	}
	levels := h.definitionBytes + h.repetitionBytes
	return h.packed <= left && levels <= h.packed && levels <= h.inflated
}

// nextPage reads pages up to the next one with values.
func (c *column) nextPage() error {
	for {
		var h pageHeader
		if err := c.readHeader(&h); err != nil {
			return err
		}
		body := c.at
		c.at += h.packed
		var err error
		switch h.typ {
		case pageDictionary:
			err = c.readDictionary(&h, body)
		case pageData, pageDataV2:
			err = c.readData(&h, body)
		default: // An index page, or what the format may get yet.
		}
		if err != nil || c.pageRows > 0 {
			return err
		}
	}
}

// readHeader reads the header at c.at and goes behind it.
func (c *column) readHeader(h *pageHeader) error {
	left := c.end - c.at
	if left <= 0 {
		return fmt.Errorf("pages end %d rows too early: %w", c.rows, ErrCorrupt)
	}
	f := c.file
	for window := int64(firstHeadBytes); ; window *= 8 {
		n := min(window, left)
		f.head = slices.Grow(f.head[:0], int(n))[:n]
		if err := readAt(f.source, f.head, c.at); err != nil {
			return err
		}
		t := thrift{b: f.head}
		h.parse(&t)
		if t.bad && n < left && n < maxHeadBytes {
			continue
		}
		if t.bad || !h.valid(left-int64(t.at)) {
			return fmt.Errorf("parse page header at %d: %w", c.at, ErrCorrupt)
		}
		c.at += int64(t.at)
		return nil
	}
}

// readBody reads and inflates a page into buffer, in place of what it held.
func (c *column) readBody(h *pageHeader, at int64, buffer *[]byte) error {
	f, size := c.file, h.inflated
	whole := c.chunk.codec == codecNone || h.plain
	if whole {
		size = h.packed
	}
	if !whole && h.packed > 2*h.inflated+firstHeadBytes {
		return fmt.Errorf("page of %d bytes packed into %d: %w", h.inflated, h.packed, ErrCorrupt)
	}
	if err := f.hold(size, int64(len(*buffer))); err != nil {
		return err
	}
	*buffer = slices.Grow((*buffer)[:0], int(size))[:size]
	packed := *buffer
	if !whole {
		f.packed = slices.Grow(f.packed[:0], int(h.packed))[:h.packed]
		packed = f.packed
	}
	if err := readAt(f.source, packed, at); err != nil {
		return err
	}
	if h.hasCRC && crc32.ChecksumIEEE(packed) != uint32(h.crc) {
		return fmt.Errorf("checksum of page at %d: %w", at, ErrCorrupt)
	}
	if whole {
		return nil
	}
	levels := h.definitionBytes + h.repetitionBytes
	copy(*buffer, packed[:levels])
	return f.codecs.inflate(c.chunk.codec, (*buffer)[levels:], packed[levels:])
}

// readDictionary reads a dictionary page.
func (c *column) readDictionary(h *pageHeader, at int64) error {
	if h.encoding != encodingPlain && h.encoding != encodingPlainDictionary {
		return fmt.Errorf("dictionary with encoding %d: %w", h.encoding, ErrUnsupported)
	}
	if err := c.readBody(h, at, &c.dictionary.bytes); err != nil {
		return err
	}
	return c.dictionary.parse(c.schema, h.values)
}

// readData begins a data page.
func (c *column) readData(h *pageHeader, at int64) error {
	if h.values != h.rows || h.values > c.rows || h.repetitionBytes > 0 {
		return fmt.Errorf("page with %d values and %d rows where %d rows are left: %w", h.values, h.rows, c.rows, ErrCorrupt)
	}
	if err := c.readBody(h, at, &c.page); err != nil {
		return err
	}
	values, err := c.readLevels(h)
	if err != nil {
		return err
	}
	c.pageRows = h.values
	return c.values.begin(c, h.encoding, values)
}

// readLevels begins the definition levels, which say what is null, and returns the bytes behind them.
func (c *column) readLevels(h *pageHeader) ([]byte, error) {
	b, n := c.page, h.definitionBytes
	switch {
	case h.typ == pageDataV2:
	case !c.schema.optional:
		return b, nil
	case h.levelEncoding != encodingRLE:
		return nil, fmt.Errorf("definition levels with encoding %d: %w", h.levelEncoding, ErrUnsupported)
	case len(b) < 4:
		return nil, fmt.Errorf("page without definition levels: %w", ErrCorrupt)
	default:
		n, b = int64(binary.LittleEndian.Uint32(b)), b[4:]
	}
	if n > int64(len(b)) {
		return nil, fmt.Errorf("%d bytes of definition levels in %d: %w", n, len(b), ErrCorrupt)
	}
	c.levels.begin(b[:n], 1)
	return b[n:], nil
}
