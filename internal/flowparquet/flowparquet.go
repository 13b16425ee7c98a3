// Package flowparquet writes flow log files for tests as Parquet, from their text. It writes with a library that the reader has nothing of.
package flowparquet

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// Types says which types the columns have.
type Types int

// The types of columns.
const (
	AWS     Types = iota // AWS are those of AWS's table: INT32, INT64 and strings.
	Strings              // Strings are strings only.
	Longs                // Longs are as AWS's, with INT64 in place of INT32.
)

// Options say how to write a file. The zero value is a usual file.
type Options struct {
	Types Types
	// Dashes keeps "-" in columns of strings instead of null.
	Dashes bool
	// Required makes columns without missing values required instead of optional.
	Required    bool
	Codec       compress.Codec
	RowsInGroup int
	PageBytes   int
	PageVersion int  // PageVersion is 1 or 2; 0 is 2.
	Plain       bool // Plain turns dictionaries off.
	Delta       bool // Delta uses the encodings by differences.
}

var ints = map[string]int{
	"version": 32, "srcport": 32, "dstport": 32, "protocol": 32, "tcp-flags": 32, "traffic-path": 32, "encryption-status": 32,
	"packets": 64, "bytes": 64, "start": 64, "end": 64,
}

// FromText writes the header and the lines of a text file. What is no integer in a column of integers, or a line without as many fields as the header has, is an
// error.
func FromText(text []byte, o Options) ([]byte, error) {
	header, rows, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	t := table{names: strings.Fields(string(header)), rows: rows, options: o}
	return t.write()
}

type table struct {
	names   []string
	rows    []byte
	options Options
	places  map[string]int // places are the columns' places in the schema.
	levels  map[string]int // levels are 1 for optional columns.
}

// bits returns the size of a column of integers, 0 for strings.
func (t *table) bits(name string) int {
	switch {
	case t.options.Types == Strings:
		return 0
	case t.options.Types == Longs && ints[name] > 0:
		return 64
	default:
		return ints[name]
	}
}

// node returns a column's part of the schema.
func (t *table) node(column int) parquet.Node {
	node := parquet.String()
	if bits := t.bits(t.names[column]); bits > 0 {
		node = parquet.Int(bits)
	}
	switch {
	case t.options.Delta && t.bits(t.names[column]) > 0:
		node = parquet.Encoded(node, &parquet.DeltaBinaryPacked)
	case t.options.Delta && column%2 == 0:
		node = parquet.Encoded(node, &parquet.DeltaByteArray)
	case t.options.Delta:
		node = parquet.Encoded(node, &parquet.DeltaLengthByteArray)
	case !t.options.Plain:
		node = parquet.Encoded(node, &parquet.RLEDictionary)
	}
	if t.options.Required && !t.missing(column) {
		return node
	}
	t.levels[t.names[column]] = 1
	return parquet.Optional(node)
}

func (t *table) missing(column int) bool {
	for line := range bytes.Lines(t.rows) {
		if row := bytes.Fields(line); column < len(row) && string(row[column]) == "-" {
			return true
		}
	}
	return false
}

func (t *table) write() ([]byte, error) {
	group := parquet.Group{}
	t.places, t.levels = make(map[string]int), make(map[string]int)
	for i, name := range t.names {
		group[strings.ReplaceAll(name, "-", "_")] = t.node(i)
	}
	schema := parquet.NewSchema("flow_log", group)
	for i, path := range schema.Columns() {
		t.places[strings.ReplaceAll(path[0], "_", "-")] = i
	}
	var out bytes.Buffer
	w := parquet.NewWriter(&out, append(t.writerOptions(), schema)...)
	for line := range bytes.Lines(t.rows) {
		fields := strings.Fields(string(line))
		if len(fields) == 0 {
			continue
		}
		values, err := t.row(fields)
		if err != nil {
			return nil, err
		}
		if _, err := w.WriteRows([]parquet.Row{values}); err != nil {
			return nil, fmt.Errorf("write row: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write footer: %w", err)
	}
	return out.Bytes(), nil
}

func (t *table) writerOptions() []parquet.WriterOption {
	o := t.options
	version := 2
	if o.PageVersion > 0 {
		version = o.PageVersion
	}
	options := []parquet.WriterOption{parquet.DataPageVersion(version)}
	if o.Codec != nil {
		options = append(options, parquet.Compression(o.Codec))
	}
	if o.RowsInGroup > 0 {
		options = append(options, parquet.MaxRowsPerRowGroup(int64(o.RowsInGroup)))
	}
	if o.PageBytes > 0 {
		options = append(options, parquet.PageBufferSize(o.PageBytes))
	}
	return options
}

func (t *table) row(fields []string) (parquet.Row, error) {
	if len(fields) != len(t.names) {
		return nil, fmt.Errorf("line %q: %d fields instead of %d", fields, len(fields), len(t.names))
	}
	row := make(parquet.Row, len(fields))
	for i, field := range fields {
		name := t.names[i]
		value, level := parquet.ByteArrayValue([]byte(field)), t.levels[name]
		switch bits := t.bits(name); {
		case field == "-" && (bits > 0 || !t.options.Dashes):
			value, level = parquet.NullValue(), 0
		case bits > 0:
			n, err := strconv.ParseInt(field, 10, bits)
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", name, err)
			}
			value = parquet.Int64Value(n)
			if bits == 32 {
				value = parquet.Int32Value(int32(n))
			}
		}
		place := t.places[name]
		row[place] = value.Level(0, level, place)
	}
	return row, nil
}
