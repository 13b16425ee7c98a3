// Package demo simulates an AWS account for the program's --demo: a network whose flow logs arrive as real objects on S3, announced by real
// notifications on SQS, through the real SDK against whatever endpoints it is given.
//
// The daemon that reads them knows nothing of it. The traffic is that of a company of moderate size: stable heavy hitters, a day's ups and downs,
// scans, idle interfaces, and after two minutes a job that runs away. A ledger of all that was announced is kept on the way.
package demo

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

const (
	// The tick is how often flow logs are published, in real time. AWS takes minutes; a demo is to move.
	tick = 10 * time.Second
	// The lookback is how far back the traffic starts at speed 1.
	lookback = 5 * time.Minute
	// The maxLookback stays within the age of files that the exporter accepts by default.
	maxLookback = 6 * 24 * time.Hour
	// The maxPending bounds the files that wait for an endpoint to come back.
	maxPending = 1000
)

// Config says what is simulated and where it goes.
type Config struct {
	// Speed is how many times faster than real time the simulated time runs until it has caught up with it; 1 or more. The traffic starts
	// Speed times 5 minutes ago, at most 6 days.
	Speed float64
	// Bucket and QueueURL must exist.
	Bucket, QueueURL string
	// Seed decides the network's ids and the noise in its traffic.
	Seed uint64
	// Now is the clock; time.Now where nil.
	Now func() time.Time
}

