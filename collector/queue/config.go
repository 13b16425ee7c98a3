package queue

import "time"

// Limits of SQS, from its developer guide.
const (
	maxBatch = 10
	maxWait  = 20 * time.Second
	// From its receive, a message can be kept hidden for so long. SQS allows 12 hours by its own clock,
	// so a request for the last seconds of them tends to be refused.
	maxLife = 43_195 * time.Second
)

// Config says which queue is read and how. A field that is zero or less has its default.
type Config struct {
	// URL is the queue's URL, as the AWS console shows it.
	URL string
	// VisibilityTimeout is how long a message stays hidden from other consumers unless it is extended,
	// and so how long its work waits after this process died. It counts in whole seconds, up to 12 hours.
	VisibilityTimeout time.Duration
	// MaxReceives is the number of receives after which Message.Exhausted gives a message up.
	MaxReceives int
}

// DefaultConfig returns the configuration without a URL.
func DefaultConfig() Config {
	return Config{VisibilityTimeout: 5 * time.Minute, MaxReceives: 5}
}

func (c Config) withDefaults() Config {
	def := DefaultConfig()
	if c.VisibilityTimeout <= 0 {
		c.VisibilityTimeout = def.VisibilityTimeout
	}
	c.VisibilityTimeout = min(time.Duration(wholeSeconds(c.VisibilityTimeout))*time.Second, 12*time.Hour)
	if c.MaxReceives <= 0 {
		c.MaxReceives = def.MaxReceives
	}
	return c
}

// wholeSeconds rounds up, because SQS would read half a second as none.
func wholeSeconds(d time.Duration) int32 {
	return int32((d + time.Second - 1) / time.Second)
}
