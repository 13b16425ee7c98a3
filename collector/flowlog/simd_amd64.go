package flowlog

import "golang.org/x/sys/cpu"

// hasSIMD says whether the processor has what simd_amd64.s needs.
var hasSIMD = cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2 && cpu.X86.HasPOPCNT

// indexAVX2 finds the separators of n bytes of text, the first one of which stands at the place base: it writes the places of spaces and newlines to positions and those of newlines to
// newlines, and ends before the 64 bytes in which one separator follows another, or the first byte is one. It reads up to 63 bytes, and writes up to 15 positions and one newline, behind
// the last one.
//
//go:noescape
func indexAVX2(text *byte, n, base int, positions, newlines *uint32) (separators, lines int)

// fourV4 reads the IPv4 addresses in four columns of a line and says whether all are dotted decimal without leading zeros. It reads 16 bytes from the start of each column.
func fourV4(text *byte, bounds *[maxFastColumns + 1]uint32, columns *[4]uint32, addresses *[4]Addr) bool {
	return fourV4AVX2(text, bounds, columns, addresses, &v4Forms)
}

//go:noescape
func fourV4AVX2(text *byte, bounds *[maxFastColumns + 1]uint32, columns *[4]uint32, addresses *[4]Addr, forms *[256]v4Form) bool

// A v4Form is one of the 81 ways in which the four numbers of an address share out their digits.
type v4Form struct {
	// shuffle brings the hundreds, tens and ones of each number to bytes 1 to 3 of four.
	shuffle [16]byte
	// least are the least numbers with so many digits.
	least [4]byte
	// ends has a bit for each of the places behind the four numbers.
	ends uint32
	_    [8]byte
}

// v4FormHash spreads v4Form.ends, which are 81 values, over 256 places without a collision.
const v4FormHash = 0x409bc6b8

// v4Forms are the forms by the hash of their ends.
var v4Forms = func() (forms [256]v4Form) {
	const none = 0x80 // The shuffle makes a zero of it.
	least := [...]byte{1: 0, 2: 10, 3: 100}
	for i := range 81 {
		lengths := [4]int{1 + i/27, 1 + i/9%3, 1 + i/3%3, 1 + i%3}
		var f v4Form
		at := 0
		for k, n := range lengths {
			f.least[k] = least[n]
			for digit := range 4 {
				if from := at + n - 4 + digit; from >= at {
					f.shuffle[4*k+digit] = byte(from)
				} else {
					f.shuffle[4*k+digit] = none
				}
			}
			at += n
			f.ends |= 1 << at
			at++
		}
		forms[f.ends*v4FormHash>>24] = f
	}
	return forms
}()
