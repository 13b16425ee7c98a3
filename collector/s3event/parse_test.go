package s3event

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// awsEvent is an S3 event as AWS sends it, with the key %s, the event name %s.
const awsEvent = `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-west-3",` +
	`"eventTime":"2025-12-01T00:06:11.527Z","eventName":"%[2]s",` +
	`"userIdentity":{"principalId":"AWS:AIDAJDPLRKLG7UEXAMPLE"},"requestParameters":{"sourceIPAddress":"127.0.0.1"},` +
	`"responseElements":{"x-amz-request-id":"C3D13FE58DE4C810","x-amz-id-2":"FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD"},` +
	`"s3":{"s3SchemaVersion":"1.0","configurationId":"vpc-flow-logs","bucket":{"name":"my-flow-logs",` +
	`"ownerIdentity":{"principalId":"A3NL1KOZZKExample"},"arn":"arn:aws:s3:::my-flow-logs"},` +
	`"object":{"key":"%[1]s","size":1024,"eTag":"d41d8cd98f00b204e9800998ecf8427e",` +
	`"versionId":"096fKKXTRTtl3on89fVO.nfljtsv6qko","sequencer":"0055AED6DCD90281E5"}},` +
	`"glacierEventData":null}]}`

const minioEvent = `{"EventName":"s3:ObjectCreated:Put","Key":"flow/AWSLogs/x.log.gz","Records":[{"eventVersion":"2.0",` +
	`"eventSource":"minio:s3","awsRegion":"","eventTime":"2025-12-01T00:06:11.527Z","eventName":"s3:ObjectCreated:Put",` +
	`"userIdentity":{"principalId":"minioadmin"},"requestParameters":{"principalId":"minioadmin","region":"","sourceIPAddress":"127.0.0.1"},` +
	`"s3":{"s3SchemaVersion":"1.0","configurationId":"Config","bucket":{"name":"flow","ownerIdentity":{"principalId":"minioadmin"},` +
	`"arn":"arn:aws:s3:::flow"},"object":{"key":"AWSLogs%2F123456789012%2Fvpcflowlogs%2Feu-west-3%2Fx.log.gz","size":7,` +
	`"eTag":"\"e8dc4081b13434b45189a720b77b6818\"","contentType":"application/gzip","userMetadata":{"content-type":"application/gzip"},` +
	`"sequencer":"16B2FFC4D5D5B5A8"}},"source":{"host":"127.0.0.1","port":"","userAgent":"MinIO"}}]}`

const eventBridgeEvent = `{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"%[2]s","source":"%[3]s",` +
	`"account":"111122223333","time":"2025-12-01T00:06:11Z","region":"ca-central-1","resources":["arn:aws:s3:::my-flow-logs"],` +
	`"detail":{"version":"0","bucket":{"name":"my-flow-logs"},"object":{"key":"%[1]s","size":5,` +
	`"etag":"b1946ac92492d2347c6235b4d2611184","version-id":"IYV3p45BT0ac8hjHg1houSdS1a.Mro8e","sequencer":"617f08299329d189"},` +
	`"request-id":"N4N7GDK58NMKJ12R","requester":"123456789012","source-ip-address":"1.2.3.4","reason":"PutObject"}}`

const testEvent = `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2025-12-01T00:00:00.000Z","Bucket":"my-flow-logs",` +
	`"RequestId":"5582815E1AEA5ADF","HostId":"8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE"}`

