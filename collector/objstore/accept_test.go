package objstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

type opener interface {
	Open(ctx context.Context, object s3event.Object) (*Reader, error)
}

// TestAcceptance holds every store to the same behaviour.
func TestAcceptance(t *testing.T) {
	t.Run("S3", func(t *testing.T) {
		s := newStore(t)
		accept(t, s.open(DefaultConfig()), func(key string, content []byte) { s.put(key, content) })
	})
	t.Run("Dir", func(t *testing.T) {
		root := t.TempDir()
		accept(t, NewDir(root), func(key string, content []byte) { writeFile(t, root, key, content) })
	})
}

func writeFile(t *testing.T, root, key string, content []byte) {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func accept(t *testing.T, store opener, put func(key string, content []byte)) {
	object := func(key string) s3event.Object {
		return s3event.Object{Bucket: bucket, Key: key, Size: -1}
	}
	contents := map[string][]byte{
		"empty.log.gz":   {},
		"one.log.gz":     {1},
		"large.log.gz":   pattern(3 << 20),
		"a/b c/d.log.gz": pattern(100),
		"AWSLogs/aws-account-id=123456789012/day=01/x+%é?&#.log.gz": pattern(1000),
	}
	for key, content := range contents {
		put(key, content)
		t.Run(key, func(t *testing.T) {
			r, err := store.Open(t.Context(), object(key))
			if err != nil {
				t.Fatal(err)
			}
			if r.Size() != int64(len(content)) || r.BytesRead() != 0 || r.ETag() == "" || strings.Contains(r.ETag(), `"`) {
				t.Errorf("before the first read: size %d, %d read, ETag %q", r.Size(), r.BytesRead(), r.ETag())
			}
			got, err := readAll(t, r)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("read %d bytes and %v, want %d", len(got), err, len(content))
			}
		})
	}

	t.Run("reader contract", func(t *testing.T) {
		r, err := store.Open(t.Context(), object("a/b c/d.log.gz"))
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, contents["a/b c/d.log.gz"]); err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})

	t.Run("closed early", func(t *testing.T) {
		r, err := store.Open(t.Context(), object("large.log.gz"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if n, err := r.Read(make([]byte, 10)); n != 0 || !errors.Is(err, fs.ErrClosed) {
			t.Errorf("a read after close returns %d and %v", n, err)
		}
	})

	for _, key := range []string{"missing.log.gz", "a/missing/d.log.gz", "a", "a/", "one.log.gz/below"} {
		t.Run("missing "+key, func(t *testing.T) {
			_, err := store.Open(t.Context(), object(key))
			wantOutcome(t, err, ErrNotFound, "not_found", false)
			if !Gone(err) {
				t.Error("a missing object is not gone")
			}
			if !strings.Contains(err.Error(), `"`+key+`"`) {
				t.Errorf("error does not name the key: %v", err)
			}
		})
	}

	lost := errors.New("message is lost")
	t.Run("ended before", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(lost)
		_, err := store.Open(ctx, object("one.log.gz"))
		wantOutcome(t, err, lost, "canceled", true)
		wantOutcome(t, err, context.Canceled, "canceled", true)
	})
	t.Run("ended while reading", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		r, err := store.Open(ctx, object("large.log.gz"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		cancel(lost)
		_, err = readAll(t, r)
		wantOutcome(t, err, lost, "canceled", true)
	})
}
