package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// A compact writes Thrift's compact protocol, for files that no library writes.
type compact struct {
	bytes.Buffer
	last []int16
}

func (c *compact) field(id int16, typ byte) *compact {
	top := len(c.last) - 1
	c.WriteByte(byte(id-c.last[top])<<4 | typ)
	c.last[top] = id
	return c
}

func (c *compact) open() *compact {
	c.last = append(c.last, 0)
	return c
}

func (c *compact) close() *compact {
	c.last = c.last[:len(c.last)-1]
	c.WriteByte(thriftStop)
	return c
}

func (c *compact) uvarint(n uint64) *compact {
	c.Write(binary.AppendUvarint(nil, n))
	return c
}

func (c *compact) int(id int16, n int64) *compact {
	c.field(id, thriftI64)
	c.Write(binary.AppendVarint(nil, n))
	return c
}

func (c *compact) text(id int16, s string) *compact {
	c.field(id, thriftBinary).uvarint(uint64(len(s)))
	c.WriteString(s)
	return c
}

func (c *compact) list(id int16, n uint64) *compact {
	c.field(id, thriftList).WriteByte(15<<4 | thriftStruct)
	return c.uvarint(n)
}

// A spec is a file of one required column of INT64 with one row group and one page, whose parts may lie.
type spec struct {
	schema, groups, columns             uint64
	rows, groupRows, values             int64
	kind, repetition, codec             int64
	packed, inflated, offset            int64
	pageValues, pagePacked, pageSize    int64
	pageType, encoding, dictionaryStart int64
	body                                []byte
}

func honest() spec {
	body := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 7), 8)
	return spec{
		schema: 2, groups: 1, columns: 1, rows: 2, groupRows: 2, values: 2, kind: typeInt64, inflated: 16, packed: -1, offset: 4,
		pageValues: 2, pagePacked: 16, pageSize: 16, body: body,
	}
}

func (s spec) file() []byte {
	page := new(compact).open()
	page.int(1, s.pageType).int(2, s.pageSize).int(3, s.pagePacked)
	page.field(5, thriftStruct).open().int(1, s.pageValues).int(2, s.encoding).int(3, encodingRLE).close()
	page.close()
	data := append(page.Bytes(), s.body...)
	if s.packed < 0 {
		s.packed = int64(len(data))
	}
	f := new(compact).open()
	f.list(2, s.schema)
	f.open().text(4, "root").int(5, 1).close()
	f.open().int(1, s.kind).int(3, s.repetition).text(4, "bytes").close()
	f.int(3, s.rows).list(4, s.groups)
	f.open().list(1, s.columns)
	f.open().int(2, 4).field(3, thriftStruct).open().int(1, s.kind).int(4, s.codec).int(5, s.values).int(6, s.inflated).int(7, s.packed).int(9, s.offset)
	if s.dictionaryStart != 0 {
		f.int(11, s.dictionaryStart)
	}
	f.close().close()
	f.int(3, s.groupRows).close()
	f.close()
	out := append([]byte(Magic), data...)
	out = append(out, f.Bytes()...)
	out = binary.LittleEndian.AppendUint32(out, uint32(f.Len()))
	return append(out, Magic...)
}

// read reads all values of the first columns.
func read(f *File, file []byte, columns int, limit int64) (values []string, err error) {
	if err := f.Open(bytes.NewReader(file), int64(len(file))); err != nil {
		return nil, err
	}
	selected := make([]int, columns)
	for i := range selected {
		selected[i] = i
	}
	if err := f.Select(selected, limit); err != nil {
		return nil, err
	}
	for {
		if err := f.Next(); errors.Is(err, io.EOF) {
			return values, nil
		} else if err != nil {
			return values, err
		}
		for i := range selected {
			v := f.Value(i)
			values = append(values, [...]string{"null", strconv.FormatInt(v.Int, 10), string(v.Bytes)}[v.Kind])
		}
	}
}