// viaSNS wraps a message as SNS does without raw message delivery.
func viaSNS(t *testing.T, kind, message string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{
		"Type":             kind,
		"MessageId":        "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
		"TopicArn":         "arn:aws:sns:eu-west-3:123456789012:flow-logs",
		"Subject":          "Amazon S3 Notification",
		"Message":          message,
		"Timestamp":        "2025-12-01T00:06:12.345Z",
		"SignatureVersion": "1",
		"Signature":        "EXAMPLEw6JRN...",
		"SigningCertURL":   "https://sns.eu-west-3.amazonaws.com/SimpleNotificationService.pem",
		"UnsubscribeURL":   "https://sns.eu-west-3.amazonaws.com/?Action=Unsubscribe",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func awsObject(key string) Object {
	return Object{
		Bucket: "my-flow-logs", Key: key, Region: "eu-west-3", Size: 1024,
		ETag:      "d41d8cd98f00b204e9800998ecf8427e",
		VersionID: "096fKKXTRTtl3on89fVO.nfljtsv6qko",
		Sequencer: "0055AED6DCD90281E5",
		EventTime: time.Date(2025, 12, 1, 0, 6, 11, 527e6, time.UTC),
	}
}

// encodedObject is an object whose key S3's event carries as raw.
func encodedObject(key, raw string) Object {
	o := awsObject(key)
	o.RawKey = raw
	return o
}

// hiveKey and hiveEncoded are one key, as it is and as S3's events carry it.
const (
	hiveKey     = "own prefix/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=eu-west-3/year=2025/month=12/day=01/" + awsName
	hiveEncoded = "own+prefix/AWSLogs/aws-account-id%3D123456789012/aws-service%3Dvpcflowlogs/aws-region%3Deu-west-3/year%3D2025/month%3D12/day%3D01/" + awsName
)

func TestParse(t *testing.T) {
	plain := fmt.Sprintf(awsEvent, "AWSLogs/x.log.gz", "ObjectCreated:Put")
	one := strings.TrimSuffix(strings.TrimPrefix(plain, `{"Records":[`), `]}`)
	removed := strings.Replace(one, "ObjectCreated:Put", "ObjectRemoved:Delete", 1)
	second := strings.Replace(one, "AWSLogs/x.log.gz", "AWSLogs/y.log.gz", 1)

	bridge := awsObject(hiveKey)
	bridge.Region, bridge.Size = "ca-central-1", 5
	bridge.ETag, bridge.VersionID, bridge.Sequencer = "b1946ac92492d2347c6235b4d2611184", "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "617f08299329d189"
	bridge.EventTime = time.Date(2025, 12, 1, 0, 6, 11, 0, time.UTC)
	bridgeEncoded := bridge
	bridgeEncoded.Key = "a+b%3D.log.gz"

	sparse := Object{Bucket: "b", Key: "k", Size: -1}

	tests := map[string]struct {
		body string
		want Notification
	}{
		"s3": {plain, Notification{Envelope: EnvelopeS3, Objects: []Object{awsObject("AWSLogs/x.log.gz")}}},
		"s3, Hive-compatible key": {
			fmt.Sprintf(awsEvent, hiveEncoded, "ObjectCreated:CompleteMultipartUpload"),
			Notification{Envelope: EnvelopeS3, Objects: []Object{encodedObject(hiveKey, hiveEncoded)}},
		},
		"s3, encoded plus and percent": {
			fmt.Sprintf(awsEvent, "a%2Bb%2525+c%C3%A9.gz", "ObjectCreated:Copy"),
			Notification{Envelope: EnvelopeS3, Objects: []Object{encodedObject("a+b%25 cé.gz", "a%2Bb%2525+c%C3%A9.gz")}},
		},
		"s3, key that does not decode": {
			fmt.Sprintf(awsEvent, "100%/x+y.gz", "ObjectCreated:Post"),
			Notification{Envelope: EnvelopeS3, Objects: []Object{awsObject("100%/x+y.gz")}},
		},
		"s3, several records": {
			`{"Records":[` + one + `,` + removed + `,` + second + `]}`,
			Notification{
				Envelope: EnvelopeS3, Ignored: 1,
				Objects: []Object{awsObject("AWSLogs/x.log.gz"), awsObject("AWSLogs/y.log.gz")},
			},
		},
		"s3, nothing created": {
			fmt.Sprintf(awsEvent, "x", "ObjectRestore:Completed"),
			Notification{Envelope: EnvelopeS3, Ignored: 1},
		},
		"s3, a prefix is not a name": {
			fmt.Sprintf(awsEvent, "x", "ObjectCreatedBy:Put"),
			Notification{Envelope: EnvelopeS3, Ignored: 1},
		},
		"s3, deletion without object": {
			`{"Records":[{"eventVersion":"2.6","eventName":"ObjectRemoved:Delete"}]}`,
			Notification{Envelope: EnvelopeS3, Ignored: 1},
		},
		"s3, no records": {`{"Records":[]}`, Notification{Envelope: EnvelopeS3}},
		"s3, next minor version": {
			strings.Replace(plain, `"2.1"`, `"2.99"`, 1),
			Notification{Envelope: EnvelopeS3, Objects: []Object{awsObject("AWSLogs/x.log.gz")}},
		},
		"s3, least members": {
			`{"Records":[{"eventVersion":"2.0","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`,
			Notification{Envelope: EnvelopeS3, Objects: []Object{sparse}},
		},
		"s3, odd informational members": {
			`{"Records":[{"eventVersion":"2.0","eventName":"ObjectCreated:Put","awsRegion":"../evil","eventTime":"yesterday",` +
				`"s3":{"bucket":{"name":"b"},"object":{"key":"k","size":{"x":1},"versionId":null}}}]}`,
			Notification{Envelope: EnvelopeS3, Objects: []Object{sparse}},
		},
		"s3, negative size": {
			`{"Records":[{"eventVersion":"2.0","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"k","size":-5}}}]}`,
			Notification{Envelope: EnvelopeS3, Objects: []Object{sparse}},
		},
		"s3, year that cannot be written": {
			`{"Records":[{"eventVersion":"2.0","eventName":"ObjectCreated:Put","eventTime":"9999-12-31T23:59:59-01:00",` +
				`"s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`,
			Notification{Envelope: EnvelopeS3, Objects: []Object{sparse}},
		},
		"MinIO": {
			minioEvent,
			Notification{Envelope: EnvelopeS3, Objects: []Object{{
				Bucket: "flow", Key: "AWSLogs/123456789012/vpcflowlogs/eu-west-3/x.log.gz", Size: 7,
				RawKey: "AWSLogs%2F123456789012%2Fvpcflowlogs%2Feu-west-3%2Fx.log.gz",
				ETag:   "e8dc4081b13434b45189a720b77b6818", Sequencer: "16B2FFC4D5D5B5A8",
				EventTime: time.Date(2025, 12, 1, 0, 6, 11, 527e6, time.UTC),
			}}},
		},
		"SNS": {
			viaSNS(t, "Notification", fmt.Sprintf(awsEvent, hiveEncoded, "ObjectCreated:Put")),
			Notification{Envelope: EnvelopeSNS, Objects: []Object{encodedObject(hiveKey, hiveEncoded)}},
		},
		"SNS, test event": {viaSNS(t, "Notification", testEvent), Notification{Envelope: EnvelopeTest}},
		"SNS, EventBridge inside": {
			viaSNS(t, "Notification", fmt.Sprintf(eventBridgeEvent, hiveKey, "Object Created", "aws.s3")),
			Notification{Envelope: EnvelopeSNS, Objects: []Object{bridge}},
		},
		"EventBridge": {
			fmt.Sprintf(eventBridgeEvent, hiveKey, "Object Created", "aws.s3"),
			Notification{Envelope: EnvelopeEventBridge, Objects: []Object{bridge}},
		},
		"EventBridge, key is not decoded": {
			fmt.Sprintf(eventBridgeEvent, bridgeEncoded.Key, "Object Created", "aws.s3"),
			Notification{Envelope: EnvelopeEventBridge, Objects: []Object{bridgeEncoded}},
		},
		"EventBridge, deletion": {
			fmt.Sprintf(eventBridgeEvent, "x", "Object Deleted", "aws.s3"),
			Notification{Envelope: EnvelopeEventBridge, Ignored: 1},
		},
		"test event": {testEvent, Notification{Envelope: EnvelopeTest}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(test.body)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	record := func(members string) string {
		return `{"Records":[{"eventVersion":"2.1","eventName":"ObjectCreated:Put"` + members + `}]}`
	}
	good := `{"eventVersion":"2.1","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}`
	tests := map[string]struct{ body, want string }{
		"empty":                  {"", "decode JSON object"},
		"text":                   {"hello", "decode JSON object"},
		"array":                  {"[]", "decode JSON object"},
		"cut short":              {`{"Records":[`, "decode JSON object"},
		"two documents":          {`{"Records":[]}{}`, "decode JSON object"},
		"null":                   {"null", "none of the members"},
		"another JSON":           {`{"hello":"world"}`, "none of the members"},
		"members in lower case":  {`{"records":[]}`, "none of the members"},
		"another event":          {`{"Event":"s3:OtherEvent"}`, "none of the members"},
		"records are no list":    {`{"Records":{}}`, "decode member Records"},
		"records are null":       {` {"Records": null} `, "member Records is null"},
		"record is null":         {`{"Records":[null]}`, "event name is missing"},
		"no version, no object":  {`{"Records":[{"eventName":"ObjectCreated:Put"}]}`, "bucket name is missing"},
		"version 3":              {`{"Records":[{"eventVersion":"3.0"}]}`, `event version is "3.0", want 2.x`},
		"version 21":             {`{"Records":[{"eventVersion":"21.0"}]}`, `event version is "21.0"`},
		"another service":        {record(`,"eventSource":"aws:ses"`), `event source is "aws:ses"`},
		"no event name":          {`{"Records":[{"eventVersion":"2.1"}]}`, "event name is missing"},
		"no bucket":              {record(`,"s3":{"object":{"key":"k"}}`), "bucket name is missing"},
		"no key":                 {record(`,"s3":{"bucket":{"name":"b"}}`), "object key is missing"},
		"key is a number":        {record(`,"s3":{"bucket":{"name":"b"},"object":{"key":5}}`), "decode member Records"},
		"one bad of two":         {`{"Records":[` + good + `,{}]}`, "read record 1"},
		"too long":               {`{"Records":[]}` + strings.Repeat(" ", MaxBody), "more than 1048576"},
		"SNS confirmation":       {viaSNS(t, "SubscriptionConfirmation", "You have chosen"), "confirm the subscription"},
		"SNS, unknown type":      {viaSNS(t, "Other", "{}"), `SNS message has type "Other"`},
		"SNS, text":              {viaSNS(t, "Notification", "hello"), "decode member Message"},
		"SNS, another JSON":      {viaSNS(t, "Notification", `{"a":1}`), "none of the members"},
		"SNS, message no string": {`{"Type":"Notification","Message":{"Records":[]}}`, "decode member Message"},
		"SNS in SNS": {
			viaSNS(t, "Notification", viaSNS(t, "Notification", testEvent)), "none of the members",
		},
		"EventBridge, another source": {
			fmt.Sprintf(eventBridgeEvent, "x", "Object Created", "my.app"), `has source "my.app"`,
		},
		"EventBridge, no key": {
			fmt.Sprintf(eventBridgeEvent, "", "Object Created", "aws.s3"), "object key is missing",
		},
		"EventBridge, detail is no object": {
			`{"detail-type":"Object Created","source":"aws.s3","detail":5}`, "decode member detail",
		},
		"EventBridge, no detail": {
			`{"detail-type":"Object Created","source":"aws.s3"}`, "decode member detail",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(test.body)
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %+v and error %v, want ErrInvalid", got, err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %q, want %q in it", err, test.want)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("error has %d bytes", len(err.Error()))
			}
			if !reflect.DeepEqual(got, Notification{}) {
				t.Errorf("got %+v with the error", got)
			}
		})
	}
}

// encode writes objects as an S3 event in which every special character of a key
// is encoded.
func encode(t *testing.T, objects []Object) string {
	t.Helper()
	records := []map[string]any{}
	for _, o := range objects {
		object := map[string]any{
			"key": url.QueryEscape(o.Key), "eTag": `"` + o.ETag + `"`, "versionId": o.VersionID, "sequencer": o.Sequencer,
		}
		if o.Size >= 0 {
			object["size"] = o.Size
		}
		record := map[string]any{
			"eventVersion": "2.6", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": o.Region,
			"s3": map[string]any{"bucket": map[string]any{"name": o.Bucket}, "object": object},
		}
		if !o.EventTime.IsZero() {
			record["eventTime"] = o.EventTime.Format(time.RFC3339Nano)
		}
		records = append(records, record)
	}
	body, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// FuzzParse holds that whatever is accepted names complete objects, and that
// these survive being written as an S3 event and read again.
func FuzzParse(f *testing.F) {
	f.Add(fmt.Sprintf(awsEvent, hiveEncoded, "ObjectCreated:Put"))
	f.Add(fmt.Sprintf(awsEvent, "100%", "s3:ObjectCreated:Put"))
	f.Add(fmt.Sprintf(awsEvent, "%FF%00", "ObjectRemoved:Delete"))
	f.Add(minioEvent)
	f.Add(fmt.Sprintf(eventBridgeEvent, hiveKey, "Object Created", "aws.s3"))
	f.Add(fmt.Sprintf(eventBridgeEvent, hiveKey, "Object Deleted", "aws.s3"))
	f.Add(`{"Type":"Notification","Message":"{\"Records\":[{\"eventVersion\":\"2.0\",\"eventName\":\"ObjectCreated:Put\",` +
		`\"eventTime\":\"0000-01-01T00:00:00+10:00\",\"s3\":{\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":\"k\",\"eTag\":\"\\\"\\\"x\",\"size\":1e3}}}]}"}`)
	f.Add(testEvent)
	f.Add(`{"Records":[]}`)
	f.Fuzz(func(t *testing.T, body string) {
		n, err := Parse(body)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("error %v is not ErrInvalid", err)
			}
			return
		}
		for _, o := range n.Objects {
			if o.Bucket == "" || o.Key == "" || o.Size < -1 || o.Identity() == "" {
				t.Fatalf("object %+v is not complete", o)
			}
			if u, ok := o.Undecoded(); ok && (u.Key == o.Key || u.RawKey != "" || formDecode(u.Key) != o.Key) {
				t.Fatalf("object %+v is %+v undecoded", o, u)
			}
		}
		encoded := encode(t, n.Objects)
		if len(encoded) > MaxBody {
			return
		}
		again, err := Parse(encoded)
		if err != nil {
			t.Fatal(err)
		}
		for _, objects := range [][]Object{again.Objects, n.Objects} {
			for i := range objects {
				objects[i].RawKey = "" // There is more than one way to encode a key.
			}
		}
		if !reflect.DeepEqual(again.Objects, n.Objects) {
			t.Fatalf("read again: %+v\nwant %+v", again.Objects, n.Objects)
		}
	})
}
