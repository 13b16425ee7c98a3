package awstest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Object describes a stored object as its event notification does. Put returns one; a test may write
// one by hand, and what it leaves empty is empty in the event.
type Object struct {
	Bucket, Key string
	Size        int64
	// ETag is without quotes.
	ETag string
	// VersionID is empty in a bucket without versioning.
	VersionID string
	Sequencer string
	Region    string
	Time      time.Time
}

// S3Event returns the body of an S3 event notification with one record per object: keys are encoded as
// AWS encodes them, form style with a literal slash. It is also what arrives through SNS with raw
// message delivery.
func S3Event(objects ...Object) string {
	return s3Event("ObjectCreated:Put", objects)
}

// MinIOEvent returns the notification as MinIO writes it: the slash is encoded too, the event's name
// has the prefix s3: and stands beside the records as well, and the region is empty.
func MinIOEvent(objects ...Object) string {
	event := s3EventBody{EventName: "s3:ObjectCreated:Put"}
	for _, o := range objects {
		o.Region = ""
		record := newS3Record(o, event.EventName, url.QueryEscape(o.Key))
		record.EventSource = "minio:s3"
		event.Key = o.Bucket + "/" + o.Key
		event.Records = append(event.Records, record)
	}
	return encode(event)
}

// RemovedEvent returns the notification of objects that were deleted.
func RemovedEvent(objects ...Object) string {
	return s3Event("ObjectRemoved:Delete", objects)
}

// SNSEvent wraps any body as SNS does without raw message delivery: the body becomes a string inside.
func SNSEvent(body string) string {
	return encode(snsNotification{
		Type:             "Notification",
		MessageID:        "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
		TopicARN:         "arn:aws:sns:us-east-1:" + AccountID + ":flow-logs",
		Subject:          "Amazon S3 Notification",
		Message:          body,
		Timestamp:        "2025-12-01T00:05:00.000Z",
		SignatureVersion: "1",
		Signature:        "EXAMPLE",
		SigningCertURL:   "https://sns.us-east-1.amazonaws.com/SimpleNotificationService.pem",
		UnsubscribeURL:   "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
	})
}

// EventBridgeEvent returns the event "Object Created" as EventBridge sends it: one object, its key as it is.
func EventBridgeEvent(o Object) string {
	event := eventBridgeEvent{
		Version:    "0",
		ID:         "17793124-05d4-b198-2fde-7ededc63b103",
		DetailType: "Object Created",
		Source:     "aws.s3",
		Account:    AccountID,
		Time:       o.Time.UTC().Format(time.RFC3339),
		Region:     o.Region,
		Resources:  []string{"arn:aws:s3:::" + o.Bucket},
	}
	event.Detail.Version = "0"
	event.Detail.EventVersion = "1.2"
	event.Detail.Bucket.Name = o.Bucket
	event.Detail.Object = eventBridgeObject{Key: o.Key, Size: o.Size, ETag: o.ETag, VersionID: o.VersionID, Sequencer: o.Sequencer}
	event.Detail.RequestID = "C3D13FE58DE4C810"
	event.Detail.Requester = "delivery.logs.amazonaws.com"
	event.Detail.SourceIPAddress = "192.0.2.1"
	event.Detail.Reason = "PutObject"
	return encode(event)
}

// TestEvent returns the message that S3 sends once, when a bucket's notifications are configured.
func TestEvent(bucket string) string {
	return encode(testEvent{
		Service:   "Amazon S3",
		Event:     "s3:TestEvent",
		Time:      "2025-12-01T00:00:00.000Z",
		Bucket:    bucket,
		RequestID: "5582815E1AEA5ADF",
		HostID:    "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
	})
}

func s3Event(name string, objects []Object) string {
	event := s3EventBody{Records: make([]s3Record, 0, len(objects))}
	for _, o := range objects {
		event.Records = append(event.Records, newS3Record(o, name, strings.ReplaceAll(url.QueryEscape(o.Key), "%2F", "/")))
	}
	return encode(event)
}

