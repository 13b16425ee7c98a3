// Package objstore opens an object of a store as a verified stream: what a
// [Reader] delivers up to io.EOF is the whole object and one version of it, or
// the read fails.
//
// [S3] reads through the AWS SDK, resumes a broken connection at the byte where
// it broke, and finds the region of a bucket by itself. [Dir] reads a local
// folder in the same way. Errors tell by [Transient] whether a later attempt can
// succeed, and by [Reason] under which label to count them.
package objstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Reader is the content of one object. It is not safe for concurrent use. The
// caller closes it.
type Reader struct {
	body io.ReadCloser
	size int64
	etag string
	read int64
	err  error
}

// Size returns the object's length in bytes as the store states it, -1 if it
// does not.
func (r *Reader) Size() int64 { return r.size }

// BytesRead returns how many bytes Read has delivered.
func (r *Reader) BytesRead() int64 { return r.read }

// ETag returns the ETag of the version that is read, without quotes; empty if
// the store has none.
func (r *Reader) ETag() string { return r.etag }

// Read implements [io.Reader]. It returns io.EOF only if as many bytes arrived
// as the store stated; fewer are [ErrTruncated], more [ErrOverlong]. An error is
// final: every later Read returns it again. No error but the clean end has
// io.EOF in its chain.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.body.Read(p)
	if r.size >= 0 && int64(n) > r.size-r.read {
		n = int(r.size - r.read)
		err = fmt.Errorf("%w: more than %d bytes arrived", ErrOverlong, r.size)
	}
	r.read += int64(n)
	if errors.Is(err, io.EOF) && r.size >= 0 && r.read < r.size {
		err = fmt.Errorf("%w: %d of %d bytes arrived", ErrTruncated, r.read, r.size)
	}
	r.err = err
	return n, err
}

// Close ends the reading and frees its connection or file. Further calls do
// nothing.
func (r *Reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body, r.err = nil, fs.ErrClosed
	return err
}
