package enrich

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vpcflow/vpcflow_exporter/internal/testlog"
)

// handlerTransport answers requests without a network, so that they can be part of a synctest bubble, in which hours pass at once.
type handlerTransport struct{ handler http.Handler }

func (h handlerTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	h.handler.ServeHTTP(recorder, request)
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// A bench is an Enricher and what can be seen of it.
type bench struct {
	t        testing.TB
	e        *Enricher
	registry *prometheus.Registry
	log      testlog.Buffer
}

// newBench returns an Enricher that does not run yet. Its requests go to the handler.
func newBench(t testing.TB, config Config, handler http.Handler) *bench {
	t.Helper()
	b := &bench{t: t, registry: prometheus.NewPedanticRegistry()}
	deps := Deps{
		Logger:     slog.New(slog.NewTextHandler(&b.log, nil)),
		Registerer: b.registry,
		Client:     &http.Client{Transport: handlerTransport{handler}},
	}
	e, err := New(config, deps)
	if err != nil {
		t.Fatal(err)
	}
	b.e = e
	return b
}

// run starts the Enricher; it ends with the test, or the bubble says that it has not.
func (b *bench) run(ctx context.Context) {
	go b.e.Run(ctx)
	synctest.Wait()
}

// pass lets time pass.
func (b *bench) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bench) want(addr string, want Info, final bool) {
	b.t.Helper()
	got, gotFinal := b.e.Lookup(netip.MustParseAddr(addr))
	if got != want || gotFinal != final {
		b.t.Fatalf("%s: got %+v (final %t), want %+v (final %t)\n%s", addr, got, gotFinal, want, final, b.log.String())
	}
}

func (b *bench) wantCounter(source, result string, want float64) {
	b.t.Helper()
	metrics, err := b.registry.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, metric := range metrics[0].GetMetric() {
		if metric.GetLabel()[1].GetValue() == source && metric.GetLabel()[0].GetValue() == result {
			if got := metric.GetCounter().GetValue(); got != want {
				b.t.Errorf("source %s has %v times the result %s, want %v\n%s", source, got, result, want, b.log.String())
			}
			return
		}
	}
	b.t.Errorf("source %s has no result %s", source, result)
}

func (b *bench) wantLog(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if !strings.Contains(b.log.String(), text) {
			b.t.Errorf("the log lacks %q:\n%s", text, b.log.String())
		}
	}
}

// file writes a file of the test and returns its path.
func (b *bench) file(name string, data []byte) string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), name)
	writeInPlace(b.t, path, data)
	return path
}

func fileOf(t testing.TB, name string, data []byte) string {
	t.Helper()
	return (&bench{t: t}).file(name, data)
}

const (
	pollInterval = 30 * time.Second
	settled      = 2 * pollInterval // After so long a file that has changed was read.
)

func TestLookupSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{
			MMDB:     []string{fileOf(t, "asn.mmdb", asnMMDB(t, 13335, "Cloudflare, Inc.")), fileOf(t, "country.mmdb", countryMMDB(t, "AU"))},
			IPRanges: fileOf(t, "ip-ranges.json", rangesJSON(t, rangesEntry{"1.1.1.0/24", "eu-west-3", "S3"}, rangesEntry{"1.1.9.0/24", "GLOBAL", "CLOUDFRONT"})),
			Networks: map[string][]netip.Prefix{"resolver": prefixes("1.1.1.1/32"), "vpc": prefixes("10.0.0.0/8"), "odd": prefixes("1.1.8.0/24")},
			Internal: prefixes("1.1.8.0/24"),
		}, nil)
		b.want("10.1.2.3", Info{Network: "vpc"}, false) // Nothing is final before Run has read the files.
		b.run(t.Context())
		b.want("1.1.1.1", Info{ASN: "AS13335", ASName: "Cloudflare, Inc.", Country: "AU", AWSService: "S3", AWSRegion: "eu-west-3", Network: "resolver"}, true)
		b.want("1.1.1.2", Info{ASN: "AS13335", ASName: "Cloudflare, Inc.", Country: "AU", AWSService: "S3", AWSRegion: "eu-west-3"}, true)
		b.want("::ffff:1.1.1.2", Info{ASN: "AS13335", ASName: "Cloudflare, Inc.", Country: "AU", AWSService: "S3", AWSRegion: "eu-west-3"}, true)
		b.want("64:ff9b::1.1.1.2", Info{ASN: "AS13335", ASName: "Cloudflare, Inc.", Country: "AU", AWSService: "S3", AWSRegion: "eu-west-3"}, true)
		b.want("1.1.9.1", Info{Country: "AU", AWSService: "CLOUDFRONT", AWSRegion: "GLOBAL"}, true)
		b.want("8.8.8.8", Info{ASN: "AS15169"}, true)
		b.want("2606:4700::1", Info{Country: "AU"}, true)
		b.want("10.1.2.3", Info{Network: "vpc"}, true)
		b.want("1.1.8.1", Info{Network: "odd"}, true) // Internal: the databases mean somebody else.
		b.want("9.9.9.9", Info{}, true)
		b.want("fe80::1%eth0", Info{}, true)
		if info, final := b.e.Lookup(netip.Addr{}); info != (Info{}) || !final {
			t.Errorf("no address has %+v (final %t)", info, final)
		}
		b.wantCounter("cache", "hit", 2)
		b.wantCounter("cache", "miss", 10)
		b.wantCounter("mmdb", "hit", 5)
		b.wantCounter("mmdb", "miss", 1)
		b.wantCounter("ip_ranges", "hit", 3)
		b.wantCounter("networks", "hit", 4)
		b.wantLog("Loaded database", "type=GeoLite2-ASN", "type=GeoLite2-Country", "Loaded address ranges of AWS", "prefixes=2", "sync_token=1787411825")
	})
}

func TestReloadDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asn, country := fileOf(t, "asn.mmdb", asnMMDB(t, 13335, "Before")), fileOf(t, "country.mmdb", []byte("not a database"))
		b := newBench(t, Config{MMDB: []string{asn, country}}, nil)
		b.run(t.Context())
		b.want("1.1.1.1", Info{ASN: "AS13335", ASName: "Before"}, true)
		b.wantLog(`level=ERROR msg="Refused database, the last good one stays in use" key=enrichment.mmdb[1] file=`+country, "loaded=false", "invalid MaxMind DB file")
		b.wantCounter("mmdb", "error", 1)

		rename(t, asn, asnMMDB(t, 13335, "After"))
		rename(t, country, countryMMDB(t, "AU"))
		b.pass(settled)
		b.want("1.1.1.1", Info{ASN: "AS13335", ASName: "After", Country: "AU"}, true)

		whole := asnMMDB(t, 13335, "Broken")
		writeInPlace(t, asn, whole[:len(whole)-100])
		b.pass(settled)
		b.want("1.1.1.1", Info{ASN: "AS13335", ASName: "After", Country: "AU"}, true)
		b.wantLog("key=enrichment.mmdb[0] file=" + asn + " loaded=true")
		b.wantCounter("mmdb", "error", 2)
		b.pass(10 * settled)
		b.wantCounter("mmdb", "error", 2) // Said once, not at each poll.

		if err := os.Remove(asn); err != nil {
			t.Fatal(err)
		}
		b.pass(settled)
		b.want("1.1.1.1", Info{ASN: "AS13335", ASName: "After", Country: "AU"}, true)
		b.wantLog("no such file or directory")

		rename(t, asn, asnMMDB(t, 13335, "Mended"))
		b.pass(settled)
		b.want("1.1.1.1", Info{ASN: "AS13335", ASName: "Mended", Country: "AU"}, true)
	})
}

func TestReconfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := fileOf(t, "first.mmdb", asnMMDB(t, 1, "First")), fileOf(t, "second.mmdb", asnMMDB(t, 2, "Second"))
		ranges := fileOf(t, "ip-ranges.json", rangesJSON(t, rangesEntry{"1.1.1.0/24", "eu-west-3", "S3"}))
		config := Config{MMDB: []string{first}, IPRanges: ranges, Networks: map[string][]netip.Prefix{"a": prefixes("1.1.1.0/24")}}
		b := newBench(t, config, nil)
		b.run(t.Context())
		b.want("1.1.1.1", Info{ASN: "AS1", ASName: "First", AWSService: "S3", AWSRegion: "eu-west-3", Network: "a"}, true)

		config.Networks = map[string][]netip.Prefix{"a": prefixes("1.1.1.0/24"), "b": prefixes("1.1.1.0/24")}
		if err := b.e.Reconfigure(config); err == nil {
			t.Fatal("a network with two names is no error")
		}
		b.want("1.1.1.1", Info{ASN: "AS1", ASName: "First", AWSService: "S3", AWSRegion: "eu-west-3", Network: "a"}, true)

		config.Networks = map[string][]netip.Prefix{"b": prefixes("1.1.1.0/24")}
		config.MMDB = []string{second, first}
		if err := b.e.Reconfigure(config); err != nil {
			t.Fatal(err)
		}
		b.want("1.1.1.1", Info{ASN: "AS1", ASName: "First", AWSService: "S3", AWSRegion: "eu-west-3", Network: "b"}, true) // The file takes Run a moment.
		synctest.Wait()
		b.want("1.1.1.1", Info{ASN: "AS2", ASName: "Second", AWSService: "S3", AWSRegion: "eu-west-3", Network: "b"}, true)

		if err := b.e.Reconfigure(Config{MMDB: []string{first}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.want("1.1.1.1", Info{ASN: "AS1", ASName: "First"}, true)
		if b.e.Ranges() != nil {
			t.Error("ranges are still there without a place to read them from")
		}
	})
}

func TestEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{CacheSize: 10}, nil)
		b.run(t.Context())
		for i := range 25 {
			b.want(fmt.Sprintf("10.0.0.%d", i), Info{}, true)
		}
		b.wantCounter("cache", "evicted", 15)
		b.wantCounter("cache", "miss", 25)
		b.want("10.0.0.24", Info{}, true)
		b.wantCounter("cache", "hit", 1)
		if err := b.e.Reconfigure(Config{CacheSize: 4}); err != nil {
			t.Fatal(err)
		}
		b.wantCounter("cache", "evicted", 21)
	})
}

// TestFinalOnce looks at an address every second through random changes of all sources: an answer that was final stays final, and changes at most once
// for each change of a source.
func TestFinalOnce(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 4))
			asn, ranges := fileOf(t, "asn.mmdb", asnMMDB(t, 1, "First")), fileOf(t, "ip-ranges.json", rangesJSON(t, rangesEntry{"1.1.1.0/24", "r0", "S3"}))
			answers := &ipinfoServer{known: map[string]string{"1.1.1.1": `"asn":"AS9","as_name":"IPinfo"`}}
			b := newBench(t, Config{MMDB: []string{asn}, IPRanges: ranges, IPInfo: IPInfoConfig{Token: "secret"}}, answers)
			b.run(t.Context())
			addr := netip.MustParseAddr("1.1.1.1")
			last, _ := b.e.Lookup(addr)
			changes, seen := 0, 0
			for second := range 2000 {
				if second%90 == 0 {
					changes++
					switch random.IntN(4) {
					case 0:
						rename(t, asn, asnMMDB(t, random.Uint32N(5), "Another"))
					case 1:
						rename(t, asn, countryMMDB(t, []string{"AU", "FR"}[random.IntN(2)]))
					case 2:
						rename(t, asn, []byte("broken"))
					case 3:
						rename(t, ranges, rangesJSON(t, rangesEntry{"1.1.1.0/24", fmt.Sprint("r", second), "S3"}))
					}
				}
				b.pass(time.Second)
				info, final := b.e.Lookup(addr)
				if !final {
					t.Fatalf("seed %d: the answer is not final any more after %d s\n%s", seed, second, b.log.String())
				}
				if info != last {
					seen++
					last = info
				}
			}
			if seen > changes || seen == 0 {
				t.Errorf("seed %d: %d changes of the sources changed the answer %d times", seed, changes, seen)
			}
		})
	}
}

