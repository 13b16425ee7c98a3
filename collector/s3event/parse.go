package s3event

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// excerptLength is how much of a refused body an error message quotes.
const excerptLength = 200

// Parse reads the body of a queue message. An empty list of records and a test
// event are valid and name no objects. Records of other events than the creation
// of an object are counted, not refused. One record that cannot be understood
// makes the whole message invalid, because settling it would lose a file.
//
// Every error wraps [ErrInvalid] and quotes the beginning of the body.
func Parse(body string) (Notification, error) {
	n, err := parse([]byte(body))
	if err != nil {
		return Notification{}, fmt.Errorf("parse message %q: %w: %w", excerpt(body), ErrInvalid, err)
	}
	return n, nil
}

func excerpt(body string) string {
	if len(body) <= excerptLength {
		return body
	}
	return body[:excerptLength] + "..."
}

func parse(body []byte) (Notification, error) {
	if len(body) > MaxBody {
		return Notification{}, fmt.Errorf("body has %d bytes, more than %d", len(body), MaxBody)
	}
	top, err := decodeTop(body)
	if err != nil {
		return Notification{}, err
	}
	if top.isSNS() {
		return parseSNS(top)
	}
	return parseInner(top)
}

// top holds the top-level members of a body by their exact names; a struct
// would match them without regard to case.
type top map[string]json.RawMessage

func decodeTop(body []byte) (top, error) {
	var t top
	if err := json.Unmarshal(body, &t); err != nil {
		return nil, fmt.Errorf("decode JSON object: %w", err)
	}
	return t, nil
}

// text returns a member that is a string, and "" for any other.
func (t top) text(name string) string {
	var s string
	if json.Unmarshal(t[name], &s) != nil {
		return ""
	}
	return s
}

func (t top) has(name string) bool {
	_, ok := t[name]
	return ok
}

func (t top) isSNS() bool {
	return t.has("Type") && t.has("Message") && !t.has("Records") && !t.has("detail-type")
}

func (t top) isTest() bool {
	return t.text("Event") == "s3:TestEvent"
}

// parseSNS looks into SNS's envelope once: no AWS service nests two of them.
func parseSNS(outer top) (Notification, error) {
	switch kind := outer.text("Type"); kind {
	case "Notification":
	case "SubscriptionConfirmation":
		return Notification{}, fmt.Errorf(
			"message asks to confirm the subscription to topic %q: confirm it with the SubscribeURL that it holds",
			outer.text("TopicArn"))
	default:
		return Notification{}, fmt.Errorf("SNS message has type %q, want %q", kind, "Notification")
	}
	var message string
	if err := json.Unmarshal(outer["Message"], &message); err != nil {
		return Notification{}, fmt.Errorf("decode member Message of SNS message: %w", err)
	}
	inner, err := decodeTop([]byte(message))
	if err != nil {
		return Notification{}, fmt.Errorf("decode member Message of SNS message: %w", err)
	}
	n, err := parseInner(inner)
	if err != nil {
		return Notification{}, fmt.Errorf("parse member Message of SNS message: %w", err)
	}
	if n.Envelope != EnvelopeTest {
		n.Envelope = EnvelopeSNS
	}
	return n, nil
}

func parseInner(t top) (Notification, error) {
	switch {
	case t.has("detail-type"):
		return parseEventBridge(t)
	case t.has("Records"):
		return parseRecords(t["Records"])
	case t.isTest():
		return Notification{Envelope: EnvelopeTest}, nil
	default:
		return Notification{}, errors.New(
			"JSON has none of the members Records, detail-type, Type with Message, or Event s3:TestEvent: " +
				"the queue must receive nothing but event notifications of S3")
	}
}

