package objstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
	"github.com/vpcflow/vpcflow_exporter/internal/backoff"
)

// openObject opens an object and fails the test if that fails.
func openObject(t *testing.T, store opener, object s3event.Object) *Reader {
	t.Helper()
	r, err := store.Open(t.Context(), object)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestResume(t *testing.T) {
	content := pattern(100_000)
	tests := map[string]struct {
		faults []fault
		ranges []string
	}{
		"undisturbed":       {nil, []string{""}},
		"cut":               {[]fault{cut(10_000)}, []string{"", "bytes=10000-"}},
		"cut before a byte": {[]fault{cut(0)}, []string{"", "bytes=0-"}},
		"cut at the last":   {[]fault{cut(99_999)}, []string{"", "bytes=99999-"}},
		"short":             {[]fault{short(70_000)}, []string{"", "bytes=70000-"}},
		"cut again and again": {
			[]fault{cut(10_000), cut(20_000), short(5), cut(0)},
			[]string{"", "bytes=10000-", "bytes=30000-", "bytes=30005-", "bytes=30005-"},
		},
		"throttled on the way": {
			[]fault{cut(10_000), refuse(503, "SlowDown"), refuse(500, "InternalError"), refuse(429, "")},
			[]string{"", "bytes=10000-", "bytes=10000-", "bytes=10000-", "bytes=10000-"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			object := s.put("x.log.gz", content)
			s.spoil(test.faults...)
			o := s.open(DefaultConfig())
			r := openObject(t, o, object)
			got, err := readAll(t, r)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, content) {
				t.Errorf("read %d bytes that differ from the %d written", len(got), len(content))
			}
			if ranges := s.headers("Range"); !slices.Equal(ranges, test.ranges) {
				t.Errorf("ranges are %q, want %q", ranges, test.ranges)
			}
			for i, match := range s.headers("If-Match") {
				if want := `"` + object.ETag + `"`; i > 0 && match != want {
					t.Errorf("request %d has If-Match %q, want %q", i, match, want)
				}
			}
			if len(o.slept) != len(test.faults) {
				t.Errorf("slept %v for %d faults", o.slept, len(test.faults))
			}
			if n := o.timers.active(); n != 0 {
				t.Errorf("%d timers run on", n)
			}
		})
	}
}

// TestResumeAtRandom cuts bodies in random places; what is read must be what was
// written.
func TestResumeAtRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s := newStore(t)
	for range 30 {
		content := pattern(rng.IntN(300_000))
		object := s.put("x.log.gz", content)
		var faults []fault
		for range rng.IntN(8) {
			// A piece may be longer than what is left; then nothing is cut.
			faults = append(faults, []func(int) fault{cut, short}[rng.IntN(2)](1+rng.IntN(100_000)))
		}
		s.spoil(faults...)
		cfg := DefaultConfig()
		cfg.MaxResumes = 1
		got, err := readAll(t, openObject(t, s.open(cfg), object))
		if err != nil || !bytes.Equal(got, content) {
			t.Fatalf("read %d bytes and %v, want %d", len(got), err, len(content))
		}
		s.heal()
	}
}

// TestResumesAreLimited relies on that a cut at no byte is no progress.
func TestResumesAreLimited(t *testing.T) {
	content := pattern(1000)
	s := newStore(t)
	object := s.put("x.log.gz", content)
	s.spoil(cut(400))
	for range 20 {
		s.spoil(cut(0))
	}
	o := s.open(DefaultConfig())
	got, err := readAll(t, openObject(t, o, object))
	wantOutcome(t, err, ErrTruncated, "truncated_body", true)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error hides what broke the body: %v", err)
	}
	if !bytes.Equal(got, content[:400]) {
		t.Errorf("read %d bytes, want the first 400", len(got))
	}
	if n := len(s.headers("Range")); n != 6 {
		t.Errorf("%d requests, want 1 and 5 resumes", n)
	}
	for i, d := range o.slept {
		full := min(maxBackoff, minBackoff<<i)
		if d < full/2 || d > full {
			t.Errorf("slept %v before resume %d, want between %v and %v", d, i+1, full/2, full)
		}
	}
}

func TestBackoffIsBounded(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 63, 64, 65, 1000} {
		if d := backoff.Delay(minBackoff, maxBackoff, n); d < minBackoff/2 || d > maxBackoff {
			t.Errorf("backoff of resume %d is %v", n, d)
		}
	}
}

