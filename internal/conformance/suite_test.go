//go:build conformance

package conformance

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// suite is what every pair of an S3 and an SQS must pass, each part with a bucket, queues and a daemon of its own.
var suite = []struct {
	name     string
	receives int // receives is how often the queue delivers a message before it is a dead letter.
	test     func(t *testing.T, s *site)
}{
	{"ledger", 5, testLedger},
	{"keys", 5, testKeys},
	{"duplicates", 5, testDuplicates},
	{"dead_letters", 1, testDeadLetters},
	{"restart", 5, testRestart},
	{"missing", 5, testMissing},
	{"claims", 5, testClaims},
}

// runSuite runs the parts of the suite that are named, or all, each on what it gets from serve.
func runSuite(t *testing.T, serve func(t *testing.T) servers, names ...string) {
	t.Helper()
	for _, part := range suite {
		if len(names) > 0 && !slices.Contains(names, part.name) {
			continue
		}
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(t, serve(t).newSite(t, part.receives))
		})
	}
}

// clean is what a page shows of a daemon that had nothing but good files.
var clean = map[string]float64{"vpcflow_held_records": 0, failed: 0, duplicates: 0, skipped: 0, missing: 0, invalid: 0, returned: 0}

// random makes a scenario and logs its seed.
func random(t *testing.T, options flowgen.Options) flowgen.Scenario {
	t.Helper()
	scenario := flowgen.Random(rand.Uint64(), options)
	t.Logf("scenario of %s", scenario)
	return scenario
}

// upload stores the scenario's files stage by stage, under keys that rename makes, and waits until each stage is counted.
func (s *site) upload(t *testing.T, d *daemon, scenario flowgen.Scenario, rename func(i int, key string) string) page {
	t.Helper()
	return s.uploadRest(t, d, scenario, 0, rename)
}

// uploadRest is upload for a daemon that has counted so many files of the scenario before.
func (s *site) uploadRest(t *testing.T, d *daemon, scenario flowgen.Scenario, files int, rename func(i int, key string) string) page {
	t.Helper()
	for _, stage := range [][]flowgen.File{scenario.Leading, scenario.Files, scenario.Closing} {
		for _, file := range stage {
			s.put(t, rename(files, file.Key), file.Gzip())
			files++
		}
		s.flush(t)
		d.await(map[string]float64{processed: float64(files)})
	}
	return d.await(map[string]float64{deleted: float64(s.messages)})
}

func asItIs(_ int, key string) string { return key }

// testLedger counts a random network's traffic.
func testLedger(t *testing.T, s *site) {
	scenario := random(t, flowgen.Options{})
	d := s.startDaemon(t, scenario)
	s.upload(t, d, scenario, asItIs).check(t, scenario.Ledger, clean)
	s.empty(t)
	d.terminate()
}

// hostile are prefixes that every encoding of a key has to get right, or that look as if they were encoded.
var hostile = []string{
	"our logs/", "1+1/", "100%/", "%2B/", "a%20b/", "a%2Fb/", "a=b/c=d/", "é/", "日本/", "&?#;,:@$!'()*~/", "\"<>|^`{}[]/", "a+b c%20d%zz/",
}

// testKeys counts files under keys that need encoding.
func testKeys(t *testing.T, s *site) {
	scenario := random(t, flowgen.Options{Everyday: true, Conversations: 10})
	d := s.startDaemon(t, scenario)
	rename := func(i int, key string) string { return hostile[i%len(hostile)] + key }
	s.upload(t, d, scenario, rename).check(t, scenario.Ledger, clean)
	// Names that are not AWS's are told apart by their keys.
	last := scenario.Closing[0]
	header := last.Text[:strings.IndexByte(string(last.Text), '\n')+1]
	files := d.scrape().values[processed]
	for _, prefix := range hostile {
		s.put(t, prefix+"1+1 100%.gz", flowgen.Gzip(header))
	}
	s.flush(t)
	want := map[string]float64{processed: files + float64(len(hostile)), deleted: float64(s.messages)}
	d.await(want).check(t, scenario.Ledger, clean)
	s.empty(t)
	d.terminate()
}

