package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/vpcflow/vpcflow_exporter/internal/backoff"
)

// stream is the body of an object, pieced together from as many requests as it
// takes.
type stream struct {
	s3          *S3
	ctx         context.Context
	api         API
	bucket, key string
	// ifMatch is the ETag as S3 sent it, which ties all pieces to one version.
	ifMatch string
	size    int64

	// The request under way. cancel is nil if there is none.
	body    io.ReadCloser
	attempt context.Context
	cancel  context.CancelCauseFunc
	idle    timer

	offset int64
	// resumes counts those since the last byte that arrived.
	resumes int
	// broken is why the body has to be resumed before the next read.
	broken error
}

// get begins a request and makes its body the stream's.
func (st *stream) get(input *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	attempt, cancel := context.WithCancelCause(st.ctx)
	limit := st.s3.cfg.IdleTimeout
	idle := st.s3.afterFunc(limit, func() {
		cancel(fmt.Errorf("%w: nothing came for %s", ErrTimeout, limit))
	})
	out, err := st.api.GetObject(attempt, input, quiet)
	idle.Stop()
	if err != nil {
		err = refusal(st.ctx, attempt, err)
		cancel(nil)
		return nil, err
	}
	st.body, st.attempt, st.cancel, st.idle = out.Body, attempt, cancel, idle
	return out, nil
}

// quiet keeps the SDK from logging that the pieces of an object have no checksum
// of their own.
func quiet(o *s3.Options) {
	o.DisableLogOutputChecksumValidationSkipped = true
}

// Read implements [io.Reader] over all pieces. It returns io.EOF where the
// object ends, or where the store says so if the length is unknown.
func (st *stream) Read(p []byte) (int, error) {
	for {
		// net/http goes on to deliver what has arrived before it notices.
		if st.ctx.Err() != nil {
			return 0, st.fail(ended(st.ctx))
		}
		if st.broken != nil {
			if err := st.resume(); err != nil {
				return 0, st.fail(err)
			}
		}
		n, err := st.readPiece(p)
		if err == nil || errors.Is(err, io.EOF) {
			return n, err
		}
		if st.ctx.Err() != nil || errors.Is(err, ErrChecksum) {
			return n, st.fail(err)
		}
		st.broken = err
		if n > 0 {
			return n, nil
		}
	}
}

// readPiece reads from the request under way. It returns io.EOF only at the end
// of the object.
func (st *stream) readPiece(p []byte) (int, error) {
	st.idle.Reset(st.s3.cfg.IdleTimeout)
	n, err := st.body.Read(p)
	st.idle.Stop()
	st.offset += int64(n)
	if n > 0 {
		st.resumes = 0
	}
	complete := st.size >= 0 && st.offset >= st.size
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF && (complete || st.size < 0):
		return n, io.EOF
	case complete && st.attempt.Err() == nil:
		// Every byte is here, so it is not the connection that broke: the SDK
		// compares the checksum at this point.
		return n, fmt.Errorf("%w: %w", ErrChecksum, err)
	default:
		return n, st.interruption(err)
	}
}

// interruption says what broke a body; io.EOF is never in its chain.
func (st *stream) interruption(err error) error {
	switch {
	case st.ctx.Err() != nil:
		return ended(st.ctx)
	case errors.Is(context.Cause(st.attempt), ErrTimeout):
		return context.Cause(st.attempt)
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	default:
		return err
	}
}

// fail names the object in an error of Read.
func (st *stream) fail(err error) error {
	return fmt.Errorf("read object %q of bucket %q: %w", st.key, st.bucket, err)
}

// resume asks for the rest of the body, again and again as long as that makes
// sense.
func (st *stream) resume() error {
	for {
		if st.ifMatch == "" {
			return fmt.Errorf("%w: broke at byte %d and cannot be resumed without an ETag: %w",
				ErrTruncated, st.offset, st.broken)
		}
		if st.resumes >= st.s3.cfg.MaxResumes {
			return fmt.Errorf("%w: broke at byte %d of %d, gave up after %d resumes: %w",
				ErrTruncated, st.offset, st.size, st.resumes, st.broken)
		}
		st.resumes++
		st.s3.logger.Debug("Resuming object", "bucket", st.bucket, "key", st.key,
			"offset", st.offset, "size", st.size, "resume", st.resumes, "err", st.broken)
		err := st.resumeOnce()
		if err == nil {
			st.broken = nil
			return nil
		}
		if !outcomeOf(err).resumable {
			return err
		}
		st.broken = err
	}
}

func (st *stream) resumeOnce() error {
	// What is left of the old body must not delay the new one, and the reason
	// why it broke is known.
	_ = st.Close()
	if err := st.s3.sleep(st.ctx, backoff.Delay(minBackoff, maxBackoff, st.resumes)); err != nil {
		return ended(st.ctx)
	}
	out, err := st.get(&s3.GetObjectInput{
		Bucket:  &st.bucket,
		Key:     &st.key,
		Range:   aws.String("bytes=" + strconv.FormatInt(st.offset, 10) + "-"),
		IfMatch: &st.ifMatch,
	})
	if err != nil {
		return err
	}
	return st.checkPiece(aws.ToString(out.ContentRange), aws.ToString(out.ETag))
}

// checkPiece compares the piece that S3 sends with the one asked for. Stores that speak S3's protocol may not know If-Match, and send what is there now.
func (st *stream) checkPiece(contentRange, etag string) error {
	start, total, ok := parseContentRange(contentRange)
	switch {
	case etag != "" && etag != st.ifMatch:
		return fmt.Errorf("%w: its ETag was %q and is %q", ErrChanged, st.ifMatch, etag)
	case !ok:
		return fmt.Errorf("%w: broke at byte %d and the store does not resume, content range is %q",
			ErrTruncated, st.offset, contentRange)
	case start != st.offset:
		return fmt.Errorf("%w: broke at byte %d but the store resumed at %d", ErrTruncated, st.offset, start)
	case st.size >= 0 && total >= 0 && total != st.size:
		return fmt.Errorf("%w: its length was %d bytes and is %d", ErrChanged, st.size, total)
	}
	return nil
}

// parseContentRange reads "bytes 5-9/10". The total is -1 for "bytes 5-9/*".
func parseContentRange(s string) (start, total int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	if !ok {
		return 0, 0, false
	}
	span, length, ok := strings.Cut(rest, "/")
	if !ok {
		return 0, 0, false
	}
	first, _, ok := strings.Cut(span, "-")
	if !ok {
		return 0, 0, false
	}
	start, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if length == "*" {
		return start, -1, true
	}
	total, err = strconv.ParseInt(length, 10, 64)
	return start, total, err == nil
}

// Close ends the request under way. The cancellation comes first, so that
// nothing waits for a body that stalls.
func (st *stream) Close() error {
	if st.cancel == nil {
		return nil
	}
	st.cancel(nil)
	st.cancel = nil
	return st.body.Close()
}
