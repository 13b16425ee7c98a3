package enrich

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/backoff"
)

const (
	userAgent     = "vpcflow_exporter"
	maxBackoff    = 5 * time.Minute // After failures in a row.
	maxRetryAfter = time.Hour       // If a server asks for longer.
)

// newClient returns a client of its own, so that its timeouts and idle connections are nobody else's.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          4,
		IdleConnTimeout:       30 * time.Second,
	}}
}

// A statusError is an answer with a status that is not the one wanted.
type statusError struct {
	status     int
	retryAfter time.Duration // 0 if the server did not say.
}

func (e *statusError) Error() string {
	return fmt.Sprintf("got status %d %s", e.status, http.StatusText(e.status))
}

func newStatusError(response *http.Response) *statusError {
	e := &statusError{status: response.StatusCode}
	header := response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(header); err == nil && seconds > 0 {
		e.retryAfter = min(time.Duration(min(seconds, 1<<20))*time.Second, maxRetryAfter)
	} else if at, err := http.ParseTime(header); err == nil {
		e.retryAfter = min(max(time.Until(at), 0), maxRetryAfter)
	}
	return e
}

// readBody reads a whole body of at most limit bytes. One that is shorter than its announced length is an error.
func readBody(response *http.Response, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read body: larger than %d bytes", limit)
	}
	return data, nil
}

// delay returns how long to wait after so many failures in a row. A server that asks for longer gets it.
func delay(first time.Duration, failures int, err error) time.Duration {
	d := backoff.Delay(first, maxBackoff, failures)
	if status, ok := errors.AsType[*statusError](err); ok {
		d = max(d, status.retryAfter)
	}
	return d
}
