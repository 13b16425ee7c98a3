package demo

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// envelope is the way on which an object's notification reaches the queue.
type envelope uint8

const (
	viaS3 envelope = iota
	viaSNS
	viaEventBridge
)

// notification is the news of one object.
type notification struct {
	bucket, key, etag, region string
	size                      int
	time                      time.Time
	sequencer                 uint64
}

// s3Event is S3's own message. Source: AWS, "Event message structure".
type s3Event struct {
	Records []s3Record `json:"Records"`
}

type s3Record struct {
	EventVersion string   `json:"eventVersion"`
	EventSource  string   `json:"eventSource"`
	AWSRegion    string   `json:"awsRegion"`
	EventTime    string   `json:"eventTime"`
	EventName    string   `json:"eventName"`
	S3           s3Entity `json:"s3"`
}

type s3Entity struct {
	SchemaVersion   string   `json:"s3SchemaVersion"`
	ConfigurationID string   `json:"configurationId"`
	Bucket          s3Bucket `json:"bucket"`
	Object          s3Object `json:"object"`
}

type s3Bucket struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
}

type s3Object struct {
	Key       string `json:"key"`
	Size      int    `json:"size"`
	ETag      string `json:"eTag"`
	Sequencer string `json:"sequencer"`
}

// snsMessage is what SNS puts around a message.
type snsMessage struct {
	Type      string `json:"Type"`
	MessageID string `json:"MessageId"`
	TopicARN  string `json:"TopicArn"`
	Subject   string `json:"Subject"`
	Message   string `json:"Message"`
	Timestamp string `json:"Timestamp"`
}

// eventBridgeEvent is EventBridge's form. Source: AWS, "EventBridge event message structure".
type eventBridgeEvent struct {
	Version    string            `json:"version"`
	ID         string            `json:"id"`
	DetailType string            `json:"detail-type"`
	Source     string            `json:"source"`
	Account    string            `json:"account"`
	Time       string            `json:"time"`
	Region     string            `json:"region"`
	Resources  []string          `json:"resources"`
	Detail     eventBridgeDetail `json:"detail"`
}

type eventBridgeDetail struct {
	Version string            `json:"version"`
	Bucket  eventBridgeBucket `json:"bucket"`
	Object  eventBridgeObject `json:"object"`
	Reason  string            `json:"reason"`
}

type eventBridgeBucket struct {
	Name string `json:"name"`
}

type eventBridgeObject struct {
	Key       string `json:"key"`
	Size      int    `json:"size"`
	ETag      string `json:"etag"`
	Sequencer string `json:"sequencer"`
}

// body returns the text of the message in the queue.
func (n notification) body(e envelope) (string, error) {
	switch e {
	case viaSNS:
		inner, err := marshal(n.s3Event())
		if err != nil {
			return "", err
		}
		return marshal(snsMessage{
			Type: "Notification", MessageID: n.id(), TopicARN: "arn:aws:sns:" + n.region + ":" + account + ":vpc-flow-logs",
			Subject: "Amazon S3 Notification", Message: inner, Timestamp: n.stamp(),
		})
	case viaEventBridge:
		return marshal(n.eventBridgeEvent())
	default:
		return marshal(n.s3Event())
	}
}

func (n notification) s3Event() s3Event {
	return s3Event{Records: []s3Record{{
		EventVersion: "2.6", EventSource: "aws:s3", AWSRegion: n.region, EventTime: n.stamp(), EventName: "ObjectCreated:Put",
		S3: s3Entity{
			SchemaVersion: "1.0", ConfigurationID: "vpc-flow-logs",
			Bucket: s3Bucket{Name: n.bucket, ARN: "arn:aws:s3:::" + n.bucket},
			Object: s3Object{Key: encodeKey(n.key), Size: n.size, ETag: n.etag, Sequencer: fmt.Sprintf("%016X", n.sequencer)},
		},
	}}}
}

// eventBridgeEvent carries the key as it is.
func (n notification) eventBridgeEvent() eventBridgeEvent {
	return eventBridgeEvent{
		Version: "0", ID: n.id(), DetailType: "Object Created", Source: "aws.s3", Account: account, Time: n.time.Format(time.RFC3339),
		Region: n.region, Resources: []string{"arn:aws:s3:::" + n.bucket},
		Detail: eventBridgeDetail{
			Version: "0", Bucket: eventBridgeBucket{n.bucket}, Reason: "PutObject",
			Object: eventBridgeObject{Key: n.key, Size: n.size, ETag: n.etag, Sequencer: fmt.Sprintf("%016X", n.sequencer)},
		},
	}
}

func (n notification) stamp() string { return n.time.Format("2006-01-02T15:04:05.000Z") }

func (n notification) id() string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(n.sequencer>>32), n.sequencer&0xffffffffffff)
}

// encodeKey writes a key as S3 does in its events: form-encoded, but for slashes.
func encodeKey(key string) string { return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") }

func unquote(etag string) string { return strings.Trim(etag, `"`) }

func marshal[T s3Event | snsMessage | eventBridgeEvent](v T) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("marshal notification: %w", err)
	}
	return string(b), nil
}
