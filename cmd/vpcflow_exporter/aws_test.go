package main

import (
	"log/slog"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// TestQueueClient finds region and endpoint of a queue in its URL.
func TestQueueClient(t *testing.T) {
	for _, test := range []struct{ url, region, endpoint string }{
		{"https://sqs.eu-west-3.amazonaws.com/123456789012/q", "eu-west-3", ""},
		{"https://SQS.EU-WEST-3.amazonaws.com/123456789012/q", "eu-west-3", ""},
		{"https://sqs.us-gov-west-1.amazonaws.com/123456789012/q", "us-gov-west-1", ""},
		{"https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", "cn-north-1", ""},
		{"https://eu-west-3.queue.amazonaws.com/123456789012/q", "eu-west-3", ""},
		{"https://queue.amazonaws.com/123456789012/q", "us-east-1", ""},
		{"https://sqs-fips.us-west-2.amazonaws.com/123456789012/q", "us-west-2", "https://sqs-fips.us-west-2.amazonaws.com"},
		{"https://sqs.eu-west-3.api.aws/123456789012/q", "eu-west-3", "https://sqs.eu-west-3.api.aws"},
		{"https://vpce-0abc-1a2b.sqs.eu-west-3.vpce.amazonaws.com/123456789012/q", "eu-west-3", "https://vpce-0abc-1a2b.sqs.eu-west-3.vpce.amazonaws.com"},
		{"https://sqs.us-iso-east-1.c2s.ic.gov/123456789012/q", "us-iso-east-1", "https://sqs.us-iso-east-1.c2s.ic.gov"},
		{"https://sqs.eusc-de-east-1.amazonaws.eu/123456789012/q", "eusc-de-east-1", "https://sqs.eusc-de-east-1.amazonaws.eu"},
		{"http://localhost:4566/000000000000/q", "us-east-1", "http://localhost:4566"},
	} {
		o := newSQSClient(aws.Config{}, test.url).Options()
		if o.Region != test.region || aws.ToString(o.BaseEndpoint) != test.endpoint {
			t.Errorf("%s: got region %q and endpoint %q, want %q and %q", test.url, o.Region, aws.ToString(o.BaseEndpoint), test.region, test.endpoint)
		}
	}
}

// TestEndpointsOfTheEnvironment has AWS_ENDPOINT_URL_* win over all else, with buckets in the path.
func TestEndpointsOfTheEnvironment(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_SQS", "http://localhost:1111")
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://localhost:2222")
	t.Setenv("AWS_REGION", "eu-west-3")
	config, err := loadAWS(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if o := newSQSClient(config, "http://localhost:4566/000000000000/q").Options(); aws.ToString(o.BaseEndpoint) != "http://localhost:1111" || o.Region != "eu-west-3" {
		t.Errorf("got SQS endpoint %q in %q", aws.ToString(o.BaseEndpoint), o.Region)
	}
	o := newS3Client(config, "")("us-east-2").Options()
	if aws.ToString(o.BaseEndpoint) != "http://localhost:2222" || !o.UsePathStyle || o.Region != "eu-west-3" {
		t.Errorf("got S3 endpoint %q in %q, path style %t", aws.ToString(o.BaseEndpoint), o.Region, o.UsePathStyle)
	}
}

func TestBucketRegions(t *testing.T) {
	client := newS3Client(aws.Config{Region: "eu-west-3"}, "us-west-1")
	for region, want := range map[string]string{"": "eu-west-3", "us-east-2": "us-east-2"} {
		if o := client(region).Options(); o.Region != want || o.UsePathStyle {
			t.Errorf("region %q: got %q, path style %t", region, o.Region, o.UsePathStyle)
		}
	}
}
