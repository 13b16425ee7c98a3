package objstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

// Dir opens the files below a folder as objects: a key is the path of a file
// with slashes, the bucket does not matter. Nothing outside of the folder can be
// reached, neither by ".." nor by symbolic links. It is safe for concurrent use.
type Dir struct {
	root string
}

// NewDir returns a Dir for a folder, which need not exist yet.
func NewDir(root string) *Dir {
	return &Dir{root: root}
}

// Open opens a file. A file that is replaced or cut while it is read fails the
// reading. The Reader ends with ctx. The caller closes it.
func (d *Dir) Open(ctx context.Context, object s3event.Object) (*Reader, error) {
	r, err := d.open(ctx, object.Key)
	if err != nil {
		return nil, fmt.Errorf("open file %q in folder %q: %w", object.Key, d.root, err)
	}
	return r, nil
}

func (d *Dir) open(ctx context.Context, key string) (_ *Reader, err error) {
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	name := filepath.FromSlash(key)
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%w: the path leads out of the folder", ErrDenied)
	}
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return nil, pathError(ErrNoSuchBucket, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	// Looked at before it is opened, since opening a named pipe would wait for
	// a writer.
	info, err := root.Stat(name)
	if err != nil {
		return nil, pathError(ErrNotFound, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", ErrNotFound)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, pathError(ErrNotFound, err)
	}
	// The file that was opened may be another one than that looked at.
	if info, err = f.Stat(); err != nil {
		return nil, errors.Join(fmt.Errorf("stat file: %w", err), f.Close())
	}
	return &Reader{body: &file{File: f, ctx: ctx, info: info}, size: info.Size(), etag: fileTag(info)}, nil
}

// pathError puts the error of this package that fits before one of os: missing
// if there is no such path.
func pathError(missing, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", missing, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrDenied, err)
	default:
		return err
	}
}

// fileTag stands for the content of a file as far as the file system tells.
func fileTag(info fs.FileInfo) string {
	return strconv.FormatInt(info.ModTime().UnixNano(), 16) + "-" + strconv.FormatInt(info.Size(), 16)
}

// file is a file that stops when its context ends, and notices at its end that
// it was written to.
type file struct {
	*os.File
	ctx  context.Context
	info fs.FileInfo
}

// Read implements [io.Reader].
func (f *file) Read(p []byte) (int, error) {
	if f.ctx.Err() != nil {
		return 0, fmt.Errorf("read file %q: %w", f.Name(), ended(f.ctx))
	}
	n, err := f.File.Read(p)
	if n > 0 || err == nil {
		return n, err
	}
	info, statErr := f.Stat()
	if statErr == nil && fileTag(info) != fileTag(f.info) {
		return n, fmt.Errorf("read file %q: %w", f.Name(), ErrChanged)
	}
	return n, err
}