// TestLies changes one statement of a file at a time.
func TestLies(t *testing.T) {
	for name, test := range map[string]struct {
		lie  func(*spec)
		want error
	}{
		"honest":                   {func(*spec) {}, nil},
		"many schema elements":     {func(s *spec) { s.schema = 1<<31 - 1 }, ErrCorrupt},
		"one schema element":       {func(s *spec) { s.schema = 1 }, ErrCorrupt},
		"many row groups":          {func(s *spec) { s.groups = 1<<31 - 1 }, ErrCorrupt},
		"many columns":             {func(s *spec) { s.columns = 1<<31 - 1 }, ErrCorrupt},
		"no columns":               {func(s *spec) { s.columns = 0 }, ErrCorrupt},
		"rows in the footer":       {func(s *spec) { s.rows = 3 }, ErrCorrupt},
		"rows everywhere":          {func(s *spec) { s.rows, s.groupRows, s.values, s.pageValues = 3, 3, 3, 3 }, ErrCorrupt},
		"rows but in pages":        {func(s *spec) { s.rows, s.groupRows, s.values = 1<<20, 1<<20, 1<<20 }, ErrCorrupt},
		"more rows than text has":  {func(s *spec) { s.rows = 1 << 30 }, ErrTooLarge},
		"negative rows":            {func(s *spec) { s.rows, s.groupRows, s.values = -1, -1, -1 }, ErrCorrupt},
		"more values than rows":    {func(s *spec) { s.rows, s.groupRows, s.values = 1, 1, 1 }, ErrCorrupt},
		"other type":               {func(s *spec) { s.kind = 5 }, ErrUnsupported},
		"repeated":                 {func(s *spec) { s.repetition = 2 }, ErrUnsupported},
		"unknown codec":            {func(s *spec) { s.codec = 3 }, ErrUnsupported},
		"not in that codec":        {func(s *spec) { s.codec = codecGzip }, ErrCorrupt},
		"unknown encoding":         {func(s *spec) { s.encoding = 99 }, ErrUnsupported},
		"no dictionary":            {func(s *spec) { s.encoding = encodingRLEDictionary; s.body[0] = 1 }, ErrCorrupt},
		"wide indexes":             {func(s *spec) { s.encoding = encodingRLEDictionary; s.body[0] = 33 }, ErrCorrupt},
		"behind the end":           {func(s *spec) { s.offset = 1 << 40 }, ErrCorrupt},
		"before the begin":         {func(s *spec) { s.offset = -4 }, ErrCorrupt},
		"long chunk":               {func(s *spec) { s.packed = 1 << 62 }, ErrCorrupt},
		"short chunk":              {func(s *spec) { s.packed = 5 }, ErrCorrupt},
		"empty chunk":              {func(s *spec) { s.packed = 0 }, ErrCorrupt},
		"large inflated size":      {func(s *spec) { s.inflated = 1 << 62 }, ErrTooLarge},
		"negative inflated size":   {func(s *spec) { s.inflated = -1 }, ErrCorrupt},
		"large page":               {func(s *spec) { s.pagePacked = 1<<31 - 1 }, ErrCorrupt},
		"page inflates too far":    {func(s *spec) { s.codec, s.pageSize = codecSnappy, 1<<31-1 }, ErrTooLarge},
		"negative page":            {func(s *spec) { s.pagePacked = -1 }, ErrCorrupt},
		"negative values":          {func(s *spec) { s.pageValues = -2 }, ErrCorrupt},
		"dictionary in the middle": {func(s *spec) { s.dictionaryStart = 3 }, ErrCorrupt},
	} {
		s := honest()
		test.lie(&s)
		if _, err := read(new(File), s.file(), 1, 1<<30); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}

// TestBombs inflates pages that hold more than they say, or say more than the limit for all pages allows.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 64<<20)
	for name, codec := range map[int64]interface {
		Encode(dst, src []byte) ([]byte, error)
	}{codecSnappy: &parquet.Snappy, codecGzip: &parquet.Gzip, codecBrotli: &parquet.Brotli, codecZstd: &parquet.Zstd, codecLZ4Raw: &parquet.Lz4Raw} {
		packed, err := codec.Encode(nil, zeros)
		if err != nil {
			t.Fatal(err)
		}
		s := honest()
		s.codec, s.body, s.pagePacked, s.pageSize = name, packed, int64(len(packed)), int64(len(packed))
		if _, err := read(new(File), s.file(), 1, 0); !errors.Is(err, ErrCorrupt) {
			t.Errorf("codec %d: got %v, want %v", name, err, ErrCorrupt)
		}
		s.pageSize = MaxHeldBytes + 1
		if _, err := read(new(File), s.file(), 1, 0); !errors.Is(err, ErrUnsupported) {
			t.Errorf("codec %d: got %v, want %v", name, err, ErrUnsupported)
		}
	}
}

