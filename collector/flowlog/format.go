package flowlog

import (
	"bytes"
	"fmt"
	"strings"
)

// DefaultFormat is the header of AWS's default format, version 2.
const DefaultFormat = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"

// A Format is what a header line says: which field stands in which column. It is immutable and safe for concurrent use.
type Format struct {
	header  string
	columns []Field // noField where the name is unknown.
	plan    []Field // As columns, with noField also where nobody reads the field.
	has     [numFields]bool
	unknown []string
	version int
	read    int  // read is the number of columns in plan that are read.
	names   bool // names: there is a field that is a Name.
	fast    fastPlan
}

// ParseFormat compiles a header line, or the log format of a flow log in AWS's ${...} notation. Names may be separated by runs of
// spaces; unknown names are kept as columns that are skipped. An error is ErrTransitGateway, or ErrUnsupportedFormat with the reason.
func ParseFormat(header string) (*Format, error) {
	f := &Format{header: strings.Join(strings.Fields(header), " ")}
	for name := range strings.FieldsSeq(header) {
		name = strings.TrimSuffix(strings.TrimPrefix(name, "${"), "}")
		field, known := ParseField(name)
		f.columns = append(f.columns, field)
		switch {
		case !known:
			f.unknown = append(f.unknown, name)
		case f.has[field]:
			return nil, fmt.Errorf("parse header: field %q stands twice: %w", name, ErrUnsupportedFormat)
		default:
			f.has[field] = true
			f.version = max(f.version, fieldVersion(field))
		}
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("parse header: %w", err)
	}
	f.compile()
	return f, nil
}

// check holds a format against the least that can be counted.
func (f *Format) check() error {
	if name := f.transitGatewayField(); name != "" {
		return fmt.Errorf("field %q: %w", name, ErrTransitGateway)
	}
	for _, need := range [...]Field{FieldSrcAddr, FieldDstAddr, FieldBytes} {
		if !f.has[need] {
			return fmt.Errorf("no field %q: %w", need, ErrUnsupportedFormat)
		}
	}
	if !f.has[FieldInterfaceID] && !f.has[FieldResourceID] {
		return fmt.Errorf("neither %q nor %q, so no row can be told apart by its interface: %w", FieldInterfaceID, FieldResourceID, ErrUnsupportedFormat)
	}
	return nil
}

// compile drops the columns that no Record carries from the plan.
func (f *Format) compile() {
	f.plan = make([]Field, len(f.columns))
	for i, field := range f.columns {
		if field != noField && !recordHas(field) {
			field = noField
		}
		if field != noField {
			f.read++
			_, name := nameOf(field)
			f.names = f.names || name
		}
		f.plan[i] = field
	}
	f.compileFast()
}

// Has says whether the format has the field.
func (f *Format) Has(field Field) bool { return f.has[field] }

// Version returns the highest version among the format's fields, which is what AWS writes into the version field.
func (f *Format) Version() int { return f.version }

// HasNames says whether the format has a field that is a Name.
func (f *Format) HasNames() bool { return f.names }

// Columns returns the number of columns.
func (f *Format) Columns() int { return len(f.columns) }

// ReadColumns returns how many columns a Record carries: of two formats the one with more tells more.
func (f *Format) ReadColumns() int { return f.read }

// Unknown returns the names of the columns that are not known fields, in their order.
func (f *Format) Unknown() []string { return f.unknown }

// String returns the header line with single spaces.
func (f *Format) String() string { return f.header }

// isHeader says whether a line names fields rather than holds values. A tag may hold any word, so one name proves nothing:
// at least two words, and half of all, must be names of fields.
func isHeader(line []byte) bool {
	words, names := 0, 0
	for word := range bytes.FieldsSeq(line) {
		words++
		if _, known := ParseField(string(word)); known || isTransitGatewayField(string(word)) {
			names++
		}
	}
	return names >= 2 && 2*names >= words
}
