package claim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

const (
	ownerA = "0000000000000000000000000000000a"
	ownerB = "0000000000000000000000000000000b"
	bucket = "claims"
)

// A fleet is the claims of several owners in one bucket.
type fleet struct {
	t     *testing.T
	cloud *awstest.Cloud
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	cloud, err := awstest.NewCloud(awstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close cloud: %v", err)
		}
	})
	if err := cloud.CreateBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	return &fleet{t, cloud}
}

func (f *fleet) claims(owner string) *Claims {
	client := f.cloud.S3Client(func(o *s3.Options) { o.RetryMaxAttempts = 1 })
	return New(Config{Bucket: bucket, Prefix: "p/", Owner: owner}, func(string) API { return client }, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

func file(n int) File {
	return File{Identity: fmt.Sprintf("file-%d.log.gz", n), Bucket: "logs", Key: fmt.Sprintf("AWSLogs/file-%d.log.gz", n), Region: "eu-west-3", ETag: "e"}
}

// take claims a file and compares whose it is then.
func (f *fleet) take(c *Claims, n int, want Standing, owner string) {
	f.t.Helper()
	got, err := c.Take(f.t.Context(), file(n))
	if err != nil || got != (Claim{want, owner, c.Key(file(n).Identity)}) {
		f.t.Fatalf("got %+v, %v, want standing %d of %s", got, err, want, owner)
	}
}

// unfinished compares what an owner has to finish.
func (f *fleet) unfinished(c *Claims, want ...File) {
	f.t.Helper()
	left := map[File]bool{}
	for _, file := range want {
		left[file] = true
	}
	err := c.Unfinished(f.t.Context(), func(file File) error {
		if !left[file] {
			f.t.Errorf("got %+v, or got it again", file)
		}
		delete(left, file)
		return nil
	})
	if err != nil || len(left) > 0 {
		f.t.Errorf("missing %v, %v", left, err)
	}
}

// TestStandings follows a file from its claim to its end, as its owner and another one see it.
func TestStandings(t *testing.T) {
	f := newFleet(t)
	a, b := f.claims(ownerA), f.claims(ownerB)
	look := func(c *Claims, want Standing) {
		t.Helper()
		if got, err := c.Look(t.Context(), file(1).Identity); err != nil || got.Standing != want {
			t.Fatalf("got %+v, %v, want standing %d", got, err, want)
		}
	}
	look(a, Unclaimed)
	f.take(a, 1, Own, ownerA)
	f.take(a, 1, Own, ownerA)
	f.take(b, 1, Foreign, ownerA)
	look(a, Own)
	look(b, Foreign)
	f.take(a, 2, Own, ownerA)
	f.take(b, 3, Own, ownerB)
	f.unfinished(a, file(1), file(2))
	f.unfinished(b, file(3))
	if err := a.Finish(t.Context(), file(1).Identity); err != nil {
		t.Fatal(err)
	}
	f.take(b, 1, Done, ownerA)
	f.take(a, 1, Done, ownerA)
	look(b, Done)
	f.unfinished(a, file(2))
	for standing, want := range map[string]float64{"own": 3, "foreign": 0, "done": 1} {
		counter := map[string]prometheus.Counter{"own": a.metrics.own, "foreign": a.metrics.foreign, "done": a.metrics.done}[standing]
		if got := testutil.ToFloat64(counter); got != want {
			t.Errorf("%s: got %v, want %v", standing, got, want)
		}
	}
}

// TestOneOwner has many owners claim each file at once: one of them gets it.
func TestOneOwner(t *testing.T) {
	f := newFleet(t)
	for n := range 20 {
		var owners sync.WaitGroup
		standings := make([]Standing, 8)
		for i := range standings {
			claims := f.claims(fmt.Sprintf("%032x", i))
			owners.Go(func() {
				c, err := claims.Take(t.Context(), file(n))
				if err != nil {
					t.Error(err)
				}
				standings[i] = c.Standing
			})
		}
		owners.Wait()
		own := 0
		for _, s := range standings {
			switch s {
			case Own:
				own++
			case Foreign:
			default:
				t.Errorf("got standing %d", s)
			}
		}
		if own != 1 {
			t.Fatalf("got %d owners of file %d, want 1: %v", own, n, standings)
		}
	}
}

// loseAnswer carries a request out and closes the connection.
func loseAnswer(w http.ResponseWriter, r *http.Request, proper http.Handler) {
	proper.ServeHTTP(&discard{header: http.Header{}}, r)
	panic(http.ErrAbortHandler)
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// TestFaults has requests fail: what was carried out is found out about, and what passes is tried again.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name      string
		fault     awstest.S3Fault
		operation string
	}{
		{"lost answer", loseAnswer, "PutObject"},
		{"conflict", awstest.S3Error(http.StatusConflict, "ConditionalRequestConflict"), "PutObject"},
		{"slow down", awstest.S3Error(http.StatusServiceUnavailable, "SlowDown"), "PutObject"},
		{"server error", awstest.S3Error(http.StatusInternalServerError, "InternalError"), "PutObject"},
		{"error of a look", awstest.S3Error(http.StatusInternalServerError, "InternalError"), "GetObject"},
		{"error of a listing", awstest.S3Error(http.StatusServiceUnavailable, "SlowDown"), "ListObjectsV2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t)
			f.cloud.S3.SetHook(func(r awstest.S3Request) awstest.S3Fault {
				if r.Operation == c.operation && r.Number <= 2 {
					return c.fault
				}
				return nil
			})
			a, b := f.claims(ownerA), f.claims(ownerB)
			f.take(a, 1, Own, ownerA)
			f.take(b, 1, Foreign, ownerA)
			f.unfinished(a, file(1))
		})
	}
}