// TestCutAnywhere cuts a file at each byte: none of the pieces is a file, and none gives more than was in it.
func TestCutAnywhere(t *testing.T) {
	file := honest().file()
	for n := range len(file) {
		if _, err := read(new(File), file[:n], 1, 0); !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: got %v", n, err)
		}
	}
}

// TestDamageAnywhere changes each byte of files in all manners: no panic gets out, and what is an error is one of ours.
func TestDamageAnywhere(t *testing.T) {
	type row struct {
		A string  `parquet:"a,dict"`
		B int64   `parquet:"b,delta"`
		C *string `parquet:"c,optional"`
		D string  `parquet:"d,delta"`
		E int32   `parquet:"e,dict"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, parquet.Compression(&parquet.Snappy), parquet.PageBufferSize(200))
	for i := range 50 {
		text := strconv.Itoa(i)
		r := row{strconv.Itoa(i % 3), int64(i * i), &text, "prefix-" + text, int32(i % 5)}
		if i%4 == 0 {
			r.C = nil
		}
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f := new(File)
	want, err := read(f, b.Bytes(), 5, 1<<20)
	if err != nil || len(want) != 250 {
		t.Fatalf("got %d values, %v", len(want), err)
	}
	for at := range b.Len() {
		for _, mask := range []byte{1, 0x80, 0xff} {
			damaged := bytes.Clone(b.Bytes())
			damaged[at] ^= mask
			_, err := read(f, damaged, 5, 1<<20)
			if err != nil && !isOurs(err) {
				t.Fatalf("byte %d: got %v", at, err)
			}
		}
	}
	if got, err := read(f, b.Bytes(), 5, 1<<20); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %d values and %v after damaged files, want those of before", len(got), err)
	}
}

func isOurs(err error) bool {
	return errors.Is(err, ErrTruncated) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnsupported) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrValueTooLong)
}

// TestSourceError keeps what the source says.
func TestSourceError(t *testing.T) {
	file := honest().file()
	broken := errors.New("disk is gone")
	for good := range 5 {
		f := new(File)
		source := &failing{bytes.NewReader(file), good, broken}
		err := f.Open(source, int64(len(file)))
		if err == nil {
			err = f.Select([]int{0}, 0)
		}
		for err == nil {
			err = f.Next()
		}
		if !errors.Is(err, broken) || isOurs(err) {
			t.Errorf("after %d reads: got %v, want %v", good, err, broken)
		}
	}
}

type failing struct {
	*bytes.Reader
	good int
	err  error
}

func (f *failing) ReadAt(b []byte, at int64) (int, error) {
	if f.good == 0 {
		return 0, f.err
	}
	f.good--
	return f.Reader.ReadAt(b, at)
}

// TestHybrid reads what the library's encoder writes, of all widths.
func TestHybrid(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for width := uint(1); width <= 32; width++ {
		want := make([]int32, 1000)
		for i := range want {
			if want[i] = int32(random.Uint64() & (1<<width - 1)); i%100 < 30 && i > 0 {
				want[i] = want[i-1]
			}
		}
		encoding := parquet.RLE
		encoding.BitWidth = int(width)
		b, err := encoding.EncodeInt32(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		var h hybrid
		h.begin(b, width)
		for i := range want {
			if got, ok := h.next(); !ok || got != uint32(want[i]) {
				t.Fatalf("width %d: value %d is %d, %t, want %d", width, i, got, ok, want[i])
			}
		}
	}
}

// TestDelta reads what the library's encoder writes, of all widths.
func TestDelta(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for width := range 64 {
		for _, n := range []int{0, 1, 2, 32, 33, 129, 1000} {
			want := make([]int64, n)
			for i := range want {
				want[i] = int64(random.Uint64()) >> (63 - width)
			}
			b, err := parquet.DeltaBinaryPacked.EncodeInt64(nil, want)
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, "rest"...)
			var d delta
			rest := b
			if !d.begin(&rest) || !d.pass(&rest) || string(rest) != "rest" {
				t.Fatalf("width %d, %d values: got rest %q", width, n, rest)
			}
			for i := range want {
				if got, ok := d.next(); !ok || got != want[i] {
					t.Fatalf("width %d: value %d of %d is %d, %t, want %d", width, i, n, got, ok, want[i])
				}
			}
			if _, ok := d.next(); ok {
				t.Errorf("width %d: a value behind the last of %d", width, n)
			}
		}
	}
}
