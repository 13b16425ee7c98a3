package objstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

func TestOpenRefused(t *testing.T) {
	tests := map[string]struct {
		answer    fault
		want      error
		reason    string
		transient bool
		gone      bool
		hint      string
	}{
		"no such key":     {refuse(404, "NoSuchKey"), ErrNotFound, "not_found", false, true, ""},
		"no such version": {refuse(404, "NoSuchVersion"), ErrNotFound, "not_found", false, true, ""},
		"no such bucket":  {refuse(404, "NoSuchBucket"), ErrNoSuchBucket, "no_such_bucket", false, false, "endpoint"},
		"archived":        {refuse(403, "InvalidObjectState"), ErrArchived, "archived", false, true, "restore"},
		"denied":          {refuse(403, "AccessDenied"), ErrDenied, "access_denied", false, false, "kms:Decrypt"},
		"denied, no code": {refuse(403, ""), ErrDenied, "access_denied", false, false, "s3:ListBucket"},
		"wrong secret":    {refuse(403, "SignatureDoesNotMatch"), ErrDenied, "access_denied", false, false, ""},
		"expired":         {refuse(400, "ExpiredToken"), ErrDenied, "access_denied", false, false, ""},
		"unauthorized":    {refuse(401, ""), ErrDenied, "access_denied", false, false, ""},
		"key disabled":    {refuse(400, "KMS.DisabledException"), ErrDenied, "access_denied", false, false, "kms:Decrypt"},
		"slow down":       {refuse(503, "SlowDown"), ErrThrottled, "throttled", true, false, ""},
		"too many":        {refuse(429, ""), ErrThrottled, "throttled", true, false, ""},
		"limit":           {refuse(400, "RequestLimitExceeded"), ErrThrottled, "throttled", true, false, ""},
		"unavailable":     {refuse(503, "ServiceUnavailable"), ErrServer, "server_error", true, false, ""},
		"internal":        {refuse(500, "InternalError"), ErrServer, "server_error", true, false, ""},
		"page of a proxy": {answer(502, "<html>bad gateway"), ErrServer, "server_error", true, false, ""},
		"request timeout": {refuse(400, "RequestTimeout"), ErrTimeout, "timeout", true, false, ""},
		"gateway's 408":   {answer(408, "<html>timeout"), ErrTimeout, "timeout", true, false, ""},
		"connection is cut": {
			func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
			ErrNetwork, "network", true, false, "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			object := s.put("x.log.gz", pattern(10))
			s.spoil(test.answer)
			_, err := s.open(DefaultConfig()).Open(t.Context(), object)
			wantOutcome(t, err, test.want, test.reason, test.transient)
			if Gone(err) != test.gone {
				t.Errorf("gone is %v, want %v", Gone(err), test.gone)
			}
			for _, part := range []string{test.hint, `object "x.log.gz" of bucket "flow-logs"`} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error lacks %q: %v", part, err)
				}
			}
		})
	}
}

// TestOpenRefusedOddly holds answers that must not be taken for a missing object
// nor be tried for ever.
func TestOpenRefusedOddly(t *testing.T) {
	for name, answer := range map[string]fault{
		"404 of another server": answer(404, "<html>not found"),
		"404 without a body":    refuse(404, ""),
		"400":                   refuse(400, "InvalidRequest"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			object := s.put("x.log.gz", pattern(10))
			s.spoil(answer)
			_, err := s.open(DefaultConfig()).Open(t.Context(), object)
			if err == nil || Reason(err) != "other" || Transient(err) || Gone(err) {
				t.Errorf("reason %q, transient %v, gone %v of: %v", Reason(err), Transient(err), Gone(err), err)
			}
		})
	}
}

func TestOpenWithoutServer(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(10))
	s.server.Close()
	_, err := s.open(DefaultConfig()).Open(t.Context(), object)
	wantOutcome(t, err, ErrNetwork, "network", true)
}

func TestOpenWithoutCredentials(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(10))
	options := s.options("us-east-1")
	options.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no role found")
	})
	o := openWith(func(string) API { return s3.New(options) }, DefaultConfig())
	_, err := o.Open(t.Context(), object)
	wantOutcome(t, err, ErrNetwork, "network", true)
	if !strings.Contains(err.Error(), "no role found") {
		t.Errorf("error hides its cause: %v", err)
	}
}

// slow is the error of an HTTP client that gave up by its own limit.
type slow struct{ error }

func (slow) Timeout() bool { return true }

func (s slow) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return nil, fmt.Errorf("operation error S3: GetObject, %w", s)
}