func TestProgressResetsResumes(t *testing.T) {
	content := pattern(1000)
	s := newStore(t)
	object := s.put("x.log.gz", content)
	for range 99 {
		s.spoil(cut(10))
	}
	cfg := DefaultConfig()
	cfg.MaxResumes = 1
	got, err := readAll(t, openObject(t, s.open(cfg), object))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d bytes and %v", len(got), err)
	}
	if n := len(s.headers("Range")); n != 100 {
		t.Errorf("%d requests, want 100", n)
	}
}

func TestNoResumes(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(1000))
	s.spoil(cut(10))
	cfg := DefaultConfig()
	cfg.MaxResumes = 0
	_, err := readAll(t, openObject(t, s.open(cfg), object))
	wantOutcome(t, err, ErrTruncated, "truncated_body", true)
}

// TestHungUp has a server that accepts every resume and closes the connection in
// place of an answer.
func TestHungUp(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(1000))
	s.spoil(cut(10))
	for range 10 {
		s.spoil(func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) })
	}
	_, err := readAll(t, openObject(t, s.open(DefaultConfig()), object))
	wantOutcome(t, err, ErrTruncated, "truncated_body", true)
	if !errors.Is(err, ErrNetwork) {
		t.Errorf("error hides what broke the body: %v", err)
	}
}

func TestReplacedBetweenRequests(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(1000))
	s.spoil(cut(10), func(w http.ResponseWriter, r *http.Request, store http.Handler) {
		s.put("x.log.gz", pattern(2000))
		store.ServeHTTP(w, r)
	})
	got, err := readAll(t, openObject(t, s.open(DefaultConfig()), object))
	wantOutcome(t, err, ErrChanged, "changed", true)
	if len(got) != 10 || len(s.headers("Range")) != 2 {
		t.Errorf("read %d bytes in %d requests, want 10 in 2", len(got), len(s.headers("Range")))
	}
}

// TestResumeRefused holds answers to a resume that must end the reading at once.
func TestResumeRefused(t *testing.T) {
	whole := pattern(1000)
	tests := map[string]struct {
		answer fault
		want   error
		reason string
	}{
		"range ignored": {answer(200, string(whole)), ErrTruncated, "truncated_body"},
		"no content range": {
			answer(206, string(whole[400:])), ErrTruncated, "truncated_body",
		},
		"another start": {
			answer(206, string(whole[300:]), "Content-Range", "bytes 300-999/1000"), ErrTruncated, "truncated_body",
		},
		"another total": {
			answer(206, string(whole[400:]), "Content-Range", "bytes 400-999/1001"), ErrChanged, "changed",
		},
		"another version of a store without If-Match": {
			answer(206, string(pattern(2000)[1400:]), "Content-Range", "bytes 400-999/1000", "ETag", `"another"`), ErrChanged, "changed",
		},
		"odd content range": {
			answer(206, string(whole[400:]), "Content-Range", "bytes x-999/1000"), ErrTruncated, "truncated_body",
		},
		"odd total": {
			answer(206, string(whole[400:]), "Content-Range", "bytes 400-999/x"), ErrTruncated, "truncated_body",
		},
		"no span": {
			answer(206, string(whole[400:]), "Content-Range", "bytes */1000"), ErrTruncated, "truncated_body",
		},
		"no total": {
			answer(206, string(whole[400:]), "Content-Range", "bytes 400-999"), ErrTruncated, "truncated_body",
		},
		"more than the rest": {
			answer(206, string(whole[400:])+"x", "Content-Range", "bytes 400-999/1000"), ErrOverlong, "overlong_body",
		},
		"not satisfiable": {refuse(416, "InvalidRange"), ErrChanged, "changed"},
		"deleted":         {refuse(404, "NoSuchKey"), ErrNotFound, "not_found"},
		"denied":          {refuse(403, "AccessDenied"), ErrDenied, "access_denied"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			object := s.put("x.log.gz", whole)
			s.spoil(cut(400), test.answer)
			got, err := readAll(t, openObject(t, s.open(DefaultConfig()), object))
			if !errors.Is(err, test.want) || Reason(err) != test.reason {
				t.Errorf("error is %v with reason %q, want %v and %q", err, Reason(err), test.want, test.reason)
			}
			if !bytes.HasPrefix(whole, got) {
				t.Errorf("read %d bytes that are not the object's", len(got))
			}
			if n := len(s.headers("Range")); n != 2 {
				t.Errorf("%d requests, want 2", n)
			}
		})
	}
}

