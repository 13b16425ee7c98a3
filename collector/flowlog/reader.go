package flowlog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog/gunzip"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog/parquet"
)

const blockBytes = 256 << 10

// A Reader reads the records of one file after the other; Reset starts the next file and keeps the buffers. It is not safe for
// concurrent use.
type Reader struct {
	config Config

	source     *bufio.Reader // source is the compressed file.
	gzip       gunzip.Reader
	text       io.Reader // text gives the lines: gzip, or source of a file that is not compressed.
	inflated   int64
	inflateErr error // inflateErr is why no more bytes come.
	clean      bool  // clean: the reason is the clean end of the stream.
	block      []byte
	start, end int // block[start:end] is inflated and not yet read.

	parquet  parquetFile
	window   window
	times    timeCache
	readable bool // readable turns the fast path off, for tests that hold it to the readable one.

	format    *Format
	known     map[string]*Format // known are the formats by their header lines.
	line      int64              // line counts all lines, lines the data lines.
	lines     int64
	malformed int64
	lineError LineError
	err       error // err is what ended the file.
}

// NewReader returns a reader without a file.
func NewReader(config Config) *Reader {
	return &Reader{
		config: config, source: bufio.NewReaderSize(nil, 64<<10), block: make([]byte, padBefore+blockBytes+padBehind), known: make(map[string]*Format),
		window: window{simd: hasSIMD},
	}
}

// Reset begins a file. The bytes must be gzip, of one member or several, or Parquet, or none at all, which is a file without lines; an error is one of this
// package's or what source returned. A source that can be read at any place and knows its Size must stand at its begin. Parquet of any other is spooled into
// a temporary file, which is closed by the end of the file or by the next Reset.
func (r *Reader) Reset(source io.Reader) error { return r.reset(source, false) }

// ResetText is Reset for a file that may have been unpacked: bytes that are neither gzip nor Parquet are its lines.
func (r *Reader) ResetText(source io.Reader) error { return r.reset(source, true) }

func (r *Reader) reset(source io.Reader, orText bool) error {
	_ = r.parquet.close() // Its error is of a file that was given up.
	r.source.Reset(source)
	r.inflated, r.inflateErr, r.clean, r.start, r.end = 0, nil, false, padBefore, padBefore
	r.window.reset()
	r.format, r.line, r.lines, r.malformed, r.err = nil, 0, 0, 0, nil
	magic, err := r.source.Peek(len(parquet.Magic))
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		r.err = fmt.Errorf("read file magic: %w", err)
	case len(magic) == 0 && EndOfFile(err) == nil:
		r.inflateErr, r.clean = io.EOF, true
	case string(magic) == parquet.Magic:
		r.err = r.resetParquet(source)
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		r.text = &r.gzip
		r.err = inflateError(r.gzip.Reset(r.source))
	case orText:
		r.text = r.source
	default:
		r.err = fmt.Errorf("read file magic %q: %w", magic, ErrNotGzip)
	}
	if r.err != nil {
		_ = r.parquet.close() // The first error tells more.
	}
	return r.err
}

// Read reads the next data line into record. It returns io.EOF at the clean end of the file, a *LineError for a line that cannot be
// read (the file goes on behind it), and any other error when the whole file must be dropped.
func (r *Reader) Read(record *Record) error {
	if r.parquet.open && r.err == nil {
		return r.readRow(record)
	}
	for r.err == nil {
		if r.format != nil && !r.readable && r.readUsual(record) {
			return nil
		}
		line, err := r.nextLine()
		if err != nil {
			r.err = r.endError(err)
			break
		}
		r.line++
		if len(line) == 0 {
			continue
		}
		if r.format == nil {
			isData, err := r.begin(line)
			if err != nil {
				r.err = err
				break
			}
			if !isData {
				continue
			}
		}
		if record.Format != r.format {
			*record = Record{Format: r.format}
		}
		if bad := r.decode(line, record); bad != nil {
			if isHeader(line) {
				if r.err = r.setFormat(line); r.err != nil {
					break
				}
				continue
			}
			r.lines++
			r.malformed++
			return bad
		}
		r.lines++
		return nil
	}
	return r.err
}

// readUsual reads the next line if it is complete in the block and of the usual form. Otherwise it changes nothing but the record.
func (r *Reader) readUsual(record *Record) bool {
	columns := r.format.fast.columns
	if columns == 0 {
		return false
	}
	bounds, newline, ok := r.window.line(r.block, r.start, r.end, columns)
	if !ok || r.block[newline-1] == '\r' {
		return false
	}
	if record.Format != r.format {
		*record = Record{Format: r.format}
	}
	line := splitLine{r.block, bounds, r.window.simd}
	if !line.decode(&r.format.fast, &r.times, record) {
		return false
	}
	r.start = newline + 1
	r.line++
	r.lines++
	return true
}

// EndOfFile returns nil for the error that Read returns at the clean end of a file, and any other error as it is.
func EndOfFile(err error) error {
	if err == io.EOF { //nolint:errorlint // Read returns it bare; a wrapped one is part of a failure.
		return nil
	}
	return err
}

// Line returns the number of the line that was read last, counted from 1 with the header; of a Parquet file, which has no header, that of the row.
func (r *Reader) Line() int64 { return r.line }

// Lines returns the number of data lines read since Reset, malformed ones included.
func (r *Reader) Lines() int64 { return r.lines }

// Format returns the format of the line that was read last, nil before the first header or data line.
func (r *Reader) Format() *Format { return r.format }

