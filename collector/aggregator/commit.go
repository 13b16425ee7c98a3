package aggregator

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// maxGroup bounds the files that are committed at once.
const maxGroup = 64

// A request is a file, or files that are only counted, on their way into the totals.
type request struct {
	file  File
	delta *Delta // delta is nil for a count.
	count fileCount
	files uint64 // files is how many are counted.

	done      chan struct{}
	committed bool
	err       error
}

// fileCount is how a file ended that was not committed.
type fileCount struct {
	result Result
	reason string
}

// requests wait for somebody to commit them.
type requests struct {
	mu      sync.Mutex
	waiting []*request
}

func (q *requests) add(r *request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, r)
}

// take returns the oldest ones.
func (q *requests) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxGroup)
	group := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return group
}

// submit waits until a request is answered. Whoever finds nobody committing commits all that wait, so a file that comes alone is committed at once, and files that
// come while a group is written make up the next one.
func (a *Aggregator) submit(r *request) {
	r.done = make(chan struct{})
	a.requests.add(r)
	select {
	case <-r.done:
		return
	case a.lead <- struct{}{}:
	}
	defer func() { <-a.lead }()
	for {
		select {
		case <-r.done:
			return
		default:
			a.commitGroup(a.requests.take())
		}
	}
}

// Commit adds a file to the totals, unless it is there already: then it changes nothing and returns false. With a journal it returns after the write, and an
// error, which is ErrNotWritten, says that the file is not in the totals. The delta stays the caller's.
func (a *Aggregator) Commit(file File, d *Delta) (bool, error) {
	d.resolve() // By the worker, so that look-ups keep no other commit waiting.
	r := &request{file: file, delta: d}
	a.submit(r)
	return r.committed, r.err
}

// CountFile counts a file that was not committed: a duplicate, a skipped, missing or failed one. Reason is "" or why. What a journal cannot take now
// is counted as soon as it can.
func (a *Aggregator) CountFile(result Result, reason string) { a.CountFiles(result, reason, 1) }

// CountFiles is CountFile for several files that ended alike, with one write for all of them.
func (a *Aggregator) CountFiles(result Result, reason string, files int) {
	if files > 0 {
		a.submit(&request{count: fileCount{result, reason}, files: uint64(files)})
	}
}

// Retry tries to write again after a write that found no space, and returns why that is not possible yet. Nothing is committed until it succeeds. It asks for
// room for what could not be written, since a small write may succeed where that would fail again.
func (a *Aggregator) Retry() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Err() == nil || a.hasFailed() {
		return a.Err()
	}
	var batch Batch
	batch.put(reserveBucket, reserveKey, make([]byte, a.reserve))
	if err := a.write(batch); err != nil {
		return err
	}
	a.unwritten.reserved = true
	return a.persist(nil)
}

// Err returns why the last write failed, or nil. It waits for nothing.
func (a *Aggregator) Err() error {
	if err := a.writeError.Load(); err != nil {
		return *err
	}
	return nil
}

// Failed is closed when the journal has failed for good. Nothing is committed any more; Err says why.
func (a *Aggregator) Failed() <-chan struct{} { return a.failed }

func (a *Aggregator) hasFailed() bool {
	select {
	case <-a.failed:
		return true
	default:
		return false
	}
}

// commitGroup commits requests together.
func (a *Aggregator) commitGroup(group []*request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	files := make(map[fileHash]fileHour)
	if slices.ContainsFunc(group, func(r *request) bool { return r.delta != nil }) {
		a.tops.begin(a.now())
	}
	for _, r := range group {
		switch {
		case r.delta == nil:
			a.uncounted[r.count] += r.files
		case a.Err() == nil:
			r.committed = a.apply(r.file, r.delta, files)
		}
	}
	err := a.persist(files)
	for _, r := range group {
		if err != nil {
			r.committed, r.err = false, err
		}
		close(r.done)
	}
}

// apply adds a file to the totals in memory, and to the files of its group, unless it is in either already.
func (a *Aggregator) apply(file File, d *Delta, group map[fileHash]fileHour) bool {
	id := hash(file.Identity)
	if _, inGroup := group[id]; inGroup || a.duplicates.has(id) {
		return false
	}
	group[id] = hourOf(file, a.config.MaxAge, a.now())
	a.verdicts.clear(true)
	clear(a.sources.known)
	touched, parts, plans := a.absorb(file, d)
	for n := range touched {
		a.learn(n)
		a.settleWorkload(n)
	}
	for n := range touched {
		a.settle(n)
	}
	a.settleWaiting()
	a.countRows(d, parts, plans)
	a.verdicts.clear(false)
	a.prune()
	a.evict()
	a.totals.file(file, d, a.now())
	return true
}

// persist makes what has changed durable, together with the files that it comes from, and then visible to scrapes. If it cannot, it returns to what is
// durable.
func (a *Aggregator) persist(files map[fileHash]fileHour) error {
	if err := a.Err(); err != nil {
		return err
	}
	for c, n := range a.uncounted {
		a.totals.countFile(c, n, a.now())
	}
	a.tops.rank(&a.totals, a.now())
	forgotten, early := a.duplicates.forgettable(a.config.MaxAge, a.now(), a.config.Duplicates, len(files))
	if early {
		a.findings.add(Finding{Kind: FindingForgottenFiles})
	}
	if a.journal != nil {
		batch := a.changes()
		writeDuplicates(&batch, files, forgotten)
		if err := a.write(batch); err != nil {
			a.reserve = min(max(batch.space(), 2*a.reserve), maxReserve)
			return err
		}
		if len(files) > 0 {
			a.reserve = 0
		}
	}
	clear(a.uncounted)
	a.duplicates.add(files, forgotten)
	a.publish()
	return nil
}

// write makes a batch durable. A journal that is full takes memory back to what it holds.
func (a *Aggregator) write(batch Batch) error {
	if len(batch) == 0 {
		return nil
	}
	err := a.journal.Write(batch)
	if err == nil {
		a.writeError.Store(nil)
		return nil
	}
	err = fmt.Errorf("%w: %w", ErrNotWritten, err)
	if errors.Is(err, ErrFull) {
		loadErr := a.load(a.journal)
		if loadErr == nil {
			a.configure()
			a.writeError.Store(&err)
			return err
		}
		err = errors.Join(err, loadErr)
	}
	a.writeError.Store(&err)
	close(a.failed)
	return err
}

const (
	// The record that holds the space of a later write.
	reserveBucket = "reserve"
	maxReserve    = 64 << 20
)

var reserveKey = []byte("reserve")

// space is about what a batch takes in a file of pages that are copied when they change.
func (b Batch) space() int {
	space := 256 << 10
	for i := range b {
		space += 2 * (len(b[i].Key) + len(b[i].Value) + 20)
	}
	return space
}
