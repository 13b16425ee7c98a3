package enrich

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// A watchedFile is read when it is new, and again when it has changed and come to rest. It is not safe for concurrent use.
type watchedFile struct {
	path   string
	limit  int64
	polled bool
	read   os.FileInfo // Of what was read last.
	seen   os.FileInfo // Of a change that may still go on.
}

// poll returns the whole file, or nil if there is nothing new. A file that was there at the first poll is read at once; one that changes later is read
// when two polls in a row have found it the same, since somebody may be writing it in place.
func (w *watchedFile) poll() ([]byte, error) {
	first := !w.polled
	w.polled = true
	info, err := os.Stat(w.path)
	if err != nil {
		return nil, err
	}
	if sameFile(w.read, info) {
		return nil, nil
	}
	if !first && !sameFile(w.seen, info) {
		w.seen = info
		return nil, nil
	}
	// Opening a pipe would wait for its writer.
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file", w.path)
	}
	data, after, err := readFile(w.path, w.limit)
	switch {
	case err != nil:
		return nil, err
	case !sameFile(info, after):
		w.seen = after
		return nil, nil
	}
	w.read = after
	return data, nil
}

// sameFile says whether a file is neither replaced nor written to, as far as its name, size and time tell.
func sameFile(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func readFile(path string, limit int64) (data []byte, info os.FileInfo, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if info, err = file.Stat(); err != nil {
		return nil, nil, err
	}
	if info.Size() > limit {
		return nil, nil, fmt.Errorf("read %s: larger than %d bytes", path, limit)
	}
	// One that grows meanwhile is read no further than the size says, and has another size afterwards.
	data = make([]byte, info.Size())
	if _, err = io.ReadFull(file, data); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, noEOF(err))
	}
	info, err = file.Stat()
	return data, info, err
}

// noEOF says plainly what an end of file inside a document is.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
