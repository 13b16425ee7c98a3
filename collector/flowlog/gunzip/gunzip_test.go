package gunzip

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// A member is a gzip member by hand, since no writer makes all that a header may hold.
type member struct {
	flags byte
	extra []byte
	name  string
	note  string
	text  string
}

// bytes returns the member, with the flags of what it holds besides its own.
func (m member) bytes() []byte {
	flags := m.flags
	out := []byte{0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 0, 255}
	if m.extra != nil {
		flags |= flagExtra
		out = append(binary.LittleEndian.AppendUint16(out, uint16(len(m.extra))), m.extra...)
	}
	if m.name != "" {
		flags |= flagName
		out = append(append(out, m.name...), 0)
	}
	if m.note != "" {
		flags |= flagComment
		out = append(append(out, m.note...), 0)
	}
	out[3] = flags
	if flags&flagHeaderChecksum != 0 {
		out = binary.LittleEndian.AppendUint16(out, uint16(crc32.ChecksumIEEE(out)))
	}
	var data bytes.Buffer
	w, err := flate.NewWriter(&data, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	// A bytes.Buffer takes everything.
	_, _ = io.WriteString(w, m.text)
	_ = w.Close()
	out = append(out, data.Bytes()...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE([]byte(m.text)))
	return binary.LittleEndian.AppendUint32(out, uint32(len(m.text)))
}

// readers are the ways in which a file may come in and be read: they must not matter.
var readers = map[string]func(z *Reader, file []byte) ([]byte, error){
	"at once": func(z *Reader, file []byte) ([]byte, error) { return inflate(z, bytes.NewReader(file), 256<<10) },
	"byte by byte": func(z *Reader, file []byte) ([]byte, error) {
		return inflate(z, iotest.OneByteReader(bytes.NewReader(file)), 1)
	},
	"in small pieces": func(z *Reader, file []byte) ([]byte, error) {
		return inflate(z, iotest.HalfReader(bytes.NewReader(file)), 100)
	},
	"error with data": func(z *Reader, file []byte) ([]byte, error) {
		return inflate(z, iotest.DataErrReader(bytes.NewReader(file)), 4<<10)
	},
}

// A fileReader is a Reader, or one of another package.
type fileReader interface {
	io.Reader
	Reset(source io.Reader) error
}

// inflate reads a file to its end or error, so many bytes at a time. The clean end is no error.
func inflate(z fileReader, source io.Reader, size int) ([]byte, error) {
	err := z.Reset(source)
	var out []byte
	p := make([]byte, size)
	for err == nil {
		var n int
		n, err = z.Read(p)
		out = append(out, p[:n]...)
	}
	if n, again := z.Read(p); n != 0 || again == nil || again.Error() != err.Error() {
		return out, fmt.Errorf("read behind the end %w gives %d bytes and %w", err, n, again)
	}
	if err == io.EOF { //nolint:errorlint // Only the bare one is the clean end.
		return out, nil
	}
	return out, err
}

func TestReader(t *testing.T) {
	long := strings.Repeat("a flow log repeats itself; ", 5_000)
	noise := string(noise(rand.New(rand.NewPCG(1, 2)), 100_000))
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"one member":            {member{text: "one"}.bytes(), "one"},
		"empty member":          {member{}.bytes(), ""},
		"long":                  {member{text: long}.bytes(), long},
		"noise":                 {member{text: noise}.bytes(), noise},
		"stored":                {compressed(gzip.NoCompression, []byte(long)), long},
		"Huffman only":          {compressed(gzip.HuffmanOnly, []byte(long)), long},
		"members":               {compressed(gzip.BestSpeed, []byte(long), []byte(noise), []byte("end")), long + noise + "end"},
		"empty members between": {slices.Concat(member{}.bytes(), member{text: "one"}.bytes(), member{}.bytes(), member{}.bytes(), member{text: "two"}.bytes()), "onetwo"},
		"extra field":           {member{extra: []byte("AB\x02\x00xy"), text: "one"}.bytes(), "one"},
		"longest extra field":   {member{extra: make([]byte, 65535), text: "one"}.bytes(), "one"},
		"empty extra field":     {member{extra: []byte{}, text: "one"}.bytes(), "one"},
		"name and comment":      {member{name: "a.log", note: "caf\xe9", text: "one"}.bytes(), "one"},
		"header checksum":       {member{flags: flagHeaderChecksum, text: "one"}.bytes(), "one"},
		"everything":            {member{1 | flagHeaderChecksum, []byte("x"), strings.Repeat("n", maxStringBytes-1), "c", "one"}.bytes(), "one"},
	} {
		for way, read := range readers {
			// A reader is reused: the second file must not know of the first.
			var z Reader
			for range 2 {
				if got, err := read(&z, test.file); err != nil || string(got) != test.want {
					t.Errorf("%s, %s: got %d bytes and %v, want %d", name, way, len(got), err, len(test.want))
				}
			}
		}
	}
}