// TestRefused returns what does not pass as errors of the store, at once or after some attempts, and claims nothing by them.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name      string
		fault     awstest.S3Fault
		reason    string
		transient bool
		requests  int
	}{
		{"denied", awstest.S3Error(http.StatusForbidden, "AccessDenied"), "access_denied", false, 1},
		{"no bucket", awstest.S3Error(http.StatusNotFound, "NoSuchBucket"), "no_such_bucket", false, 1},
		{"slow down", awstest.S3Error(http.StatusServiceUnavailable, "SlowDown"), "throttled", true, attempts},
		{"conflict", awstest.S3Error(http.StatusConflict, "ConditionalRequestConflict"), "server_error", true, attempts},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t)
			f.cloud.S3.SetHook(func(awstest.S3Request) awstest.S3Fault { return c.fault })
			a := f.claims(ownerA)
			_, err := a.Take(t.Context(), file(1))
			if objstore.Reason(err) != c.reason || objstore.Transient(err) != c.transient {
				t.Errorf("got reason %q, transient %t of %v", objstore.Reason(err), objstore.Transient(err), err)
			}
			if got := f.cloud.S3.Requests("PutObject"); got != c.requests {
				t.Errorf("got %d requests, want %d", got, c.requests)
			}
			if got := testutil.ToFloat64(a.metrics.errors.WithLabelValues("put")); got != 1 {
				t.Errorf("got %v errors, want 1", got)
			}
			if err := a.Finish(t.Context(), "x"); err == nil {
				t.Error("a refused request is no error")
			}
		})
	}
}

// TestEndedContext returns at once, and says why.
func TestEndedContext(t *testing.T) {
	f := newFleet(t)
	ctx, end := context.WithCancel(t.Context())
	f.cloud.S3.SetHook(func(awstest.S3Request) awstest.S3Fault {
		end()
		return awstest.Hang()
	})
	began := time.Now()
	if _, err := f.claims(ownerA).Take(ctx, file(1)); objstore.Reason(err) != "canceled" {
		t.Errorf("got %v", err)
	}
	if time.Since(began) > attemptTimeout/2 {
		t.Error("it waited for the answer")
	}
}

// TestStrangeObject leaves alone what is under the key of a file and is no claim: the file is nobody's, and a listing goes on.
func TestStrangeObject(t *testing.T) {
	other := encode(ownerB, file(9), time.Now())
	for name, text := range map[string]string{
		"no JSON": "claimed by me", "empty": "", "no owner": `{"done":true}`, "owner of another form": `{"owner":"me","done":true}`,
		"no file": `{"owner":"` + ownerB + `","done":false}`, "another file": string(other), "a list": `[1]`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			a := f.claims(ownerA)
			if _, err := f.cloud.Put(t.Context(), bucket, a.Key(file(1).Identity), []byte(text)); err != nil {
				t.Fatal(err)
			}
			if _, err := f.cloud.Put(t.Context(), bucket, "p/readme", []byte(text)); err != nil {
				t.Fatal(err)
			}
			_, err := a.Take(t.Context(), file(1))
			if err == nil || objstore.Transient(err) || objstore.Gone(err) || !strings.Contains(err.Error(), "object is no claim") {
				t.Errorf("got %v", err)
			}
			f.take(a, 2, Own, ownerA)
			f.unfinished(a, file(2))
		})
	}
}

