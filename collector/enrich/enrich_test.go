package enrich

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// handlerTransport answers requests without a network, so that they can be part of a synctest bubble.
type handlerTransport struct{ handler http.Handler }

func (h handlerTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	h.handler.ServeHTTP(recorder, request)
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// newEnricher returns an Enricher that does not run, and its registry.
func newEnricher(tb testing.TB, config Config, handler http.Handler) (*Enricher, *bench) {
	tb.Helper()
	b := &bench{tb: tb, registry: prometheus.NewPedanticRegistry()}
	deps := Deps{Logger: slog.New(slog.NewTextHandler(&b.log, nil)), Registerer: b.registry}
	if handler != nil {
		deps.Client = &http.Client{Transport: handlerTransport{handler}}
	}
	e, err := New(config, deps)
	if err != nil {
		tb.Fatal(err)
	}
	b.e = e
	return e, b
}

// A bench is an Enricher and what can be seen of it.
type bench struct {
	tb       testing.TB
	e        *Enricher
	registry *prometheus.Registry
	log      bytes.Buffer
}