func TestResumeWithUnknownTotal(t *testing.T) {
	whole := pattern(1000)
	s := newStore(t)
	object := s.put("x.log.gz", whole)
	s.spoil(cut(400), answer(206, string(whole[400:]), "Content-Range", "bytes 400-999/*"))
	got, err := readAll(t, openObject(t, s.open(DefaultConfig()), object))
	if err != nil || !bytes.Equal(got, whole) {
		t.Errorf("read %d bytes and %v", len(got), err)
	}
}

func TestNoResumeWithoutETag(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(1000))
	s.spoil(answer(200, "short", "Content-Length", "1000"))
	_, err := readAll(t, openObject(t, s.open(DefaultConfig()), object))
	wantOutcome(t, err, ErrTruncated, "truncated_body", true)
	if n := len(s.headers("Range")); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestUnknownLength(t *testing.T) {
	whole := pattern(1000)
	chunked := func(n int, abort bool, etag string) fault {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("ETag", etag)
			_, _ = w.Write(whole[:n])
			_ = http.NewResponseController(w).Flush()
			if abort {
				panic(http.ErrAbortHandler)
			}
		}
	}
	t.Run("whole", func(t *testing.T) {
		s := newStore(t)
		object := s.put("x.log.gz", whole)
		object.ETag = ""
		s.spoil(chunked(1000, false, `"e"`))
		r := openObject(t, s.open(DefaultConfig()), object)
		if r.Size() != -1 {
			t.Errorf("size is %d, want -1", r.Size())
		}
		if got, err := readAll(t, r); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("read %d bytes and %v", len(got), err)
		}
	})
	t.Run("cut and resumed", func(t *testing.T) {
		s := newStore(t)
		object := s.put("x.log.gz", whole)
		etag := `"` + object.ETag + `"`
		object.ETag = ""
		s.spoil(chunked(300, true, etag))
		if got, err := readAll(t, openObject(t, s.open(DefaultConfig()), object)); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("read %d bytes and %v", len(got), err)
		}
	})
	t.Run("length of the notification", func(t *testing.T) {
		s := newStore(t)
		object := s.put("x.log.gz", whole)
		s.spoil(chunked(300, false, `"`+object.ETag+`"`))
		r := openObject(t, s.open(DefaultConfig()), object)
		if r.Size() != 1000 {
			t.Errorf("size is %d, want 1000", r.Size())
		}
		if got, err := readAll(t, r); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("read %d bytes and %v", len(got), err)
		}
	})
}

func TestStallInBody(t *testing.T) {
	content := pattern(10_000)
	s := newStore(t)
	object := s.put("x.log.gz", content)
	o := s.open(DefaultConfig())
	s.spoil(stall(4000, o.timers), stall(-1, o.timers), stall(0, o.timers))
	got, err := readAll(t, openObject(t, o, object))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d bytes and %v", len(got), err)
	}
}

func TestStallForGood(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(10_000))
	o := s.open(DefaultConfig())
	for range 10 {
		s.spoil(stall(0, o.timers))
	}
	_, err := readAll(t, openObject(t, o, object))
	wantOutcome(t, err, ErrTruncated, "truncated_body", true)
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("error hides what broke the body: %v", err)
	}
}

func TestStallBeforeAnswer(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(10))
	o := s.open(DefaultConfig())
	s.spoil(stall(-1, o.timers))
	_, err := o.Open(t.Context(), object)
	wantOutcome(t, err, ErrTimeout, "timeout", true)
	if !strings.Contains(err.Error(), "nothing came for 30s") {
		t.Errorf("error is %v", err)
	}
}

func TestEndedDuringBackoff(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(1000))
	s.spoil(cut(10))
	o := s.open(DefaultConfig())
	ctx, cancel := context.WithCancelCause(t.Context())
	lost := errors.New("message is lost")
	o.sleep = func(ctx context.Context, _ time.Duration) error {
		cancel(lost)
		return sleep(ctx, time.Hour)
	}
	r, err := o.Open(ctx, object)
	if err != nil {
		t.Fatal(err)
	}
	_, err = readAll(t, r)
	wantOutcome(t, err, lost, "canceled", true)
	if n := len(s.headers("Range")); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestSleep(t *testing.T) {
	if err := sleep(t.Context(), time.Nanosecond); err != nil {
		t.Error(err)
	}
}

// corrupt flips a bit of the first byte of a body.
type corrupt struct {
	http.ResponseWriter
	done bool
}

func (c *corrupt) Write(p []byte) (int, error) {
	if !c.done && len(p) > 0 {
		c.done = true
		p = slices.Clone(p)
		p[0] ^= 1
	}
	return c.ResponseWriter.Write(p)
}

