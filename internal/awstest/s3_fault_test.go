package awstest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

func TestS3Faults(t *testing.T) {
	cloud := newCloud(t)
	if err := cloud.CreateBucket(t.Context(), "logs"); err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("0123456789"), 100_000)
	if _, err := cloud.Put(t.Context(), "logs", "key", body); err != nil {
		t.Fatal(err)
	}
	client := cloud.S3Client(func(o *s3.Options) { o.RetryMaxAttempts = 1 })
	get := func(ctx context.Context) ([]byte, error) {
		out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: new("logs"), Key: new("key")})
		if err != nil {
			return nil, err
		}
		defer func() { _ = out.Body.Close() }()
		return io.ReadAll(out.Body)
	}
	isCode := func(code string) func(error) bool {
		return func(err error) bool { return errorCode(err) == code }
	}
	isError := func(want error) func(error) bool {
		return func(err error) bool { return errors.Is(err, want) }
	}
	for name, test := range map[string]struct {
		fault awstest.S3Fault
		read  int
		is    func(error) bool
	}{
		"none":                 {nil, len(body), isError(nil)},
		"slow down":            {awstest.S3Error(503, "SlowDown"), 0, isCode("SlowDown")},
		"internal error":       {awstest.S3Error(500, "InternalError"), 0, isCode("InternalError")},
		"denied":               {awstest.S3Error(403, "AccessDenied"), 0, isCode("AccessDenied")},
		"archived":             {awstest.S3Error(403, "InvalidObjectState"), 0, isType[*types.InvalidObjectState]},
		"gone":                 {awstest.S3Error(404, "NoSuchKey"), 0, isType[*types.NoSuchKey]},
		"cut":                  {awstest.CutAfter(123_456), 123_456, isError(syscall.ECONNRESET)},
		"cut at once":          {awstest.CutAfter(0), 0, isError(syscall.ECONNRESET)},
		"cut beyond the end":   {awstest.CutAfter(int64(len(body)) + 1), len(body), isError(nil)},
		"stopped":              {awstest.StopAfter(123_456), 123_456, isError(io.ErrUnexpectedEOF)},
		"stopped before start": {awstest.StopAfter(0), 0, isError(io.ErrUnexpectedEOF)},
		"stalled":              {awstest.StallAfter(123_456), 123_456, isError(context.DeadlineExceeded)},
		"hanging":              {awstest.Hang(), 0, isError(context.DeadlineExceeded)},
	} {
		t.Run(name, func(t *testing.T) {
			cloud.S3.SetHook(func(awstest.S3Request) awstest.S3Fault { return test.fault })
			ctx, cancel := context.WithTimeout(t.Context(), timeout(name))
			defer cancel()
			got, err := get(ctx)
			if !test.is(err) {
				t.Errorf("error is %v", err)
			}
			if !bytes.Equal(got, body[:test.read]) {
				t.Errorf("read %d bytes, want the first %d", len(got), test.read)
			}
		})
	}
}

// timeout is short only where the client's patience is what ends the request.
func timeout(name string) time.Duration {
	if name == "stalled" || name == "hanging" {
		return 200 * time.Millisecond
	}
	return time.Minute
}

func TestS3ReplaceBetweenRequests(t *testing.T) {
	cloud := newCloud(t)
	ctx := t.Context()
	if err := cloud.CreateBucket(ctx, "logs"); err != nil {
		t.Fatal(err)
	}
	object, err := cloud.Put(ctx, "logs", "key", []byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	cloud.S3.SetHook(func(r awstest.S3Request) awstest.S3Fault {
		if r.Operation == "GetObject" && r.Number == 2 {
			if _, err := cloud.Put(ctx, r.Bucket, r.Key, []byte("after")); err != nil {
				t.Errorf("replace object: %v", err)
			}
		}
		return nil
	})
	in := &s3.GetObjectInput{Bucket: new("logs"), Key: new("key"), IfMatch: &object.ETag}
	out, err := cloud.S3Client().GetObject(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	_ = out.Body.Close()
	if _, err := cloud.S3Client().GetObject(ctx, in); errorCode(err) != "PreconditionFailed" {
		t.Errorf("error is %v, want PreconditionFailed", err)
	}
}

// A fault in the body leaves an error document alone: there is no object to cut.
func TestS3FaultInErrorDocument(t *testing.T) {
	cloud := newCloud(t)
	if err := cloud.CreateBucket(t.Context(), "logs"); err != nil {
		t.Fatal(err)
	}
	cloud.S3.SetHook(func(awstest.S3Request) awstest.S3Fault { return awstest.CutAfter(0) })
	_, err := cloud.S3Client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: new("logs"), Key: new("none")})
	if !isType[*types.NoSuchKey](err) {
		t.Errorf("error is %v, want NoSuchKey", err)
	}
}
