package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/claim"
	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

// With claims, of all replicas that share them one counts a file:
//
//	file read to its clean end -> claim -> commit, durable -> claim finished -> message deleted
//
// The claim is never given up. Whatever fails after it leaves a file that nobody else counts, so this replica counts it by itself, with or without a message:
// see unfinished.

// SetClaims makes the pipeline claim each file before it is counted. It must be called before Run. The aggregator must be durable, and its state that which the
// claims' owner belongs to.
func (p *Pipeline) SetClaims(claims *claim.Claims) {
	p.claims, p.unfinished = claims, newUnfinished(claims.SetUnfinished)
}

// errCounted says that a file is in the totals of some replica.
var errCounted = errors.New("file was counted by a replica")

// A claimError is one of a claim, not of the file.
type claimError struct{ error }

func (e claimError) Unwrap() error { return e.error }

// A foreignError says that only another replica knows whether a file is counted.
type foreignError struct{ claim.Claim }

func (e foreignError) Error() string {
	return fmt.Sprintf("file is claimed by replica %s, which has not finished it", e.Owner)
}

// mayRead looks whose a file is whose message has failed before: one that is another replica's need not be read.
func (w *worker) mayRead(ctx context.Context, object s3event.Object) error {
	p := w.pipeline
	if p.claims == nil || !w.redelivered {
		return nil
	}
	object.VersionID = ""
	c, err := p.claims.Look(ctx, object.Identity())
	if err != nil {
		return claimError{err}
	}
	return mayCount(c)
}

// mayCount returns why a file is not this replica's to count.
func mayCount(c claim.Claim) error {
	switch c.Standing {
	case claim.Foreign:
		return foreignError{c}
	case claim.Done:
		return errCounted
	default:
		return nil
	}
}

// commit adds the file that was read to the totals, unless it is in those of this or another replica. What was claimed and not finished is left to unfinished.
func (w *worker) commit(ctx context.Context, file aggregator.File) (committed bool, err error) {
	p := w.pipeline
	if p.claims == nil {
		return p.aggregator.Commit(file, w.delta)
	}
	claimed := w.claimOf(file)
	c, err := p.claims.Take(ctx, claimed)
	if err != nil {
		// What was refused is not claimed. Of a request without an answer nobody knows.
		if objstore.Transient(err) {
			p.unfinished.add(claimed)
		}
		return false, claimError{err}
	}
	if err := mayCount(c); err != nil {
		p.unfinished.remove(claimed)
		return false, err
	}
	// From here on nobody else can count it, so that it no longer matters whose the message is.
	committed, err = p.aggregator.Commit(file, w.delta)
	if err != nil {
		p.unfinished.add(claimed)
	}
	return committed, err
}

// claimOf returns what is needed to read a file again.
func (w *worker) claimOf(file aggregator.File) claim.File {
	return claim.File{Identity: file.Identity, Bucket: w.source.Bucket, Key: w.source.Key, Region: w.source.Region, ETag: w.source.ETag}
}

// finishClaim says that a file is in the totals, before its message is deleted. It must work during a shutdown, and when the message was lost.
func (w *worker) finishClaim(ctx context.Context, file aggregator.File) error {
	p := w.pipeline
	if p.claims == nil {
		return nil
	}
	ctx, cancel := outlast(ctx, giveBackTimeout)
	defer cancel()
	claimed := w.claimOf(file)
	if err := p.claims.Finish(ctx, file.Identity); err != nil {
		p.unfinished.add(claimed)
		return claimError{err}
	}
	p.unfinished.remove(claimed)
	return nil
}

// outlast returns a context that ends so long after another one.
func outlast(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(by, cancel)
		context.AfterFunc(longer, func() { timer.Stop() })
	})
	return longer, func() { stop(); cancel() }
}

// settleUnfinished counts a file that this replica has claimed, or perhaps has, without a message. An error means that it is to be tried again.
func (w *worker) settleUnfinished(ctx context.Context, claimed claim.File) error {
	p := w.pipeline
	object := s3event.Object{Bucket: claimed.Bucket, Key: claimed.Key, Region: claimed.Region, ETag: claimed.ETag, Size: -1}
	w.redelivered = false
	file, err := w.readObject(ctx, object, false)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	replaced := file.Identity != claimed.Identity
	committed := false
	if err == nil && !replaced {
		committed, err = w.commit(ctx, file)
	}
	var skipped errSkipped
	var foreign foreignError
	switch {
	case errors.As(err, &foreign), errors.Is(err, errCounted):
		p.unfinished.remove(claimed)
		return nil
	case committed:
		p.logger.Info("Counted file of an earlier claim", "bucket", object.Bucket, "key", object.Key)
		p.refused.clear()
		p.report(p.aggregator.TakeFindings())
	case errors.As(err, &skipped):
		return w.forsake(ctx, claimed, aggregator.Skipped, err)
	case objstore.Gone(err) && !errors.As(err, new(claimError)):
		return w.forsake(ctx, claimed, aggregator.Missing, err)
	case replaced && (err == nil || errors.Is(err, errDuplicate)):
		return w.forsake(ctx, claimed, aggregator.Missing, errOtherContent)
	case err != nil && !errors.Is(err, errDuplicate):
		p.unfinished.add(claimed)
		return err
	}
	file.Identity = claimed.Identity
	return w.finishClaim(ctx, file)
}

// forsake finishes a claim of a file that nobody can count any more.
func (w *worker) forsake(ctx context.Context, claimed claim.File, result aggregator.Result, why error) error {
	p := w.pipeline
	c, err := p.claims.Look(ctx, claimed.Identity)
	if err != nil {
		return err
	}
	if c.Standing != claim.Own {
		p.unfinished.remove(claimed)
		return nil
	}
	if p.aggregator.Known(claimed.Identity) {
		return w.finishClaim(ctx, aggregator.File{Identity: claimed.Identity})
	}
	p.logger.Warn("Claimed file cannot be counted any more", "bucket", claimed.Bucket, "key", claimed.Key, "err", why)
	if err := w.finishClaim(ctx, aggregator.File{Identity: claimed.Identity}); err != nil {
		return err
	}
	p.aggregator.CountFile(result, "")
	return nil
}
