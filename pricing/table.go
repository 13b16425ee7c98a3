package pricing

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed rates.csv
var ratesCSV string

// Table is a list of prices. It is immutable and safe for concurrent use.
type Table struct {
	rates map[key]Rate
}

type key struct {
	region string
	item   Item
}

// columns is the first row of a price list.
var columns = []string{"region", "item", "usd", "source", "source_date"}

var (
	regionPattern = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{1,16}){1,3}-[0-9]{1,2}$`)
	sourcePattern = regexp.MustCompile(`^[A-Za-z0-9]+(\+[A-Za-z0-9]+)*$`)
)

// Load reads a price list: CSV with a first row of column names and one price a
// row, comment lines beginning with #. Anything odd is an error that names the
// line: a price that is not above 0 (a list price of 0 is a gap in disguise), an
// unknown item, a region or a source that is not shaped like one, a bad date, a second
// price for the same thing.
func Load(r io.Reader) (*Table, error) {
	rows := csv.NewReader(r)
	rows.Comment = '#'
	rows.FieldsPerRecord = len(columns)
	rows.ReuseRecord = true
	header, err := rows.Read()
	switch {
	case err == io.EOF:
		return nil, errors.New("read price list: no rows")
	case err != nil:
		return nil, fmt.Errorf("read price list: %w", err)
	case !slices.Equal(header, columns):
		return nil, fmt.Errorf("read price list: line %d: columns are %q, want %q", line(rows), header, columns)
	}
	t := &Table{rates: make(map[key]Rate)}
	for {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read price list: %w", err)
		}
		if err := t.add(row); err != nil {
			return nil, fmt.Errorf("read price list: line %d: %w", line(rows), err)
		}
	}
	if len(t.rates) == 0 {
		return nil, errors.New("read price list: no prices")
	}
	return t, nil
}

func line(rows *csv.Reader) int {
	n, _ := rows.FieldPos(0)
	return n
}

func (t *Table) add(row []string) error {
	// The reader reuses the row, and its fields share one string with it that
	// would otherwise be kept.
	region, item, source := strings.Clone(row[0]), Item(strings.Clone(row[1])), strings.Clone(row[3])
	if !regionPattern.MatchString(region) {
		return fmt.Errorf("bad region %q", region)
	}
	if !slices.Contains(Items(), item) {
		return fmt.Errorf("unknown item %q, want one of %s", item, itemList())
	}
	usd, err := strconv.ParseFloat(row[2], 64)
	if err != nil {
		return fmt.Errorf("parse price: %w", err)
	}
	if !(usd > 0) || math.IsInf(usd, 0) {
		return fmt.Errorf("bad price %q, want a number above 0", row[2])
	}
	if !sourcePattern.MatchString(source) {
		return fmt.Errorf("bad source %q, want keys joined by %q", source, "+")
	}
	date, err := time.Parse(time.DateOnly, row[4])
	if err != nil {
		return fmt.Errorf("parse source date: %w", err)
	}
	k := key{region, item}
	if _, ok := t.rates[k]; ok {
		return fmt.Errorf("second price for %s in %s", item, region)
	}
	t.rates[k] = Rate{USD: usd, Date: date, Source: source}
	return nil
}

// Row is one price of a list.
type Row struct {
	Region string
	Item   Item
	Rate   Rate
}

func (r Row) fields() []string {
	return []string{r.Region, string(r.Item), strconv.FormatFloat(r.Rate.USD, 'f', -1, 64), r.Rate.Source, r.Rate.Date.Format(time.DateOnly)}
}

// Rows returns all prices, by region and within it in the order of [Items].
func (t *Table) Rows() []Row {
	var rows []Row
	for _, region := range t.Regions() {
		for _, item := range Items() {
			if rate, ok := t.Price(region, item); ok {
				rows = append(rows, Row{region, item, rate})
			}
		}
	}
	return rows
}

// Merge returns a list with the rows in place of what t has for the same region
// and item. The rows must be such as [Load] accepts, no two for the same.
func (t *Table) Merge(rows []Row) (*Table, error) {
	merged := &Table{rates: make(map[key]Rate, len(rows))}
	for _, row := range rows {
		if err := merged.add(row.fields()); err != nil {
			return nil, fmt.Errorf("merge prices: %w", err)
		}
	}
	for k, rate := range t.rates {
		if _, replaced := merged.rates[k]; !replaced {
			merged.rates[k] = rate
		}
	}
	return merged, nil
}

// Write writes the prices as [Load] reads them.
func (t *Table) Write(w io.Writer) error {
	rows := csv.NewWriter(w)
	_ = rows.Write(columns) // An error stays, and is returned below.
	for _, row := range t.Rows() {
		_ = rows.Write(row.fields())
	}
	rows.Flush()
	if err := rows.Error(); err != nil {
		return fmt.Errorf("write price list: %w", err)
	}
	return nil
}

// embedded parses the list once. It is part of the program and tested, so that
// it cannot fail at run time.
var embedded = sync.OnceValue(func() *Table {
	t, err := Load(strings.NewReader(ratesCSV))
	if err != nil {
		panic(err)
	}
	return t
})

// Default returns the embedded list prices.
func Default() *Table { return embedded() }

// Price returns the list price of an item in a region; ok is false if the list
// has none.
func (t *Table) Price(region string, item Item) (rate Rate, ok bool) {
	rate, ok = t.rates[key{region, item}]
	return rate, ok
}

// Regions returns the regions that have at least one price, sorted.
func (t *Table) Regions() []string {
	regions := make(map[string]struct{})
	for k := range t.rates {
		regions[k.region] = struct{}{}
	}
	return slices.Sorted(maps.Keys(regions))
}
