package state

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
)

var seed = flag.Uint64("seed", 0, "seed of the random changes; 0 takes a random one")

func newRandom(t testing.TB) *rand.Rand {
	t.Helper()
	n := cmp.Or(*seed, rand.Uint64())
	t.Logf("rerun with -seed=%d", n)
	return rand.New(rand.NewPCG(n, 0))
}

func open(t testing.TB, directory string) *State {
	t.Helper()
	s, err := Open(directory, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeState(t testing.TB, s *State) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// model is what a state should hold.
type model map[string]map[string]string

func (m model) apply(batch aggregator.Batch) {
	for _, c := range batch {
		switch c.Op {
		case aggregator.Put:
			if m[c.Bucket] == nil {
				m[c.Bucket] = make(map[string]string)
			}
			m[c.Bucket][string(c.Key)] = string(c.Value)
		case aggregator.Delete:
			delete(m[c.Bucket], string(c.Key))
		case aggregator.DeletePrefix:
			maps.DeleteFunc(m[c.Bucket], func(key, _ string) bool { return strings.HasPrefix(key, string(c.Key)) })
		case aggregator.Drop:
			delete(m, c.Bucket)
		}
	}
}

func (m model) String() string {
	records := make(map[string]string)
	for bucket, keys := range m {
		for key, value := range keys {
			records[fmt.Sprintf("%s %q", bucket, key)] = value
		}
	}
	return fmt.Sprint(records) // Sorted by key.
}

func loaded(s *State) (model, error) {
	m := make(model)
	err := s.Load(func(bucket string, key, value []byte) error {
		m.apply(aggregator.Batch{{Op: aggregator.Put, Bucket: bucket, Key: key, Value: value}})
		return nil
	})
	return m, err
}

func randomBatch(random *rand.Rand, changes int) aggregator.Batch {
	var batch aggregator.Batch
	for range random.IntN(changes) + 1 {
		c := aggregator.Change{Bucket: fmt.Sprintf("bucket-%d", random.IntN(5)), Key: fmt.Appendf(nil, "%02d/%03d", random.IntN(20), random.IntN(100))}
		switch n := random.IntN(100); {
		case n < 80:
			c.Value = bytes.Repeat([]byte{byte(n)}, random.IntN(60))
		case n < 95:
			c.Op = aggregator.Delete
		case n < 99:
			c.Op, c.Key = aggregator.DeletePrefix, c.Key[:3]
		default:
			c.Op, c.Key = aggregator.Drop, nil
		}
		batch = append(batch, c)
	}
	return batch
}

// TestChanges makes random changes and compares with a map, closing and opening the file on the way.
func TestChanges(t *testing.T) {
	random := newRandom(t)
	directory := filepath.Join(t.TempDir(), "missing", "state")
	s, want := open(t, directory), make(model)
	for range 80 {
		batch := randomBatch(random, 200)
		if err := s.Write(batch); err != nil {
			t.Fatal(err)
		}
		want.apply(batch)
		if random.IntN(5) == 0 {
			closeState(t, s)
			s = open(t, directory)
		}
		if got, err := loaded(s); err != nil || got.String() != want.String() {
			t.Fatalf("got %s and %v, want %s", got, err, want)
		}
	}
	closeState(t, s)
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	s, err := Open(t.TempDir(), reg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeState(t, s)
	if err := s.Write(randomBatch(newRandom(t), 10)); err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("got %v, %v", problems, err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		got[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue() + float64(f.GetMetric()[0].GetHistogram().GetSampleCount())
	}
	if got["vpcflow_state_commit_duration_seconds"] != 1 || got["vpcflow_state_size_bytes"] != float64(s.Size()) || s.Size() == 0 {
		t.Errorf("got %v", got)
	}
}

func TestModes(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "state")
	s := open(t, directory)
	defer closeState(t, s)
	for path, want := range map[string]os.FileMode{directory: 0o700 | os.ModeDir, s.Path(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: got mode %s, %v, want %s", path, info.Mode(), err, want)
		}
	}
}

func TestLocked(t *testing.T) {
	directory := t.TempDir()
	s := open(t, directory)
	defer closeState(t, s)
	if _, err := Open(directory, nil); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), s.Path()) {
		t.Errorf("got %v", err)
	}
	if _, err := OpenReadOnly(directory); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	directory := t.TempDir()
	if _, err := OpenReadOnly(directory); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	s := open(t, directory)
	want := make(model)
	batch := randomBatch(newRandom(t), 1000)
	want.apply(batch)
	if err := s.Write(batch); err != nil {
		t.Fatal(err)
	}
	closeState(t, s)
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(copied, fileBytes(t, s.Path()), 0o400); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{directory, s.Path(), copied} {
		r, err := OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := loaded(r); err != nil || got.String() != want.String() {
			t.Errorf("got %s and %v, want %s", got, err, want)
		}
		closeState(t, r)
	}
}

func fileBytes(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNewerSchema(t *testing.T) {
	directory := t.TempDir()
	s := open(t, directory)
	if err := s.update(func(w *writer) error { return w.put(aboutBucket, []byte(schemaKey), []byte{9}) }); err != nil {
		t.Fatal(err)
	}
	closeState(t, s)
	before := fileBytes(t, s.Path())
	_, err := Open(directory, nil)
	want := fmt.Sprintf("open state %q: it has schema version 9, and this version of vpcflow_exporter reads 1: run the one that wrote it, "+
		"or move the file away to begin anew", s.Path())
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if !bytes.Equal(fileBytes(t, s.Path()), before) {
		t.Error("the file was changed")
	}
}

// TestPanic lets a transaction panic: that is an error, and what was written before stays.
func TestPanic(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.update(func(*writer) error { panic("page 7 is gone") }); err == nil || !strings.Contains(err.Error(), "page 7 is gone") {
		t.Errorf("got %v", err)
	}
	closeState(t, s)
}

// TestUnfinished cuts a file short as a kill does that comes while it is made.
func TestUnfinished(t *testing.T) {
	whole := t.TempDir()
	db, err := openFile(filepath.Join(whole, fileName), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content := fileBytes(t, filepath.Join(whole, fileName))
	for size := 0; size <= len(content); size += len(content) / 4 {
		directory := t.TempDir()
		if err := os.WriteFile(filepath.Join(directory, fileName), content[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		closeState(t, open(t, directory))
		closeState(t, open(t, directory))
	}
}

// writtenFile returns the bytes of a file with all kinds of pages, and what it holds.
func writtenFile(t testing.TB) ([]byte, model) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	s, want := open(t, t.TempDir()), make(model)
	for range 8 {
		batch := randomBatch(random, 400)
		batch = append(batch, aggregator.Change{Bucket: "large", Key: []byte("value"), Value: bytes.Repeat([]byte{7}, 10_000)},
			aggregator.Change{Bucket: "small", Key: []byte("key"), Value: []byte("value")})
		want.apply(batch)
		if err := s.Write(batch); err != nil {
			t.Fatal(err)
		}
	}
	closeState(t, s)
	return fileBytes(t, s.Path()), want
}

// reads opens a file and checks that it is refused, or is what was written.
func reads(t *testing.T, content []byte, want model, what string) (refused bool) {
	t.Helper()
	directory := t.TempDir()
	path := filepath.Join(directory, fileName)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(directory, prometheus.NewRegistry())
	if err != nil {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the error does not name the file: %v", what, err)
		}
		if !bytes.Equal(fileBytes(t, path), content) {
			t.Errorf("%s: the refused file was changed", what)
		}
		return true
	}
	defer closeState(t, s)
	if got, err := loaded(s); err != nil || got.String() != want.String() {
		t.Errorf("%s: got %v and other records", what, err)
	}
	return false
}

// TestDamaged changes single bits anywhere in a file, and cuts it anywhere.
func TestDamaged(t *testing.T) {
	random := newRandom(t)
	content, want := writtenFile(t)
	if reads(t, content, want, "good file") {
		t.Fatal("a good file was refused")
	}
	refused := 0
	for range 1500 {
		at, bit := random.IntN(len(content)), random.IntN(8)
		if random.IntN(2) == 0 {
			at = at &^ 4095 // The beginnings of pages have most of what bbolt believes.
			at += random.IntN(200)
		}
		damaged := bytes.Clone(content)
		damaged[at] ^= 1 << bit
		if reads(t, damaged, want, fmt.Sprintf("bit %d of byte %d", bit, at)) {
			refused++
		}
	}
	if refused < 100 {
		t.Errorf("only %d of 1500 changes were noticed", refused)
	}
	for range 100 {
		size := random.IntN(len(content)-1) + 1
		reads(t, content[:size], want, fmt.Sprintf("first %d bytes", size))
	}
}

func FuzzDamaged(f *testing.F) {
	content, want := writtenFile(f)
	f.Add(uint32(4106), byte(1), uint32(9000), byte(0), byte(8))
	f.Add(uint32(16), byte(255), uint32(4096), byte(3), byte(1))
	f.Fuzz(func(t *testing.T, at uint32, change byte, at2 uint32, change2, zeros byte) {
		damaged := bytes.Clone(content)
		damaged[int(at)%len(damaged)] ^= change
		begin := int(at2) % len(damaged)
		damaged[begin] ^= change2
		clear(damaged[begin:min(begin+int(zeros), len(damaged))])
		reads(t, damaged, want, fmt.Sprintf("byte %d by %d, byte %d by %d and %d zeros", at, change, at2, change2, zeros))
	})
}
