package enrich

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An ipinfoServer answers as IPinfo does.
type ipinfoServer struct {
	known map[string]string // The fields of an address's answer.
	fault http.HandlerFunc  // Answers in its place, unless nil.

	mu    sync.Mutex
	asked []string
	times []time.Time
	token string // Of the last request.
}

func (s *ipinfoServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked, s.times = append(s.asked, strings.TrimPrefix(r.URL.Path, "/lite/")), append(s.times, time.Now())
	s.token = r.Header.Get("Authorization")
	fault := s.fault
	s.mu.Unlock()
	if strings.Contains(r.URL.String(), "secret") {
		http.Error(w, "the token is in the URL", http.StatusTeapot)
		return
	}
	if fault != nil {
		fault(w, r)
		return
	}
	s.answer(w, r)
}

func (s *ipinfoServer) answer(w http.ResponseWriter, r *http.Request) {
	addr := strings.TrimPrefix(r.URL.Path, "/lite/")
	s.mu.Lock()
	fields, ok := s.known[addr]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = fmt.Fprintf(w, `{"ip":%q,%s}`, addr, fields)
}

func (s *ipinfoServer) setFault(fault http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *ipinfoServer) setKnown(addr, fields string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[addr] = fields
}

func (s *ipinfoServer) wantAsked(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Join(s.asked, " ") != strings.Join(want, " ") {
		t.Errorf("IPinfo was asked about %q, want %q", s.asked, want)
	}
	s.asked, s.times = nil, nil
}

func status(code int, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(code)
	}
}

const googleFields = `"asn":"AS15169","as_name":"Google LLC","as_domain":"google.com","country_code":"US","country":"United States"`

var google = Info{ASN: "AS15169", ASName: "Google LLC", Country: "US"}

func newIPInfoBench(t *testing.T, config Config) (*bench, *ipinfoServer) {
	t.Helper()
	server := &ipinfoServer{known: map[string]string{"8.8.8.8": googleFields, "2001:4860:4860::8888": googleFields, "9.9.9.9": `"bogon":true`, "1.1.1.1": `"country_code":"AU"`}}
	config.IPInfo.Token = "secret"
	return newBench(t, config, server), server
}

func TestIPInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, server := newIPInfoBench(t, Config{})
		b.run(t.Context())
		for _, addr := range []string{"8.8.8.8", "8.8.8.8", "2001:4860:4860::8888", "9.9.9.9", "1.1.1.1", "7.7.7.7"} {
			b.want(addr, Info{}, false)
		}
		b.pass(10 * time.Second)
		server.wantAsked(t, "8.8.8.8", "2001:4860:4860::8888", "9.9.9.9", "1.1.1.1", "7.7.7.7")
		server.mu.Lock()
		token := server.token
		server.mu.Unlock()
		if token != "Bearer secret" {
			t.Errorf("got the authorization %q", token)
		}
		for range 3 {
			b.want("8.8.8.8", google, true)
			b.want("::ffff:8.8.8.8", google, true)
			b.want("2001:4860:4860::8888", google, true)
			b.want("1.1.1.1", Info{Country: "AU"}, true)
			b.want("9.9.9.9", Info{}, true)
			b.want("7.7.7.7", Info{}, true) // A negative answer is remembered too.
			b.pass(time.Minute)
		}
		server.wantAsked(t)
		b.wantCounter("ipinfo", "hit", 3)
		b.wantCounter("ipinfo", "miss", 2)
		b.wantCounter("ipinfo", "error", 0)
	})
}

