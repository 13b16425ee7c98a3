package flowlog

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// A spool keeps a stream in a temporary file, so that it can be read at any place.
type spool struct {
	file *os.File
	name string // name is to be removed with the file, "" where that has been done.
}

// A spooled file of a known size.
type spooled struct {
	*os.File
	size int64
}

func (s spooled) Size() int64 { return s.size }

// fill copies the rest of a stream, of limit bytes at most if limit is not 0, through the buffer. An error of the stream passes through.
func (s *spool) fill(source io.Reader, buffer []byte, limit int64) (spooled, error) {
	if err := s.create(); err != nil {
		return spooled{}, err
	}
	size := int64(0)
	for {
		n, err := source.Read(buffer)
		size += int64(n)
		if limit > 0 && size > limit {
			return spooled{}, fmt.Errorf("spool Parquet file beyond %d bytes: %w", limit, ErrFileTooLarge)
		}
		if _, err := s.file.Write(buffer[:n]); err != nil {
			return spooled{}, spoolError(err)
		}
		if errors.Is(err, io.EOF) {
			return spooled{s.file, size}, nil
		}
		if err != nil {
			return spooled{}, fmt.Errorf("spool Parquet file: %w", err)
		}
	}
}

// create makes the file and removes its name at once, so that a crash leaves nothing behind.
func (s *spool) create() error {
	file, err := os.CreateTemp("", "vpcflow-*.parquet")
	if err != nil {
		return spoolError(err)
	}
	s.file, s.name = file, ""
	if err := os.Remove(file.Name()); err != nil {
		s.name = file.Name() // Windows removes no open file.
	}
	return nil
}

// close gives the file back. Closing a closed one does nothing.
func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
	}
	s.file, s.name = nil, ""
	return err
}

// spoolError says what an operator can do where the temporary folder cannot be written, as with a read-only root file system.
func spoolError(err error) error {
	return fmt.Errorf("spool Parquet file into %q (set TMPDIR to a writable folder with room for one file per worker): %w", os.TempDir(), err)
}
