package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// testMuxOptions answers everything well, with the metrics page "metrics 1".
func testMuxOptions() muxOptions {
	fine := func() error { return nil }
	return muxOptions{
		TelemetryPath: "/metrics",
		Metrics:       http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeText(w, "metrics 1") }),
		Healthy:       fine,
		Ready:         fine,
		Reload:        fine,
		Config:        func() ([]byte, error) { return []byte("workers: 0\n"), nil },
		Version:       "1.2.3",
	}
}

func testMux(t *testing.T, opts muxOptions) http.Handler {
	t.Helper()
	mux, err := newMux(opts)
	if err != nil {
		t.Fatal(err)
	}
	return mux
}

func request(handler http.Handler, method, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(method, path, http.NoBody))
	return recorder
}

func TestMux(t *testing.T) {
	const text = "text/plain; charset=utf-8"
	broken := func() error { return errors.New("the queue does not exist") }
	cases := []struct {
		name         string
		change       func(*muxOptions)
		method, path string
		code         int
		contentType  string
		allow        string
		body         string
	}{
		{name: "metrics", method: "GET", path: "/metrics", code: 200, contentType: text, body: "metrics 1\n"},
		{name: "metrics elsewhere", change: func(o *muxOptions) { o.TelemetryPath = "/a/b/" }, method: "GET", path: "/a/b/", code: 200, contentType: text, body: "metrics 1\n"},
		{name: "nothing below metrics", change: func(o *muxOptions) { o.TelemetryPath = "/a/b/" }, method: "GET", path: "/a/b/c", code: 404, contentType: text, body: "404 page not found\n"},
		{name: "metrics at the root", change: func(o *muxOptions) { o.TelemetryPath = "/" }, method: "GET", path: "/", code: 200, contentType: text, body: "metrics 1\n"},
		{name: "healthy", method: "GET", path: "/-/healthy", code: 200, contentType: text, body: "OK\n"},
		{name: "healthy by HEAD", method: "HEAD", path: "/-/healthy", code: 200, contentType: text, body: "OK\n"},
		{name: "unhealthy", change: func(o *muxOptions) { o.Healthy = broken }, method: "GET", path: "/-/healthy", code: 503, contentType: text, body: "the queue does not exist\n"},
		{name: "ready", method: "GET", path: "/-/ready", code: 200, contentType: text, body: "OK\n"},
		{name: "unready", change: func(o *muxOptions) { o.Ready = broken }, method: "GET", path: "/-/ready", code: 503, contentType: text, body: "the queue does not exist\n"},
		{name: "readiness does not change health", change: func(o *muxOptions) { o.Ready = broken }, method: "GET", path: "/-/healthy", code: 200, contentType: text, body: "OK\n"},
		{name: "reload", method: "POST", path: "/-/reload", code: 200, contentType: text, body: "OK\n"},
		{name: "reload refused", change: func(o *muxOptions) { o.Reload = broken }, method: "POST", path: "/-/reload", code: 500, contentType: text, body: "reload config: the queue does not exist\n"},
		{name: "reload by GET", method: "GET", path: "/-/reload", code: 405, contentType: text, allow: "POST", body: "Method Not Allowed\n"},
		{name: "reload by PUT", method: "PUT", path: "/-/reload", code: 405, contentType: text, allow: "POST", body: "Method Not Allowed\n"},
		{name: "metrics by POST", method: "POST", path: "/metrics", code: 405, contentType: text, allow: "GET, HEAD", body: "Method Not Allowed\n"},
		{name: "config", method: "GET", path: "/config", code: 200, contentType: "text/yaml; charset=utf-8", body: "workers: 0\n"},
		{name: "config that cannot be rendered", change: func(o *muxOptions) { o.Config = func() ([]byte, error) { return nil, broken() } }, method: "GET", path: "/config", code: 500, contentType: text, body: "the queue does not exist\n"},
		{name: "no profiling unless asked for", method: "GET", path: "/debug/pprof/", code: 404, contentType: text, body: "404 page not found\n"},
		{name: "unknown page", method: "GET", path: "/graph", code: 404, contentType: text, body: "404 page not found\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			opts := testMuxOptions()
			if c.change != nil {
				c.change(&opts)
			}
			response := request(testMux(t, opts), c.method, c.path)
			if response.Code != c.code {
				t.Errorf("got status %d, want %d", response.Code, c.code)
			}
			if got := response.Header().Get("Content-Type"); got != c.contentType {
				t.Errorf("got content type %q, want %q", got, c.contentType)
			}
			if got := response.Header().Get("Allow"); got != c.allow {
				t.Errorf("got Allow %q, want %q", got, c.allow)
			}
			if got := response.Body.String(); got != c.body {
				t.Errorf("got body %q, want %q", got, c.body)
			}
		})
	}
}

