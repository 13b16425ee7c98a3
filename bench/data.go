package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// form is how the files of a dataset are compressed.
type form string

// The forms: as AWS writes files, and inflated already.
const (
	formGzip form = "gzip"
	formText form = "text"
)

// spec says what a dataset holds.
type spec struct {
	Title   string `json:"title"`
	Fields  int    `json:"fields"`
	Remotes int    `json:"remotes"`
	Files   int    `json:"files"`
	Records int    `json:"records"` // Records of one file.

	format flowgen.Format
	forms  []form
}

// A dataset is generated files and what is known of them.
type dataset struct {
	spec
	paths map[form][]string
	known
}

// known is what the generator says of a dataset; it is kept beside the files.
type known struct {
	TextBytes       int64  `json:"text_bytes"`
	CompressedBytes int64  `json:"compressed_bytes"` // CompressedBytes is of the form gzip.
	NATBytes        uint64 `json:"nat_bytes"`
}

func (s spec) records() uint64 { return uint64(s.Files) * uint64(s.Records) }

func (s spec) bulk(file int) flowgen.Bulk {
	return flowgen.Bulk{Format: s.format, Rows: s.Records, Remotes: s.Remotes, File: file}
}

// generate returns the files of a spec, and makes them unless they are there from an earlier run.
func (w *workshop) generate(s spec) (*dataset, error) {
	dir := filepath.Join(w.dir, "data", s.key())
	d := &dataset{spec: s, paths: make(map[form][]string)}
	for _, form := range s.forms {
		for i := range s.Files {
			d.paths[form] = append(d.paths[form], filepath.Join(dir, fmt.Sprintf("%s-%d.log.gz", form, i)))
		}
	}
	manifest := filepath.Join(dir, "manifest.json")
	b, err := os.ReadFile(manifest)
	if err == nil {
		err = json.Unmarshal(b, &d.known)
		return d, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read what was generated: %w", err)
	}
	fmt.Fprintf(w.progress, ">> generating %s\n", s.Title)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for data: %w", err)
	}
	for i := range s.Files {
		if err := d.make(i); err != nil {
			return nil, fmt.Errorf("generate %s: %w", s.Title, err)
		}
	}
	// The manifest comes last: without it, the files are made again.
	if b, err = json.Marshal(d.known); err != nil {
		return nil, fmt.Errorf("encode what was generated: %w", err)
	}
	return d, os.WriteFile(manifest, b, 0o644)
}

// key names the folder of a dataset by its sizes and by its first rows, so that files of an older generator are not taken for today's.
func (s spec) key() string {
	first := s.bulk(0)
	first.Rows = min(first.Rows, 1000)
	sum := sha256.Sum256(first.Bytes())
	parts := []string{fmt.Sprintf("%d-fields-%d-remotes-%dx%d-%s", s.Fields, s.Remotes, s.Files, s.Records, hex.EncodeToString(sum[:4]))}
	for _, form := range s.forms {
		parts = append(parts, string(form))
	}
	return strings.Join(parts, "-")
}

// make writes one file in each form.
func (d *dataset) make(i int) (err error) {
	size := &counter{}
	writers := []io.Writer{size}
	for form, paths := range d.paths {
		file, err := os.Create(paths[i])
		if err != nil {
			return err
		}
		writer := textWriter(file)
		if form == formGzip {
			writer = gzip.NewWriter(file)
		}
		defer func() {
			err = errors.Join(err, writer.Close(), d.addSize(form, file), file.Close())
		}()
		writers = append(writers, writer)
	}
	natBytes, err := d.bulk(i).Write(io.MultiWriter(writers...))
	d.NATBytes += natBytes
	d.TextBytes += size.n
	return err
}

// textWriter gathers what is written to a file as it is.
func textWriter(file *os.File) io.WriteCloser {
	return flushed{bufio.NewWriterSize(file, 1<<20)}
}

type flushed struct{ *bufio.Writer }

func (f flushed) Close() error { return f.Flush() }

func (d *dataset) addSize(f form, file *os.File) error {
	if f != formGzip {
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	d.CompressedBytes += info.Size()
	return nil
}

// warm reads all files once, so that the first program to be measured finds them in memory too.
func (d *dataset) warm() error {
	for _, paths := range d.paths {
		for _, path := range paths {
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, file)
			if err := errors.Join(err, file.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