// TestIPInfoExpiry asks again when answers are old, and gives the old ones meanwhile.
func TestIPInfoExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, server := newIPInfoBench(t, Config{})
		b.run(t.Context())
		b.want("8.8.8.8", Info{}, false)
		b.want("7.7.7.7", Info{}, false)
		b.pass(time.Second)
		server.wantAsked(t, "8.8.8.8", "7.7.7.7")

		b.pass(24 * time.Hour)
		server.setKnown("7.7.7.7", `"asn":"AS7","as_name":"New"`)
		b.want("8.8.8.8", google, true)
		b.want("7.7.7.7", Info{}, true)
		b.pass(time.Second)
		server.wantAsked(t, "7.7.7.7")
		b.want("7.7.7.7", Info{ASN: "AS7", ASName: "New"}, true)

		b.pass(6 * 24 * time.Hour)
		server.setFault(status(http.StatusBadGateway, ""))
		b.want("8.8.8.8", google, true)
		b.pass(time.Hour)
		b.want("8.8.8.8", google, true)
		server.setFault(nil)
		server.setKnown("8.8.8.8", `"asn":"AS8"`)
		b.pass(time.Hour)
		b.want("8.8.8.8", Info{ASN: "AS8"}, true)
	})
}

// TestIPInfoNeverAsked looks up addresses that IPinfo must not learn of.
func TestIPInfoNeverAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, server := newIPInfoBench(t, Config{
			MMDB:     []string{fileOf(t, "asn.mmdb", asnMMDB(t, 13335, "Cloudflare"))},
			Networks: map[string][]netip.Prefix{"partner": prefixes("52.0.0.0/16")},
			Internal: prefixes("53.0.0.0/16", "2600:1f00::/32"),
		})
		b.run(t.Context())
		for _, addr := range []string{
			"10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255",
			"192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "::", "::1", "fe80::1", "fc00::1", "fd00::1", "ff02::1", "2001:db8::1", "2002:a00:1::1", "2001:0:a00::1",
			"64:ff9b::10.0.0.1", "64:ff9b:1::1", "4000::1", "53.0.0.1", "2600:1f00::1", "::ffff:10.0.0.1", "fe80::1%eth0", "::10.0.0.1", "fec0::1",
		} {
			b.want(addr, Info{}, true)
		}
		b.want("52.0.0.1", Info{Network: "partner"}, true) // The operator's own network is nobody else's business.
		b.want("1.1.1.1", Info{ASN: "AS13335", ASName: "Cloudflare"}, true)
		b.pass(time.Hour)
		server.wantAsked(t)
		b.want("64:ff9b::8.8.4.4", Info{}, false)
		b.pass(time.Second)
		server.wantAsked(t, "8.8.4.4")
	})
}

func TestIPInfoRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, server := newIPInfoBench(t, Config{})
		b.run(t.Context())
		for i := range 100 {
			b.e.Lookup(netip.AddrFrom4([4]byte{8, 8, 7, byte(i)}))
		}
		b.pass(time.Minute)
		server.mu.Lock()
		defer server.mu.Unlock()
		if len(server.times) != 100 {
			t.Fatalf("got %d requests, want 100", len(server.times))
		}
		for i := 1; i < len(server.times); i++ {
			if gap := server.times[i].Sub(server.times[i-1]); gap < 100*time.Millisecond {
				t.Fatalf("request %d came %s after the one before", i, gap)
			}
		}
	})
}

