package awstest

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// oneWrite lets one request at a time change an object, so that a conditional put is atomic as it is in S3: gofakes3 looks whether an object exists, and
// stores another one later.
type oneWrite struct {
	next http.Handler
	mu   sync.Mutex
}

// ServeHTTP implements http.Handler.
func (o *oneWrite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut && r.Method != http.MethodDelete {
		o.next.ServeHTTP(w, r)
		return
	}
	// A client that sends slowly must not keep others waiting.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next.ServeHTTP(w, r)
}