// TestConcurrentLookups is for the race detector: look-ups while sources change.
func TestConcurrentLookups(t *testing.T) {
	asn := fileOf(t, "asn.mmdb", asnMMDB(t, 1, "First"))
	var requests sync.Map
	b := newBench(t, Config{
		MMDB: []string{asn}, IPRanges: "https://ranges.example/", PollInterval: time.Millisecond, CacheSize: 50,
		IPInfo: IPInfoConfig{Token: "secret", Interval: time.Microsecond},
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Store(r.URL.Path, true)
		if r.URL.Host == "ranges.example" {
			_, _ = w.Write(rangesJSON(t, rangesEntry{"1.1.1.0/24", "r", "S3"}))
			return
		}
		_, _ = fmt.Fprintf(w, `{"ip":%q,"asn":"AS9"}`, strings.TrimPrefix(r.URL.Path, "/lite/"))
	}))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.e.Run(ctx) })
	for worker := range 4 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 5))
			for ctx.Err() == nil {
				info, _ := b.e.Lookup(netip.AddrFrom4([4]byte{1, 1, byte(random.IntN(3)), byte(random.IntN(256))}))
				checkInfo(t, info)
				service, _, ok := b.e.Ranges().Lookup(0, v4Mapped|0x01010101)
				if ok != (service == "S3") {
					t.Errorf("got the service %q", service)
				}
			}
		})
	}
	deadline := time.Now().Add(time.Minute)
	for i := 0; i < 50 && time.Now().Before(deadline); i++ {
		loaded := b.e.current.Load().generation
		rename(t, asn, asnMMDB(t, uint32(i+2), "Another"))
		if i%10 == 0 {
			if err := b.e.Reconfigure(Config{MMDB: []string{asn}, PollInterval: time.Millisecond, CacheSize: 50 + i, IPInfo: IPInfoConfig{Token: "secret", Interval: time.Microsecond}}); err != nil {
				t.Error(err)
			}
		}
		for b.e.current.Load().generation == loaded && time.Now().Before(deadline) {
			b.e.Lookup(netip.MustParseAddr("1.1.1.1"))
		}
	}
	cancel()
	wg.Wait()
	if !time.Now().Before(deadline) {
		t.Error("the changed files were not read in time")
	}
}

func TestMetricsLint(t *testing.T) {
	b := newBench(t, Config{}, nil)
	if problems, err := testutil.GatherAndLint(b.registry); err != nil || len(problems) > 0 {
		t.Errorf("got %v and the error %v", problems, err)
	}
	if n, err := testutil.GatherAndCount(b.registry, "vpcflow_enrichment_lookups_total"); n != 15 || err != nil {
		t.Errorf("got %d series and the error %v, want 15", n, err)
	}
}

func TestLookupHitAllocatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, nil)
		b.run(t.Context())
		addr := netip.MustParseAddr("1.1.1.1")
		b.e.Lookup(addr)
		if n := testing.AllocsPerRun(100, func() { b.e.Lookup(addr) }); n != 0 {
			t.Errorf("a look-up that the cache answers allocates %v times, want none", n)
		}
	})
}

func TestSecretIsNeverPrinted(t *testing.T) {
	config := Config{IPInfo: IPInfoConfig{Token: "s3cr3t"}}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("Test", "config", config, "token", config.IPInfo.Token)
	for _, printed := range []string{fmt.Sprint(config), fmt.Sprintf("%+v", config), fmt.Sprintf("%#v", config), fmt.Sprintf("%q", config.IPInfo.Token), b.String()} {
		if strings.Contains(printed, "s3cr3t") {
			t.Errorf("%s holds the token", printed)
		}
	}
}

func BenchmarkLookupHit(b *testing.B) {
	e := newBench(b, Config{}, nil).e
	e.update(func(s *sources) { s.tried = true })
	addr := netip.MustParseAddr("1.1.1.1")
	b.ReportAllocs()
	for b.Loop() {
		if _, final := e.Lookup(addr); !final {
			b.Fatal("the answer is not final")
		}
	}
}

func BenchmarkLookupMiss(b *testing.B) {
	e := newBench(b, Config{CacheSize: 1}, nil).e
	data, country := asnMMDB(b, 13335, "Cloudflare, Inc."), countryMMDB(b, "AU")
	first, err := openDatabase(data)
	if err != nil {
		b.Fatal(err)
	}
	second, err := openDatabase(country)
	if err != nil {
		b.Fatal(err)
	}
	e.update(func(s *sources) { s.databases = []*database{first, second} })
	addrs := []netip.Addr{netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("1.1.1.2")}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if info, _ := e.Lookup(addrs[i&1]); info.Country != "AU" {
			b.Fatalf("got %+v", info)
		}
		i++
	}
}
