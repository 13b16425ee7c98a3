package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
)

// update runs one transaction. What panics in it is no more than an error, after which the file is not used again: the process is going to end in order.
func (s *State) update(change func(*writer) error) (err error) {
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			s.broken = true
			err = fmt.Errorf("commit transaction: %v", p)
		}
	}()
	w := &writer{tx: tx, buckets: make(map[string]*bucketWriter)}
	if err = change(w); err == nil {
		err = w.writeDigests()
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return classify(tx.Commit())
}

// A writer makes the changes of one transaction and keeps the digests.
type writer struct {
	tx      *bbolt.Tx
	buckets map[string]*bucketWriter
}

type bucketWriter struct {
	bucket *bbolt.Bucket
	digest digest
}

// open returns a bucket, which is made if missing.
func (w *writer) open(name string) (*bucketWriter, error) {
	if b, ok := w.buckets[name]; ok {
		return b, nil
	}
	bucket, err := w.tx.CreateBucketIfNotExists([]byte(name))
	if err != nil {
		return nil, err
	}
	b := &bucketWriter{bucket: bucket}
	if digests := w.tx.Bucket([]byte(digestsBucket)); digests != nil {
		if sealed := digests.Get([]byte(name)); sealed != nil {
			value, _, err := unseal(digestsBucket, []byte(name), sealed)
			if err != nil {
				return nil, err
			}
			b.digest, _ = decodeDigest(value)
		}
	}
	w.buckets[name] = b
	return b, nil
}

func (w *writer) apply(batch aggregator.Batch) error {
	for i := range batch {
		c := &batch[i]
		var err error
		switch c.Op {
		case aggregator.Put:
			err = w.put(c.Bucket, c.Key, c.Value)
		case aggregator.Delete:
			err = w.delete(c.Bucket, c.Key)
		case aggregator.DeletePrefix:
			err = w.deletePrefix(c.Bucket, c.Key)
		case aggregator.Drop:
			err = w.drop(c.Bucket)
		}
		if err != nil {
			return fmt.Errorf("change record %q in %q: %w", c.Key, c.Bucket, err)
		}
	}
	return nil
}

func (w *writer) put(bucket string, key, value []byte) error {
	b, err := w.open(bucket)
	if err != nil {
		return err
	}
	b.forget(b.bucket.Get(key))
	sealed := seal(bucket, key, value)
	b.digest.add(binary.BigEndian.Uint32(sealed[len(value):]))
	return b.bucket.Put(key, sealed)
}

// forget takes a record that goes out of the digest; nil is none.
func (b *bucketWriter) forget(sealed []byte) {
	if len(sealed) >= sealBytes {
		b.digest.remove(binary.BigEndian.Uint32(sealed[len(sealed)-sealBytes:]))
	}
}

func (w *writer) delete(bucket string, key []byte) error {
	b, err := w.open(bucket)
	if err != nil {
		return err
	}
	b.forget(b.bucket.Get(key))
	return b.bucket.Delete(key)
}

func (w *writer) deletePrefix(bucket string, prefix []byte) error {
	b, err := w.open(bucket)
	if err != nil {
		return err
	}
	var keys [][]byte
	cursor := b.bucket.Cursor()
	for key, sealed := cursor.Seek(prefix); key != nil && bytes.HasPrefix(key, prefix); key, sealed = cursor.Next() {
		keys = append(keys, slices.Clone(key))
		b.forget(sealed)
	}
	for _, key := range keys {
		if err := b.bucket.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// drop removes a bucket as a whole, which costs no look at its records.
func (w *writer) drop(bucket string) error {
	delete(w.buckets, bucket)
	err := w.tx.DeleteBucket([]byte(bucket))
	if err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
		return err
	}
	if digests := w.tx.Bucket([]byte(digestsBucket)); digests != nil {
		return digests.Delete([]byte(bucket))
	}
	return nil
}

// writeDigests writes the digests of the buckets that were changed.
func (w *writer) writeDigests() error {
	digests, err := w.tx.CreateBucketIfNotExists([]byte(digestsBucket))
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(w.buckets)) {
		if err := digests.Put([]byte(name), seal(digestsBucket, []byte(name), w.buckets[name].digest.encode())); err != nil {
			return err
		}
	}
	return nil
}