// record is one entry of an S3 event. Fields that only inform are decoded
// leniently: an odd size must not keep a file from being read.
type record struct {
	EventVersion string `json:"eventVersion"`
	EventSource  string `json:"eventSource"`
	EventName    string `json:"eventName"`
	EventTime    string `json:"eventTime"`
	AWSRegion    string `json:"awsRegion"`
	S3           struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			Size      number `json:"size"`
			ETag      string `json:"eTag"`
			VersionID string `json:"versionId"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
	} `json:"s3"`
}

func parseRecords(raw json.RawMessage) (Notification, error) {
	n := Notification{Envelope: EnvelopeS3}
	var records []record
	if err := json.Unmarshal(raw, &records); err != nil {
		return n, fmt.Errorf("decode member Records: %w", err)
	}
	if records == nil {
		return n, errors.New("member Records is null")
	}
	for i, r := range records {
		created, err := r.created()
		if err != nil {
			return n, fmt.Errorf("read record %d: %w", i, err)
		}
		if !created {
			n.Ignored++
			continue
		}
		object, err := r.object()
		if err != nil {
			return n, fmt.Errorf("read record %d: %w", i, err)
		}
		n.Objects = append(n.Objects, object)
	}
	return n, nil
}

// created reports whether the record announces a new object. AWS writes
// "ObjectCreated:Put"; MinIO and Ceph put "s3:" before it.
func (r *record) created() (bool, error) {
	// Servers that stand in for S3 leave the version out at times; another major version means other fields.
	if major, _, _ := strings.Cut(r.EventVersion, "."); major != "2" && r.EventVersion != "" {
		return false, fmt.Errorf("event version is %q, want 2.x", r.EventVersion)
	}
	// MinIO says "minio:s3", Ceph "ceph:s3"; other services that write Records,
	// such as SES, have another ending.
	if r.EventSource != "" && !strings.HasSuffix(r.EventSource, ":s3") {
		return false, fmt.Errorf("event source is %q, want %q", r.EventSource, "aws:s3")
	}
	if r.EventName == "" {
		return false, errors.New("event name is missing")
	}
	return strings.HasPrefix(strings.TrimPrefix(r.EventName, "s3:"), "ObjectCreated:"), nil
}

func (r *record) object() (Object, error) {
	o := r.S3.Object
	key, raw := formDecode(o.Key), o.Key
	if key == raw {
		raw = ""
	}
	return newObject(Object{
		Bucket:    r.S3.Bucket.Name,
		Key:       key,
		RawKey:    raw,
		Region:    r.AWSRegion,
		Size:      o.Size.int64(),
		ETag:      o.ETag,
		VersionID: o.VersionID,
		Sequencer: o.Sequencer,
		EventTime: parseTime(r.EventTime),
	})
}

// formDecode undoes the encoding of keys in S3's own events: a space is "+",
// other special characters are percent-encoded. A key that does not decode comes
// from a store that does not encode, so it is the key itself.
func formDecode(key string) string {
	decoded, err := url.QueryUnescape(key)
	if err != nil {
		return key
	}
	return decoded
}

// detail is the part of an EventBridge event that S3 writes. Its key is not
// encoded.
type detail struct {
	Bucket struct {
		Name string `json:"name"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"`
		Size      number `json:"size"`
		ETag      string `json:"etag"`
		VersionID string `json:"version-id"`
		Sequencer string `json:"sequencer"`
	} `json:"object"`
}

func parseEventBridge(t top) (Notification, error) {
	n := Notification{Envelope: EnvelopeEventBridge}
	if source := t.text("source"); source != "aws.s3" {
		return n, fmt.Errorf("EventBridge event has source %q, want %q: narrow the rule's event pattern", source, "aws.s3")
	}
	if t.text("detail-type") != "Object Created" {
		n.Ignored++
		return n, nil
	}
	var d detail
	if err := json.Unmarshal(t["detail"], &d); err != nil {
		return n, fmt.Errorf("decode member detail of EventBridge event: %w", err)
	}
	object, err := newObject(Object{
		Bucket:    d.Bucket.Name,
		Key:       d.Object.Key,
		Region:    t.text("region"),
		Size:      d.Object.Size.int64(),
		ETag:      d.Object.ETag,
		VersionID: d.Object.VersionID,
		Sequencer: d.Object.Sequencer,
		EventTime: parseTime(t.text("time")),
	})
	if err != nil {
		return n, fmt.Errorf("read EventBridge event: %w", err)
	}
	n.Objects = []Object{object}
	return n, nil
}

// newObject checks and levels what the envelopes share.
func newObject(o Object) (Object, error) {
	if o.Bucket == "" {
		return Object{}, errors.New("bucket name is missing")
	}
	if o.Key == "" {
		return Object{}, errors.New("object key is missing")
	}
	o.ETag = strings.Trim(o.ETag, `"`)
	if !isRegion(o.Region) {
		o.Region = ""
	}
	return o, nil
}

// parseTime returns the zero time for what it cannot read, years that cannot be
// written again in four digits included.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	t = t.UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// number is a JSON value of any type; only a whole number that is not negative
// counts.
type number struct{ raw json.RawMessage }

// UnmarshalJSON keeps the value as it is.
func (n *number) UnmarshalJSON(raw []byte) error {
	n.raw = append(n.raw[:0], raw...)
	return nil
}

func (n *number) int64() int64 {
	v, err := strconv.ParseUint(strings.Trim(string(n.raw), `"`), 10, 63)
	if err != nil {
		return -1
	}
	return int64(v)
}
