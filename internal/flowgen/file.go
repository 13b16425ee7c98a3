package flowgen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// FileWindow is how much time AWS puts into one file: a file named for a time holds records that end within FileWindow from it.
const FileWindow = 5 * time.Minute

// File is an object that a flow log has published.
type File struct {
	Key     string
	FlowLog *FlowLog
	// Time is the one in the name.
	Time time.Time
	// Lines is the number of data lines.
	Lines int
	// Text is the file before compression: the header and the data lines.
	Text []byte
}

// Gzip returns the object's bytes as AWS stores them.
func (f File) Gzip() []byte { return Gzip(f.Text) }

// NewFile renders rows of one flow log as the file that is named for t and hash.
func NewFile(log *FlowLog, t time.Time, hash string, rows []Logged) File {
	text := append([]byte(log.Format.Header()), '\n')
	for i := range rows {
		text = append(rows[i].AppendLine(text), '\n')
	}
	return File{Key: log.Key(t, hash), FlowLog: log, Time: t, Lines: len(rows), Text: text}
}

// cutter turns rows into files, each with a name of its own.
type cutter struct {
	rng    *rand.Rand
	hashes map[string]bool
	files  []File
}

// file makes a file of rows of one flow log, named for a window.
func (c *cutter) file(log *FlowLog, window int64, rows []Logged) {
	hash := fmt.Sprintf("%08x", c.rng.Uint32())
	for c.hashes[hash] {
		hash = fmt.Sprintf("%08x", c.rng.Uint32())
	}
	c.hashes[hash] = true
	file := NewFile(log, time.Unix(window, 0).UTC(), hash, rows)
	roughen(c.rng, &file)
	c.files = append(c.files, file)
}

// shuffled returns the files in no order.
func (c *cutter) shuffled() []File {
	c.rng.Shuffle(len(c.files), func(i, j int) { c.files[i], c.files[j] = c.files[j], c.files[i] })
	return c.files
}

// shelf is what is cut together: rows of a flow log, of one window or of all.
type shelf struct {
	log    *FlowLog
	window int64
}

// window returns the start of the window in which a row ends.
func (l *Logged) window() int64 { return time.Unix(l.Row.End, 0).Truncate(FileWindow).Unix() }

// shelve sorts rows into shelves, each in no order.
func shelve(rng *rand.Rand, rows []Logged, shelfOf func(*Logged) shelf) (order []shelf, shelves map[shelf][]Logged) {
	shelves = make(map[shelf][]Logged)
	for _, row := range rows {
		s := shelfOf(&row)
		if shelves[s] == nil {
			order = append(order, s)
		}
		shelves[s] = append(shelves[s], row)
	}
	for _, s := range order {
		rows := shelves[s]
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	return order, shelves
}

// cutFiles cuts rows into files as AWS may do it: by flow log and window, each window into several files, the rows in no order.
func cutFiles(rng *rand.Rand, rows []Logged) []File {
	c := cutter{rng: rng, hashes: make(map[string]bool)}
	order, shelves := shelve(rng, rows, func(l *Logged) shelf { return shelf{l.FlowLog, l.window()} })
	for _, s := range order {
		piles := make([][]Logged, 1+rng.IntN(4))
		for _, row := range shelves[s] {
			i := rng.IntN(len(piles))
			piles[i] = append(piles[i], row)
		}
		for _, pile := range piles {
			c.file(s.log, s.window, pile)
		}
	}
	return c.shuffled()
}

// cutInto cuts rows into files of a size, and by windows too where byWindow wants it.
func cutInto(rng *rand.Rand, rows []Logged, size int, byWindow func(*FlowLog) bool) []File {
	c := cutter{rng: rng, hashes: make(map[string]bool)}
	order, shelves := shelve(rng, rows, func(l *Logged) shelf {
		if byWindow(l.FlowLog) {
			return shelf{l.FlowLog, l.window()}
		}
		return shelf{log: l.FlowLog}
	})
	for _, s := range order {
		for pile := range slices.Chunk(shelves[s], size) {
			newest := int64(0)
			for i := range pile {
				newest = max(newest, pile[i].window())
			}
			c.file(s.log, newest, pile)
		}
	}
	return c.shuffled()
}

// roughen makes a file as untidy as AWS's own may be: now and then two spaces between fields, or no line end at the end.
func roughen(rng *rand.Rand, f *File) {
	if rng.IntN(8) == 0 {
		f.Text = f.Text[:len(f.Text)-1]
	}
	if rng.IntN(8) > 0 {
		return
	}
	text := make([]byte, 0, len(f.Text)+len(f.Text)/8)
	header := true
	for _, c := range f.Text {
		header = header && c != '\n'
		text = append(text, c)
		if c == ' ' && !header && rng.IntN(16) == 0 {
			text = append(text, ' ')
		}
	}
	f.Text = text
}
