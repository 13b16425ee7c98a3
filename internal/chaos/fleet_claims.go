package chaos

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// claimBucket is where replicas claim files.
const claimBucket = "claims"

// Faults of requests about claims, per mill.
var claimChances = []chance{
	{"claim_answer_lost", 60},      // It is carried out, and the answer gets lost.
	{"claim_carried_out_late", 40}, // The connection breaks, and it is carried out some time later.
	{"claim_reset", 20},            // The connection is reset in place of an answer.
	{"claim_slow_down", 40},        // Status 503, SlowDown.
	{"claim_internal_error", 30},   // Status 500.
	{"claim_conflict", 40},         // Status 409, ConditionalRequestConflict.
}

// Points of a fleet beside those of a single exporter.
const (
	BeforeClaim  Point = "before_claim"
	AfterClaim   Point = "between_claim_and_commit"
	BeforeFinish Point = "between_commit_and_finish"
	AfterFinish  Point = "after_finish"
)

// A fleetHandler stands in front of S3 and SQS, knows which replica sends a request, and kills it.
type fleetHandler struct {
	round  *fleetRound
	proper http.Handler // proper has the faults of objects, or of the queue.
	claims http.Handler // claims is the server without faults.
}

var replicaPattern = regexp.MustCompile(`app/replica-([0-9])`)

// replicaOf returns which replica sends a request, -1 if none does.
func replicaOf(r *http.Request) int {
	m := replicaPattern.FindStringSubmatch(r.Header.Get("User-Agent"))
	if m == nil {
		return -1
	}
	return int(m[1][0] - '0')
}

// ServeHTTP implements http.Handler.
func (f *fleetHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	replica := replicaOf(r)
	f.round.requests.Add(1)
	f.dieIf(AtRandom, replica)
	if bucket, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); bucket == claimBucket {
		f.claim(w, r, replica)
		return
	}
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DeleteMessageBatch") {
		f.dieIf(BeforeDelete, replica)
		f.proper.ServeHTTP(w, r)
		f.dieIf(AfterDelete, replica)
		return
	}
	f.proper.ServeHTTP(w, r)
	if r.Method == http.MethodGet {
		f.dieIf(WhileReading, replica)
	}
}

// dieIf ends a request whose replica is killed at this point.
func (f *fleetHandler) dieIf(p Point, replica int) {
	if f.round.saw(p, replica) {
		panic(http.ErrAbortHandler)
	}
}

// claim answers a request about claims. One that is carried out is carried out at once, and its answer comes later or never.
func (f *fleetHandler) claim(w http.ResponseWriter, r *http.Request, replica int) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	before, after := BeforeFinish, AfterFinish
	switch {
	case r.Method != http.MethodPut:
		before, after = "", ""
	case r.Header.Get("If-None-Match") != "":
		before, after = BeforeClaim, AfterClaim
	}
	f.dieIf(before, replica)
	switch f.round.weather.draw(claimChances) {
	case "claim_answer_lost":
		f.claims.ServeHTTP(httptest.NewRecorder(), r)
		f.dieIf(after, replica)
		panic(http.ErrAbortHandler)
	case "claim_carried_out_late":
		f.round.late.Go(func() {
			late := r.Clone(background)
			late.Body = io.NopCloser(bytes.NewReader(body))
			time.Sleep(f.round.weather.between(time.Millisecond, 300*time.Millisecond)) // This is what the fault is.
			f.claims.ServeHTTP(httptest.NewRecorder(), late)
		})
		panic(http.ErrAbortHandler)
	case "claim_reset":
		reset(w)
	case "claim_slow_down":
		awstest.S3Error(http.StatusServiceUnavailable, "SlowDown")(w, r, nil)
		return
	case "claim_internal_error":
		awstest.S3Error(http.StatusInternalServerError, "InternalError")(w, r, nil)
		return
	case "claim_conflict":
		awstest.S3Error(http.StatusConflict, "ConditionalRequestConflict")(w, r, nil)
		return
	}
	answer := httptest.NewRecorder()
	f.claims.ServeHTTP(answer, r)
	f.dieIf(after, replica)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // A client that has gone away is no concern of the server's.
}