func TestReloadIsCalledByPOSTOnly(t *testing.T) {
	calls := 0
	opts := testMuxOptions()
	opts.Reload = func() error { calls++; return nil }
	mux := testMux(t, opts)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		request(mux, method, "/-/reload")
	}
	if calls != 0 {
		t.Errorf("other methods reloaded %d times", calls)
	}
	foreign := httptest.NewRequest(http.MethodPost, "/-/reload", http.NoBody)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	recorder := httptest.NewRecorder()
	mux.ServeHTTP(recorder, foreign)
	if recorder.Code != http.StatusForbidden || calls != 0 {
		t.Errorf("a foreign page's request got status %d and reloaded %d times", recorder.Code, calls)
	}
	request(mux, http.MethodPost, "/-/reload")
	if calls != 1 {
		t.Errorf("POST reloaded %d times, want 1", calls)
	}
}

func TestLandingPage(t *testing.T) {
	opts := testMuxOptions()
	opts.TelemetryPath = "/prom"
	page := request(testMux(t, opts), http.MethodGet, "/").Body.String()
	for _, want := range []string{"<h1>vpcflow_exporter</h1>", "Version: 1.2.3", `href="/prom"`, `href="/-/healthy"`, `href="/-/ready"`, `href="/config"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the landing page lacks %s", want)
		}
	}
	if strings.Contains(page, "debug/pprof") {
		t.Error("the landing page offers profiles that are not served")
	}
}

// TestLandingLinks follows the links of the page with everything turned on.
func TestLandingLinks(t *testing.T) {
	opts := testMuxOptions()
	opts.Profiling = true
	mux := testMux(t, opts)
	page, links := request(mux, http.MethodGet, "/").Body.String(), 0
	for _, part := range strings.Split(page, `href="/`)[1:] {
		path, _, _ := strings.Cut(part, `"`)
		path, _, _ = strings.Cut(path, "?")
		if path == "debug/pprof/profile" {
			path = "debug/pprof/cmdline" // A CPU profile takes its time.
		}
		if response := request(mux, http.MethodGet, "/"+path); response.Code != http.StatusOK {
			t.Errorf("/%s: got status %d", path, response.Code)
		}
		links++
	}
	if links != 6 {
		t.Errorf("got %d links, want 6", links)
	}
}

func TestTelemetryPath(t *testing.T) {
	for _, path := range []string{
		"", "metrics", "/-/ready", "/config", "/debug/pprof/heap", "/a{b}", "GET /metrics", "//metrics", "/metrics?x=1",
		"//", "/a/../b", "/a/..", "/..", "/../metrics", "/a/./b", "/.", "/metrics/.", "/a//b", "/metrics//", "../metrics", "/-/../config", "/config/../metrics",
		"/-/ready/", "/-/reload/now", "/debug/pprof", "/%2d/ready", "/a%2Fb", "/%", "/a\tb", "/a\nb", "/a\x00b", "/\xff", "/\u202e", "/é", "/a\\b", "/<b>", "/\"",
	} {
		opts := testMuxOptions()
		opts.TelemetryPath = path
		if _, err := newMux(opts); err == nil || !strings.HasPrefix(err.Error(), "telemetry path must ") {
			t.Errorf("%q: got error %v", path, err)
		}
	}
	for _, path := range []string{"/", "/metrics", "/metrics/", "/configs", "/-/metrics", "/a.b/c-d", "/..metrics", "/a..b/...", "/~me/metrics_1", "/debug/metrics", "/-/", "/a:b@c"} {
		opts := testMuxOptions()
		opts.TelemetryPath = path
		if response := request(testMux(t, opts), http.MethodGet, path); response.Code != http.StatusOK {
			t.Errorf("%q: got status %d", path, response.Code)
		}
	}
}

