// Package parquet reads flat Parquet files row by row: only the columns that are asked for, one page of each in memory at a time.
//
// It decodes pages itself, because what general libraries do with a length in a hostile file is to allocate it. Here every length is held against the bytes that
// are left before it is believed, pages inflate into exactly the size that they declare, and runs are walked instead of expanded. Values borrow the page's
// memory, and in steady state nothing is allocated, not even per page.
package parquet

import (
	"errors"
	"fmt"
	"io"
)

// Errors that end a file.
var (
	// ErrTruncated says that the file ends before its end: it has no footer.
	ErrTruncated = errors.New("end is missing")
	// ErrCorrupt says that the file contradicts itself or the format.
	ErrCorrupt = errors.New("damaged")
	// ErrUnsupported says that the file is well formed as far as one can tell, and uses what this package does not read.
	ErrUnsupported = errors.New("not supported")
	// ErrTooLarge says that the selected columns inflate beyond the limit.
	ErrTooLarge = errors.New("too large")
	// ErrValueTooLong says that a value is longer than MaxValueBytes.
	ErrValueTooLong = fmt.Errorf("value is longer than %d bytes", MaxValueBytes)
)

const (
	// MaxValueBytes bounds a value.
	MaxValueBytes = 64 << 10
	// MaxHeldBytes bounds the pages and dictionaries that are in memory at once, one of each per selected column.
	MaxHeldBytes = 256 << 20
	// A buffer that is larger is not kept for the next file.
	maxKept = 4 << 20
)

// Kind says what a Value holds.
type Kind uint8

// The kinds of values.
const (
	Null  Kind = iota
	Int        // Int is in Value.Int.
	Bytes      // Bytes are in Value.Bytes.
)

// A Value is one value of the current row.
type Value struct {
	Kind  Kind
	Int   int64
	Bytes []byte // Bytes borrow the page and are valid until the next call of Next.
	// Index is the value's place in the column's dictionary, -1 if it has none.
	Index int
}

// A File reads one file after the other and keeps the buffers. It is not safe for concurrent use.
type File struct {
	source   io.ReaderAt
	footer   footer
	limit    int64
	inflated int64
	held     int64

	columns []*column // columns are the selected ones; those behind its length are kept for later files.
	groups  thrift    // groups stands before the next row group.
	group   group
	rows    int64 // rows are left in the row group.

	head   []byte // head is where page headers are read into, packed where compressed pages are.
	packed []byte
	codecs codecs
}

// Open reads the footer of a file. Nothing is read before Select.
func (f *File) Open(source io.ReaderAt, size int64) (err error) {
	defer recoverCorrupt(&err)
	f.Close()
	f.source = source
	return f.footer.read(source, size)
}

// Close lets go of the source and of unusually large buffers.
func (f *File) Close() {
	f.source, f.inflated, f.held, f.rows, f.groups = nil, 0, 0, 0, thrift{}
	f.footer.reset()
	trim(&f.packed)
	for _, c := range f.columns[:cap(f.columns)] {
		if c != nil {
			c.release()
		}
	}
	f.columns = f.columns[:0]
}

func trim(b *[]byte) {
	if cap(*b) > maxKept {
		*b = nil
	}
}

// Names returns the names of all columns in their order.
func (f *File) Names() []string { return f.footer.names }

// InflatedBytes returns the uncompressed size of the pages read since Open.
func (f *File) InflatedBytes() int64 { return f.inflated }

// Select says which columns to read, by their places in Names, and checks all of the footer that is about them. Limit bounds their uncompressed size as the
// footer states it, and again what the pages really have; 0 means no bound.
func (f *File) Select(selected []int, limit int64) (err error) {
	defer recoverCorrupt(&err)
	f.limit = limit
	f.columns = f.columns[:0]
	for _, i := range selected {
		if err := f.add(i); err != nil {
			return err
		}
	}
	// Repeated values take no space here, so rows need a bound of their own: a text file has two bytes a value at least.
	if rows := f.footer.rows; limit > 0 && rows > limit/int64(2*max(len(selected), 1)) {
		return fmt.Errorf("%d rows: %w", rows, ErrTooLarge)
	}
	f.groups = f.footer.groups()
	return f.checkGroups()
}

// add selects a column.
func (f *File) add(place int) error {
	schema := &f.footer.schema[place]
	if schema.kind != typeInt32 && schema.kind != typeInt64 && schema.kind != typeByteArray || schema.converted == convertedDecimal {
		return fmt.Errorf("column %q is neither an integer nor text: %w", schema.name, ErrUnsupported)
	}
	n := len(f.columns)
	if n < cap(f.columns) {
		f.columns = f.columns[:n+1]
	} else {
		f.columns = append(f.columns, nil)
	}
	if f.columns[n] == nil {
		f.columns[n] = &column{file: f}
	}
	f.columns[n].begin(place, schema)
	return nil
}

// checkGroups walks over all row groups before the first page is read.
func (f *File) checkGroups() error {
	groups, rows, inflated := f.groups, int64(0), int64(0)
	for range f.footer.groupCount {
		if err := f.footer.group(&groups, &f.group); err != nil {
			return err
		}
		rows += f.group.rows
		for _, c := range f.columns {
			chunk := &f.group.chunks[c.place]
			if err := f.footer.check(c.schema, chunk, f.group.rows); err != nil {
				return err
			}
			inflated += chunk.inflated
			if f.limit > 0 && inflated > f.limit || inflated < 0 {
				return fmt.Errorf("columns of %d bytes and more: %w", inflated, ErrTooLarge)
			}
		}
	}
	if rows != f.footer.rows {
		return fmt.Errorf("%d rows in row groups, %d in the footer: %w", rows, f.footer.rows, ErrCorrupt)
	}
	return nil
}

// Next goes to the next row. It returns io.EOF behind the last one.
func (f *File) Next() (err error) {
	defer recoverCorrupt(&err)
	for f.rows == 0 {
		if err := f.nextGroup(); err != nil {
			return err
		}
	}
	f.rows--
	for _, c := range f.columns {
		if err := c.next(); err != nil {
			return fmt.Errorf("read column %q: %w", c.schema.name, err)
		}
	}
	return nil
}

// Value returns what the i-th selected column has in the current row. It is valid until the next call of Next.
func (f *File) Value(i int) *Value { return &f.columns[i].value }

// Dictionary returns the number of entries of the i-th selected column's dictionary, and a number that changes when the dictionary does.
func (f *File) Dictionary(i int) (entries, id int) {
	return f.columns[i].dictionary.count, f.columns[i].dictionary.id
}

func (f *File) nextGroup() error {
	if f.groups.left == 0 {
		return io.EOF
	}
	f.groups.left--
	if err := f.footer.group(&f.groups, &f.group); err != nil {
		return err
	}
	f.rows = f.group.rows
	for _, c := range f.columns {
		c.beginChunk(f.group.chunks[c.place], f.rows)
	}
	return nil
}

// hold counts the bytes of a page or dictionary, before it is read, in place of another one.
func (f *File) hold(bytes, instead int64) error {
	f.inflated += bytes
	if f.limit > 0 && f.inflated > f.limit {
		return fmt.Errorf("pages of %d bytes and more: %w", f.inflated, ErrTooLarge)
	}
	f.held += bytes - instead
	if f.held > MaxHeldBytes {
		return fmt.Errorf("pages of %d bytes at once, and the limit is %d: %w", f.held, MaxHeldBytes, ErrUnsupported)
	}
	return nil
}

// recoverCorrupt turns a panic, which only damaged bytes can cause, into an error of the file.
func recoverCorrupt(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%v: %w", p, ErrCorrupt)
	}
}
