package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

const (
	testClaimBucket = "claims"
	foreignOwner    = "000000000000000000000000000000ff"
)

// newClaimStand is a stand whose daemon claims files.
func newClaimStand(t *testing.T) *stand {
	t.Helper()
	s := newStand(t, 0)
	if err := s.cloud.CreateBucket(t.Context(), testClaimBucket); err != nil {
		t.Fatal(err)
	}
	s.config.State.Path = t.TempDir()
	s.config.Claim = ClaimConfig{Bucket: testClaimBucket, Prefix: "p/"}
	return s
}

// claimKey is the key of the claim of a file with a name of AWS's.
func claimKey(key string) string {
	sum := sha256.Sum256([]byte(path.Base(key)))
	return "p/" + hex.EncodeToString(sum[:])
}

// plant makes a claim that is not done.
func (s *stand) plant(owner, key string) {
	s.t.Helper()
	text := fmt.Sprintf(`{"owner":%q,"done":false,"identity":%q,"bucket":%q,"key":%q}`, owner, path.Base(key), testBucket, key)
	if _, err := s.cloud.Put(s.t.Context(), testClaimBucket, claimKey(key), []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// claim returns the owner of a file's claim, "" if it has none, and whether it is done.
func (s *stand) claim(key string) (owner string, done bool) {
	s.t.Helper()
	out, err := s3.NewFromConfig(s.awsConfig()).GetObject(context.Background(), &s3.GetObjectInput{Bucket: new(testClaimBucket), Key: new(claimKey(key))})
	if err != nil {
		return "", false
	}
	text, err := io.ReadAll(out.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var c struct {
		Owner string
		Done  bool
	}
	if err := json.Unmarshal(text, &c); err != nil {
		s.t.Fatal(err)
	}
	return c.Owner, c.Done
}

// owner starts a daemon and ends it, and returns under which name it claims files.
func (s *stand) owner() string {
	s.t.Helper()
	d := s.start()
	d.ready(http.StatusOK, "OK")
	d.stop()
	_, text, _ := strings.Cut(s.logs.String(), "owner=")
	owner, _, _ := strings.Cut(text, "\n")
	if len(owner) != 32 {
		s.t.Fatalf("got owner %q", owner)
	}
	return owner
}

// objectReads counts the requests for objects of flow logs.
func (s *stand) objectReads() *atomic.Int64 {
	var reads atomic.Int64
	s.cloud.S3.SetHook(func(r awstest.S3Request) awstest.S3Fault {
		if r.Operation == "GetObject" && r.Bucket == testBucket {
			reads.Add(1)
		}
		return nil
	})
	return &reads
}

func oneRow() []byte {
	return flowgen.Gzip([]byte("account-id interface-id srcaddr dstaddr bytes end log-status\n123456789012 eni-0a - - - 1773480359 NODATA\n"))
}

// TestClaims counts a file under a claim, which is done before the message is deleted, and keeps its owner over restarts.
func TestClaims(t *testing.T) {
	t.Parallel()
	s := newClaimStand(t)
	owner := s.owner()
	d := s.start()
	s.deliver(logKey("1"), oneRow())
	d.await(processed, 1).check(t, map[string]float64{`vpcflow_claims_total{result="own"}`: 1, `vpcflow_claims_unfinished`: 0})
	s.depth(0, 0)
	if got, done := s.claim(logKey("1")); got != owner || !done {
		t.Errorf("got a claim of %q, done %t, want one of %q", got, done, owner)
	}
}

// TestForeignClaim leaves a file alone that another replica has claimed, without reading it again and again, until its claim is released.
func TestForeignClaim(t *testing.T) {
	t.Parallel()
	s := newClaimStand(t)
	reads := s.objectReads()
	s.plant(foreignOwner, logKey("1"))
	d := s.start()
	s.deliver(logKey("1"), oneRow())
	d.await(returned, 1).nothingCounted(t)
	s.waitForLog("Deferred file that another replica has claimed")
	if log := s.logs.String(); !strings.Contains(log, "owner="+foreignOwner) || !strings.Contains(log, "claim="+claimKey(logKey("1"))) {
		t.Error("the log does not name the claim and its owner")
	}
	s.passHidden(10 * time.Minute)
	for n := 2; n <= 8; n++ {
		s.pass(maxSettleDelay)
		d.await(returned, float64(n)).nothingCounted(t)
	}
	if got := reads.Load(); got != 1 {
		t.Errorf("the file was read %d times, want once", got)
	}
	d.scrape().check(t, map[string]float64{`vpcflow_claim_errors_total{operation="get"}`: 0, `vpcflow_claims_total{result="foreign"}`: 1})
	key := claimKey(logKey("1"))
	if _, err := s3.NewFromConfig(s.awsConfig()).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: new(testClaimBucket), Key: &key}); err != nil {
		t.Fatal(err)
	}
	s.pass(maxSettleDelay)
	d.await(processed, 1)
	s.depth(0, 0)
}

// maxSettleDelay is the longest delay after which a message comes back.
const maxSettleDelay = 15 * time.Minute

// TestFinishedElsewhere settles a message of a file that another replica has counted.
func TestFinishedElsewhere(t *testing.T) {
	t.Parallel()
	s := newClaimStand(t)
	if _, err := s.cloud.Put(t.Context(), testClaimBucket, claimKey(logKey("1")), []byte(`{"owner":"`+foreignOwner+`","done":true}`)); err != nil {
		t.Fatal(err)
	}
	d := s.start()
	s.deliver(logKey("1"), oneRow())
	d.await(duplicates, 1).check(t, map[string]float64{`vpcflow_claims_total{result="done"}`: 1})
	s.depth(0, 0)
}

// TestClaimWithoutMessage counts what a replica has claimed before it was killed although no message about it comes to it any more. What cannot be counted any more
// is finished, what is another one's is left alone.
func TestClaimWithoutMessage(t *testing.T) {
	t.Parallel()
	s := newClaimStand(t)
	owner := s.owner()
	for _, n := range []string{"1", "2"} {
		s.put(logKey(n), oneRow())
		s.plant(owner, logKey(n))
	}
	s.plant(owner, logKey("3")) // It is not there any more.
	s.put(logKey("4"), oneRow())
	s.plant(foreignOwner, logKey("4"))
	d := s.start()
	d.await(processed, 2)
	d.await(missing, 1)
	for n, wantDone := range map[string]bool{"1": true, "2": true, "3": true, "4": false} {
		s.waitFor("claim "+n, func() bool {
			_, done := s.claim(logKey(n))
			return done == wantDone
		})
	}
	s.send(awstest.S3Event(s.put(logKey("1"), oneRow())))
	d.await(duplicates, 1).check(t, map[string]float64{`vpcflow_files_total{result="processed"}`: 2})
}

// TestUnfinishedClaim cannot finish a claim after its commit: the message is not deleted, and the claim is finished as soon as S3 lets it, without the message.
func TestUnfinishedClaim(t *testing.T) {
	t.Parallel()
	s := newClaimStand(t)
	var broken atomic.Bool
	broken.Store(true)
	s.cloud.S3.SetHook(func(r awstest.S3Request) awstest.S3Fault {
		// Two puts try whether the store knows conditional ones, and the third is the claim.
		if r.Operation == "PutObject" && r.Number > 3 && broken.Load() {
			return awstest.S3Error(http.StatusInternalServerError, "InternalError")
		}
		return nil
	})
	d := s.start()
	s.deliver(logKey("1"), oneRow())
	d.await(returned, 1).check(t, map[string]float64{`vpcflow_files_total{result="processed"}`: 1, `vpcflow_claims_unfinished`: 1})
	if _, done := s.claim(logKey("1")); done {
		t.Error("the claim is done")
	}
	broken.Store(false)
	s.waitFor("the claim", func() bool {
		_, done := s.claim(logKey("1"))
		return done
	})
	s.pass(time.Minute)
	d.await(duplicates, 1).check(t, map[string]float64{`vpcflow_files_total{result="processed"}`: 1, `vpcflow_claims_unfinished`: 0})
	s.depth(0, 0)
}

// TestClaimsDenied keeps messages, and says that it is not ready, when the role may not claim.
func TestClaimsDenied(t *testing.T) {
	t.Parallel()
	s := newClaimStand(t)
	var denied atomic.Bool
	denied.Store(true)
	s.cloud.S3.SetHook(func(r awstest.S3Request) awstest.S3Fault {
		if r.Bucket == testClaimBucket && denied.Load() {
			return awstest.S3Error(http.StatusForbidden, "AccessDenied")
		}
		return nil
	})
	d := s.start()
	for n := range 3 {
		s.deliver(logKey(strconv.Itoa(n)), oneRow())
	}
	d.await(returned, 3).check(t, map[string]float64{`vpcflow_file_errors_total{reason="claim"}`: 3})
	d.ready(http.StatusServiceUnavailable, "claim file")
	denied.Store(false)
	s.pass(maxSettleDelay)
	d.await(processed, 3)
	d.ready(http.StatusOK, "OK")
	s.depth(0, 0)
}
