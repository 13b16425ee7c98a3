package awstest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

func TestEvents(t *testing.T) {
	object := awstest.Object{
		Bucket: "logs", Key: "AWSLogs/year=2025/a b+c.log.gz", Size: 12, ETag: "d41d", VersionID: "v1",
		Sequencer: "0055", Region: "eu-west-3", Time: time.Date(2025, 12, 1, 0, 5, 0, 0, time.UTC),
	}
	s3Event := awstest.S3Event(object)
	for name, test := range map[string]struct {
		body string
		path []string
		want string
	}{
		"S3 key":             {s3Event, []string{"Records", "s3", "object", "key"}, "AWSLogs/year%3D2025/a+b%2Bc.log.gz"},
		"S3 name":            {s3Event, []string{"Records", "eventName"}, "ObjectCreated:Put"},
		"S3 region":          {s3Event, []string{"Records", "awsRegion"}, "eu-west-3"},
		"S3 time":            {s3Event, []string{"Records", "eventTime"}, "2025-12-01T00:05:00.000Z"},
		"S3 version":         {s3Event, []string{"Records", "s3", "object", "versionId"}, "v1"},
		"MinIO key":          {awstest.MinIOEvent(object), []string{"Records", "s3", "object", "key"}, "AWSLogs%2Fyear%3D2025%2Fa+b%2Bc.log.gz"},
		"MinIO name":         {awstest.MinIOEvent(object), []string{"Records", "eventName"}, "s3:ObjectCreated:Put"},
		"MinIO region":       {awstest.MinIOEvent(object), []string{"Records", "awsRegion"}, ""},
		"removed":            {awstest.RemovedEvent(object), []string{"Records", "eventName"}, "ObjectRemoved:Delete"},
		"SNS type":           {awstest.SNSEvent(s3Event), []string{"Type"}, "Notification"},
		"SNS message":        {awstest.SNSEvent(s3Event), []string{"Message"}, s3Event},
		"EventBridge type":   {awstest.EventBridgeEvent(object), []string{"detail-type"}, "Object Created"},
		"EventBridge key":    {awstest.EventBridgeEvent(object), []string{"detail", "object", "key"}, object.Key},
		"EventBridge bucket": {awstest.EventBridgeEvent(object), []string{"detail", "bucket", "name"}, "logs"},
		"EventBridge etag":   {awstest.EventBridgeEvent(object), []string{"detail", "object", "etag"}, "d41d"},
		"test event":         {awstest.TestEvent("logs"), []string{"Event"}, "s3:TestEvent"},
	} {
		t.Run(name, func(t *testing.T) {
			var value any
			if err := json.Unmarshal([]byte(test.body), &value); err != nil {
				t.Fatal(err)
			}
			for _, name := range test.path {
				value = value.(map[string]any)[name]
				if list, ok := value.([]any); ok {
					value = list[0]
				}
			}
			if value != test.want {
				t.Errorf("%s is %q, want %q", strings.Join(test.path, "."), value, test.want)
			}
		})
	}
	if n := strings.Count(awstest.S3Event(object, object, object), `"eventName"`); n != 3 {
		t.Errorf("an event of three objects has %d records", n)
	}
}
