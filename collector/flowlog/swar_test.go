package flowlog

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// padded returns a buffer with enough around a value, and where the value is in it.
func padded(text, rest string) (b []byte, start, end int) {
	const pad = "0123456789abcdef"
	b = []byte(pad + text + rest + strings.Repeat("9", padBehind))
	return b, len(pad), len(pad) + len(text)
}

// readFour reads the same address in each of four columns in turn, with others beside it.
func readFour(t *testing.T, text, rest string) (v Addr, ok bool) {
	t.Helper()
	oks := 0
	for i := range 4 {
		columns := []string{"1.2.3.4", "10.20.30.40", "100.200.100.200", "0.0.0.0"}
		columns[i] = text
		b := []byte(" " + strings.Join(columns, " ") + rest + strings.Repeat("9", padBehind))
		bounds := new([maxFastColumns + 1]uint32)
		for k, column := range columns {
			bounds[k+1] = bounds[k] + uint32(len(column)) + 1
		}
		var got [4]Addr
		if fourV4(&b[0], bounds, &[4]uint32{0, 1, 2, 3}, &got) {
			oks++
			v = got[i]
		}
	}
	if oks != 0 && oks != 4 {
		t.Fatalf("%q is an address in %d of four columns", text, oks)
	}
	return v, oks == 4
}

func TestFastV4(t *testing.T) {
	check := func(text string) {
		t.Helper()
		if want, wantOK := parseV4([]byte(text)); hasSIMD {
			for _, rest := range []string{" ", ".", "1"} {
				if got, ok := readFour(t, text, rest); ok != wantOK || ok && got != V4(want) {
					t.Fatalf("%q before %q: got %v %t, want %v %t", text, rest, got, ok, V4(want), wantOK)
				}
			}
		}
		for _, rest := range []string{" ", "\n", ".", "1", "\x00"} {
			b, start, end := padded(text, rest)
			got, ok := fastV4(b, start, end)
			want, wantOK := parseV4([]byte(text))
			if ok != wantOK || ok && got != want {
				t.Fatalf("%q before %q: got %x %t, want %x %t", text, rest, got, ok, want, wantOK)
			}
		}
	}
	for text := range strings.FieldsSeq(`0.0.0.0 255.255.255.255 1.2.3.4 10.20.30.40 100.200.100.200 256.1.1.1 1.256.1.1 1.1.1.256 1.1.1.999 01.1.1.1 1.1.1.00
		1.1.1 1.1.1.1.1 1..1.1 .1.1.1 1.1.1. 1.1.1.a 1.1.1.: 1.1.1./ 1234.1.1.1 1.1.1.1234 - x ::1 fe80::1 1.1.1.1111111111 111.111.111.111 11111111111111 111.111.111.1111
		1.1.1.é 1.1.-1.1 9.9.9.9`) {
		check(text)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		var parts []string
		for range 3 + rng.IntN(3) {
			parts = append(parts, strconv.Itoa(rng.IntN([...]int{10, 100, 256, 300, 1001}[rng.IntN(5)])))
		}
		text := strings.Join(parts, ".")
		if rng.IntN(4) == 0 {
			i := rng.IntN(len(text))
			text = text[:i] + string([]byte{byte(rng.IntN(256))}) + text[i+1:]
		}
		check(text)
	}
}

func TestFastUint(t *testing.T) {
	check := func(text string) {
		t.Helper()
		for _, rest := range []string{" ", "\n", "7"} {
			b, start, end := padded(text, rest)
			got, ok := fastUint(b, start, end)
			want, wantOK := parseUint([]byte(text))
			if ok && (!wantOK || got != want) || !ok && wantOK && len(text) <= 16 {
				t.Fatalf("%q before %q: got %d %t, want %d %t", text, rest, got, ok, want, wantOK)
			}
		}
	}
	for _, text := range []string{"", "0", "7", "00", "12345678", "123456789", "1234567890123456", "12345678901234567", "-", "1a", "a1", "1:", "1/", "99999999", "\x801", "1é"} {
		check(text)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		text := strconv.FormatUint(rng.Uint64()>>rng.IntN(64), 10)
		if rng.IntN(4) == 0 {
			i := rng.IntN(len(text))
			text = text[:i] + string([]byte{byte(rng.IntN(256))}) + text[i+1:]
		}
		check(text)
	}
}

func TestBytesOfWords(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		w := rng.Uint64()
		if rng.IntN(2) == 0 {
			w &= 0x3f * eachByte
		}
		var spaces, dots uint32
		for i := range 8 {
			if c := byte(w >> (8 * i)); c <= ' ' {
				spaces |= 1 << i
			} else if c == '.' {
				dots |= 1 << i
			}
		}
		if got := gather(upToSpace(w)); got != spaces {
			t.Fatalf("bytes up to space of %016x: got %08b, want %08b", w, got, spaces)
		}
		if got := gather(equalBytes(w, '.')); got != dots {
			t.Fatalf("dots of %016x: got %08b, want %08b", w, got, dots)
		}
	}
}
