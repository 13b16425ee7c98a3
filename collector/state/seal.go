package state

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sealBytes = 4

// checksum is over a record and its place.
func checksum(bucket string, key, value []byte) uint32 {
	sum := crc32.Update(0, castagnoli, []byte(bucket))
	sum = crc32.Update(sum, castagnoli, []byte{0})
	sum = crc32.Update(sum, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, []byte{0})
	return crc32.Update(sum, castagnoli, value)
}

// seal returns the value with its checksum behind it.
func seal(bucket string, key, value []byte) []byte {
	sealed := make([]byte, 0, len(value)+sealBytes)
	return binary.BigEndian.AppendUint32(append(sealed, value...), checksum(bucket, key, value))
}

// unseal returns the value of a record and its checksum.
func unseal(bucket string, key, sealed []byte) (value []byte, sum uint32, err error) {
	n := len(sealed) - sealBytes
	if n < 0 {
		return nil, 0, damagedf("record %q in %q is too short", key, bucket)
	}
	value, sum = sealed[:n:n], binary.BigEndian.Uint32(sealed[n:])
	if checksum(bucket, key, value) != sum {
		return nil, 0, damagedf("record %q in %q has a wrong checksum", key, bucket)
	}
	return value, sum, nil
}

// A digest stands for all records of a bucket, in any order: their number and the sum of their checksums. It notices records that are missing.
type digest struct {
	records, sum uint64
}

func (d *digest) add(checksum uint32) {
	d.records++
	d.sum += uint64(checksum)
}

func (d *digest) remove(checksum uint32) {
	d.records--
	d.sum -= uint64(checksum)
}

func (d digest) encode() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, d.records), d.sum)
}

func decodeDigest(b []byte) (d digest, ok bool) {
	if len(b) != 16 {
		return digest{}, false
	}
	return digest{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, true
}
