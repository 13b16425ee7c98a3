package chaos

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// Faults of S3, per mill of the requests for objects.
var s3Chances = []chance{
	{"s3_slow_down", 25},          // Status 503, SlowDown.
	{"s3_internal_error", 15},     // Status 500.
	{"s3_too_many_requests", 10},  // Status 429.
	{"s3_reset", 15},              // The connection is reset in place of an answer.
	{"s3_silent", 10},             // The request is accepted and not answered for long.
	{"s3_body_reset", 60},         // The connection is reset at some byte of the body.
	{"s3_body_short", 50},         // The body ends in good order at some byte before its length.
	{"s3_body_stalls", 20},        // The body stops at some byte for long.
	{"s3_body_corrupt", 30},       // A bit of the body is wrong.
	{"s3_body_reordered", 15},     // Two pieces of the body have changed places.
	{"s3_object_replaced", 25},    // The body breaks off, and the object is another copy of the same lines from then on.
	{"s3_range_ignored", 15},      // The whole object is sent where a part was asked for.
	{"s3_object_not_there", 5},    // Status 500 for one that is there: 404 would be a promise.
	{"s3_closed_before_body", 10}, // The headers come and nothing of the body.
}

// faultyS3 stands in front of S3, and sees how far each body was read.
type faultyS3 struct {
	proper  http.Handler
	weather *weather
	killer  *killer
	patient bool
	// unconditional makes it a store that speaks S3's protocol and does not know If-Match.
	unconditional bool
	// replace makes an object another copy of its content.
	replace func(path string)
}

// ServeHTTP implements http.Handler.
func (f *faultyS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	f.killer.settled(key, BeforeCommit)
	if f.killer.saw(requestCounts, key) {
		panic(http.ErrAbortHandler)
	}
	if f.unconditional {
		r.Header.Del("If-Match")
	}
	body := &bodyWriter{ResponseWriter: w, at: -1}
	body.half = func() { f.dieIf(halfRead, key) }
	body.end = func() { f.dieIf(allRead, key) }
	switch f.weather.draw(s3Chances) {
	case "s3_slow_down":
		awstest.S3Error(http.StatusServiceUnavailable, "SlowDown")(w, r, nil)
		return
	case "s3_internal_error", "s3_object_not_there":
		awstest.S3Error(http.StatusInternalServerError, "InternalError")(w, r, nil)
		return
	case "s3_too_many_requests":
		awstest.S3Error(http.StatusTooManyRequests, "TooManyRequests")(w, r, nil)
		return
	case "s3_reset":
		reset(w)
	case "s3_silent":
		f.stall(r)
	case "s3_body_reset":
		body.breakAt(f.weather, func() { reset(w) })
	case "s3_body_short":
		body.breakAt(f.weather, func() { panic(http.ErrAbortHandler) })
	case "s3_closed_before_body":
		body.breakAt(f.weather, func() { panic(http.ErrAbortHandler) })
		body.share = 0
	case "s3_body_stalls":
		body.breakAt(f.weather, func() { f.stall(r) })
	case "s3_object_replaced":
		body.breakAt(f.weather, func() { f.replace(r.URL.Path); reset(w) })
	case "s3_body_corrupt":
		body.mangle = func(b []byte) { b[f.weather.intN(len(b))] ^= 1 << f.weather.intN(8) }
	case "s3_body_reordered":
		body.mangle = func(b []byte) { swapHalves(b) }
	case "s3_range_ignored":
		r.Header.Del("Range")
	}
	f.proper.ServeHTTP(body, r)
}

// dieIf ends a request whose client was killed at this point.
func (f *faultyS3) dieIf(t trigger, key string) {
	if f.killer.saw(t, key) {
		panic(http.ErrAbortHandler)
	}
}

// stall waits for long.
func (f *faultyS3) stall(r *http.Request) { stall(f.weather, f.patient, r) }

// stall waits for a while, or, now and then if it is patient, until the client has gone.
func stall(w *weather, patient bool, r *http.Request) {
	limit := w.between(20*time.Millisecond, time.Second)
	if patient && w.intN(8) == 0 {
		w.count("stalled_until_given_up")
		limit = time.Hour
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	case <-w.clear:
	case <-timer.C:
	}
}

func swapHalves(b []byte) {
	half := len(b) / 2
	swapped := bytes.Join([][]byte{b[half:], b[:half]}, nil)
	copy(b, swapped)
}

// reset ends a connection with a reset instead of in good order.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // Without it the end is in good order, which is a fault as well.
		}
		_ = conn.Close() // Nobody is left to tell.
	}
	panic(http.ErrAbortHandler)
}

// A bodyWriter passes a body on, tells when half of it and when all of it is on its way, and breaks it where it is told to. Error documents pass as they are.
type bodyWriter struct {
	http.ResponseWriter
	half, end func()
	// mangle changes the bytes of the body in their place, a write at a time.
	mangle func([]byte)
	// share is where in the body then is called, in thousandths of its length.
	share int
	then  func()

	length, sent int64
	at           int64 // at is share in bytes, -1 for nowhere.
	isError      bool
}

// breakAt breaks the body somewhere.
func (b *bodyWriter) breakAt(w *weather, then func()) {
	b.share, b.then = w.intN(1000), then
}

// Unwrap lets http.ResponseController find the connection.
func (b *bodyWriter) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (b *bodyWriter) WriteHeader(status int) {
	b.begin(status)
	b.ResponseWriter.WriteHeader(status)
}

func (b *bodyWriter) begin(status int) {
	b.isError = status >= http.StatusBadRequest
	b.length, _ = strconv.ParseInt(b.Header().Get("Content-Length"), 10, 64)
	if b.then != nil {
		b.at = b.length * int64(b.share) / 1000
	}
}

// Write implements io.Writer.
func (b *bodyWriter) Write(p []byte) (int, error) {
	if b.length == 0 && b.sent == 0 {
		b.begin(http.StatusOK)
	}
	if b.isError || b.length == 0 {
		return b.ResponseWriter.Write(p)
	}
	if b.mangle != nil && len(p) > 0 {
		p = bytes.Clone(p)
		b.mangle(p)
	}
	written := 0
	for written < len(p) {
		if b.sent == b.at {
			b.at = -1
			b.then()
		}
		n, err := b.ResponseWriter.Write(p[written:min(int64(len(p)), int64(written)+b.next()-b.sent)])
		written += n
		b.sent += int64(n)
		if err != nil {
			return written, err
		}
		b.tell()
	}
	return written, nil
}

// next returns how far the body can go until something is due.
func (b *bodyWriter) next() int64 {
	next := b.length
	for _, stop := range []int64{b.length / 2, b.at} {
		if stop > b.sent && stop < next {
			next = stop
		}
	}
	return next
}

// tell sends what is written on its way and says how far it is.
func (b *bodyWriter) tell() {
	if b.sent != b.length/2 && b.sent != b.length && b.sent != b.at {
		return
	}
	if http.NewResponseController(b.ResponseWriter).Flush() != nil {
		return // The client has gone away.
	}
	switch b.sent {
	case b.length:
		b.end()
	case b.length / 2:
		b.half()
	}
}
