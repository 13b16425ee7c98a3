package awstest_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestConditionalPut lets several clients put an object that must not exist: one of them succeeds, the others are told so, and its body stays.
func TestConditionalPut(t *testing.T) {
	cloud := newCloud(t)
	if err := cloud.CreateBucket(t.Context(), "claims"); err != nil {
		t.Fatal(err)
	}
	client := cloud.S3Client()
	for n := range 20 {
		key := fmt.Sprint("claim-", n)
		errs := make([]error, 8)
		var clients sync.WaitGroup
		for i := range errs {
			clients.Go(func() {
				_, errs[i] = client.PutObject(t.Context(), &s3.PutObjectInput{
					Bucket: aws.String("claims"), Key: &key, IfNoneMatch: aws.String("*"), Body: strings.NewReader(fmt.Sprint("client ", i)),
				})
			})
		}
		clients.Wait()
		winners := 0
		for _, err := range errs {
			if err == nil {
				winners++
				continue
			}
			if errorCode(err) != "PreconditionFailed" {
				t.Fatalf("got %v, want PreconditionFailed", err)
			}
		}
		if winners != 1 {
			t.Fatalf("got %d winners, want 1", winners)
		}
	}
}
