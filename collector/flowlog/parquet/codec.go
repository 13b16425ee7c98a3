package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codecs of column chunks.
const (
	codecNone   = 0
	codecSnappy = 1
	codecGzip   = 2
	codecBrotli = 4
	codecZstd   = 6
	codecLZ4Raw = 7
)

// codecs keep what inflating needs from page to page.
type codecs struct {
	packed bytes.Reader
	gzip   gzip.Reader
	zstd   *zstd.Decoder
	brotli *brotli.Reader
}

// inflate fills dst from src, which must give as many bytes and not one more.
func (c *codecs) inflate(codec int64, dst, src []byte) error {
	c.packed.Reset(src)
	var err error
	switch codec {
	case codecSnappy:
		err = inflateSnappy(dst, src)
	case codecGzip:
		err = c.inflateGzip(dst)
	case codecBrotli:
		err = c.inflateBrotli(dst)
	case codecZstd:
		err = c.inflateZstd(dst)
	case codecLZ4Raw:
		err = inflateLZ4(dst, src)
	default:
		return fmt.Errorf("codec %d: %w", codec, ErrUnsupported)
	}
	c.packed.Reset(nil)
	if err != nil {
		return fmt.Errorf("inflate page of %d bytes: %w: %w", len(dst), ErrCorrupt, err)
	}
	return nil
}

// errLength says that a page does not have its length.
var errLength = errors.New("another length than the page header says")

func inflateSnappy(dst, src []byte) error {
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return err
	}
	if n != len(dst) {
		return errLength
	}
	_, err = snappy.Decode(dst, src)
	return err
}

func inflateLZ4(dst, src []byte) error {
	n, err := lz4.UncompressBlock(src, dst)
	if err == nil && n != len(dst) {
		err = errLength
	}
	return err
}

func (c *codecs) inflateGzip(dst []byte) error {
	if err := c.gzip.Reset(&c.packed); err != nil {
		return err
	}
	return fill(dst, &c.gzip)
}

func (c *codecs) inflateBrotli(dst []byte) error {
	if c.brotli == nil {
		c.brotli = brotli.NewReader(nil)
	}
	if err := c.brotli.Reset(&c.packed); err != nil {
		return err
	}
	return fill(dst, c.brotli)
}

// inflateZstd streams, because inflating at once would make room for all that a frame claims to hold.
func (c *codecs) inflateZstd(dst []byte) error {
	if c.zstd == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
		if err != nil {
			return err
		}
		c.zstd = d
	}
	if err := c.zstd.Reset(&c.packed); err != nil {
		return err
	}
	return fill(dst, c.zstd)
}

// fill reads dst and the end.
func fill(dst []byte, r io.Reader) error {
	if _, err := io.ReadFull(r, dst); err != nil {
		return errOrLength(err)
	}
	var more [1]byte
	switch n, err := io.ReadFull(r, more[:]); {
	case n > 0:
		return errLength
	case err == io.EOF:
		return nil
	default:
		return err
	}
}

// errOrLength keeps io.EOF, which means that a file has been read, out of errors.
func errOrLength(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF { //nolint:errorlint // As io.ReadFull returns them.
		return errLength
	}
	return err
}
