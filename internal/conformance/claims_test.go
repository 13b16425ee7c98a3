//go:build conformance

package conformance

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// testClaims has the daemon claim what it counts, in the bucket that tells of its objects: each file has a claim in the end that is done.
func testClaims(t *testing.T, s *site) {
	const prefix = "claims/"
	s.settings = fmt.Sprintf("state: {path: %q}\nclaim: {bucket: %q, prefix: %s}\n", t.TempDir(), s.bucket, prefix)
	scenario := random(t, flowgen.Options{Everyday: true, Conversations: 10})
	d := s.startDaemon(t, scenario)
	files := 0
	for _, stage := range [][]flowgen.File{scenario.Leading, scenario.Files, scenario.Closing} {
		for _, file := range stage {
			s.put(t, file.Key, file.Gzip())
			files++
		}
		s.flush(t)
		d.await(map[string]float64{processed: float64(files)})
	}
	d.scrape().check(t, scenario.Ledger, map[string]float64{
		processed: float64(files), failed: 0, `vpcflow_claims_total{result="own"}`: float64(files), `vpcflow_claims_total{result="foreign"}`: 0,
	})
	waitFor(t, "claims that are done", func() bool {
		claims, done := 0, 0
		for key, text := range s.objects(t, prefix) {
			if strings.HasPrefix(key, prefix+"conditional-put-") {
				continue // It tries whether the store knows conditional puts.
			}
			claims++
			if strings.Contains(text, `"done":true`) {
				done++
			}
		}
		return claims == files && done == files
	})
	d.terminate()
	s.conditionalPuts(t)
}

// objects returns what the objects under a prefix hold.
func (s *site) objects(t *testing.T, prefix string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	pages := s3.NewListObjectsV2Paginator(s.s3, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			out, err := s.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &s.bucket, Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(out.Body)
			if err := errors.Join(err, out.Body.Close()); err != nil {
				t.Fatal(err)
			}
			texts[*o.Key] = string(text)
		}
	}
	return texts
}

// conditionalPuts holds what claims rely on: of several puts of an object that must not exist one succeeds at most, the others get 412, and a put without the
// condition replaces it.
func (s *site) conditionalPuts(t *testing.T) {
	t.Helper()
	for n := range 10 {
		key := fmt.Sprint("conditional/", n)
		put := func(text, ifNoneMatch string) error {
			input := &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: strings.NewReader(text)}
			if ifNoneMatch != "" {
				input.IfNoneMatch = &ifNoneMatch
			}
			_, err := s.s3.PutObject(t.Context(), input)
			return err
		}
		errs := make([]error, 6)
		var clients sync.WaitGroup
		for i := range errs {
			clients.Go(func() { errs[i] = put(fmt.Sprint("client ", i), "*") })
		}
		clients.Wait()
		winners := 0
		for _, err := range errs {
			if err == nil {
				winners++
			} else if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "PreconditionFailed" && e.ErrorCode() != "ConditionalRequestConflict" {
				t.Errorf("got %v", err)
			}
		}
		if winners != 1 {
			t.Errorf("got %d winners of %s, want 1", winners, key)
		}
		if err := put("again", "*"); err == nil {
			t.Errorf("%s was put again", key)
		}
		if err := put("replaced", ""); err != nil {
			t.Error(err)
		}
		out, err := s.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(s.bucket), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(out.Body)
		if err := errors.Join(err, out.Body.Close()); err != nil || string(text) != "replaced" {
			t.Errorf("got %q, %v", text, err)
		}
	}
}
