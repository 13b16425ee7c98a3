package pipeline

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/claim"
	"github.com/vpcflow/vpcflow_exporter/internal/backoff"
)

const (
	// Delays before unfinished claims are tried again.
	finishRetry    = time.Second
	maxFinishRetry = 5 * time.Minute
	// All claims are listed at the start, once more soon, as a request of the process before may have been under way when it was killed, and then now and then.
	secondListing = time.Minute
	laterListings = time.Hour
	// So many files are remembered without a listing.
	maxUnfinished = 10_000
)

// unfinished are the files that this replica has claimed, or perhaps has, and not finished. It is safe for concurrent use.
type unfinished struct {
	changed func(files int) // changed is told how many files there are.
	wake    chan struct{}   // wake holds a token after a file was added.

	mu    sync.Mutex
	files map[string]claim.File
}

func newUnfinished(changed func(files int)) *unfinished {
	return &unfinished{changed: changed, wake: make(chan struct{}, 1), files: make(map[string]claim.File)}
}

func (u *unfinished) add(f claim.File) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.files) < maxUnfinished {
		u.files[f.Identity] = f
	}
	u.changed(len(u.files))
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

func (u *unfinished) remove(f claim.File) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.files, f.Identity)
	u.changed(len(u.files))
}

func (u *unfinished) all() []claim.File {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Collect(maps.Values(u.files))
}

// finishClaims counts what this replica has claimed and not finished, without waiting for a message: among several replicas it may never come back to this one.
// It begins with a worker, which it gives back, and takes one each time that it has something to do.
func (p *Pipeline) finishClaims(ctx, work context.Context, free chan *worker, w *worker) {
	listing, listings, failures := time.Now(), 0, 0
	for {
		if !time.Now().Before(listing) {
			err := p.listUnfinished(ctx)
			switch {
			case err != nil && ctx.Err() == nil:
				p.logger.Warn("Unknown claims of this replica, they are listed again", "err", err)
				listing = time.Now().Add(backoff.Delay(finishRetry, maxFinishRetry, failures+1))
			case listings == 0:
				listing, listings = time.Now().Add(secondListing), 1
			default:
				listing = time.Now().Add(laterListings)
			}
		}
		if p.finishAll(ctx, work, w) {
			failures = 0
		} else {
			failures++
		}
		free <- w
		if w = p.awaitUnfinished(ctx, free, listing, failures); w == nil {
			return
		}
	}
}

func (p *Pipeline) listUnfinished(ctx context.Context) error {
	return p.claims.Unfinished(ctx, func(f claim.File) error {
		p.unfinished.add(f)
		return nil
	})
}

// finishAll tries all files once and says whether nothing is left to try again.
func (p *Pipeline) finishAll(ctx, work context.Context, w *worker) bool {
	if p.aggregator.Err() != nil {
		return len(p.unfinished.all()) == 0
	}
	all := true
	for _, f := range p.unfinished.all() {
		if ctx.Err() != nil {
			return false
		}
		if err := w.settleUnfinished(work, f); err != nil {
			all = false
			p.logger.Warn("Unfinished claim, it is tried again", "bucket", f.Bucket, "key", f.Key, "err", err)
		}
	}
	return all
}

// awaitUnfinished waits until there is something to do, and for a worker to do it. It returns nil when ctx ends.
func (p *Pipeline) awaitUnfinished(ctx context.Context, free chan *worker, listing time.Time, failures int) *worker {
	timer := time.NewTimer(time.Until(listing))
	defer timer.Stop()
	wake := p.unfinished.wake
	if failures > 0 {
		wake = nil
		timer.Reset(min(time.Until(listing), backoff.Delay(finishRetry, maxFinishRetry, failures)))
	}
	select {
	case <-ctx.Done():
		return nil
	case <-timer.C:
	case <-wake:
		// Whoever has failed needs a moment.
		if !backoff.Sleep(ctx, backoff.Delay(finishRetry, maxFinishRetry, 1)) {
			return nil
		}
	}
	select {
	case <-ctx.Done():
		return nil
	case w := <-free:
		return w
	}
}

// reportUnfinished says at the end what is left for the next process of this replica.
func (p *Pipeline) reportUnfinished() {
	if p.claims == nil {
		return
	}
	if left := len(p.unfinished.all()); left > 0 {
		p.logger.Warn("Unfinished claims are left, other replicas leave these files alone until this one is back with its state", "files", left, "owner", p.claims.Owner())
	}
}

// isDeferred says whether a file waits for another replica.
func isDeferred(err error) bool {
	var foreign foreignError
	return errors.As(err, &foreign)
}
