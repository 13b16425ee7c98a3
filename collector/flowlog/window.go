package flowlog

import (
	"encoding/binary"
	"math/bits"
)

const (
	// A window is so long that it and the positions in it stay in the processor's first cache, and that few lines are cut at its end.
	windowBytes = 8 << 10
	// Where no separator follows another, half of the bytes are separators. The rest is room for positions that are written together.
	windowPositions = windowBytes/2 + maxFastColumns + 16
)

// A window knows where the separators of a stretch of text are. They are found for many lines at once, which costs less than line by line.
type window struct {
	// positions[1:separators+1] are the places of spaces and newlines in the block, in their order, and positions[0] is the place before the first one's column.
	positions  [windowPositions]uint32
	separators int
	// newlines[:lines] are the places of the newlines among them.
	newlines [windowPositions]uint32
	lines    int

	simd bool // simd: indexAVX2 may be called.

	separator, newline int // separator and newline are the next line's: positions[separator] lies before it, newlines[newline] is its end.
}

// reset forgets the window, whose text has moved.
func (w *window) reset() { w.separators, w.lines, w.separator, w.newline = 0, 0, 0, 0 }

// line returns the bounds of the columns of the line that begins at start, whose column i lies between bounds[i]+1 and bounds[i+1], and the place of its newline. It says false
// if the line is not the usual one: not complete in b[start:end], with another number of columns, with more than one space between them, or, perhaps, with control characters. The last column may end
// in a carriage return. The bounds are valid until the next call. Behind end, b must have padBehind bytes.
func (w *window) line(b []byte, start, end, columns int) (bounds *[maxFastColumns + 1]uint32, newline int, ok bool) {
	if w.newline >= w.lines || int(w.positions[w.separator]) != start-1 {
		if !w.find(b, start, end) {
			return nil, 0, false
		}
	}
	last := w.separator + columns
	newline = int(w.newlines[w.newline])
	if last > w.separators || int(w.positions[last]) != newline {
		return nil, 0, false
	}
	bounds = (*[maxFastColumns + 1]uint32)(w.positions[w.separator:])
	w.separator = last
	w.newline++
	return bounds, newline, true
}

// find goes to the line that begins at start. It says false if that has no end in the window.
func (w *window) find(b []byte, start, end int) bool {
	for w.newline < w.lines && int(w.newlines[w.newline]) < start {
		w.newline++
	}
	if w.newline < w.lines {
		for w.separator < w.separators && int(w.positions[w.separator]) < start-1 {
			w.separator++
		}
		if int(w.positions[w.separator]) == start-1 {
			return true
		}
	}
	w.reset()
	w.positions[0] = uint32(start - 1)
	w.separators, w.lines = w.index(b, start, min(end, start+windowBytes))
	return w.lines > 0
}

// index finds the separators of b[start:end], up to the first one that follows another or a little before it.
func (w *window) index(b []byte, start, end int) (separators, lines int) {
	if w.simd && start < end {
		return indexAVX2(&b[start : end+padBehind][0], end-start, start, &w.positions[1], &w.newlines[0])
	}
	return w.indexWords(b, start, end)
}

// indexWords finds the separators of b[start:end], up to the first one that follows another and to the first control character, eight bytes at a time.
func (w *window) indexWords(b []byte, start, end int) (separators, lines int) {
	last := start - 1
	for i := start; i < end; i += 8 {
		for m := upToSpace(binary.LittleEndian.Uint64(b[i:])); m != 0; m &= m - 1 {
			at := i + bits.TrailingZeros64(m)>>3
			if at == last+1 || at >= end {
				return separators, lines
			}
			last = at
			if b[at] != ' ' {
				if b[at] != '\n' {
					return separators, lines
				}
				w.newlines[lines] = uint32(at)
				lines++
			}
			separators++
			w.positions[separators] = uint32(at)
		}
	}
	return separators, lines
}