// InflatedBytes returns the number of bytes inflated since Reset; of a Parquet file, the uncompressed size of the pages read.
func (r *Reader) InflatedBytes() int64 { return r.inflated }

// begin settles the format by the first line and says whether that line is data already.
func (r *Reader) begin(line []byte) (isData bool, err error) {
	if isHeader(line) {
		return false, r.setFormat(line)
	}
	return true, r.headerless(line)
}

// maxKnownFormats bounds the headers whose formats are kept; a bucket holds a few.
const maxKnownFormats = 64

// setFormat compiles a header line that the reader has not had before. Members of a gzip file that were files of their own bring their headers along.
func (r *Reader) setFormat(line []byte) error {
	if format, ok := r.known[string(line)]; ok {
		r.format = format
		return nil
	}
	format, err := ParseFormat(string(line))
	if errors.Is(err, ErrTransitGateway) && r.format != nil {
		// Nobody may skip the lines that came before.
		return fmt.Errorf("read line %d: header of a transit gateway flow log behind that of another: %w", r.line, ErrUnsupportedFormat)
	}
	if err != nil {
		return err
	}
	if len(r.known) >= maxKnownFormats {
		clear(r.known)
	}
	r.known[string(line)] = format
	r.format = format
	return nil
}

// decode splits a line by the plan of its format and fills the record.
func (r *Reader) decode(line []byte, record *Record) *LineError {
	// What finish derives must not survive from the line before.
	record.Status, record.PktSrcAddr, record.PktDstAddr = StatusOK, Addr{}, Addr{}
	column, i := 0, 0
	plan := r.format.plan
	for i < len(line) {
		if line[i] == ' ' {
			i++
			continue
		}
		if column == len(plan) {
			return r.bad(noField, line, "more fields than the header has")
		}
		n := bytes.IndexByte(line[i:], ' ')
		if n < 0 {
			n = len(line) - i
		}
		if field := plan[column]; field != noField {
			if cause := record.set(field, line[i:i+n]); cause != "" {
				return r.bad(field, line[i:i+n], cause)
			}
		}
		column++
		i += n
	}
	if column < len(plan) {
		return r.bad(noField, line, "fewer fields than the header has")
	}
	if field := record.finish(); field != noField {
		return r.bad(field, nil, "missing in a data row")
	}
	return nil
}

// bad fills the one LineError that the reader owns.
func (r *Reader) bad(field Field, value []byte, cause string) *LineError {
	r.lineError = LineError{Line: r.line, Field: field, Value: clip(value), Cause: cause, row: r.parquet.open}
	return &r.lineError
}

// nextLine returns the next line without its end. The last line of a file may lack its newline.
func (r *Reader) nextLine() ([]byte, error) {
	scanned := 0
	for {
		if n := bytes.IndexByte(r.block[r.start+scanned:r.end], '\n'); n >= 0 {
			line := r.block[r.start : r.start+scanned+n]
			r.start += scanned + n + 1
			return r.trim(line)
		}
		scanned = r.end - r.start
		if scanned > MaxLineBytes {
			return nil, ErrLineTooLong
		}
		if r.inflateErr != nil {
			if !r.clean || scanned == 0 {
				return nil, r.inflateErr
			}
			line := r.block[r.start:r.end]
			r.start = r.end
			return r.trim(line)
		}
		r.fill()
	}
}

// trim drops what some tools put around a line: a carriage return, and a byte order mark before the first one.
func (r *Reader) trim(line []byte) ([]byte, error) {
	if len(line) > MaxLineBytes {
		return nil, ErrLineTooLong
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if r.line == 0 {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	return line, nil
}

// fill moves the unread rest to the front of the block and inflates behind it.
func (r *Reader) fill() {
	r.end = padBefore + copy(r.block[padBefore:], r.block[r.start:r.end])
	r.start = padBefore
	r.window.reset()
	n, err := r.text.Read(r.block[r.end : len(r.block)-padBehind])
	r.end += n
	r.inflated += int64(n)
	switch {
	case r.config.MaxFileBytes > 0 && r.inflated > r.config.MaxFileBytes:
		r.inflateErr = fmt.Errorf("inflate file beyond %d bytes: %w", r.config.MaxFileBytes, ErrFileTooLarge)
	case err == io.EOF: // A wrapped EOF is somebody else's, and no clean end.
		r.inflateErr, r.clean = io.EOF, true
	case err != nil:
		r.inflateErr = inflateError(err)
	}
}

// endError turns the end of the lines into the verdict on the file.
func (r *Reader) endError(err error) error {
	const (
		malformedLines   = 10
		malformedPercent = 1
	)
	if r.clean && errors.Is(err, io.EOF) && r.malformed > malformedLines && r.malformed*100 > r.lines*malformedPercent {
		return fmt.Errorf("read %d lines of which %d are malformed: %w", r.lines, r.malformed, ErrTooManyMalformed)
	}
	return err
}

// inflateError sorts what can go wrong with a gzip stream; an error of the source itself passes through.
func inflateError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("inflate file: %w: %w", ErrTruncated, err)
	case errors.Is(err, gunzip.ErrHeader), errors.Is(err, gunzip.ErrData), errors.Is(err, gunzip.ErrChecksum):
		return fmt.Errorf("inflate file: %w: %w", ErrCorrupt, err)
	default:
		return fmt.Errorf("inflate file: %w", err)
	}
}

func countFields(line []byte) int {
	n := 0
	for range bytes.FieldsSeq(line) {
		n++
	}
	return n
}

// clip bounds foreign text in messages.
func clip(b []byte) []byte { return b[:min(len(b), 64)] }