// testDuplicates stores every file a second time, and one of them as a copy.
func testDuplicates(t *testing.T, s *site) {
	scenario := random(t, flowgen.Options{Everyday: true, Conversations: 20})
	d := s.startDaemon(t, scenario)
	s.upload(t, d, scenario, asItIs)
	for _, file := range scenario.Files {
		s.put(t, file.Key, file.Gzip())
	}
	s.put(t, "copies/1+1/"+scenario.Files[0].Key, scenario.Files[0].Gzip())
	s.flush(t)
	want := map[string]float64{duplicates: float64(len(scenario.Files) + 1), deleted: float64(s.messages)}
	d.await(want).check(t, scenario.Ledger, map[string]float64{failed: 0, skipped: 0, missing: 0, returned: 0})
	s.empty(t)
	d.terminate()
}

// testDeadLetters has a corrupt file and a message that is no notification end in the dead-letter queue, by the queue's own redrive policy.
func testDeadLetters(t *testing.T, s *site) {
	scenario := random(t, flowgen.Options{Everyday: true, Conversations: 10})
	d := s.startDaemon(t, scenario)
	d.expected = map[string]float64{failed: 1, invalid: 1}
	corrupt := scenario.Files[0].Gzip()
	const key = "corrupt.log.gz"
	s.put(t, key, corrupt[:len(corrupt)/2])
	s.flush(t)
	const garbage = "not a notification"
	s.send(t, garbage)
	d.await(map[string]float64{failed: 1, invalid: 1})
	s.messages -= 2
	s.upload(t, d, scenario, asItIs)

	var dead []string
	waitFor(t, "two dead letters", func() bool {
		out, err := s.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &s.dead, MaxNumberOfMessages: 10, VisibilityTimeout: 3600})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			dead = append(dead, aws.ToString(m.Body))
		}
		return len(dead) == 2
	})
	if letters := strings.Join(dead, "\n"); !strings.Contains(letters, key) || !strings.Contains(letters, garbage) {
		t.Errorf("got dead letters\n%s", letters)
	}
	d.scrape().check(t, scenario.Ledger, map[string]float64{failed: 1, invalid: 1, returned: 1, duplicates: 0, skipped: 0, missing: 0})
	s.empty(t)
	d.terminate()
}

// testRestart counts one network's traffic with one daemon and another's with the next, which finds nothing left behind, and loses nothing that came between.
func testRestart(t *testing.T, s *site) {
	first := random(t, flowgen.Options{Everyday: true, Conversations: 10})
	d := s.startDaemon(t, first)
	s.upload(t, d, first, asItIs).check(t, first.Ledger, clean)
	d.terminate()

	second := random(t, flowgen.Options{Everyday: true, Conversations: 10})
	s.messages = 0
	var between []flowgen.File
	if len(second.Leading) > 0 {
		between, second.Leading = second.Leading, nil
	} else {
		between, second.Files = second.Files, nil
	}
	for _, file := range between {
		s.put(t, file.Key, file.Gzip())
	}
	s.flush(t)
	d = s.startDaemon(t, second)
	d.await(map[string]float64{processed: float64(len(between))})
	s.uploadRest(t, d, second, len(between), asItIs).check(t, second.Ledger, clean)
	s.empty(t)
	d.terminate()
}

// testMissing deletes an object before anybody reads it.
func testMissing(t *testing.T, s *site) {
	scenario := random(t, flowgen.Options{Everyday: true, Conversations: 10})
	gone := "gone/1+1/" + scenario.Files[0].Key
	s.put(t, gone, scenario.Files[0].Gzip())
	s.flush(t)
	if _, err := s.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &gone}); err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{missing: 1, failed: 0, duplicates: 0, skipped: 0, returned: 0}
	if s.announcesDeletion != nil {
		s.announcesDeletion(t, s)
		want[skipped] = 1
	}
	d := s.startDaemon(t, scenario)
	d.expected = map[string]float64{missing: 1}
	d.await(map[string]float64{missing: 1, skipped: want[skipped]})
	s.upload(t, d, scenario, asItIs).check(t, scenario.Ledger, want)
	s.empty(t)
	d.terminate()
}