// TestReleased deletes a claim between the put that finds it and the look at it: the next put gets the file.
func TestReleased(t *testing.T) {
	f := newFleet(t)
	a, b := f.claims(ownerA), f.claims(ownerB)
	f.take(a, 1, Own, ownerA)
	client := f.cloud.S3Client()
	key := a.Key(file(1).Identity)
	released := false
	f.cloud.S3.SetHook(func(r awstest.S3Request) awstest.S3Fault {
		if r.Operation == "GetObject" && !released {
			released = true
			if _, err := client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: new(bucket), Key: &key}); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	f.take(b, 1, Own, ownerB)
}

// TestListing finds what is unfinished among many pages of what is done.
func TestListing(t *testing.T) {
	f := newFleet(t)
	a := f.claims(ownerA)
	for n := range 2500 {
		text := encodeDone(ownerB)
		if n%1000 == 7 {
			text = encode([]string{ownerA, ownerB}[n/2000], file(n), time.Now())
		}
		if _, err := f.cloud.Put(t.Context(), bucket, a.Key(file(n).Identity), text); err != nil {
			t.Fatal(err)
		}
	}
	f.unfinished(a, file(7), file(1007))
	if got := f.cloud.S3.Requests("GetObject"); got != 3 {
		t.Errorf("got %d claims read, want the 3 that are not done", got)
	}
	if got := f.cloud.S3.Requests("ListObjectsV2"); got != 3 {
		t.Errorf("got %d listings, want 3", got)
	}
}

// TestDoneIsSmallest holds that a listing can tell claims apart by their sizes.
func TestDoneIsSmallest(t *testing.T) {
	smallest := encode(ownerA, File{Identity: "i", Bucket: "b", Key: "k"}, time.Now())
	if int64(len(smallest)) <= doneSize {
		t.Errorf("a claim that is not done has %d bytes, one that is has %d", len(smallest), doneSize)
	}
}

// FuzzDecode reads any object as a claim: what passes has an owner, and a file unless it is done, and is the same once written.
func FuzzDecode(f *testing.F) {
	f.Add(encode(ownerA, file(1), time.Unix(1773480359, 0)))
	f.Add(encodeDone(ownerB))
	f.Add([]byte(`{"owner":"0000000000000000000000000000000b","done":false,"identity":"a"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := decode(text)
		if err != nil {
			return
		}
		if !ownerPattern.MatchString(b.Owner) || !b.Done && (b.Identity == "" || b.Bucket == "" || b.Key == "") {
			t.Fatalf("accepted %q", text)
		}
		again, err := decode(marshal(b))
		if err != nil || again.Owner != b.Owner || again.Done != b.Done {
			t.Fatalf("%q became %q, %v", text, marshal(b), err)
		}
	})
}

// forgetful is a store that makes objects again and again.
type forgetful struct{ API }

func (f forgetful) PutObject(ctx context.Context, input *s3.PutObjectInput, options ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	input.IfNoneMatch = nil
	return f.API.PutObject(ctx, input, options...)
}

// TestUnconditionalStore refuses to claim anything where two owners would both succeed.
func TestUnconditionalStore(t *testing.T) {
	f := newFleet(t)
	c := f.claims(ownerA)
	c.api = forgetful{c.api}
	if _, err := c.Take(t.Context(), file(1)); !errors.Is(err, objstore.ErrDenied) || !errors.Is(err, errUnconditional) {
		t.Errorf("got %v", err)
	}
	f.take(f.claims(ownerB), 1, Own, ownerB)
}

// TestOldClaims leaves a claim alone whose owner may have forgotten that it has counted the file.
func TestOldClaims(t *testing.T) {
	f := newFleet(t)
	c := f.claims(ownerA)
	f.take(c, 1, Own, ownerA)
	c.now = func() time.Time { return time.Now().Add(maxUnfinishedAge - time.Minute) }
	f.unfinished(c, file(1))
	c.now = func() time.Time { return time.Now().Add(maxUnfinishedAge + time.Minute) }
	f.unfinished(c)
}
