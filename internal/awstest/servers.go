package awstest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Servers serve handlers on loopback ports of their own. The zero value serves none. It is not safe for concurrent use.
type Servers struct {
	running []runningServer
}

type runningServer struct {
	*http.Server
	ended chan error
}

// Serve starts to serve a handler and returns its base URL, without a trailing slash.
func (s *Servers) Serve(handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen on loopback: %w", err)
	}
	server := runningServer{&http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}, make(chan error, 1)}
	s.running = append(s.running, server)
	go func() { server.ended <- server.Serve(listener) }()
	return "http://" + listener.Addr().String(), nil
}

// Close ends all requests and frees the ports.
func (s *Servers) Close() error {
	var errs []error
	for _, server := range s.running {
		errs = append(errs, server.Close())
		if err := <-server.ended; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	}
	s.running = nil
	return errors.Join(errs...)
}
