package flowlog

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// separatorsOf are the places of the separators of text, and of the newlines among them, up to the first one that follows another.
func separatorsOf(text string, start int) (positions, newlines []uint32) {
	before := byte('\n')
	for i := range len(text) {
		separator := text[i] == ' ' || text[i] == '\n'
		if separator && (before == ' ' || before == '\n') {
			break
		}
		if separator {
			positions = append(positions, uint32(start+i))
		}
		if text[i] == '\n' {
			newlines = append(newlines, uint32(start+i))
		}
		before = text[i]
	}
	return positions, newlines
}

// randomText has separators of all densities, and bytes beside them that differ from a separator in one bit, control characters only if that is asked for.
func randomText(rng *rand.Rand, n int, control bool) string {
	others := "x\xa0\x8a*`!"
	if control {
		others += "\x00\x0b\t\r\x1f"
	}
	b := make([]byte, n)
	every, double := 2+rng.IntN(30), rng.IntN(2) == 0
	for i := range b {
		b[i] = others[rng.IntN(len(others))]
		if rng.IntN(every) == 0 && (double || i > 0 && b[i-1] != ' ' && b[i-1] != '\n') {
			b[i] = " \n"[rng.IntN(2)]
		}
	}
	return string(b)
}

// TestIndex holds what finds the separators of a window to the obvious loop.
func TestIndex(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 20_000 {
		simd := hasSIMD && rng.IntN(2) == 0
		text := randomText(rng, 1+rng.IntN(400), simd)
		start := padBefore + rng.IntN(100)
		b := []byte(strings.Repeat(" ", start) + text + strings.Repeat("\n ", padBehind/2))
		positions, newlines := separatorsOf(text, start)
		whole := len(positions) == strings.Count(text, " ")+strings.Count(text, "\n")
		w := window{simd: simd}
		separators, lines := w.index(b, start, start+len(text))
		// The vectors end with a stretch of 64 bytes.
		if whole && (separators != len(positions) || lines != len(newlines)) || separators > len(positions) || lines > len(newlines) {
			t.Fatalf("%q, simd %t: got %d separators and %d lines, want %v and %v", text, simd, separators, lines, positions, newlines)
		}
		if got := w.positions[1 : separators+1]; !slices.Equal(got, positions[:separators]) {
			t.Fatalf("%q, simd %t: got separators %v, want %v", text, simd, got, positions)
		}
		if got := w.newlines[:lines]; !slices.Equal(got, newlines[:lines]) {
			t.Fatalf("%q, simd %t: got newlines %v, want %v", text, simd, got, newlines)
		}
	}
}

// TestIndexDense fills a whole window with as many separators as it may have.
func TestIndexDense(t *testing.T) {
	for _, separator := range []string{" ", "\n"} {
		b := []byte(strings.Repeat("x"+separator, (windowBytes+padBehind)/2))
		for _, simd := range []bool{false, hasSIMD} {
			w := window{simd: simd}
			separators, lines := w.index(b, 0, windowBytes)
			if want := windowBytes / 2; separators != want || separator == "\n" && lines != want {
				t.Errorf("%q, simd %t: got %d separators and %d lines, want %d", separator, simd, separators, lines, want)
			}
		}
	}
}