// TestIPInfoFaults lets IPinfo fail for an hour in different ways: nothing is final, requests are rare, and all is well afterwards.
func TestIPInfoFaults(t *testing.T) {
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	for _, c := range []struct {
		name        string
		fault       http.HandlerFunc
		log         string
		maxRequests int
	}{
		{"500", status(http.StatusInternalServerError, ""), "got status 500 Internal Server Error", 40},
		{"429", status(http.StatusTooManyRequests, ""), "got status 429 Too Many Requests", 40},
		{"429 with seconds", status(http.StatusTooManyRequests, "1800"), "got status 429", 3},
		{"429 with far too many seconds", status(http.StatusTooManyRequests, "99999999999"), "got status 429", 40},
		{"429 with a date", status(http.StatusTooManyRequests, "Sat, 01 Jan 2000 00:40:00 GMT"), "got status 429", 30},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		}, "got status 302 Found", 40},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "context deadline exceeded", 40},
		{"HTML", body("<html>Log in to the hotel's network</html>"), "decode answer of IPinfo", 40},
		{"JSON about something else", body(`{"status":"ok"}`), `got one about \"\", want 8.8.8.8`, 40},
		{"JSON about another address", body(`{"ip":"8.8.4.4","asn":"AS1"}`), `got one about \"8.8.4.4\", want 8.8.8.8`, 40},
		{"an endless answer", body(`{"ip":"8.8.8.8","x":"` + strings.Repeat("x", maxReplyBytes) + `"}`), "larger than 65536 bytes", 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, server := newIPInfoBench(t, Config{})
				server.setFault(c.fault)
				b.run(t.Context())
				for range 60 {
					b.want("8.8.8.8", Info{}, false)
					b.pass(time.Minute)
				}
				b.wantLog(c.log)
				if n := strings.Count(b.log.String(), "Asking IPinfo failed"); n != 1 {
					t.Errorf("the same failure was logged %d times:\n%s", n, b.log.String())
				}
				if strings.Contains(b.log.String(), "secret") {
					t.Errorf("the log holds the token:\n%s", b.log.String())
				}
				server.mu.Lock()
				requests := len(server.asked)
				server.mu.Unlock()
				if requests == 0 || requests > c.maxRequests {
					t.Errorf("got %d requests in an hour, want 1 to %d", requests, c.maxRequests)
				}
				b.wantCounter("ipinfo", "error", float64(requests))
				server.setFault(nil)
				b.pass(time.Hour)
				b.want("8.8.8.8", google, true)
				b.wantCounter("ipinfo", "hit", 1)
			})
		})
	}
}

// TestIPInfoOneBadAddress shows that an address that IPinfo fails on does not hold up the others.
func TestIPInfoOneBadAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, server := newIPInfoBench(t, Config{})
		server.setFault(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/7.7.7.7") {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			server.answer(w, r)
		})
		b.run(t.Context())
		b.want("7.7.7.7", Info{}, false)
		b.want("8.8.8.8", Info{}, false)
		b.pass(10 * time.Second)
		b.want("8.8.8.8", google, true)
		b.want("7.7.7.7", Info{}, false)
	})
}

func TestIPInfoTokenFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "token")
		b, server := newIPInfoBench(t, Config{IPInfo: IPInfoConfig{TokenFile: path}})
		server.setFault(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer good" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			server.answer(w, r)
		})
		b.run(t.Context())
		b.want("8.8.8.8", Info{}, true) // Without a token nobody is asked, so there is nothing to wait for.
		b.wantLog(`msg="Refused token file, IPinfo is asked with the last good token or not at all" key=enrichment.ipinfo_token_file file=`+path, "no such file or directory")
		b.wantCounter("ipinfo", "error", 1)

		writeInPlace(t, path, []byte("two words\n"))
		b.pass(settled)
		b.wantLog("token holds characters that no token has")
		writeInPlace(t, path, []byte(" \n"))
		b.pass(settled)
		b.wantLog("token is empty")

		writeInPlace(t, path, []byte("bad-token\n"))
		b.pass(settled)
		b.want("8.8.8.8", Info{}, true) // Known before, so it does not vanish while IPinfo is asked.
		b.want("8.8.4.4", Info{}, false)
		b.pass(time.Second)
		b.want("8.8.4.4", Info{}, true)
		b.wantLog("IPinfo refused the token", "got status 403 Forbidden")
		server.wantAsked(t, "8.8.8.8")
		b.pass(50 * time.Minute)
		b.want("8.8.4.4", Info{}, true)
		b.pass(time.Second)
		server.wantAsked(t)

		writeInPlace(t, path, []byte("good\r\n"))
		b.pass(settled)
		b.want("8.8.8.8", Info{}, true)
		b.pass(time.Second)
		b.want("8.8.8.8", google, true)

		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		b.pass(settled)
		b.want("8.8.8.8", google, true)
		if strings.Contains(b.log.String(), "two words") || strings.Contains(b.log.String(), "bad-token") {
			t.Errorf("the log holds a token:\n%s", b.log.String())
		}
	})
}

// TestIPInfoRefusedTokenIsTriedAgain has IPinfo refuse a token by mistake.
func TestIPInfoRefusedTokenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, server := newIPInfoBench(t, Config{})
		server.setFault(status(http.StatusUnauthorized, ""))
		b.run(t.Context())
		b.want("8.8.8.8", Info{}, false)
		b.pass(time.Second)
		b.want("8.8.8.8", Info{}, true)
		server.setFault(nil)
		b.pass(time.Hour + settled)
		b.want("8.8.8.8", Info{}, true)
		b.pass(time.Second)
		b.want("8.8.8.8", google, true)
	})
}