func TestReaderErrors(t *testing.T) {
	whole := member{text: "some text that is some text"}.bytes()
	full := member{flagHeaderChecksum, []byte("extra"), "name", "comment", "some text"}
	change := func(file []byte, at int) []byte {
		file = bytes.Clone(file)
		file[(at+len(file))%len(file)] ^= 0x10
		return file
	}
	for name, test := range map[string]struct {
		file []byte
		want error
	}{
		"no bytes behind a member but zeros": {append(bytes.Clone(whole), make([]byte, 512)...), ErrHeader},
		"a few zeros behind":                 {append(bytes.Clone(whole), 0, 0), io.ErrUnexpectedEOF},
		"text behind":                        {append(bytes.Clone(whole), "something else"...), ErrHeader},
		"not gzip":                           {[]byte("plain text, and long"), ErrHeader},
		"another method":                     {change(whole, 2), ErrHeader},
		"reserved flag":                      {member{flags: 0x40, text: "one"}.bytes(), ErrHeader},
		"name too long":                      {member{name: strings.Repeat("n", maxStringBytes), text: "one"}.bytes(), ErrHeader},
		"comment too long":                   {member{note: strings.Repeat("n", maxStringBytes), text: "one"}.bytes(), ErrHeader},
		"header checksum":                    {change(full.bytes(), 12), ErrHeader},
		"checksum":                           {change(whole, -5), ErrChecksum},
		"length":                             {change(whole, -1), ErrChecksum},
		"checksum of the second member":      {append(bytes.Clone(whole), change(whole, -5)...), ErrChecksum},
		"reserved block type":                {append(bytes.Clone(whole[:10]), 7), ErrData},
		"stored block with another length":   {append(bytes.Clone(whole[:10]), 1, 5, 0, 5, 0), ErrData},
		"distance before the begin":          {append(bytes.Clone(whole[:10]), 0x4b, 0x04, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0), ErrData},
		"codes beyond what their length has": {append(bytes.Clone(whole[:10]), 0x05, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), ErrData},
	} {
		for way, read := range readers {
			if _, err := read(new(Reader), test.file); !errors.Is(err, test.want) {
				t.Errorf("%s, %s: got error %v, want %v", name, way, err, test.want)
			}
		}
	}
}

// TestReaderCut cuts files at each byte: nothing but the end of a member is an end, least of all in the header of a later one.
func TestReaderCut(t *testing.T) {
	first := member{text: "first"}.bytes()
	file := slices.Concat(first, member{flagHeaderChecksum, []byte("extra"), "name", "comment", strings.Repeat("some text that is some text", 9)}.bytes())
	for n := range file {
		for way, read := range readers {
			_, err := read(new(Reader), file[:n])
			want := io.ErrUnexpectedEOF
			if n == 0 || n == len(first) {
				want = nil
			}
			if err != want { //nolint:errorlint // The bare one is promised.
				t.Errorf("%d of %d bytes, %s: got error %v, want %v", n, len(file), way, err, want)
			}
		}
	}
}

// TestReaderKeepsErrorOfSource does not take trouble with the source for a matter of the file.
func TestReaderKeepsErrorOfSource(t *testing.T) {
	broken := errors.New("connection reset")
	file := member{flagHeaderChecksum, []byte("extra"), "name", "comment", strings.Repeat("some text", 10)}.bytes()
	for n := range file {
		_, err := inflate(new(Reader), io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken)), 64)
		if err != broken { //nolint:errorlint // The source's own is promised.
			t.Errorf("got error %v behind %d bytes, want the source's", err, n)
		}
	}
}

// TestReaderOfNothing holds the smallest files and buffers to what an io.Reader promises.
func TestReaderOfNothing(t *testing.T) {
	var z Reader
	if err := z.Reset(strings.NewReader("")); err != io.EOF { //nolint:errorlint // The bare one is promised.
		t.Errorf("got %v of a file without a byte, want EOF", err)
	}
	if err := z.Reset(bytes.NewReader(member{text: "one"}.bytes())); err != nil {
		t.Fatal(err)
	}
	if n, err := z.Read(nil); n != 0 || err != nil {
		t.Errorf("got %d, %v for a buffer without room", n, err)
	}
	if rest, err := io.ReadAll(&z); err != nil || string(rest) != "one" {
		t.Errorf("got %q, %v behind it", rest, err)
	}
}

// TestReaderDoesNotAllocate resets a reader that has read a file already.
func TestReaderDoesNotAllocate(t *testing.T) {
	file := member{flagHeaderChecksum, []byte("extra"), "name", "comment", strings.Repeat("some text", 10)}.bytes()
	var z Reader
	source := bytes.NewReader(file)
	block := make([]byte, 4<<10)
	if n := testing.AllocsPerRun(100, func() {
		source.Reset(file)
		err := z.Reset(source)
		for err == nil {
			_, err = z.Read(block)
		}
		if err != io.EOF { //nolint:errorlint // Only the bare one is the clean end.
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("got %v allocations per file, want 0", n)
	}
}

// noise cannot be compressed.
func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}
