package gunzip

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// Flags of a header. The three highest are reserved and must be zero.
const (
	flagHeaderChecksum = 1 << 1
	flagExtra          = 1 << 2
	flagName           = 1 << 3
	flagComment        = 1 << 4
	flagsReserved      = 7 << 5
)

const (
	fixedHeaderBytes = 10
	deflateMethod    = 8
	maxStringBytes   = 512 // maxStringBytes bounds a file name or a comment with its end, as Go's readers do.
)

// readHeader reads the header of a member over, since nothing in it matters here but whether it is one. It returns io.EOF if the source ends before.
func (z *Reader) readHeader() error {
	fixed := z.scratch[:fixedHeaderBytes]
	if _, err := io.ReadFull(z.source, fixed); err != nil {
		return err
	}
	if fixed[0] != 0x1f || fixed[1] != 0x8b || fixed[2] != deflateMethod {
		return ErrHeader
	}
	z.digest = crc32.ChecksumIEEE(fixed)
	// From here on the end of the source is no clean end.
	return cutShort(z.readOptions(fixed[3]))
}

// readOptions reads what the flags of a header say that follows.
func (z *Reader) readOptions(flags byte) error {
	if flags&flagExtra != 0 {
		if err := z.skipExtra(); err != nil {
			return err
		}
	}
	for _, flag := range [...]byte{flagName, flagComment} {
		if flags&flag != 0 {
			if err := z.skipString(); err != nil {
				return err
			}
		}
	}
	if flags&flagHeaderChecksum != 0 {
		if err := z.checkHeader(); err != nil {
			return err
		}
	}
	if flags&flagsReserved != 0 {
		return ErrHeader
	}
	return nil
}

func (z *Reader) skipExtra() error {
	length, err := z.readUint16()
	for ; err == nil && length > 0; length-- {
		_, err = z.readByte()
	}
	return err
}

// skipString reads a text up to the zero byte that ends it.
func (z *Reader) skipString() error {
	for range maxStringBytes {
		if b, err := z.readByte(); err != nil || b == 0 {
			return err
		}
	}
	return ErrHeader
}

// checkHeader compares the checksum at the end of a header with that of what was read of it.
func (z *Reader) checkHeader() error {
	want := uint16(z.digest)
	if got, err := z.readUint16(); err != nil {
		return err
	} else if got != want {
		return ErrHeader
	}
	return nil
}

func (z *Reader) readUint16() (uint16, error) {
	var value [2]byte
	for i := range value {
		var err error
		if value[i], err = z.readByte(); err != nil {
			return 0, err
		}
	}
	return binary.LittleEndian.Uint16(value[:]), nil
}

// readByte reads a byte of a header into its checksum.
func (z *Reader) readByte() (byte, error) {
	b, err := z.source.ReadByte()
	if err == nil {
		z.scratch[0] = b
		z.digest = crc32.Update(z.digest, crc32.IEEETable, z.scratch[:1])
	}
	return b, err
}