func TestOpenTimeoutOfClient(t *testing.T) {
	o := openWith(func(string) API { return slow{errors.New("awaiting headers")} }, DefaultConfig())
	_, err := o.Open(t.Context(), s3event.Object{Bucket: bucket, Key: "k"})
	wantOutcome(t, err, ErrTimeout, "timeout", true)
}

func TestOpenEnded(t *testing.T) {
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.open(DefaultConfig()).Open(ctx, s3event.Object{Bucket: bucket, Key: "k"})
	wantOutcome(t, err, context.Canceled, "canceled", true)
}

func TestOpenInvalid(t *testing.T) {
	s := newStore(t)
	o := s.open(DefaultConfig())
	for _, name := range []string{"", "..", "a/b", "arn:aws:s3:us-east-1:123456789012:accesspoint/x", "a\nb"} {
		_, err := o.Open(t.Context(), s3event.Object{Bucket: name, Key: "k"})
		wantOutcome(t, err, ErrNoSuchBucket, "no_such_bucket", false)
	}
	_, err := o.Open(t.Context(), s3event.Object{Bucket: bucket})
	if err == nil || Reason(err) != "other" || Transient(err) {
		t.Errorf("an empty key: reason %q of %v", Reason(err), err)
	}
	if n := len(s.headers("Range")); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

// TestOpenRequest holds what goes out: no version, which would need another
// permission, and no offer to take a compressed body.
func TestOpenRequest(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(10))
	object.VersionID = "v1"
	if _, err := readAll(t, openObject(t, s.open(DefaultConfig()), object)); err != nil {
		t.Fatal(err)
	}
	r := s.seen()[0]
	if r.URL.Query().Has("versionId") {
		t.Errorf("request names a version: %s", r.URL)
	}
	if got := r.Header.Get("Accept-Encoding"); got != "identity" {
		t.Errorf("request accepts encoding %q", got)
	}
	if got := r.Header.Get("X-Amz-Checksum-Mode"); got != "ENABLED" {
		t.Errorf("checksum mode is %q", got)
	}
}

// signedFor returns the region that a request was signed for.
func signedFor(r *http.Request) string {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if parts := strings.Split(scope, "/"); len(parts) > 2 {
		return parts[2]
	}
	return ""
}

// inRegion answers as S3 does for a bucket that is in the region, with the
// refusal for requests to any other.
func inRegion(region string, refusal fault) fault {
	return func(w http.ResponseWriter, r *http.Request, store http.Handler) {
		if signedFor(r) != region {
			refusal(w, r, store)
			return
		}
		store.ServeHTTP(w, r)
	}
}

func TestRegion(t *testing.T) {
	header := []string{"X-Amz-Bucket-Region", "eu-west-3"}
	malformed := answer(400, `<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; `+
		`the region 'us-east-1' is wrong; expecting 'eu-west-3'</Message><Region>eu-west-3</Region></Error>`)
	tests := map[string]struct {
		announced string
		refusal   fault
		want      []string
	}{
		"right":               {"eu-west-3", refuse(500, ""), []string{"eu-west-3", "eu-west-3"}},
		"redirected":          {"", refuse(301, "PermanentRedirect", header...), []string{"us-east-1", "eu-west-3", "eu-west-3"}},
		"redirected bare":     {"", refuse(301, "", header...), []string{"us-east-1", "eu-west-3", "eu-west-3"}},
		"announced wrong":     {"us-west-2", refuse(301, "PermanentRedirect", header...), []string{"us-west-2", "eu-west-3", "eu-west-3"}},
		"malformed":           {"us-west-2", refuse(400, "AuthorizationHeaderMalformed", header...), []string{"us-west-2", "eu-west-3", "eu-west-3"}},
		"malformed, text":     {"", malformed, []string{"us-east-1", "eu-west-3", "eu-west-3"}},
		"denied elsewhere":    {"us-west-2", refuse(403, "AccessDenied", header...), []string{"us-west-2", "eu-west-3", "eu-west-3"}},
		"announced is no one": {"not a region", refuse(301, "PermanentRedirect", header...), []string{"us-east-1", "eu-west-3", "eu-west-3"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			object := s.put("x.log.gz", pattern(10))
			object.Region = test.announced
			here := inRegion("eu-west-3", test.refusal)
			s.spoil(here, here, here)
			o := s.open(DefaultConfig())
			for range 2 {
				if got, err := readAll(t, openObject(t, o, object)); err != nil || !bytes.Equal(got, pattern(10)) {
					t.Fatalf("read %q and %v", got, err)
				}
			}
			var asked []string
			for _, r := range s.seen() {
				asked = append(asked, signedFor(r))
			}
			if !slices.Equal(asked, test.want) {
				t.Errorf("asked %q, want %q", asked, test.want)
			}
		})
	}
}

