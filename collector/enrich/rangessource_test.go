package enrich

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A rangesServer answers as AWS does: the file with an ETag, or 304.
type rangesServer struct {
	mu    sync.Mutex
	data  []byte
	etag  string
	fault http.HandlerFunc
	sent  []string // The If-None-Match of each request.
}

func (s *rangesServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, r.Header.Get("If-None-Match"))
	if s.fault != nil {
		fault := s.fault
		s.mu.Unlock()
		defer s.mu.Lock()
		fault(w, r)
		return
	}
	w.Header().Set("ETag", s.etag)
	if r.Header.Get("If-None-Match") == s.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(s.data)
}

// set makes the server answer with the region, under an ETag, or with the fault.
func (s *rangesServer) set(data []byte, etag string, fault http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data, s.etag, s.fault = data, etag, fault
}

// requests returns what was sent since the last call.
func (s *rangesServer) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

func (s *rangesServer) wantRequests(t *testing.T, want ...string) {
	t.Helper()
	if got := s.requests(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got requests with If-None-Match %q, want %q", got, want)
	}
}

func regionRanges(t testing.TB, region string) []byte {
	t.Helper()
	return rangesJSON(t, rangesEntry{"1.1.1.0/24", region, "S3"})
}

func inRegion(region string) Info { return Info{AWSService: "S3", AWSRegion: region} }

const (
	rangesURL = "https://ranges.example/ip-ranges.json"
	// Two refreshes are at most so far apart.
	refreshed = 12*time.Hour + 12*time.Hour/10 + time.Second
)

func TestRangesFromURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &rangesServer{}
		server.set(regionRanges(t, "first"), `"1"`, nil)
		b := newBench(t, Config{IPRanges: rangesURL}, server)
		b.run(t.Context())
		b.want("1.1.1.1", inRegion("first"), true)
		server.wantRequests(t, "")

		b.pass(refreshed)
		server.wantRequests(t, `"1"`)
		b.want("1.1.1.1", inRegion("first"), true)
		if n := strings.Count(b.log.String(), "Loaded address ranges"); n != 1 {
			t.Errorf("loaded %d times, want once", n)
		}

		server.set(regionRanges(t, "second"), `"2"`, nil)
		b.pass(refreshed)
		server.wantRequests(t, `"1"`)
		b.want("1.1.1.1", inRegion("second"), true)
		b.pass(refreshed)
		server.wantRequests(t, `"2"`)
	})
}

func TestRangesLastModified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const date = "Sat, 01 Jan 2000 00:00:00 GMT"
		var mu sync.Mutex
		var sent []string
		b := newBench(t, Config{IPRanges: rangesURL}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, r.Header.Get("If-Modified-Since"))
			if r.Header.Get("If-Modified-Since") == date {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Header().Set("Last-Modified", date)
			_, _ = w.Write(regionRanges(t, "first"))
		}))
		b.run(t.Context())
		b.pass(refreshed)
		b.want("1.1.1.1", inRegion("first"), true)
		mu.Lock()
		defer mu.Unlock()
		if len(sent) != 2 || sent[0] != "" || sent[1] != date {
			t.Errorf("got requests with If-Modified-Since %q", sent)
		}
	})
}

// TestRangesFaults lets the server fail in different ways, first with ranges in use and then from the start.
func TestRangesFaults(t *testing.T) {
	text := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	whole := string(regionRanges(t, "second"))
	for _, c := range []struct {
		name  string
		fault http.HandlerFunc
		log   string
	}{
		{"500", status(http.StatusInternalServerError, ""), "got status 500"},
		{"429", status(http.StatusTooManyRequests, "7"), "got status 429"},
		{"403", status(http.StatusForbidden, ""), "got status 403"},
		{"304 to a request without a condition", status(http.StatusNotModified, ""), "got status 304"},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "context deadline exceeded"},
		{"cut short", text(whole[:len(whole)-20]), "unexpected end of JSON input"},
		{"another shape", text(strings.ReplaceAll(whole, "ip_prefix", "cidr")), "parse prefix"},
		{"empty", text(""), "unexpected end of JSON input"},
		{"HTML", text("<html>"), "invalid character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &rangesServer{}
				server.set(nil, "", c.fault)
				b := newBench(t, Config{IPRanges: rangesURL}, server)
				b.run(t.Context())
				b.want("1.1.1.1", Info{}, false)
				b.pass(10 * time.Minute)
				b.want("1.1.1.1", Info{}, true) // Patience has an end.
				b.wantLog(c.log, "key=enrichment.ip_ranges location="+rangesURL+" loaded=false")
				if n := len(server.requests()); n < patience || n > 15 {
					t.Errorf("got %d requests in 10 minutes", n)
				}
				server.set(regionRanges(t, "first"), `"1"`, nil)
				b.pass(10 * time.Minute)
				b.want("1.1.1.1", inRegion("first"), true)
				server.requests()

				if c.name == "304 to a request without a condition" {
					return
				}
				server.set(nil, "", c.fault)
				b.pass(refreshed + 10*time.Minute)
				b.want("1.1.1.1", inRegion("first"), true)
				b.wantLog("loaded=true")
				for i, sent := range server.requests() {
					if sent != `"1"` {
						t.Errorf("request %d has If-None-Match %q, want that of the last good answer", i, sent)
					}
				}
				server.set(regionRanges(t, "second"), `"2"`, nil)
				b.pass(10 * time.Minute)
				b.want("1.1.1.1", inRegion("second"), true)
			})
		})
	}
}

func TestRangesFromFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := fileOf(t, "ip-ranges.json", regionRanges(t, "first"))
		b := newBench(t, Config{IPRanges: path}, nil)
		b.run(t.Context())
		b.want("1.1.1.1", inRegion("first"), true)

		whole := regionRanges(t, "second")
		writeInPlace(t, path, whole[:len(whole)/2])
		b.pass(settled)
		b.want("1.1.1.1", inRegion("first"), true)
		b.wantLog(`level=ERROR msg="Refused address ranges of AWS, the last good ones stay in use" key=enrichment.ip_ranges location=`+path, "loaded=true", "unexpected end of JSON input")
		b.wantCounter("ip_ranges", "error", 1)
		writeInPlace(t, path, whole)
		b.pass(settled)
		b.want("1.1.1.1", inRegion("second"), true)
		b.wantCounter("ip_ranges", "error", 1)
	})
}

func TestRangesFileMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ip-ranges.json")
		b := newBench(t, Config{IPRanges: path}, nil)
		b.run(t.Context())
		b.want("1.1.1.1", Info{}, true)
		b.wantLog("key=enrichment.ip_ranges location="+path, "no such file or directory")
		writeInPlace(t, path, regionRanges(t, "first"))
		b.pass(settled)
		b.want("1.1.1.1", inRegion("first"), true)
	})
}

// TestRangesCopy starts again while the server is away.
func TestRangesCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "copy.json")
		server := &rangesServer{}
		server.set(regionRanges(t, "first"), `"1"`, nil)
		config := Config{IPRanges: rangesURL, IPRangesCopy: path}
		b := newBench(t, config, server)
		b.run(t.Context())
		b.want("1.1.1.1", inRegion("first"), true)

		server.set(nil, "", status(http.StatusBadGateway, ""))
		b = newBench(t, config, server)
		b.run(t.Context())
		b.want("1.1.1.1", inRegion("first"), true)
		server.set(regionRanges(t, "second"), `"2"`, nil)
		b.pass(10 * time.Minute)
		b.want("1.1.1.1", inRegion("second"), true)

		if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
			t.Fatal(err)
		}
		server.set(nil, "", status(http.StatusBadGateway, ""))
		b = newBench(t, config, server)
		b.run(t.Context())
		b.want("1.1.1.1", Info{}, false)
		b.wantLog("Refused the copy of ip-ranges.json of a former run", "file="+path)
	})
}

func TestRangesCopyCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &rangesServer{}
		server.set(regionRanges(t, "first"), `"1"`, nil)
		b := newBench(t, Config{IPRanges: rangesURL, IPRangesCopy: filepath.Join(t.TempDir(), "no such folder", "copy.json")}, server)
		b.run(t.Context())
		b.want("1.1.1.1", inRegion("first"), true)
		b.wantLog("Keeping a copy of ip-ranges.json failed")
	})
}

// TestRangesRealServer sends a request over a real connection, for what a handler alone cannot do.
func TestRangesRealServer(t *testing.T) {
	data := regionRanges(t, "first")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/good", http.StatusMovedPermanently)
		case "/cut":
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			_, _ = w.Write(data[:len(data)/2])
		default:
			_, _ = w.Write(data)
		}
	}))
	defer server.Close()
	client := newClient()
	defer client.CloseIdleConnections()
	for path, want := range map[string]error{"/good": nil, "/moved": nil, "/cut": io.ErrUnexpectedEOF} {
		source := rangesSource{location: server.URL + path}
		got, _, err := source.get(t.Context(), client)
		if !errors.Is(err, want) || err == nil && string(got) != string(data) {
			t.Errorf("%s: got %d bytes and the error %v, want %v", path, len(got), err, want)
		}
	}
}
