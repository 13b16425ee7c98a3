// Package flowlog reads VPC flow log files, text and Parquet: a stream of bytes in, one reused Record per line or row out.
//
// The header line, or the Parquet schema, says what the columns are, so any order and any subset of the fields of versions 2 to 11 is read; it is
// compiled once into a Format, and columns that nobody asks for are skipped without being looked at. The package is pure: it
// opens nothing but temporary files for Parquet, logs nothing and counts only what a caller needs to judge a file. Reading a record allocates nothing.
package flowlog

import (
	"errors"
	"fmt"
)

// Errors that end a file. None of them leaves a usable part of the file behind: whatever was read must be dropped.
var (
	// ErrNotGzip says that the bytes are neither gzip nor Parquet.
	ErrNotGzip = errors.New("not a gzip or Parquet file")
	// ErrTruncated says that the file ends before its end.
	ErrTruncated = errors.New("compressed stream is cut short")
	// ErrCorrupt says that the file is damaged or that a checksum is wrong.
	ErrCorrupt = errors.New("compressed stream is corrupt")
	// ErrLineTooLong says that a line is longer than MaxLineBytes.
	ErrLineTooLong = fmt.Errorf("line is longer than %d bytes", MaxLineBytes)
	// ErrFileTooLarge says that the file inflates beyond Config.MaxFileBytes.
	ErrFileTooLarge = errors.New("file inflates beyond the limit flow_logs.max_file_bytes")
	// ErrTooManyMalformed says that over 1 % and more than 10 of the data lines could not be read.
	ErrTooManyMalformed = errors.New("too many malformed lines")
	// ErrUnsupportedFormat says that the columns of the file cannot be counted, or are not those of a VPC flow log.
	ErrUnsupportedFormat = errors.New("unsupported flow log format")
	// ErrTransitGateway says that the file is a flow log of a transit gateway, which holds nothing that this package reads.
	ErrTransitGateway = errors.New("flow log of a transit gateway, not of a VPC")
)

// MaxLineBytes bounds a line. The longest record of version 11 with percent-encoded tags stays under 8 KiB.
const MaxLineBytes = 64 << 10

// Reason returns a short stable label for an error that ended a file, or "" if the error is not one of this package's.
func Reason(err error) string {
	for _, r := range [...]struct {
		err    error
		reason string
	}{
		{ErrNotGzip, "not_gzip"},
		{ErrTruncated, "truncated"},
		{ErrCorrupt, "corrupt"},
		{ErrLineTooLong, "line_too_long"},
		{ErrFileTooLarge, "file_too_large"},
		{ErrTooManyMalformed, "too_many_malformed"},
		{ErrUnsupportedFormat, "unsupported_format"},
		{ErrTransitGateway, "transit_gateway"},
	} {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return ""
}

// Config bounds and guides a Reader.
type Config struct {
	// MaxFileBytes bounds the inflated size of a file; 0 means no bound.
	MaxFileBytes int64
	// Format describes text files without a header line; nil means AWS's default format of version 2.
	Format *Format
}

// A LineError says why one data line could not be read. The file goes on behind it. It is valid until the next call of
// Read.
type LineError struct {
	Line  int64  // Line counts from 1 and includes the header line; of a Parquet file it counts rows.
	Field Field  // Field is the offending field, or noField if the number of columns is wrong.
	Value []byte // Value is the offending text, cut to 64 bytes. It borrows the reader's buffer.
	Cause string

	row bool // row: Line is a row of a Parquet file.
}

func (e *LineError) Error() string {
	what := "line"
	if e.row {
		what = "row"
	}
	if e.Field == noField {
		return fmt.Sprintf("read %s %d: %s", what, e.Line, e.Cause)
	}
	return fmt.Sprintf("read %s %d: %s %q: %s", what, e.Line, e.Field, e.Value, e.Cause)
}
