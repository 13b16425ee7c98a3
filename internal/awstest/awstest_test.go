package awstest_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

func newCloud(t *testing.T) *awstest.Cloud {
	t.Helper()
	cloud, err := awstest.NewCloud(awstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return cloud
}

func TestCloudDeliver(t *testing.T) {
	cloud := newCloud(t)
	ctx := t.Context()
	if err := cloud.CreateBucket(ctx, "logs"); err != nil {
		t.Fatal(err)
	}
	if err := cloud.CreateBucket(ctx, "logs"); err == nil {
		t.Error("a bucket is made twice")
	}
	url, err := cloud.CreateQueue("flow-logs", map[string]string{"VisibilityTimeout": "60"})
	if err != nil {
		t.Fatal(err)
	}
	key := "AWSLogs/aws-account-id=123456789012/a b+c=é&x.log.gz"
	object, err := cloud.Deliver(ctx, url, "logs", key, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	received, err := cloud.SQSClient().ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url})
	if err != nil || len(received.Messages) != 1 {
		t.Fatalf("receive: %v, %v", received, err)
	}
	if got := *received.Messages[0].Body; got != awstest.S3Event(object) {
		t.Errorf("message is %s", got)
	}
	got, err := cloud.S3Client().GetObject(ctx, &s3.GetObjectInput{Bucket: new("logs"), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	_ = got.Body.Close()
	if err != nil || string(body) != "body" || *got.ETag != `"`+object.ETag+`"` {
		t.Errorf("object is %q with ETag %s, %v", body, *got.ETag, err)
	}
	if _, err := cloud.Put(ctx, "missing", key, nil); err == nil {
		t.Error("an object is put into a missing bucket")
	}
	if err := cloud.Send(url+"-missing", "x"); err == nil {
		t.Error("a message is sent to a missing queue")
	} else if sqsError, ok := errors.AsType[*awstest.SQSError](err); !ok || sqsError.Code != "QueueDoesNotExist" {
		t.Errorf("error is %v, want QueueDoesNotExist", err)
	}
}

// Closing ends the polls that wait and leaves no goroutine behind.
func TestCloudClose(t *testing.T) {
	cloud, err := awstest.NewCloud(awstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	url, err := cloud.CreateQueue("flow-logs", nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	for range 3 {
		go func() {
			_, err := cloud.SQSClient(noRetry).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
			ended <- err
		}()
	}
	until(t, "the polls wait", func() bool { return cloud.SQS.Polls() == 3 })
	if err := cloud.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	for range 3 {
		if err := <-ended; err == nil {
			t.Error("a poll of a closed server went well")
		}
	}
	until(t, "the server's goroutines have ended", func() bool { return serverGoroutines() == 0 })
}

// serverGoroutines counts goroutines with a server's code on their stacks.
func serverGoroutines() int {
	buf := make([]byte, 1<<20)
	stacks := string(buf[:runtime.Stack(buf, true)])
	n := 0
	for stack := range strings.SplitSeq(stacks, "\n\n") {
		if strings.Contains(stack, "awstest.(*") || strings.Contains(stack, "net/http.(*conn).serve") {
			n++
		}
	}
	return n
}

func TestS3Operations(t *testing.T) {
	cloud := newCloud(t)
	ctx := t.Context()
	client := cloud.S3Client()
	bucket, key := new("logs"), new("a/b")
	var seen []string
	cloud.S3.SetHook(func(r awstest.S3Request) awstest.S3Fault {
		seen = append(seen, r.Operation+" "+r.Bucket+" "+r.Key+" "+r.Range)
		return nil
	})
	calls := []func() error{
		func() error { _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); return err },
		func() error { _, err := client.ListBuckets(ctx, &s3.ListBucketsInput{}); return err },
		func() error { _, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket}); return err },
		func() error {
			_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader([]byte("body"))})
			return err
		},
		func() error {
			_, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
			return err
		},
		func() error {
			out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, Range: new("bytes=1-2")})
			if err == nil {
				err = out.Body.Close()
			}
			return err
		},
		func() error { _, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket}); return err },
		func() error {
			_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key})
			return err
		},
	}
	for i, call := range calls {
		if err := call(); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	want := []string{
		"CreateBucket logs  ", "ListBuckets   ", "HeadBucket logs  ", "PutObject logs a/b ", "HeadObject logs a/b ",
		"GetObject logs a/b bytes=1-2", "ListObjectsV2 logs  ", "DeleteObject logs a/b ",
	}
	if got := strings.Join(seen, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("hook saw:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	if n := cloud.S3.Requests("GetObject"); n != 1 {
		t.Errorf("%d GetObject requests counted, want 1", n)
	}
}