func TestChecksum(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(100_000))
	s.spoil(func(w http.ResponseWriter, r *http.Request, store http.Handler) {
		store.ServeHTTP(&corrupt{ResponseWriter: w}, r)
	})
	got, err := readAll(t, openObject(t, s.open(DefaultConfig()), object))
	wantOutcome(t, err, ErrChecksum, "checksum_mismatch", true)
	if len(got) != 100_000 || len(s.headers("Range")) != 1 {
		t.Errorf("read %d bytes in %d requests, want all in 1", len(got), len(s.headers("Range")))
	}
}

// fixed is an API with one answer.
type fixed struct{ out s3.GetObjectOutput }

func (f *fixed) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return &f.out, nil
}

// TestOverlong needs an API of its own, since net/http never delivers more than
// the length.
func TestOverlong(t *testing.T) {
	whole := "0123456789"
	for _, length := range []int64{0, 1, 9} {
		api := &fixed{s3.GetObjectOutput{Body: io.NopCloser(strings.NewReader(whole)), ContentLength: aws.Int64(length)}}
		o := openWith(func(string) API { return api }, DefaultConfig())
		got, err := readAll(t, openObject(t, o, s3event.Object{Bucket: bucket, Key: "k"}))
		wantOutcome(t, err, ErrOverlong, "overlong_body", true)
		if string(got) != whole[:length] {
			t.Errorf("read %q, want the first %d bytes", got, length)
		}
	}
}

// TestReaderLength holds the Reader's own check, whatever its body does.
func TestReaderLength(t *testing.T) {
	r := &Reader{body: io.NopCloser(strings.NewReader("01234")), size: 6}
	got, err := readAll(t, r)
	wantOutcome(t, err, ErrTruncated, "truncated_body", true)
	if string(got) != "01234" {
		t.Errorf("read %q", got)
	}
}

// watched is an API that remembers its requests and which of their bodies were
// closed.
type watched struct {
	api      API
	contexts []context.Context
	closed   int
}

func (w *watched) GetObject(ctx context.Context, input *s3.GetObjectInput, options ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	w.contexts = append(w.contexts, ctx)
	out, err := w.api.GetObject(ctx, input, options...)
	if err == nil {
		out.Body = &watchedBody{out.Body, w}
	}
	return out, err
}

type watchedBody struct {
	io.ReadCloser
	watched *watched
}

func (b *watchedBody) Close() error {
	b.watched.closed++
	return b.ReadCloser.Close()
}

// TestRequestsAreReleased holds that no request outlives the stream, however it
// ends.
func TestRequestsAreReleased(t *testing.T) {
	tests := map[string]struct {
		faults []fault
		bodies int
	}{
		"clean":           {nil, 1},
		"resumed":         {[]fault{cut(10), short(10)}, 3},
		"resume refused":  {[]fault{cut(10), refuse(503, "SlowDown"), refuse(403, "AccessDenied")}, 1},
		"resumed wrongly": {[]fault{cut(10), answer(200, "x")}, 2},
		"open refused":    {[]fault{refuse(404, "NoSuchKey")}, 0},
		"open redirected": {[]fault{refuse(301, "PermanentRedirect", "X-Amz-Bucket-Region", "us-east-1")}, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			object := s.put("x.log.gz", pattern(1000))
			s.spoil(test.faults...)
			w := &watched{api: s.client("us-east-1")}
			o := openWith(func(string) API { return w }, DefaultConfig())
			if r, err := o.Open(t.Context(), object); err == nil {
				_, _ = readAll(t, r)
			}
			if want := max(1, len(test.faults)); len(w.contexts) < want {
				t.Errorf("%d requests, want %d at least", len(w.contexts), want)
			}
			for i, ctx := range w.contexts {
				if ctx.Err() == nil {
					t.Errorf("request %d is not released", i)
				}
			}
			if w.closed != test.bodies {
				t.Errorf("%d bodies are closed, want %d", w.closed, test.bodies)
			}
			if n := o.timers.active(); n != 0 {
				t.Errorf("%d timers run on", n)
			}
		})
	}
}

// TestCloseStalled closes a body that never ends.
func TestCloseStalled(t *testing.T) {
	s := newStore(t)
	object := s.put("x.log.gz", pattern(1000))
	gone := make(chan struct{})
	s.spoil(func(w http.ResponseWriter, r *http.Request, store http.Handler) {
		store.ServeHTTP(&limited{w, 10}, r)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	r := openObject(t, s.open(DefaultConfig()), object)
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	<-gone
}
