package awstest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// inProcess is an HTTP client whose network is a function call.
type inProcess struct{ handler http.Handler }

// Do implements the SDK's HTTP client. A handler that aborts reads as a broken connection.
func (c inProcess) Do(r *http.Request) (response *http.Response, err error) {
	defer func() {
		switch cause := recover(); cause {
		case nil:
		case http.ErrAbortHandler:
			response, err = nil, errors.Join(r.Context().Err(), io.ErrUnexpectedEOF)
		default:
			panic(cause)
		}
	}()
	request := r.Clone(r.Context())
	request.Host = r.URL.Host
	if request.Body == nil {
		request.Body = http.NoBody
	}
	defer func() { _ = request.Body.Close() }()
	w := &recorder{header: http.Header{}}
	c.handler.ServeHTTP(w, request)
	return &http.Response{
		StatusCode:    w.status,
		Header:        w.header,
		Body:          io.NopCloser(&w.body),
		ContentLength: int64(w.body.Len()),
		Request:       r,
	}, nil
}

// recorder keeps a response in memory.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) { w.status = status }

// Write implements io.Writer.
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }
