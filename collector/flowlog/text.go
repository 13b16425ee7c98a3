package flowlog

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// Zip returns text as the gzip file that a Reader reads, not compressed.
func Zip(text []byte) (io.Reader, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		return nil, fmt.Errorf("compress text: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("compress text: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress text: %w", err)
	}
	return &b, nil
}
