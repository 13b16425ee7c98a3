package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	pathpkg "path"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
)

// muxOptions is what the web server shows. The functions are called once per
// request, concurrently. All but Profiling are needed.
type muxOptions struct {
	// TelemetryPath is where Metrics is served; at "/" it takes the place of the
	// landing page.
	TelemetryPath string
	Metrics       http.Handler
	// Healthy and Ready return nil, or why not: the text of the 503.
	Healthy func() error
	Ready   func() error
	// Reload rereads the configuration; its error is the text of the 500.
	Reload func() error
	// Config renders the effective configuration, without secrets.
	Config  func() ([]byte, error)
	Version string
	// Profiling serves /debug/pprof/.
	Profiling bool
}

// ownPaths are the paths beside the telemetry path.
var ownPaths = []string{"/-/healthy", "/-/ready", "/-/reload", "/config", "/debug/pprof"}

// newMux routes the exporter's pages. A method that a page does not have is
// answered with 405 and the Allow header by http.ServeMux.
func newMux(opts muxOptions) (http.Handler, error) {
	if err := checkTelemetryPath(opts.TelemetryPath); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+exactPath(opts.TelemetryPath), opts.Metrics)
	mux.Handle("GET /-/healthy", stateHandler(opts.Healthy))
	mux.Handle("GET /-/ready", stateHandler(opts.Ready))
	// A web page of another site must not be able to make a browser reload us.
	mux.Handle("POST /-/reload", http.NewCrossOriginProtection().Handler(reloadHandler(opts.Reload)))
	mux.Handle("GET /config", configHandler(opts.Config))
	if opts.Profiling {
		handleProfiling(mux)
	}
	if opts.TelemetryPath != "/" {
		landing, err := newLandingPage(opts)
		if err != nil {
			return nil, fmt.Errorf("make landing page: %w", err)
		}
		mux.Handle("GET /{$}", landing)
	}
	return mux, nil
}

// newServer hardens the server against slow and oversized requests. There is no
// write timeout: CPU profiles and large pages over slow links take their time.
func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// plainPath is a path that needs no escaping in a URL, nor has any: an escaped
// path could be one of ours in disguise. A slash may end it.
var plainPath = regexp.MustCompile(`^/([A-Za-z0-9._~!$&'()*+,;=:@-]+/)*[A-Za-z0-9._~!$&'()*+,;=:@-]*$`)

// checkTelemetryPath refuses what http.ServeMux would panic about, redirect or
// read as a pattern, and paths that are taken.
func checkTelemetryPath(path string) error {
	if path != "/" && strings.TrimSuffix(path, "/") != pathpkg.Clean(path) || !plainPath.MatchString(path) {
		return fmt.Errorf("telemetry path must be a plain path such as /metrics, got %q", path)
	}
	for _, own := range ownPaths {
		if path == own || strings.HasPrefix(path, own+"/") {
			return fmt.Errorf("telemetry path must not be %q, it is used already", path)
		}
	}
	return nil
}

// exactPath keeps a path that ends in a slash from matching all below it.
func exactPath(path string) string {
	if strings.HasSuffix(path, "/") {
		return path + "{$}"
	}
	return path
}

func stateHandler(state func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := state(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		writeText(w, "OK")
	}
}

func reloadHandler(reload func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := reload(); err != nil {
			http.Error(w, "reload config: "+err.Error(), http.StatusInternalServerError)
			return
		}
		writeText(w, "OK")
	}
}

func configHandler(render func() ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		page, err := render()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/yaml; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Write(page) //nolint:errcheck // The client went away; nobody is left to tell.
	}
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	io.WriteString(w, text+"\n") //nolint:errcheck // The client went away; nobody is left to tell.
}

// handleProfiling adds the handlers that net/http/pprof would put on the default
// mux alone.
func handleProfiling(mux *http.ServeMux) {
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
}

func newLandingPage(opts muxOptions) (http.Handler, error) {
	profiling := "false"
	if opts.Profiling {
		profiling = "true"
	}
	return web.NewLandingPage(web.LandingConfig{
		Name:        "vpcflow_exporter",
		Description: "What AWS NAT gateways cost, who spends it, and on whom, from VPC flow logs",
		Version:     opts.Version,
		Profiling:   profiling,
		Links: []web.LandingLinks{
			{Address: opts.TelemetryPath, Text: "Metrics"},
			{Address: "/-/healthy", Text: "Health", Description: "whether the process works"},
			{Address: "/-/ready", Text: "Readiness", Description: "whether the queue is being read, or why not"},
			{Address: "/config", Text: "Config", Description: "the configuration in effect"},
		},
	})
}
