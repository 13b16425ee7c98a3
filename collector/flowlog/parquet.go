package flowlog

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog/parquet"
)

// A parquetFile reads the records of a Parquet file. Its columns are the fields of a text file, with underscores in their names; what is missing is null, or "-" as there.
type parquetFile struct {
	open    bool // open: the current file is a Parquet one.
	file    parquet.File
	spool   spool
	columns []parquetColumn
	chosen  []int
}

// A parquetColumn is a column that a Record carries.
type parquetColumn struct {
	field  Field
	digits [20]byte // digits hold an integer where the record wants text.
	addrs  addrMemo
}

// sized is a source that can be read at any place; a file in memory is one.
type sized interface {
	io.ReaderAt
	Size() int64
}

// resetParquet begins a Parquet file. Its footer comes last and its columns lie apart, so a source that comes as a stream is spooled.
func (r *Reader) resetParquet(source io.Reader) error {
	r.parquet.open = true
	at, ok := source.(sized)
	if !ok {
		var err error
		if at, err = r.parquet.spool.fill(r.source, r.block, r.config.MaxFileBytes); err != nil {
			return err
		}
	}
	if err := r.parquet.file.Open(at, at.Size()); err != nil {
		return parquetError(err)
	}
	if err := r.setFormat([]byte(parquetHeader(r.parquet.file.Names()))); err != nil {
		return err
	}
	return parquetError(r.parquet.choose(r.format, r.config.MaxFileBytes))
}

// close lets go of the current file.
func (p *parquetFile) close() error {
	p.open = false
	p.file.Close()
	return p.spool.close()
}

// choose selects the columns that a Record carries.
func (p *parquetFile) choose(format *Format, limit int64) error {
	p.columns, p.chosen = p.columns[:0], p.chosen[:0]
	for i, field := range format.plan {
		if field == noField {
			continue
		}
		p.chosen = append(p.chosen, i)
		if len(p.columns) < cap(p.columns) {
			p.columns = p.columns[:len(p.columns)+1]
			p.columns[len(p.columns)-1].field = field
		} else {
			p.columns = append(p.columns, parquetColumn{field: field})
		}
		p.columns[len(p.columns)-1].addrs.forget()
	}
	return p.file.Select(p.chosen, limit)
}

// parquetHeader returns the header that the text file with the same columns has.
func parquetHeader(names []string) string {
	var header strings.Builder
	for i, name := range names {
		if i > 0 {
			header.WriteByte(' ')
		}
		if field, known := ParseField(name); known {
			name = field.String()
		}
		header.WriteString(strings.Map(noSpace, name))
		if name == "" {
			header.WriteByte('_')
		}
	}
	return header.String()
}

// noSpace keeps a name in one word.
func noSpace(c rune) rune {
	if unicode.IsSpace(c) {
		return '_'
	}
	return c
}

// parquetError puts an error of a Parquet file into this package's terms; an error of the source passes through.
func parquetError(err error) error {
	for _, e := range [...]struct{ of, is error }{
		{parquet.ErrTruncated, ErrTruncated},
		{parquet.ErrCorrupt, ErrCorrupt},
		{parquet.ErrUnsupported, ErrUnsupportedFormat},
		{parquet.ErrTooLarge, ErrFileTooLarge},
		{parquet.ErrValueTooLong, ErrLineTooLong},
	} {
		if errors.Is(err, e.of) {
			return fmt.Errorf("read Parquet file: %w: %w", e.is, err)
		}
	}
	if err == nil || err == io.EOF { //nolint:errorlint // Next returns the end bare.
		return err
	}
	return fmt.Errorf("read Parquet file: %w", err)
}

// readRow reads the next row into record, as Read does for a line.
func (r *Reader) readRow(record *Record) error {
	err := r.parquet.file.Next()
	r.inflated = r.parquet.file.InflatedBytes()
	if err != nil {
		r.clean = err == io.EOF //nolint:errorlint // As above.
		r.err = r.endError(parquetError(err))
		if closeErr := r.parquet.close(); r.clean && closeErr != nil {
			r.err = fmt.Errorf("close spooled Parquet file: %w", closeErr)
		}
		return r.err
	}
	r.line++
	r.lines++
	if record.Format != r.format {
		*record = Record{Format: r.format}
	}
	if bad := r.decodeRow(record); bad != nil {
		r.malformed++
		return bad
	}
	return nil
}

// decodeRow fills the record from the row's values.
func (r *Reader) decodeRow(record *Record) *LineError {
	record.Status, record.PktSrcAddr, record.PktDstAddr = StatusOK, Addr{}, Addr{}
	for i := range r.parquet.columns {
		c := &r.parquet.columns[i]
		value := r.parquet.file.Value(i)
		if a, ok := r.parquet.dictionaryAddr(i, value); ok {
			*record.addr(c.field) = a
			continue
		}
		if cause := c.set(record, value); cause != "" {
			return r.bad(c.field, c.text(value), cause)
		}
	}
	if field := record.finish(); field != noField {
		return r.bad(field, nil, "missing in a data row")
	}
	return nil
}

// set stores a value and reports why it cannot, or "".
func (c *parquetColumn) set(record *Record, value *parquet.Value) string {
	if value.Kind == parquet.Int && value.Int >= 0 && record.setInt(c.field, uint64(value.Int)) {
		return ""
	}
	return record.set(c.field, c.text(value))
}

// text returns a value as it stands in a text file.
func (c *parquetColumn) text(value *parquet.Value) []byte {
	switch {
	case value.Kind == parquet.Bytes:
		return value.Bytes
	case value.Kind == parquet.Null:
		c.digits[0] = '-'
		return c.digits[:1]
	case c.field == FieldAccountID && value.Int >= 0:
		return c.accountID(value.Int)
	default:
		return strconv.AppendInt(c.digits[:0], value.Int, 10)
	}
}

// accountID gives an account the zeros back that an integer has lost.
func (c *parquetColumn) accountID(n int64) []byte {
	const length = 12
	text := strconv.AppendInt(c.digits[:0], n, 10)
	if missing := length - len(text); missing > 0 {
		copy(c.digits[missing:], text)
		for i := range missing {
			c.digits[i] = '0'
		}
		text = c.digits[:length]
	}
	return text
}

// An addrMemo remembers which addresses the entries of a dictionary are: each is parsed once, and not once a row.
type addrMemo struct {
	id    int
	addrs []Addr // addrs are the zero Addr where the entry was not parsed yet or is no address.
}

// maxMemo bounds the dictionaries whose addresses are remembered.
const maxMemo = 1 << 17

func (m *addrMemo) forget() { m.id, m.addrs = 0, m.addrs[:0] }

// dictionaryAddr returns the address of a value that is a dictionary's entry in a column of addresses.
func (p *parquetFile) dictionaryAddr(i int, value *parquet.Value) (Addr, bool) {
	if value.Kind != parquet.Bytes || value.Index < 0 {
		return Addr{}, false
	}
	c := &p.columns[i]
	switch c.field {
	case FieldSrcAddr, FieldDstAddr, FieldPktSrcAddr, FieldPktDstAddr:
	default:
		return Addr{}, false
	}
	m := &c.addrs
	if entries, id := p.file.Dictionary(i); id != m.id {
		m.id = id
		m.addrs = append(m.addrs[:0], make([]Addr, min(entries, maxMemo))...)
	}
	if value.Index >= len(m.addrs) {
		return Addr{}, false
	}
	a := &m.addrs[value.Index]
	if a.IsZero() {
		parsed, ok := parseAddr(value.Bytes)
		if !ok {
			return Addr{}, false
		}
		*a = parsed
	}
	return *a, true
}
