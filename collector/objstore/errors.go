package objstore

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
)

// The errors that callers decide on. Each is in the chain of what Open and Read
// return, together with what the store said.
var (
	// ErrNotFound means that the object does not exist, or no longer.
	ErrNotFound = errors.New("object does not exist")
	// ErrNoSuchBucket means that the bucket does not exist.
	ErrNoSuchBucket = errors.New("bucket does not exist (was it deleted, or does the endpoint belong to another store?)")
	// ErrArchived means that the object lies in an archive storage class and
	// must be restored before it can be read.
	ErrArchived = errors.New("object is archived (restore it, or keep the lifecycle rule from archiving before it was read)")
	// ErrDenied means that the store refuses to answer. Without s3:ListBucket
	// S3 says so of objects that do not exist, too.
	ErrDenied = errors.New("access denied (the role needs s3:GetObject on the object, and kms:Decrypt on the key " +
		"if the bucket uses SSE-KMS; without s3:ListBucket a missing object is reported like this, too)")
	// ErrChanged means that the object was replaced while it was read.
	ErrChanged = errors.New("object was replaced while it was read")
	// ErrTruncated means that the body ended or broke before its stated length
	// and could not be resumed.
	ErrTruncated = errors.New("object body is shorter than its length")
	// ErrOverlong means that the body went on after its stated length.
	ErrOverlong = errors.New("object body is longer than its length")
	// ErrChecksum means that the body does not have the checksum that the store
	// keeps for it.
	ErrChecksum = errors.New("object body does not match its checksum")
	// ErrThrottled means that the store asks for fewer requests.
	ErrThrottled = errors.New("store throttles requests")
	// ErrServer means that the store answered with a fault of its own.
	ErrServer = errors.New("store has a fault")
	// ErrTimeout means that the store kept silent for too long.
	ErrTimeout = errors.New("store does not answer")
	// ErrNetwork means that no answer came: no connection, no name, no
	// credentials to ask with.
	ErrNetwork = errors.New("store cannot be reached")
)

// outcome is what an error means to a caller.
type outcome struct {
	err       error
	reason    string
	transient bool
	// resumable says that asking again at once for the rest of a body makes
	// sense.
	resumable bool
}

// outcomes are in the order in which they are looked for: an error may hold
// several, as a truncated body holds what broke it.
var outcomes = [...]outcome{
	{ErrChanged, "changed", true, false},
	{ErrChecksum, "checksum_mismatch", true, false},
	{ErrOverlong, "overlong_body", true, false},
	{ErrNotFound, "not_found", false, false},
	{ErrArchived, "archived", false, false},
	{ErrNoSuchBucket, "no_such_bucket", false, false},
	{ErrDenied, "access_denied", false, false},
	{ErrTruncated, "truncated_body", true, false},
	{ErrThrottled, "throttled", true, true},
	{ErrServer, "server_error", true, true},
	{ErrTimeout, "timeout", true, true},
	{ErrNetwork, "network", true, true},
	{context.Canceled, "canceled", true, false},
	{context.DeadlineExceeded, "timeout", true, false},
	{os.ErrDeadlineExceeded, "timeout", true, false},
}

func outcomeOf(err error) outcome {
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return outcome{err, "network", true, false}
	}
	return outcome{err, "other", false, false}
}

// Transient reports whether a later attempt at the same object can succeed
// although nobody intervenes: after trouble with the network, throttling, a
// fault of the store, a body that broke, or the end of the caller's context.
func Transient(err error) bool {
	return err != nil && outcomeOf(err).transient
}

// Gone reports whether the announced content is out of reach for good, so that
// there is nothing to wait for: the object is missing or archived.
func Gone(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrArchived)
}

// Reason returns the label value under which an error is counted. The set of
// values is fixed: not_found, archived, access_denied, no_such_bucket, changed,
// truncated_body, overlong_body, checksum_mismatch, throttled,
// server_error, timeout, network, canceled, and other for errors that are not of
// this package. It is empty for nil.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	return outcomeOf(err).reason
}

// withoutEOF takes io.EOF out of the chain of an error. A server that closes the
// connection in place of an answer leaves it there, and a reader further on
// would take the failure for the clean end of a file.
func withoutEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New(err.Error())
	}
	return err
}
