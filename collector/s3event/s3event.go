// Package s3event turns the bodies of queue messages into references to S3
// objects, and says what an object's key tells about the flow log in it.
//
// S3 announces a new object in several envelopes: its own event, the same event
// wrapped by SNS, or an EventBridge event. They differ in where the fields are
// and in how the key is encoded; [Parse] levels that. The package is pure: it
// does no I/O, logs nothing and holds no state, so every function is safe for
// concurrent use.
package s3event

import (
	"errors"
	"net/url"
	"time"
)

// MaxBody is the longest message body that [Parse] looks at, in bytes. It is
// the most that SQS delivers.
const MaxBody = 1 << 20

// ErrInvalid is in the chain of every error of [Parse]. A body that is invalid
// stays so however often it is delivered.
var ErrInvalid = errors.New("not a notification of S3")

// Envelope names the form in which a notification arrived.
type Envelope string

// The envelopes that [Parse] tells apart. SNS with raw message delivery cannot
// be told from S3 itself and is [EnvelopeS3]; a test event that SNS has wrapped
// is [EnvelopeTest].
const (
	EnvelopeS3          Envelope = "s3"
	EnvelopeSNS         Envelope = "sns"
	EnvelopeEventBridge Envelope = "eventbridge"
	EnvelopeTest        Envelope = "test"
)

// Object is a reference to an S3 object, as a notification gives it.
type Object struct {
	// Bucket and Key are never empty in what Parse returns. Key is the key
	// itself, free of any encoding.
	Bucket, Key string
	// RawKey is the key as the notification has it where decoding has changed it,
	// else empty. Of a store that does not encode, it is the key itself.
	RawKey string
	// Region is the bucket's region as the notification states it; empty if it
	// states none or something that is not shaped like a region.
	Region string
	// Size is the object's length in bytes, -1 if unknown.
	Size int64
	// ETag has no quotes around it. Each of the three is empty if unknown.
	ETag, VersionID, Sequencer string
	// EventTime is in UTC; zero if unknown.
	EventTime time.Time
}

// Notification is what one message says.
type Notification struct {
	Envelope Envelope
	// Objects are the created objects, in the order of the message.
	Objects []Object
	// Ignored counts the records that announce something else than a created
	// object, such as a deletion.
	Ignored int
}

// Undecoded returns the object that the notification means if its store does not
// encode keys, as S3 always does. If decoding has not changed the key, ok is
// false.
func (o Object) Undecoded() (undecoded Object, ok bool) {
	if o.RawKey == "" {
		return Object{}, false
	}
	o.Key, o.RawKey = o.RawKey, ""
	return o, true
}

// Identity returns the string that tells one file from another, for the
// recognition of duplicates.
//
// A file whose name is AWS's is identified by that name alone: it holds account,
// region, flow log, time and hash, so that a replicated, moved or re-encrypted
// copy is the same file. Any other object is identified by bucket, key and
// version, or ETag where the bucket keeps no versions.
func (o Object) Identity() string {
	if _, ok := ParseName(o.Key); ok {
		return baseName(o.Key)
	}
	path := (&url.URL{Path: "/" + o.Key}).EscapedPath()
	query := ""
	switch {
	// "null" is the id of whatever was written while versioning was off or
	// suspended, so it does not tell one content from the next.
	case o.VersionID != "" && o.VersionID != "null":
		query = "?version=" + url.QueryEscape(o.VersionID)
	case o.ETag != "":
		query = "?etag=" + url.QueryEscape(o.ETag)
	}
	return "s3://" + url.PathEscape(o.Bucket) + path + query
}
