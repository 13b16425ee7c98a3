package flowgen

import (
	"fmt"
	"math/rand/v2"
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

// cutFiles cuts rows into files as AWS may do it: by flow log and window, each window into several files, the rows in no order.
func cutFiles(rng *rand.Rand, rows []Logged) []File {
	type shelf struct {
		log    *FlowLog
		window int64
	}
	var order []shelf
	shelves := make(map[shelf][]Logged)
	for _, row := range rows {
		s := shelf{row.FlowLog, time.Unix(row.Row.End, 0).Truncate(FileWindow).Unix()}
		if shelves[s] == nil {
			order = append(order, s)
		}
		shelves[s] = append(shelves[s], row)
	}
	var files []File
	for _, s := range order {
		piles := make([][]Logged, 1+rng.IntN(4))
		rows := shelves[s]
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		for _, row := range rows {
			i := rng.IntN(len(piles))
			piles[i] = append(piles[i], row)
		}
		for _, pile := range piles {
			file := NewFile(s.log, time.Unix(s.window, 0).UTC(), fmt.Sprintf("%08x", rng.Uint32()), pile)
			roughen(rng, &file)
			files = append(files, file)
		}
	}
	rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	return files
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
