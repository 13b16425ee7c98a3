package aggregator

import "errors"

// A Journal is the durable copy of an aggregator: records under keys in buckets. The aggregator says what has changed and never reads what it wrote, except
// to begin, and after a failed write. It calls one method at a time.
type Journal interface {
	// Write makes all of a batch durable, or nothing of it and returns why. An error that is ErrFull may pass, and the journal goes on with what it held before;
	// after any other one the journal is not used again. The batch is the caller's.
	Write(batch Batch) error
	// Load calls back for each record. Key and value are valid until the call returns.
	Load(each func(bucket string, key, value []byte) error) error
}

// ErrFull is the error of a Journal that lacks space.
var ErrFull = errors.New("no space left for the state")

// ErrNotWritten is why a file was not committed: its journal did not take it. It is in no total, and may be committed later.
var ErrNotWritten = errors.New("state not written")

// SchemaVersion is that of the records that a Journal holds: their buckets, keys and values.
const SchemaVersion = 1

// A Change is one change of a record, or of many.
type Change struct {
	Op         Op
	Bucket     string
	Key, Value []byte
}

// Op is what a Change does.
type Op uint8

// The kinds of changes.
const (
	Put          Op = iota // Put sets the value of Key.
	Delete                 // Delete removes Key, which may be missing.
	DeletePrefix           // DeletePrefix removes all keys that begin with Key.
	Drop                   // Drop removes the whole bucket.
)

// A Batch is changes in the order in which they happen.
type Batch []Change

func (b *Batch) put(bucket string, key, value []byte) {
	*b = append(*b, Change{Put, bucket, key, value})
}

func (b *Batch) delete(bucket string, key []byte) {
	*b = append(*b, Change{Op: Delete, Bucket: bucket, Key: key})
}

func (b *Batch) deletePrefix(bucket string, prefix []byte) {
	*b = append(*b, Change{Op: DeletePrefix, Bucket: bucket, Key: prefix})
}

func (b *Batch) drop(bucket string) { *b = append(*b, Change{Op: Drop, Bucket: bucket}) }