// ObjectAPI is what the simulator needs of S3.
type ObjectAPI interface {
	PutObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// MessageAPI is what the simulator needs of SQS.
type MessageAPI interface {
	SendMessage(ctx context.Context, in *sqs.SendMessageInput, opts ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Simulator is the simulated account. Run or Step must not be called concurrently; Ledger may be called at any time.
type Simulator struct {
	cfg      Config
	objects  ObjectAPI
	messages MessageAPI
	logger   *slog.Logger
	rng      *rand.Rand
	traffic  *traffic
	pending  []*upload

	mu     sync.Mutex
	ledger flowgen.Ledger
}

// upload is a file on its way, with the part of the ledger that it makes.
type upload struct {
	key    string
	body   []byte
	ledger flowgen.Ledger
	// etag is set once the object is stored.
	etag string
}

// New returns a simulator that has done nothing yet; its two minutes before a job runs away begin now.
func New(cfg Config, objects ObjectAPI, messages MessageAPI, logger *slog.Logger) *Simulator {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	rng := rand.New(rand.NewPCG(cfg.Seed, 0x64656d6f))
	return &Simulator{
		cfg:      cfg,
		objects:  objects,
		messages: messages,
		logger:   logger,
		rng:      rng,
		traffic:  newTraffic(newNetwork(rng), rng, cfg.Seed, cfg.Now()),
	}
}

// Ledger returns what a reader must have counted once it has read all that was announced so far.
func (s *Simulator) Ledger() flowgen.Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.Clone()
}

// Run publishes flow logs until ctx ends, the first at once. It returns nil: what an endpoint refuses is logged and tried again.
func (s *Simulator) Run(ctx context.Context) error {
	clock := s.newClock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		from, to := clock.advance(s.cfg.Now())
		s.Step(ctx, from, to)
		timer.Reset(tick)
	}
}

// clock is the simulated time: behind the real one and faster, until it has caught up.
type clock struct {
	speed     float64
	real, sim time.Time
}

func (s *Simulator) newClock() *clock {
	speed := max(s.cfg.Speed, 1)
	now := s.cfg.Now()
	back := min(time.Duration(speed*float64(lookback)), maxLookback)
	c := &clock{speed: speed, real: now, sim: now.Add(-back)}
	if speed > 1 {
		// The first step has something to tell.
		c.real = now.Add(-tick)
	}
	return c
}

// advance moves the simulated time on to what it is at the real time now, and returns the stretch that has passed. At speed 1 it has always caught
// up, so the first stretch is the whole of the lookback.
func (c *clock) advance(now time.Time) (from, to time.Time) {
	from = c.sim
	to = now
	if c.speed > 1 {
		to = from.Add(time.Duration(c.speed * float64(now.Sub(c.real))))
	}
	if to.After(now) {
		to = now
	}
	if to.Before(from) {
		to = from
	}
	c.real, c.sim = now, to
	return from, to
}

// Step publishes the traffic between two times, in files of at most five minutes, after what could not be published before. What an endpoint refuses
// now waits for the next Step.
func (s *Simulator) Step(ctx context.Context, from, to time.Time) {
	open := s.flush(ctx)
	from, to = from.Truncate(time.Second), to.Truncate(time.Second)
	for from.Before(to) && ctx.Err() == nil {
		end := from.Truncate(flowgen.FileWindow).Add(flowgen.FileWindow)
		if end.After(to) {
			end = to
		}
		s.render(flowgen.Span{From: from, To: end})
		open = open && s.flush(ctx)
		from = end
	}
}

// render makes a span's traffic into files of each flow log.
func (s *Simulator) render(span flowgen.Span) {
	rows := make(map[*flowgen.FlowLog][]flowgen.Logged)
	for _, row := range s.traffic.during(span) {
		rows[row.FlowLog] = append(rows[row.FlowLog], row)
	}
	for _, log := range s.traffic.network.flowLogs {
		for _, pile := range s.split(rows[log]) {
			file := flowgen.NewFile(log, span.From.Truncate(time.Minute), fmt.Sprintf("%08x", s.rng.Uint32()), pile)
			u := &upload{key: file.Key, body: file.Gzip()}
			for i := range pile {
				u.ledger.Book(log, &pile[i].Row, pile[i].Verdict)
			}
			s.pending = append(s.pending, u)
		}
	}
	if n := len(s.pending) - maxPending; n > 0 {
		s.logger.Error("Flow log files dropped", "files", n)
		s.pending = slices.Delete(s.pending, 0, n)
	}
}

// split cuts rows into one file, or now and then two.
func (s *Simulator) split(rows []flowgen.Logged) [][]flowgen.Logged {
	s.rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	switch {
	case len(rows) == 0:
		return nil
	case len(rows) > 50 && s.rng.IntN(4) == 0:
		half := len(rows) / 2
		return [][]flowgen.Logged{rows[:half], rows[half:]}
	default:
		return [][]flowgen.Logged{rows}
	}
}

// flush delivers what is pending in order. It stops, and returns false, at the first file that an endpoint refuses.
func (s *Simulator) flush(ctx context.Context) bool {
	for len(s.pending) > 0 {
		u := s.pending[0]
		if err := s.deliver(ctx, u); err != nil {
			if ctx.Err() == nil {
				s.logger.Warn("Flow log file not published, trying again later", "key", u.key, "pending", len(s.pending), "err", err)
			}
			return false
		}
		s.pending = slices.Delete(s.pending, 0, 1)
	}
	return true
}

// deliver stores a file, announces it and books it; what was stored before is not stored again.
func (s *Simulator) deliver(ctx context.Context, u *upload) error {
	if u.etag == "" {
		out, err := s.objects.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.cfg.Bucket, Key: &u.key, Body: bytes.NewReader(u.body)})
		if err != nil {
			return fmt.Errorf("put object %q: %w", u.key, err)
		}
		u.etag = unquote(aws.ToString(out.ETag))
	}
	n := notification{
		bucket: s.cfg.Bucket, key: u.key, size: len(u.body), etag: u.etag, region: bucketRegion, time: s.cfg.Now().UTC(), sequencer: s.rng.Uint64(),
	}
	body, err := n.body(s.envelope())
	if err != nil {
		return err
	}
	if _, err := s.messages.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &s.cfg.QueueURL, MessageBody: &body}); err != nil {
		return fmt.Errorf("announce object %q: %w", u.key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.Add(u.ledger)
	return nil
}

// envelope picks how the next object is announced: mostly by S3 itself.
func (s *Simulator) envelope() envelope {
	switch s.rng.IntN(10) {
	case 0:
		return viaSNS
	case 1:
		return viaEventBridge
	default:
		return viaS3
	}
}
