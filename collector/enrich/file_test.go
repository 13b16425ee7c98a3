package enrich

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mtime gives each write a time of its own, however coarse the file system's clock is.
var mtime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// writeInPlace overwrites a file, as cp does.
func writeInPlace(tb testing.TB, path string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	mtime = mtime.Add(time.Second)
	if err := os.Chtimes(path, mtime, mtime); err != nil {
		tb.Fatal(err)
	}
}

// rename puts another file in the place of one, as programs do that update databases.
func rename(tb testing.TB, path string, data []byte) {
	tb.Helper()
	mtime = mtime.Add(time.Second)
	renameSameTime(tb, path, data)
}

// renameSameTime gives the new file the time of the one that was written last.
func renameSameTime(tb testing.TB, path string, data []byte) {
	tb.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chtimes(next, mtime, mtime); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		tb.Fatal(err)
	}
}

func TestWatchedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	file := watchedFile{path: path, limit: 10}
	poll := func(want string) {
		t.Helper()
		data, err := file.poll()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(data); got != want || (data == nil) != (want == "") {
			t.Fatalf("polling gives %q, want %q", got, want)
		}
	}
	pollError := func(want string) {
		t.Helper()
		if data, err := file.poll(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Fatalf("polling gives %q and the error %v, want one with %q and the path", data, err, want)
		}
	}
	writeInPlace(t, path, []byte("one"))
	poll("one") // What is there at the start is read at once.
	poll("")
	writeInPlace(t, path, []byte("tw"))
	poll("") // It may still be written to,
	writeInPlace(t, path, []byte("two"))
	poll("") // and was,
	poll("two")
	poll("")
	renameSameTime(t, path, []byte("2.0")) // As large as before and as old.
	poll("")
	poll("2.0")
	poll("")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	pollError("no such file")
	rename(t, path, []byte("back"))
	poll("")
	poll("back")
	writeInPlace(t, path, []byte("more than ten bytes"))
	poll("")
	pollError("larger than 10 bytes")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	poll("")
	pollError("not a regular file")
}

func TestWatchedFileAppears(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	file := watchedFile{path: path, limit: 10}
	if _, err := file.poll(); !os.IsNotExist(err) {
		t.Fatalf("got the error %v, want that there is no file", err)
	}
	writeInPlace(t, path, []byte("half"))
	for i, want := range []string{"", "half", ""} {
		if data, err := file.poll(); string(data) != want || err != nil {
			t.Fatalf("poll %d gives %q and the error %v, want %q", i, data, err, want)
		}
	}
}

func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "copy")
	for _, text := range []string{"one", "two"} {
		if err := replaceFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(path); string(data) != text || err != nil {
			t.Errorf("got %q and the error %v, want %q", data, err, text)
		}
	}
	if err := replaceFile(filepath.Join(path, "below a file"), nil); err == nil {
		t.Error("a folder that is none is no error")
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(filepath.Join(dir, "folder"), nil); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if entries, err := os.ReadDir(dir); len(entries) != 2 || err != nil {
		t.Errorf("left behind %v (%v)", entries, err)
	}
}
