package queue

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// An answer about the depth is good enough for so long.
	depthMaxAge = 30 * time.Second
	// A scrape waits so long for a newer one.
	depthPatience = 2 * time.Second
)

// depthCollector exposes how many messages the queue holds. A scrape starts a request if the last one
// is old and none is under way, and shows the last good answer if the new one takes too long.
type depthCollector struct {
	queue *Queue
	desc  *prometheus.Desc
	log   throttle

	mu     sync.Mutex
	asked  time.Time
	asking chan struct{} // closed when the request under way has ended, nil if there is none
	depth  map[string]float64
}

func newDepthCollector(q *Queue) *depthCollector {
	return &depthCollector{
		queue: q,
		desc: prometheus.NewDesc("vpcflow_queue_messages",
			"Messages in the SQS queue, roughly: visible to consumers, in flight with one of them, or delayed. Every replica shows the same queue.",
			[]string{"state"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *depthCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements prometheus.Collector. It may be called concurrently.
func (c *depthCollector) Collect(ch chan<- prometheus.Metric) {
	if asking := c.refresh(); asking != nil {
		timer := time.NewTimer(depthPatience)
		defer timer.Stop()
		select {
		case <-asking:
		case <-timer.C:
		}
	}
	c.mu.Lock()
	depth := c.depth
	c.mu.Unlock()
	for state, messages := range depth {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, messages, state)
	}
}

// refresh returns the end of the request under way, which it starts if the last answer is old.
func (c *depthCollector) refresh() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asking != nil {
		return c.asking
	}
	if !c.asked.IsZero() && time.Since(c.asked) < depthMaxAge {
		return nil
	}
	asking := make(chan struct{})
	if !c.queue.start(func() { c.ask(asking) }) {
		return nil
	}
	c.asking = asking
	return asking
}

func (c *depthCollector) ask(asking chan struct{}) {
	defer close(asking)
	ctx, cancel := context.WithTimeout(c.queue.life, callTimeout)
	defer cancel()
	attributes, err := c.queue.attributes(ctx,
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	)
	if err != nil && !isCanceled(err) {
		if dropped, ok := c.log.allow(); ok {
			c.queue.logger.Warn("Reading the depth of the queue failed", "suppressed", dropped, "err", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking = nil
	c.asked = time.Now()
	if err == nil {
		c.depth = depthOf(attributes)
	}
}

// depthOf reads the numbers. One that SQS left out is not shown.
func depthOf(attributes map[string]string) map[string]float64 {
	depth := map[string]float64{}
	for state, name := range map[string]types.QueueAttributeName{
		"visible":   types.QueueAttributeNameApproximateNumberOfMessages,
		"in_flight": types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		"delayed":   types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	} {
		if messages, err := strconv.ParseFloat(attributes[string(name)], 64); err == nil {
			depth[state] = messages
		}
	}
	return depth
}