// TestRegionLoop holds that contradicting answers end after one repetition.
func TestRegionLoop(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(10))
	for _, region := range []string{"eu-west-3", "us-west-2", "eu-west-3"} {
		s.spoil(refuse(301, "PermanentRedirect", "X-Amz-Bucket-Region", region))
	}
	_, err := s.open(DefaultConfig()).Open(t.Context(), object)
	if err == nil || len(s.headers("Range")) != 2 {
		t.Errorf("%d requests and error %v, want 2 and one", len(s.headers("Range")), err)
	}
}

// TestRegionUnnamed holds refusals that must not be repeated.
func TestRegionUnnamed(t *testing.T) {
	tests := map[string]struct {
		announced string
		answer    fault
	}{
		"no region":          {"", refuse(301, "PermanentRedirect")},
		"hostile region":     {"", refuse(301, "PermanentRedirect", "X-Amz-Bucket-Region", "evil.example.com/")},
		"the same":           {"us-east-1", refuse(403, "AccessDenied", "X-Amz-Bucket-Region", "us-east-1")},
		"denied by default":  {"", refuse(403, "AccessDenied", "X-Amz-Bucket-Region", "us-east-1")},
		"malformed silently": {"", refuse(400, "AuthorizationHeaderMalformed")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			object := s.put("x.log.gz", pattern(10))
			object.Region = test.announced
			s.spoil(test.answer)
			_, err := s.open(DefaultConfig()).Open(t.Context(), object)
			if err == nil || len(s.headers("Range")) != 1 {
				t.Errorf("%d requests and error %v, want 1 and one", len(s.headers("Range")), err)
			}
		})
	}
}

func TestClientsAreKept(t *testing.T) {
	s := newStore(t)
	var mu sync.Mutex
	made := make(map[string]int)
	store := NewS3(func(region string) API {
		mu.Lock()
		defer mu.Unlock()
		made[region]++
		return s.client("us-east-1")
	}, s.open(DefaultConfig()).logger, DefaultConfig())
	object := s.put("x.log.gz", pattern(1000))

	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			o := object
			o.Region = []string{"", "us-east-1"}[i%2]
			r, err := store.Open(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := readAll(t, r); err != nil || !bytes.Equal(got, pattern(1000)) {
				t.Errorf("read %d bytes and %v", len(got), err)
			}
		})
	}
	wg.Wait()
	if len(made) != 2 || made[""] != 1 || made["us-east-1"] != 1 {
		t.Errorf("clients made per region: %v, want one each", made)
	}
}

// TestWhatIsKeptIsBounded keeps no client for each region and no region for each bucket that a message may name.
func TestWhatIsKeptIsBounded(t *testing.T) {
	store := NewS3(func(string) API { return nil }, slog.New(slog.DiscardHandler), DefaultConfig())
	for i := range 3 * maxClients {
		store.client(fmt.Sprintf("aa-bb-%d", i))
		if len(store.clients) > maxClients {
			t.Fatalf("keeps %d clients, want at most %d", len(store.clients), maxClients)
		}
	}
	for i := range 2*maxBuckets + 1 {
		store.learn(fmt.Sprintf("bucket-%d", i), "eu-west-3")
		if len(store.regions) > maxBuckets {
			t.Fatalf("keeps regions of %d buckets, want at most %d", len(store.regions), maxBuckets)
		}
	}
	last := s3event.Object{Bucket: fmt.Sprintf("bucket-%d", 2*maxBuckets)}
	if got := store.regionOf(last); got != "eu-west-3" {
		t.Errorf("got region %q for the bucket learned last", got)
	}
}

func TestReasonOfOthers(t *testing.T) {
	tests := []struct {
		err       error
		reason    string
		transient bool
	}{
		{nil, "", false},
		{errors.New("x"), "other", false},
		{fmt.Errorf("wrapped: %w", ErrThrottled), "throttled", true},
		{context.DeadlineExceeded, "timeout", true},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, "network", true},
		{fmt.Errorf("%w: %w", ErrTruncated, ErrThrottled), "truncated_body", true},
	}
	for _, test := range tests {
		if got := Reason(test.err); got != test.reason {
			t.Errorf("reason of %v is %q, want %q", test.err, got, test.reason)
		}
		if got := Transient(test.err); got != test.transient {
			t.Errorf("transient of %v is %v, want %v", test.err, got, test.transient)
		}
	}
}
