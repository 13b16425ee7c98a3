package s3event

import (
	"fmt"
	"testing"
)

const awsName = "123456789012_vpcflowlogs_eu-west-3_fl-0abc1234def567890_20251201T0005Z_fe123456.log.gz"

func TestIdentityOfAWSNamesIsTheName(t *testing.T) {
	objects := []Object{
		{Bucket: "logs", Key: awsName, ETag: "a"},
		{Bucket: "logs", Key: "AWSLogs/123456789012/vpcflowlogs/eu-west-3/2025/12/01/" + awsName, ETag: "a"},
		{Bucket: "replica", Key: "copy/AWSLogs/123456789012/vpcflowlogs/eu-west-3/2025/12/01/" + awsName, ETag: "b", VersionID: "v1"},
	}
	for _, o := range objects {
		if got := o.Identity(); got != awsName {
			t.Errorf("identity of %+v is %q, want %q", o, got, awsName)
		}
	}
}

func TestIdentityOfOtherNames(t *testing.T) {
	tests := []struct {
		object Object
		want   string
	}{
		{Object{Bucket: "b", Key: "flow.log.gz"}, "s3://b/flow.log.gz"},
		{Object{Bucket: "b", Key: "flow.log.gz", ETag: "e"}, "s3://b/flow.log.gz?etag=e"},
		{Object{Bucket: "b", Key: "flow.log.gz", ETag: "e", VersionID: "v"}, "s3://b/flow.log.gz?version=v"},
		{Object{Bucket: "b", Key: "flow.log.gz", ETag: "e", VersionID: "null"}, "s3://b/flow.log.gz?etag=e"},
		{Object{Bucket: "b", Key: "a b/c?etag=e"}, "s3://b/a%20b/c%3Fetag=e"},
		{Object{Bucket: "b", Key: "/x"}, "s3://b//x"},
		{Object{Bucket: "b/x", Key: "y"}, "s3://b%2Fx/y"},
	}
	for _, test := range tests {
		if got := test.object.Identity(); got != test.want {
			t.Errorf("identity of %+v is %q, want %q", test.object, got, test.want)
		}
	}
}

// TestIdentitiesDiffer holds pairs that a careless concatenation would merge.
func TestIdentitiesDiffer(t *testing.T) {
	objects := []Object{
		{Bucket: "b", Key: "k"},
		{Bucket: "b", Key: "k", ETag: "x"},
		{Bucket: "b", Key: "k", VersionID: "x"},
		{Bucket: "b", Key: "k?etag=x"},
		{Bucket: "b", Key: "k?version=x"},
		{Bucket: "b", Key: "k%3Fetag=x"},
		{Bucket: "b/k", Key: "k"},
		{Bucket: "b", Key: "k/k"},
		{Bucket: "b", Key: "/k"},
		{Bucket: "b", Key: "*"},
		{Bucket: "b", Key: "%2A"},
		{Bucket: "b", Key: awsName + "x"},
	}
	seen := make(map[string]string)
	for _, o := range objects {
		description := fmt.Sprintf("%+v", o)
		if other, ok := seen[o.Identity()]; ok {
			t.Errorf("%s and %s have one identity %q", description, other, o.Identity())
		}
		seen[o.Identity()] = description
	}
}