// TestIPInfoAnswersSurviveReload replaces a database: what IPinfo has said is not asked again, and what a database knows now comes before it.
func TestIPInfoAnswersSurviveReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		country := fileOf(t, "country.mmdb", countryMMDB(t, "AU"))
		b, server := newIPInfoBench(t, Config{MMDB: []string{country}})
		b.run(t.Context())
		b.want("8.8.8.8", Info{}, false)
		b.pass(time.Second)
		b.want("8.8.8.8", google, true)
		server.wantAsked(t, "8.8.8.8")
		rename(t, country, countryMMDB(t, "FR"))
		b.pass(settled)
		b.want("8.8.8.8", google, true)
		b.want("1.1.1.1", Info{Country: "FR"}, true)
		rename(t, country, asnMMDB(t, 13335, "Cloudflare"))
		b.pass(settled)
		b.want("8.8.8.8", Info{ASN: "AS15169"}, true)
		server.wantAsked(t)
		rename(t, country, mmdbWithout(t, "1.1.1.0/24"))
		b.pass(settled)
		b.want("1.1.1.1", Info{Country: "FR"}, true) // Until IPinfo has answered.
		b.want("8.8.8.8", google, true)
		b.pass(time.Second)
		b.want("1.1.1.1", Info{Country: "AU"}, true)
		server.wantAsked(t, "1.1.1.1")
	})
}

// TestIPInfoRealServer sends requests over a real connection: an answer that is cut short, and a redirect that must not get the token.
func TestIPInfoRealServer(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    error
	}{
		{"good", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"ip":"8.8.8.8",`+googleFields+`}`)
		}, nil},
		{"cut short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"ip":"8.8.8.8"}`)
		}, io.ErrUnexpectedEOF},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, &statusError{status: http.StatusTemporaryRedirect}},
		{"slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, context.DeadlineExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			b := newBench(t, Config{}, nil)
			b.e.client = newClient()
			defer b.e.client.CloseIdleConnections()
			config := b.e.config.IPInfo
			config.URL = server.URL + "/lite/"
			if c.name == "slow" {
				config.Timeout = 50 * time.Millisecond
			}
			got, err := b.e.askIPInfo(t.Context(), config, "secret", netip.MustParseAddr("8.8.8.8"))
			if c.want == nil && (err != nil || got.info != google) {
				t.Errorf("got %+v and the error %v, want %+v", got.info, err, google)
			}
			if status, ok := errors.AsType[*statusError](c.want); ok {
				if got, ok := errors.AsType[*statusError](err); !ok || *got != *status {
					t.Errorf("got the error %v, want %v", err, status)
				}
			} else if !errors.Is(err, c.want) {
				t.Errorf("got the error %v, want %v", err, c.want)
			}
		})
	}
}

func TestParseToken(t *testing.T) {
	for text, want := range map[string]Secret{"abc123": "abc123", " abc\r\n": "abc", "": "", "a b": "", "a\x00b": "", "é": "", strings.Repeat("a", 1025): ""} {
		got, err := ParseToken(text)
		if string(got) != string(want) || (err == nil) != (want != "") {
			t.Errorf("%q becomes %q with the error %v", text, string(got), err)
		}
		if err != nil && len(text) > 1 && strings.Contains(err.Error(), text) {
			t.Errorf("the error holds the token: %v", err)
		}
	}
}

func TestAskQueue(t *testing.T) {
	q := newAskQueue(2)
	addrs := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")}
	for range 2 {
		for _, addr := range addrs {
			q.add(addr)
		}
	}
	for _, want := range addrs[:2] {
		if got, ok := q.next(t.Context()); got != want || !ok {
			t.Errorf("got %s (%t), want %s", got, ok, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, ok := q.next(ctx); ok {
		t.Errorf("got %s after the end", got)
	}
}
