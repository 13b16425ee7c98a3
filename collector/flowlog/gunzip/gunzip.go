// Package gunzip reads gzip files: one member or several, as RFC 1952 has them, with checksum and length verified.
//
// The frame around the compressed data is read here, once for two inflaters: that of klauspost/compress, pure Go and the default, and that of ISA-L,
// C and assembly, with the build tag isal and cgo. A file that ends inside a member, or inside the header of a later one, is cut short and never whole.
package gunzip

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// Errors of a damaged file. One that is cut short gives io.ErrUnexpectedEOF, and one whose source fails gives the source's error.
var (
	// ErrHeader says that where a member begins there is none, or one of an unknown kind. Bytes behind the last member give it too.
	ErrHeader = errors.New("invalid gzip header")
	// ErrData says that the compressed data is not DEFLATE.
	ErrData = errors.New("invalid compressed data")
	// ErrChecksum says that the data inflates to other bytes than were compressed.
	ErrChecksum = errors.New("wrong gzip checksum or length")
)

// An inflater reads one DEFLATE stream after the other.
type inflater interface {
	// Reset begins a stream with the next byte of source, which the inflater reads until the stream ends.
	Reset(source *bufio.Reader)
	// Read returns io.EOF at the end of the stream, io.ErrUnexpectedEOF if source ends before, and ErrData.
	Read(p []byte) (int, error)
	// Behind returns what was taken from source behind the end of the stream, at most 8 bytes. It is valid until the next Reset.
	Behind() []byte
}

// sourceBytes is the buffer before a source that has none.
const sourceBytes = 64 << 10

// trailerBytes is the checksum and the length behind the data of each member.
const trailerBytes = 8

// A Reader inflates a file; Reset starts the next one and keeps the buffers. The zero Reader has no file. It is not safe for concurrent use.
type Reader struct {
	source   *bufio.Reader
	own      *bufio.Reader // own is the buffer of sources that have none.
	inflater inflater
	digest   uint32 // digest is the CRC-32 of the header, then of the data of the member.
	size     uint32 // size is the length of the data of the member, modulo 2^32 as in the trailer.
	scratch  [fixedHeaderBytes]byte
	err      error
}

// Reset begins a file and reads the header of its first member. A source that is a *bufio.Reader is read as it is. It returns io.EOF for a file without a byte.
func (z *Reader) Reset(source io.Reader) error {
	if buffered, ok := source.(*bufio.Reader); ok {
		z.source = buffered
	} else {
		if z.own == nil {
			z.own = bufio.NewReaderSize(nil, sourceBytes)
		}
		z.own.Reset(source)
		z.source = z.own
	}
	if z.inflater == nil {
		z.inflater = newInflater()
	}
	z.err = z.begin()
	return z.err
}

// begin reads the header of a member and makes ready for its data.
func (z *Reader) begin() error {
	if err := z.readHeader(); err != nil {
		return err
	}
	z.digest, z.size = 0, 0
	z.inflater.Reset(z.source)
	return nil
}

// Read inflates into p. What it returns is to be trusted only when io.EOF has come, behind the last member.
func (z *Reader) Read(p []byte) (int, error) {
	for z.err == nil {
		var n int
		n, z.err = z.inflater.Read(p)
		z.digest = crc32.Update(z.digest, crc32.IEEETable, p[:n])
		z.size += uint32(n)
		if z.err == io.EOF { //nolint:errorlint // The inflater returns it bare at the end of a stream.
			z.err = z.endMember()
		}
		if n > 0 || len(p) == 0 {
			return n, z.err
		}
	}
	return 0, z.err
}

// endMember verifies a member by its trailer and begins the next one. It returns io.EOF if there is none.
func (z *Reader) endMember() error {
	trailer := z.scratch[:trailerBytes]
	n := copy(trailer, z.inflater.Behind())
	if _, err := io.ReadFull(z.source, trailer[n:]); err != nil {
		return cutShort(err)
	}
	if binary.LittleEndian.Uint32(trailer[:4]) != z.digest || binary.LittleEndian.Uint32(trailer[4:]) != z.size {
		return ErrChecksum
	}
	return z.begin()
}

// cutShort turns the end of the source into what it is in the middle of a member.
func cutShort(err error) error {
	if err == io.EOF { //nolint:errorlint // A wrapped one is a failure of the source.
		return io.ErrUnexpectedEOF
	}
	return err
}
