package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// TestBodyWriter breaks, changes and watches bodies that are written in pieces of any size.
func TestBodyWriter(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		whole := make([]byte, 2+rng.IntN(3000))
		for i := range whole {
			whole[i] = byte(rng.IntN(256))
		}
		piece, share, breaks := 1+rng.IntN(len(whole)), rng.IntN(1000), rng.IntN(2) == 0
		var events []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			b := &bodyWriter{ResponseWriter: w, at: -1}
			b.half = func() { events = append(events, fmt.Sprint("half ", b.sent)) }
			b.end = func() { events = append(events, fmt.Sprint("end ", b.sent)) }
			if breaks {
				b.share, b.then = share, func() {
					events = append(events, fmt.Sprint("break ", b.sent))
					panic(http.ErrAbortHandler)
				}
			}
			b.Header().Set("Content-Length", strconv.Itoa(len(whole)))
			for from := 0; from < len(whole); from += piece {
				if _, err := b.Write(whole[from:min(from+piece, len(whole))]); err != nil {
					panic(err)
				}
			}
		}))
		response, err := http.Get(server.URL)
		var got []byte
		if err == nil {
			got, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		server.Close()
		at := len(whole) * share / 1000
		want := []string{fmt.Sprint("half ", len(whole)/2), fmt.Sprint("end ", len(whole))}
		switch {
		case breaks && at < len(whole)/2:
			want = []string{fmt.Sprint("break ", at)}
		case breaks:
			want = []string{want[0], fmt.Sprint("break ", at)}
		default:
			at = len(whole)
		}
		if fmt.Sprint(events) != fmt.Sprint(want) || breaks != (err != nil) || !bytes.Equal(got, whole[:len(got)]) || len(got) > at {
			t.Fatalf("seed %d: %d bytes by %d, break at %d: got events %q, want %q, %d bytes and error %v", seed, len(whole), piece, at, events, want, len(got), err)
		}
	}
}

// TestBodyWriterMangles changes a body and leaves error documents and the writer's bytes as they are.
func TestBodyWriterMangles(t *testing.T) {
	for _, c := range []struct {
		status int
		want   string
	}{{http.StatusOK, "cdab"}, {http.StatusNotFound, "abcd"}} {
		w := httptest.NewRecorder()
		b := &bodyWriter{ResponseWriter: w, at: -1, mangle: swapHalves, half: func() {}, end: func() {}}
		b.Header().Set("Content-Length", "4")
		b.WriteHeader(c.status)
		body := []byte("abcd")
		if _, err := b.Write(body); err != nil || w.Body.String() != c.want || string(body) != "abcd" {
			t.Errorf("status %d: got %q and %v, want %q; the writer's are %q", c.status, w.Body, err, c.want, body)
		}
	}
}

func TestHurried(t *testing.T) {
	for seconds, want := range map[int]int{0: 0, 10: 10, 15: 0, 59: 0, 240: 1, 900: 1} {
		got := hurried(fmt.Appendf(nil, `{"QueueUrl":"q","ReceiptHandle":"h","VisibilityTimeout":%d}`, seconds))
		var out struct {
			QueueURL          string `json:"QueueUrl"`
			ReceiptHandle     string
			VisibilityTimeout int
		}
		if err := json.Unmarshal(got, &out); err != nil || out.VisibilityTimeout != want || out.QueueURL != "q" || out.ReceiptHandle != "h" {
			t.Errorf("%d seconds: got %s and %v, want %d", seconds, got, err, want)
		}
	}
	for _, odd := range []string{"", "{", `{"VisibilityTimeout":"900"}`, `{}`} {
		if got := string(hurried([]byte(odd))); got != odd {
			t.Errorf("%q: got %q", odd, got)
		}
	}
}

