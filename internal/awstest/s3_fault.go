package awstest

import (
	"encoding/xml"
	"fmt"
	"net"
	"net/http"
)

// S3Fault answers a request in the proper server's place; proper is the server that would have
// answered. The functions below make the usual ones; a test may write its own.
type S3Fault func(w http.ResponseWriter, r *http.Request, proper http.Handler)

// S3Error answers with an S3 error document: (503, "SlowDown"), (500, "InternalError"),
// (403, "AccessDenied"), (403, "InvalidObjectState"), (404, "NoSuchKey") and so on.
func S3Error(status int, code string) S3Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/xml")
		w.Header().Set("x-amz-request-id", "FAULT00000000000")
		w.WriteHeader(status)
		if r.Method == http.MethodHead {
			return
		}
		body, err := xml.Marshal(s3ErrorBody{Code: code, Message: "injected fault", Resource: r.URL.Path, RequestID: "FAULT00000000000"})
		if err != nil {
			panic(fmt.Errorf("encode S3 error: %w", err))
		}
		// A client that has gone away is no concern of the server's.
		_, _ = w.Write(append([]byte(xml.Header), body...))
	}
}

type s3ErrorBody struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string   `xml:"Code"`
	Message   string   `xml:"Message"`
	Resource  string   `xml:"Resource"`
	RequestID string   `xml:"RequestId"`
}

// CutAfter answers properly, but resets the connection after n bytes of the body: the client reads an
// error that is not an end of file. A body of less than n bytes is not cut.
func CutAfter(n int64) S3Fault {
	return func(w http.ResponseWriter, r *http.Request, proper http.Handler) {
		proper.ServeHTTP(&limitedWriter{ResponseWriter: w, left: n, then: func() { resetConnection(w) }}, r)
	}
}

// StopAfter answers properly, but closes the connection in good order after n bytes of the body, fewer
// than Content-Length claims: the client reads an unexpected end of file.
func StopAfter(n int64) S3Fault {
	return func(w http.ResponseWriter, r *http.Request, proper http.Handler) {
		proper.ServeHTTP(&limitedWriter{ResponseWriter: w, left: n, then: func() { panic(http.ErrAbortHandler) }}, r)
	}
}

// StallAfter answers properly, but sends nothing more after n bytes of the body until the client gives up.
func StallAfter(n int64) S3Fault {
	return func(w http.ResponseWriter, r *http.Request, proper http.Handler) {
		proper.ServeHTTP(&limitedWriter{ResponseWriter: w, left: n, then: func() { hang(r) }}, r)
	}
}

// Hang accepts the request and never answers: it ends when the client gives up.
func Hang() S3Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { hang(r) }
}

func hang(r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	// Closing with a linger of zero sends a reset instead of an orderly end.
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
	panic(http.ErrAbortHandler)
}

// limitedWriter passes left bytes of the body on and then calls then, which does not return. Error
// documents pass as they are: a fault in the body presumes a body.
type limitedWriter struct {
	http.ResponseWriter
	left  int64
	then  func()
	error bool
}

// WriteHeader implements http.ResponseWriter.
func (w *limitedWriter) WriteHeader(status int) {
	w.error = status >= http.StatusBadRequest
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.error || int64(len(p)) < w.left {
		w.left -= int64(len(p))
		return w.ResponseWriter.Write(p)
	}
	if _, err := w.ResponseWriter.Write(p[:w.left]); err != nil {
		return 0, err
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	w.then()
	return 0, http.ErrAbortHandler
}
