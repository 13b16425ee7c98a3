package objstore

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

func TestDirStaysInside(t *testing.T) {
	parent := t.TempDir()
	writeFile(t, parent, "secret.log.gz", pattern(10))
	writeFile(t, parent, "root/inside.log.gz", pattern(20))
	root := filepath.Join(parent, "root")
	for name, target := range map[string]string{
		"out.log.gz": "../secret.log.gz",
		"abs.log.gz": filepath.Join(parent, "secret.log.gz"),
		"in.log.gz":  "inside.log.gz",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	d := NewDir(root)
	for _, key := range []string{"", "../secret.log.gz", "a/../../secret.log.gz", filepath.Join(parent, "secret.log.gz")} {
		_, err := d.Open(t.Context(), s3event.Object{Key: key})
		wantOutcome(t, err, ErrDenied, "access_denied", false)
	}
	for _, key := range []string{"out.log.gz", "abs.log.gz"} {
		if _, err := d.Open(t.Context(), s3event.Object{Key: key}); err == nil || Transient(err) || Gone(err) {
			t.Errorf("opening %q: %v", key, err)
		}
	}
	if got, err := readAll(t, openObject(t, d, s3event.Object{Key: "in.log.gz"})); err != nil || len(got) != 20 {
		t.Errorf("read %d bytes and %v through a link inside", len(got), err)
	}
}

func TestDirWithoutFolder(t *testing.T) {
	d := NewDir(filepath.Join(t.TempDir(), "missing"))
	_, err := d.Open(t.Context(), s3event.Object{Key: "x"})
	wantOutcome(t, err, ErrNoSuchBucket, "no_such_bucket", false)
}

func TestDirFileChanges(t *testing.T) {
	tests := map[string]struct {
		size   int64
		want   error
		reason string
	}{
		"cut":   {15, ErrChanged, "changed"},
		"grown": {50, ErrOverlong, "overlong_body"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			writeFile(t, root, "x.log.gz", pattern(20))
			r := openObject(t, NewDir(root), s3event.Object{Key: "x.log.gz"})
			if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(filepath.Join(root, "x.log.gz"), test.size); err != nil {
				t.Fatal(err)
			}
			_, err := readAll(t, r)
			wantOutcome(t, err, test.want, test.reason, true)
		})
	}
}
