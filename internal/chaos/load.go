package chaos

import (
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// A load is what a round has to read: a scenario as objects and messages, and what they must add up to. It is not safe for concurrent use, but for keysOf.
type load struct {
	rng      *rand.Rand
	scenario flowgen.Scenario
	cloud    *cloud
	// files are all that must count, by key.
	files   map[string]flowgen.File
	objects []awstest.Object // objects are the same files as they are stored.
	// phases are the messages; those of a phase must be done before the next one begins.
	phases [][]string
	keys   map[string][]string
	// bad are the messages that never succeed.
	bad  map[string]bool
	sent int
	want totals
}

// trafficAge is how old the traffic is: its closing files are younger, and none may be of the future.
const trafficAge = 26 * time.Hour

// newLoad makes the scenario of a seed, with messages that never succeed.
func newLoad(c *cloud, rng *rand.Rand, seed uint64, files int) (*load, error) {
	l, err := newGoodLoad(c, rng, seed, files, flowgen.Options{})
	if err != nil {
		return nil, err
	}
	const traffic = 1
	odd, err := l.odd()
	l.phases[traffic] = l.shuffled(append(l.phases[traffic], odd...))
	return l, err
}

// newGoodLoad makes the scenario of a seed.
func newGoodLoad(c *cloud, rng *rand.Rand, seed uint64, files int, options flowgen.Options) (*load, error) {
	const rowsPerFile, rowsPerConversation = 16, 10
	options.Conversations = max(files*rowsPerFile/rowsPerConversation, 80)
	options.Start = time.Now().UTC().Truncate(time.Hour).Add(-trafficAge)
	l := &load{
		rng: rng, cloud: c, files: map[string]flowgen.File{}, keys: map[string][]string{}, bad: map[string]bool{},
		scenario: flowgen.Random(seed, options),
	}
	s := l.scenario
	l.want.ledger = s.Ledger
	for _, phase := range [][]flowgen.File{s.Leading, s.CutInto(rowsPerFile, seed), s.Closing} {
		messages, err := l.messages(phase)
		if err != nil {
			return nil, err
		}
		l.phases = append(l.phases, messages)
	}
	return l, nil
}

// anyLevel returns one of several ways to store a text: other bytes, and the same lines.
func (l *load) anyLevel() int {
	return [...]int{gzip.BestCompression, gzip.BestSpeed, gzip.HuffmanOnly, gzip.NoCompression}[l.rng.IntN(4)]
}

// messages stores files and returns the messages that tell of them: each file in one at least, some in several, some messages of several files.
func (l *load) messages(files []flowgen.File) ([]string, error) {
	var out []string
	var waiting []awstest.Object
	for _, f := range files {
		object, err := l.store(bucket, f)
		if err != nil {
			return nil, err
		}
		l.files[f.Key] = f
		l.objects = append(l.objects, object)
		l.want.processed++
		l.want.inflated += uint64(len(f.Text))
		if l.rng.IntN(5) > 0 {
			out = append(out, l.announce(object))
		} else if waiting = append(waiting, object); len(waiting) > l.rng.IntN(4) {
			out = append(out, l.know(awstest.S3Event(waiting...), waiting...))
			waiting = nil
		}
		again, err := l.again(f, object)
		if err != nil {
			return nil, err
		}
		out = append(out, again...)
	}
	if len(waiting) > 0 {
		out = append(out, l.know(awstest.S3Event(waiting...), waiting...))
	}
	return l.shuffled(out), nil
}

// again returns further messages about a file, if there are any: AWS may send each one twice, and a replicated bucket has its own.
func (l *load) again(f flowgen.File, object awstest.Object) ([]string, error) {
	switch l.rng.IntN(12) {
	case 0:
		body := l.announce(object)
		return []string{body, body}, nil
	case 1:
		return []string{l.announce(object)}, nil
	case 2:
		replica, err := l.store(replicaBucket, f)
		return []string{l.announce(replica)}, err
	default:
		return nil, nil
	}
}

func (l *load) store(bucket string, f flowgen.File) (awstest.Object, error) {
	return l.cloud.s3.Put(background, bucket, f.Key, flowgen.GzipLevel(f.Text, l.anyLevel()))
}

// announce returns a message about an object in any envelope.
func (l *load) announce(o awstest.Object) string {
	var body string
	switch l.rng.IntN(8) {
	case 0:
		body = awstest.SNSEvent(awstest.S3Event(o))
	case 1:
		body = awstest.EventBridgeEvent(o)
	case 2:
		body = awstest.SNSEvent(awstest.EventBridgeEvent(o))
	case 3:
		body = awstest.MinIOEvent(o)
	default:
		body = awstest.S3Event(o)
	}
	return l.know(body, o)
}

// know remembers what a message tells of.
func (l *load) know(body string, objects ...awstest.Object) string {
	for _, o := range objects {
		l.keys[body] = append(l.keys[body], o.Key)
	}
	return body
}

// odd returns messages of which nothing must count: of files that are not whole, that are gone, that are something else, and of no files.
func (l *load) odd() ([]string, error) {
	var out []string
	good := l.scenario.Files[0]
	for i, damage := range []func([]byte) []byte{
		func(b []byte) []byte { b[len(b)-8] ^= 1; return b }, // The checksum is another one.
		func(b []byte) []byte { return b[:len(b)*2/3] },
		func([]byte) []byte { return []byte("this is no flow log\nnor is this\n") },
	} {
		key := good.FlowLog.Key(good.Time, fmt.Sprintf("bad%05x", i))
		object, err := l.cloud.s3.Put(background, bucket, key, damage(flowgen.GzipLevel(good.Text, gzip.BestSpeed)))
		if err != nil {
			return nil, err
		}
		body := l.announce(object)
		if i == 0 {
			// A message of a good file and a bad one never succeeds, and the good one counts once.
			body = awstest.S3Event(object, l.objects[l.rng.IntN(len(l.objects))])
		}
		l.bad[body] = true
		out = append(out, body)
	}
	const nonsense = `{"Records": "none"}`
	l.bad[nonsense] = true
	gone := awstest.Object{Bucket: bucket, Key: good.FlowLog.Key(good.Time, "900e0000"), Size: 1, ETag: "0", Region: region, Time: time.Now()}
	foreign := awstest.Object{Bucket: bucket, Key: strings.ReplaceAll(good.Key, "vpcflowlogs", "CloudTrail"), Size: 1, ETag: "0", Region: region, Time: time.Now()}
	return append(out, nonsense, awstest.S3Event(gone), awstest.S3Event(foreign), awstest.RemovedEvent(gone), awstest.TestEvent(bucket)), nil
}

func (l *load) shuffled(messages []string) []string {
	l.rng.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	return messages
}

// replace stores another form of a file in its place. Of files that are not its own it does nothing.
func (l *load) replace(path string, level int) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if f, ok := l.files[key]; ok {
		_, _ = l.cloud.s3.Put(background, bucket, key, flowgen.GzipLevel(f.Text, level)) // An object in memory is always stored.
	}
}
