// Package state keeps the durable copy of an aggregator in one file, so that a process that is killed at any point goes on with the totals, and with all that
// it has learned, as of its last commit.
//
// The file is a bbolt database: a B+tree whose transactions are durable when they return, copy on write, so that a crash leaves the last one. The package
// knows buckets, keys and values, and not what is in them. Each value has a checksum and each bucket a digest of all of its records, so that a damaged
// file is noticed before anything is read from it; such a file is refused and left as it is.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
)

const (
	fileName = "state.db"
	// Another process that ends may hold the lock for a moment.
	lockTimeout = time.Second
)

// Buckets of the file's own, which are not shown to whoever loads it. The first one is read first.
const (
	aboutBucket   = "about"
	digestsBucket = "digests"
	schemaKey     = "schema"
)

// A State is an open file. It implements aggregator.Journal; its methods must be called one at a time.
type State struct {
	path    string
	db      *bbolt.DB
	metrics *metrics // metrics is nil for a state that is only read.
	broken  bool     // broken: a transaction was not ended, which Close would wait for.
}

// Open opens the state in a directory, which is made if missing, locks it against other processes and checks all of it. Errors name the file, and say what an
// operator can do.
func Open(directory string, reg prometheus.Registerer) (*State, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	path := filepath.Join(directory, fileName)
	isNew, err := check(path)
	if err != nil {
		return nil, fmt.Errorf("open state %q: %w", path, err)
	}
	db, err := openFile(path, false)
	if err != nil {
		return nil, fmt.Errorf("open state %q: %w", path, err)
	}
	s := &State{path: path, db: db}
	if isNew {
		if err := s.begin(directory); err != nil {
			return nil, errors.Join(fmt.Errorf("make state %q: %w", path, err), s.Close())
		}
	}
	s.metrics = newMetrics(reg, s.Size)
	return s, nil
}

// OpenReadOnly opens a state to look into it. The path is that of a directory or of a copy of its file.
func OpenReadOnly(path string) (*State, error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, fileName)
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	if info.Size() == 0 {
		return nil, fmt.Errorf("open state %q: the file is empty", path)
	}
	if isNew, err := check(path); err != nil || isNew {
		return nil, fmt.Errorf("open state %q: %w", path, errOrNew(err))
	}
	db, err := openFile(path, true)
	if err != nil {
		return nil, fmt.Errorf("open state %q: %w", path, err)
	}
	return &State{path: path, db: db}, nil
}

func errOrNew(err error) error {
	if err == nil {
		return errors.New("nothing was written to it yet")
	}
	return err
}

// openFile opens the file with bbolt, which panics about pages that it does not understand.
func openFile(path string, readOnly bool) (db *bbolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damagedf("%v", p)
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockTimeout, ReadOnly: readOnly,
		// The list of free pages is found at the start. To write it would cost more with each commit the more pages are free.
		NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrLocked
	}
	return db, err
}

// check reads the whole file as bytes and says whether nothing was ever written to it. What it has let pass bbolt can read without a panic.
func check(path string) (isNew bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	// bbolt is asked for its lock only: whoever writes would be seen as damage.
	lock, err := openFile(path, true)
	if err == nil {
		defer func() { err = errors.Join(err, lock.Close()) }()
	} else if errors.Is(err, ErrLocked) || errors.Is(err, fs.ErrPermission) {
		return false, err
	}
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close() //nolint:errcheck // It was only read.
	err = verify(file, info.Size())
	switch {
	case errors.Is(err, errUnfinished):
		// The very first process was killed while it made the file.
		return true, os.Remove(path)
	case errors.Is(err, errNew):
		return true, nil
	default:
		return false, err
	}
}

// begin writes what a new file begins with.
func (s *State) begin(directory string) error {
	err := s.update(func(w *writer) error {
		return w.put(aboutBucket, []byte(schemaKey), []byte{aggregator.SchemaVersion})
	})
	if err != nil {
		return err
	}
	folder, err := os.Open(directory)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Close releases the file. What was not written durably is not in it.
func (s *State) Close() error {
	if s.broken {
		return nil // The end of the process releases it.
	}
	return s.db.Close()
}

// Size returns the size of the file in bytes.
func (s *State) Size() int64 {
	info, err := os.Stat(s.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Path returns the path of the file.
func (s *State) Path() string { return s.path }

// Load implements aggregator.Journal.
func (s *State) Load(each func(bucket string, key, value []byte) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damagedf("%v", p)
		}
		if err != nil {
			err = fmt.Errorf("load state %q: %w", s.path, err)
		}
	}()
	return s.db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			bucket := string(name)
			if bucket == aboutBucket || bucket == digestsBucket {
				return nil
			}
			return b.ForEach(func(key, sealed []byte) error {
				value, _, err := unseal(bucket, key, sealed)
				if err != nil {
					return err
				}
				return each(bucket, key, value)
			})
		})
	})
}

// Write implements aggregator.Journal.
func (s *State) Write(batch aggregator.Batch) error {
	began := time.Now()
	err := s.update(func(w *writer) error { return w.apply(batch) })
	if err != nil {
		return fmt.Errorf("write state %q: %w", s.path, err)
	}
	s.metrics.duration.Observe(time.Since(began).Seconds())
	return nil
}
