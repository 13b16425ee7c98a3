package objstore

import "time"

// Config tunes the reading from S3.
type Config struct {
	// MaxResumes is how often in a row a broken body is asked for again without
	// a single byte arriving. A byte that arrives resets the count.
	MaxResumes int
	// IdleTimeout is how long S3 may keep silent, before its answer (the SDK's
	// own retries of one request included) and within a body. It must be
	// positive.
	IdleTimeout time.Duration
}

// DefaultConfig returns the settings that suit S3.
func DefaultConfig() Config {
	return Config{MaxResumes: 5, IdleTimeout: 30 * time.Second}
}