func TestReversed(t *testing.T) {
	for in, want := range map[string]string{
		`{"Messages":[{"a":1},{"b":"x"},{"c":3}]}`: `{"Messages":[{"c":3},{"b":"x"},{"a":1}]}`,
		`{"Messages":[{"a":1},{"b":2}]}`:           `{"Messages":[{"b":2},{"a":1}]}`,
		`{"Messages":[{"a":1}]}`:                   `{"Messages":[{"a":1}]}`,
		`{"Messages":[{"a":"<"},{"b":2}]}`:         `{"Messages":[{"a":"<"},{"b":2}]}`, // It would become longer.
		`{}`:                                       `{}`,
		`<html>`:                                   `<html>`,
	} {
		if got := string(reversed([]byte(in))); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

const page = `# TYPE vpcflow_nat_bytes_total counter
vpcflow_nat_bytes_total{account_id="1",region="r",nat_gateway="n",direction="egress",aws_service="none"} 5
# TYPE vpcflow_bytes_total counter
vpcflow_bytes_total{account_id="1",region="r",direction="egress",path="nat",aws_service="none"} 9007199254740991
# TYPE vpcflow_packets_total counter
vpcflow_packets_total{account_id="1",region="r",direction="egress",path="nat"} 7
# TYPE vpcflow_records_total counter
vpcflow_records_total{disposition="counted"} 2
# TYPE vpcflow_observed_bytes_total counter
vpcflow_observed_bytes_total{disposition="counted"} 8
# TYPE vpcflow_files_total counter
vpcflow_files_total{result="processed"} 3
vpcflow_files_total{result="failed"} 30
# TYPE vpcflow_file_decompressed_bytes_total counter
vpcflow_file_decompressed_bytes_total 100
# TYPE vpcflow_held_records gauge
vpcflow_held_records 4
`

// TestTotals reads a page and tells apart any page that has another number.
func TestTotals(t *testing.T) {
	want, err := parseTotals(page)
	if err != nil {
		t.Fatal(err)
	}
	bytesKey := flowgen.BytesKey{AccountID: "1", Region: "r", Direction: flowgen.Egress, Path: flowgen.PathNAT, Service: "none"}
	if want.ledger.Bytes[bytesKey] != 1<<53-1 || want.ledger.TotalNATBytes() != 5 || want.processed != 3 || want.inflated != 100 || want.held != 4 {
		t.Errorf("got %+v", want)
	}
	if d := want.diff(want) + want.fallen(want); d != "" {
		t.Errorf("a page differs from itself: %s", d)
	}
	lines := strings.SplitAfter(page, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "#") || line == "" || strings.Contains(line, "failed") {
			continue
		}
		changed := append([]string(nil), lines...)
		changed[i] = line[:strings.LastIndexByte(line, ' ')] + " 1\n"
		got, err := parseTotals(strings.Join(changed, ""))
		if err != nil {
			t.Fatal(err)
		}
		if want.diff(got) == "" {
			t.Errorf("%q does not differ from %q", changed[i], line)
		}
		isGauge := strings.Contains(line, "held")
		if (want.fallen(got) == "") != isGauge || got.fallen(want) != "" {
			t.Errorf("%q after %q: fell %q, before it: %q", changed[i], line, want.fallen(got), got.fallen(want))
		}
	}
	if _, err := parseTotals("vpcflow{"); err == nil {
		t.Error("half a page was read")
	}
}

// TestPlan kills at all points, and often enough at each.
func TestPlan(t *testing.T) {
	const seed, kills = 1, 60
	found := map[trigger]int{}
	for _, k := range newPlan(rand.New(rand.NewPCG(seed, 0)), kills) {
		found[k.on]++
	}
	for on, least := range map[trigger]int{halfRead: 10, allRead: 20, deleteAsked: 10, deleteDone: 1, deleteTold: 1, requestCounts: 10} {
		if found[on] < least {
			t.Errorf("%s: got %d of %d kills, want %d", on, found[on], kills, least)
		}
	}
}

// TestWeather meets requests with faults until it is calm.
func TestWeather(t *testing.T) {
	w := newWeather(rand.New(rand.NewPCG(1, 0)))
	for range 20_000 {
		w.draw(s3Chances)
	}
	for _, c := range s3Chances {
		if w.counts()[c.kind] == 0 {
			t.Errorf("there was no %s", c.kind)
		}
	}
	w.settle()
	for range 1000 {
		if kind := w.draw(s3Chances); kind != "" {
			t.Fatalf("got %s in calm weather", kind)
		}
	}
}

func TestKillsWantState(t *testing.T) {
	if _, err := Run(t.Context(), Config{Kills: 1, Rounds: 1}); err == nil {
		t.Error("a process without a durable state was to be killed")
	}
}