// A brokenWriter fails after some bytes, as a connection does whose client has gone.
type brokenWriter struct {
	http.ResponseWriter
	left int
}

// Write implements io.Writer.
func (w *brokenWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	if n < len(p) {
		return n, errors.New("client has gone")
	}
	return w.ResponseWriter.Write(p)
}

// TestPageWriter notices pages that did not reach the client as a whole, and hands on what is written.
func TestPageWriter(t *testing.T) {
	const line = "up 1\n"
	page := func(lines int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for range lines {
				_, _ = io.WriteString(w, line) // The writer is to notice.
			}
		}
	}
	withStatus := func(status, lines int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			page(lines)(w)
		}
	}
	for _, c := range []struct {
		name   string
		left   int
		serve  func(w http.ResponseWriter)
		failed bool
		status int
		body   string
	}{
		{"nothing written", 100, page(0), false, http.StatusOK, ""},
		{"a page", 100, page(2), false, http.StatusOK, line + line},
		{"a page with status", 100, withStatus(http.StatusOK, 1), false, http.StatusOK, line},
		{"an error", 100, withStatus(http.StatusInternalServerError, 1), true, http.StatusInternalServerError, line},
		{"busy", 100, withStatus(http.StatusServiceUnavailable, 0), true, http.StatusServiceUnavailable, ""},
		{"client gone at once", 0, page(1), true, http.StatusOK, ""},
		{"client gone halfway", len(line), page(2), true, http.StatusOK, line},
	} {
		t.Run(c.name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			w := &pageWriter{ResponseWriter: &brokenWriter{recorder, c.left}}
			c.serve(w)
			if w.failed != c.failed || recorder.Code != c.status || recorder.Body.String() != c.body {
				t.Errorf("got failed %t, status %d, body %q; want %t, %d, %q", w.failed, recorder.Code, recorder.Body, c.failed, c.status, c.body)
			}
		})
	}
}

// TestScrapesThatCount takes for the last scrape of a shutdown only a page that was sent as a whole to somebody who asked for it.
func TestScrapesThatCount(t *testing.T) {
	s := newStand(t, 0)
	d := s.start()
	s.deliver(logKey("aaaa"), natFile(1, 2))
	s.waitFor("the commit", func() bool { return d.app.aggregator.Snapshot().CommittedFiles == 1 })
	handler := d.app.metricsHandler()
	seen := func() uint64 { n, _ := d.app.scraped.state(); return n }
	scrape := func(method string, left int) {
		handler.ServeHTTP(&brokenWriter{httptest.NewRecorder(), left}, httptest.NewRequest(method, "/metrics", http.NoBody))
	}
	scrape(http.MethodHead, 1<<20)
	scrape(http.MethodGet, 0)
	scrape(http.MethodGet, 1000)
	if seen() != 0 {
		t.Error("a page that nobody got was taken for a scrape")
	}
	scrape(http.MethodGet, 1<<20)
	if seen() != 1 {
		t.Errorf("got %d files scraped, want 1", seen())
	}
}

func TestServerIsHardened(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config = newServer(testMux(t, testMuxOptions()))
	server.Start()
	defer server.Close()
	if server.Config.ReadHeaderTimeout <= 0 || server.Config.ReadTimeout <= 0 || server.Config.IdleTimeout <= 0 {
		t.Errorf("the server waits for ever: %+v", server.Config)
	}
	large, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/-/healthy", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	large.Header.Set("X-Large", strings.Repeat("x", 128<<10))
	response, err := http.DefaultClient.Do(large)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("128 KiB of headers: got status %d", response.StatusCode)
	}
}
