package pipeline

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/collector/queue"
)

// The longest delay is that of what an operator has to mend, from the start: an hour's mistake must neither empty a queue nor fill its dead-letter queue.
const maxDelay = 15 * time.Minute

// Delays before a message that failed is delivered again, after its first receive, its second and so on. A dead-letter queue takes a message at its fifth
// receive or so, which must not come within the minutes that an outage lasts, or that somebody needs to replace a corrupt file. Most trouble with a store is
// over at once, so that its first delay is short.
var (
	transientDelays = []time.Duration{15 * time.Second, time.Minute, 4 * time.Minute, maxDelay}
	permanentDelays = []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, maxDelay}
)

// settle decides what becomes of a message: it is done if no object failed; otherwise it goes back, and its objects that are done are known as duplicates
// then.
func (p *Pipeline) settle(ctx context.Context, m *queue.Message, failures []failure) {
	switch {
	case len(failures) == 0:
		// Even if the message was lost or the grace is over meanwhile: everything in it is committed.
		m.Delete()
	case errors.Is(context.Cause(ctx), queue.ErrLost):
		p.logger.Warn("Lost message, files of it that were not committed are dropped", "message_id", m.ID, "receive_count", m.ReceiveCount)
		m.Abandon()
	case ctx.Err() != nil:
		p.giveBack(m, 0)
	default:
		p.settleFailed(ctx, m, failures)
	}
}

// settleFailed returns a message, or leaves it to the queue's redrive policy, or drops it at last.
func (p *Pipeline) settleFailed(ctx context.Context, m *queue.Message, failures []failure) {
	transient, mendable := false, false
	for _, f := range failures {
		if foreign, ok := errors.AsType[foreignError](f.err); ok {
			// Only its owner, or an operator who knows that there is none any more, can change that.
			p.logger.Warn("Deferred file that another replica has claimed", "bucket", f.object.Bucket, "key", f.object.Key, "owner", foreign.Owner,
				"claim", foreign.Key, "receive_count", m.ReceiveCount)
			mendable = true
			continue
		}
		p.logger.Warn("Failed file", "err", f.err, "receive_count", m.ReceiveCount)
		switch {
		case objstore.Transient(f.err), errors.Is(f.err, aggregator.ErrNotWritten):
			transient = true
		case flowlog.Reason(f.err) == "":
			// The store refuses, or is not the right one.
			mendable = true
			p.refused.add(f.object.Identity(), f.err)
		}
	}
	switch {
	case transient:
		p.giveBack(m, delay(transientDelays, m.ReceiveCount))
	case mendable:
		p.giveBack(m, maxDelay)
	case !p.dropExhausted(ctx, m):
		p.giveBack(m, delay(permanentDelays, m.ReceiveCount))
	}
}

// settleInvalid counts a message that is no notification and leaves it to the redrive policy. Where there is none, it is dropped at last.
func (p *Pipeline) settleInvalid(ctx context.Context, m *queue.Message, err error) {
	p.logger.Warn("Invalid message", "message_id", m.ID, "err", err, "receive_count", m.ReceiveCount)
	if !p.dropExhausted(ctx, m) {
		m.Invalid()
	}
}

// dropExhausted deletes a message that can never succeed and was received often enough, unless the queue has a redrive policy to keep it.
func (p *Pipeline) dropExhausted(ctx context.Context, m *queue.Message) bool {
	if !m.Exhausted() || p.hasRedrivePolicy(ctx) {
		return false
	}
	p.logger.Error("Dropped message, the queue has no redrive policy to keep it", "message_id", m.ID, "receive_count", m.ReceiveCount, "body", clip(m.Body))
	m.Delete()
	return true
}

// hasRedrivePolicy says true when in doubt: then nothing is dropped.
func (p *Pipeline) hasRedrivePolicy(ctx context.Context) bool {
	has, err := p.queue.HasRedrivePolicy(ctx)
	if err != nil {
		p.logger.Warn("Unknown redrive policy, messages that cannot succeed are kept", "err", err)
		return true
	}
	return has
}

// giveBackTimeout is part of the reserve of a shutdown.
const giveBackTimeout = 3 * time.Second

// giveBack returns a message. It must work during a shutdown, so it has a deadline of its own.
func (p *Pipeline) giveBack(m *queue.Message, after time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), giveBackTimeout)
	defer cancel()
	if err := m.Return(ctx, after); err != nil {
		p.logger.Warn("Unreturned message, it comes back when its visibility timeout ends", "message_id", m.ID, "err", err)
	}
}

// delay returns the delay after a receive, spread so that messages that failed together do not come back together.
func delay(delays []time.Duration, receiveCount int) time.Duration {
	d := delays[min(max(receiveCount, 1), len(delays))-1]
	return d - rand.N(d/8+1)
}

func clip(s string) string { return s[:min(len(s), 512)] }
