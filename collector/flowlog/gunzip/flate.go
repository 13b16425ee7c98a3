package gunzip

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
)

// flateInflater is the one of klauspost/compress. It takes nothing from its source behind a stream.
type flateInflater struct {
	reader io.ReadCloser
}

func (f *flateInflater) Reset(source *bufio.Reader) {
	if f.reader == nil {
		f.reader = flate.NewReader(source)
		return
	}
	// It fails never: the reader of flate.NewReader is one, and there is no dictionary.
	_ = f.reader.(flate.Resetter).Reset(source, nil)
}

func (f *flateInflater) Read(p []byte) (int, error) {
	n, err := f.reader.Read(p)
	if corrupt, ok := errors.AsType[flate.CorruptInputError](err); ok {
		err = fmt.Errorf("%w: %w", ErrData, corrupt)
	}
	return n, err
}

func (f *flateInflater) Behind() []byte { return nil }
