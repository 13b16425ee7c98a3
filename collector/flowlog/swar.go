package flowlog

import (
	"encoding/binary"
	"math/bits"
)

// The parsers of this file work on several bytes at once (SWAR: SIMD within a register). They know only the usual form of a value, and say so if
// it is another one; the readable parsers beside them know all forms, and tests hold both to the same results. They read up to 20 bytes from the start of a value, and
// 8 before its end, so the buffer must have that much around it.

// Each byte of a word.
const (
	eachByte   = 0x0101010101010101
	lowBits    = 0x7f * eachByte
	highBits   = 0x80 * eachByte
	zeroDigits = '0' * eachByte
)

// upToSpace returns a word with the high bit set of each byte that is a space or a control character.
func upToSpace(w uint64) uint64 {
	// No byte's sum carries into the next one. Bytes from 0x80 on are above.
	return ^((w&lowBits + (0x7f-' ')*eachByte) | w) & highBits
}

// equalBytes returns a word with the high bit set of each byte that equals c.
func equalBytes(w uint64, c byte) uint64 {
	// No byte's sum carries into the next one.
	x := w ^ uint64(c)*eachByte
	return ^((x&lowBits + lowBits) | x) & highBits
}

// gather moves the high bits of eight bytes into one byte, the first byte's into the lowest bit.
func gather(high uint64) uint32 {
	return uint32((high >> 7) * 0x0102040810204080 >> 56)
}

// fastV4 reads the dotted IPv4 address in b[start:end].
func fastV4(b []byte, start, end int) (v uint32, ok bool) {
	n := end - start
	if uint(n-7) > 8 {
		return 0, false
	}
	text := b[start : start+20]
	dots := gather(equalBytes(binary.LittleEndian.Uint64(text), '.')) | gather(equalBytes(binary.LittleEndian.Uint64(text[8:]), '.'))<<8
	dots &= 1<<n - 1
	if bits.OnesCount32(dots) != 3 {
		return 0, false
	}
	first := bits.TrailingZeros32(dots)
	second := bits.TrailingZeros32(dots & (dots - 1))
	third := bits.Len32(dots) - 1
	lengths := [4]int{first, second - first - 1, third - second - 1, n - third - 1}
	if (lengths[0]|lengths[1]|lengths[2]|lengths[3])&^7 != 0 {
		return 0, false
	}
	a := digits(text, 0, lengths[0])
	c := digits(text, first+1, lengths[1])
	d := digits(text, second+1, lengths[2])
	e := digits(text, third+1, lengths[3])
	notDigits := (a | c | d | e | (a + notNine) | (c + notNine) | (d + notNine) | (e + notNine)) & 0x80808080
	va, vc, vd, ve := octet(a), octet(c), octet(d), octet(e)
	// Leading zeros make a number less than the least with as many digits.
	outside := (va - leastOctet[lengths[0]&7]) | (vc - leastOctet[lengths[1]&7]) | (vd - leastOctet[lengths[2]&7]) | (ve - leastOctet[lengths[3]&7]) |
		(255 - va) | (255 - vc) | (255 - vd) | (255 - ve)
	return uint32(va<<24 | vc<<16 | vd<<8 | ve), notDigits == 0 && outside >= 0
}

// leastOctet is the least number with so many digits; an octet has 1 to 3.
var leastOctet = [8]int64{0: 1000, 1: 0, 2: 10, 3: 100, 4: 1000, 5: 1000, 6: 1000, 7: 1000}

// notNine added to a digit sets the high bit of a byte above 9.
const notNine = 0x76 * 0x01010101

// digits returns the values of up to 4 digits, the last one in the highest byte and zeros before the first one.
func digits(text []byte, start, n int) uint32 {
	return (binary.LittleEndian.Uint32(text[start:]) ^ '0'*0x01010101) << (uint(4-n) * 8 & 31)
}

// octet returns the number of three digits at most.
func octet(digits uint32) int64 {
	return int64(digits>>8&0xff*100 + digits>>16&0xff*10 + digits>>24)
}

// fastUint reads the decimal number of up to 16 digits in b[start:end].
func fastUint(b []byte, start, end int) (v uint64, ok bool) {
	n := end - start
	if n > 8 {
		if n > 16 {
			return 0, false
		}
		high, okHigh := fastDigits(b, end-8, n-8)
		low, okLow := fastDigits(b, end, 8)
		return high*100_000_000 + low, okHigh && okLow
	}
	if n < 1 {
		return 0, false
	}
	return fastDigits(b, end, n)
}

// fastDigits reads the n digits, 1 to 8, before b[end].
func fastDigits(b []byte, end, n int) (v uint64, ok bool) {
	d := binary.LittleEndian.Uint64(b[end-8:]) ^ zeroDigits
	d &= ^uint64(0) << (uint(8-n) * 8 & 63)
	ok = (d|(d+0x76*eachByte))&highBits == 0
	d = d*10 + d>>8
	return (d&0xff_0000_00ff*(100+1_000_000<<32) + d>>16&0xff_0000_00ff*(1+10_000<<32)) >> 32, ok
}

// word returns the up to 8 bytes before b[end] that belong to a value of n bytes, as a number: equal values of one length give equal words.
func word(b []byte, end, n int) uint64 {
	return binary.LittleEndian.Uint64(b[end-8:]) >> (uint(8-n) * 8 & 63)
}
