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

// separators returns a word with the high bit set of each byte that is a space or a control character.
func separators(w uint64) uint64 {
	// No byte's sum carries into the next one. Bytes from 0x80 on are no separators.
	return ^((w&lowBits + (0x7f-' ')*eachByte) | w) & highBits
}

// equalBytes returns a word with the high bit set of each byte that equals c.
func equalBytes(w uint64, c byte) uint64 {
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
	dots &= dots - 1
	second := bits.TrailingZeros32(dots)
	third := 31 - bits.LeadingZeros32(dots)
	a, badA := fastOctet(text, 0, first)
	c, badC := fastOctet(text, first+1, second)
	d, badD := fastOctet(text, second+1, third)
	e, badE := fastOctet(text, third+1, n)
	return a<<24 | c<<16 | d<<8 | e, (badA | badC | badD | badE) == 0
}

// fastOctet reads a number from 0 to 255 without leading zeros. Bad is not 0 if it is none.
func fastOctet(text []byte, start, end int) (v, bad uint32) {
	n := end - start
	shift := uint(4-n) * 8 & 31
	digits := (binary.LittleEndian.Uint32(text[start:]) ^ '0'*0x01010101) << shift
	v = digits>>8&0xff*100 + digits>>16&0xff*10 + digits>>24
	bad = (digits | (digits + 0x76*0x01010101)) & 0x80808080 // A byte above 9.
	if uint(n-1) > 2 || v > 255 {
		bad = 1
	}
	if n > 1 && digits>>shift&0xff == 0 {
		bad = 1
	}
	return v, bad
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