func newS3Record(o Object, name, key string) s3Record {
	record := s3Record{
		EventVersion: "2.1",
		EventSource:  "aws:s3",
		AWSRegion:    o.Region,
		EventTime:    o.Time.UTC().Format("2006-01-02T15:04:05.000Z"),
		EventName:    name,
	}
	record.UserIdentity.PrincipalID = "AWS:AIDAEXAMPLE"
	record.RequestParameters.SourceIPAddress = "192.0.2.1"
	record.ResponseElements.RequestID = "C3D13FE58DE4C810"
	record.ResponseElements.ID2 = "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD"
	record.S3.SchemaVersion = "1.0"
	record.S3.ConfigurationID = "vpc-flow-logs"
	record.S3.Bucket.Name = o.Bucket
	record.S3.Bucket.OwnerIdentity.PrincipalID = "A3NL1KOZZKExample"
	record.S3.Bucket.ARN = "arn:aws:s3:::" + o.Bucket
	record.S3.Object = s3Object{Key: key, Size: o.Size, ETag: o.ETag, VersionID: o.VersionID, Sequencer: o.Sequencer}
	return record
}

func encode(v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encode event: %w", err))
	}
	return string(body)
}

type s3EventBody struct {
	EventName string     `json:"EventName,omitempty"`
	Key       string     `json:"Key,omitempty"`
	Records   []s3Record `json:"Records"`
}

type principal struct {
	PrincipalID string `json:"principalId"`
}

type s3Object struct {
	Key       string `json:"key"`
	Size      int64  `json:"size"`
	ETag      string `json:"eTag"`
	VersionID string `json:"versionId,omitempty"`
	Sequencer string `json:"sequencer"`
}

type s3Record struct {
	EventVersion      string    `json:"eventVersion"`
	EventSource       string    `json:"eventSource"`
	AWSRegion         string    `json:"awsRegion"`
	EventTime         string    `json:"eventTime"`
	EventName         string    `json:"eventName"`
	UserIdentity      principal `json:"userIdentity"`
	RequestParameters struct {
		SourceIPAddress string `json:"sourceIPAddress"`
	} `json:"requestParameters"`
	ResponseElements struct {
		RequestID string `json:"x-amz-request-id"`
		ID2       string `json:"x-amz-id-2"`
	} `json:"responseElements"`
	S3 struct {
		SchemaVersion   string `json:"s3SchemaVersion"`
		ConfigurationID string `json:"configurationId"`
		Bucket          struct {
			Name          string    `json:"name"`
			OwnerIdentity principal `json:"ownerIdentity"`
			ARN           string    `json:"arn"`
		} `json:"bucket"`
		Object s3Object `json:"object"`
	} `json:"s3"`
}

type snsNotification struct {
	Type             string `json:"Type"`
	MessageID        string `json:"MessageId"`
	TopicARN         string `json:"TopicArn"`
	Subject          string `json:"Subject"`
	Message          string `json:"Message"`
	Timestamp        string `json:"Timestamp"`
	SignatureVersion string `json:"SignatureVersion"`
	Signature        string `json:"Signature"`
	SigningCertURL   string `json:"SigningCertURL"`
	UnsubscribeURL   string `json:"UnsubscribeURL"`
}

type eventBridgeObject struct {
	Key       string `json:"key"`
	Size      int64  `json:"size"`
	ETag      string `json:"etag"`
	VersionID string `json:"version-id,omitempty"`
	Sequencer string `json:"sequencer"`
}

type eventBridgeEvent struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     struct {
		Version      string `json:"version"`
		EventVersion string `json:"event-version"`
		Bucket       struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object          eventBridgeObject `json:"object"`
		RequestID       string            `json:"request-id"`
		Requester       string            `json:"requester"`
		SourceIPAddress string            `json:"source-ip-address"`
		Reason          string            `json:"reason"`
	} `json:"detail"`
}

type testEvent struct {
	Service   string `json:"Service"`
	Event     string `json:"Event"`
	Time      string `json:"Time"`
	Bucket    string `json:"Bucket"`
	RequestID string `json:"RequestId"`
	HostID    string `json:"HostId"`
}
