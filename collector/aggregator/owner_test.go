package aggregator_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
)

// window is a file of one flow log: what it says of the traffic of one interface in one five-minute window.
type window struct {
	flowLogID string
	number    int
	bytes     int
	rich      bool // rich: the format has columns that the other lacks.
	reject    bool
}

// commitWindows commits files and returns the bytes that were counted and those of overlapping flow logs.
func commitWindows(t *testing.T, windows ...window) (a *aggregator.Aggregator, counted, overlapping uint64) {
	t.Helper()
	a = newAggregator(aggregator.DefaultConfig())
	for _, w := range windows {
		end := now.Add(-6*time.Hour).Truncate(5*time.Minute).Unix() + int64(w.number)*300 + 59
		action := "ACCEPT"
		if w.reject {
			action = "REJECT"
		}
		header, row := "interface-id srcaddr dstaddr bytes flow-direction action", fmt.Sprintf("eni-1 10.0.0.1 10.0.0.2 %d egress %s", w.bytes, action)
		if w.rich {
			header, row = "vpc-id "+header, "vpc-1 "+row
		}
		files++
		file := aggregator.File{Identity: fmt.Sprintf("file-%d", files), AccountID: "123456789012", Region: "eu-west-3", FlowLogID: w.flowLogID}
		commitFile(t, a, file, delta(t, header, fmt.Sprintf("%s %d %d", row, end-59, end)))
	}
	s := a.Snapshot()
	return a, s.Dispositions[classifier.Counted].Bytes, s.Dispositions[classifier.OverlappingFlowLog].Bytes
}

func TestOverlappingFlowLogs(t *testing.T) {
	for name, test := range map[string]struct {
		windows              []window
		counted, overlapping uint64
	}{
		"one flow log, several files a window": {
			[]window{{"fl-1", 0, 1, false, false}, {"fl-1", 0, 2, false, false}, {"fl-1", 9, 4, false, false}, {"fl-1", 3, 8, false, false}}, 15, 0,
		},
		"the first that reports an interface owns it": {
			[]window{{"fl-1", 0, 1, false, false}, {"fl-2", 0, 1, false, false}, {"fl-2", 1, 2, false, false}, {"fl-1", 1, 2, false, false}}, 3, 3,
		},
		"a better format takes over from the next window on": {
			[]window{{"fl-old", 0, 1, false, false}, {"fl-old", 1, 2, false, false}, {"fl-new", 1, 2, true, false}, {"fl-old", 2, 4, false, false}, {"fl-new", 2, 4, true, false}, {"fl-new", 3, 8, true, false}, {"fl-old", 3, 8, false, false}}, 15, 14,
		},
		"a better format that comes first in its window": {
			[]window{{"fl-old", 0, 1, false, false}, {"fl-new", 1, 2, true, false}, {"fl-old", 1, 2, false, false}, {"fl-old", 0, 16, false, false}}, 19, 2,
		},
		"a format that tells less never takes over": {
			[]window{{"fl-new", 0, 1, true, false}, {"fl-old", 1, 2, false, false}, {"fl-new", 1, 2, true, false}}, 3, 2,
		},
		"a late file of a better format that has ended": {
			[]window{{"fl-old", 0, 1, false, false}, {"fl-old", 5, 2, false, false}, {"fl-new", 0, 1, true, false}, {"fl-old", 6, 4, false, false}, {"fl-old", 7, 8, false, false}}, 15, 1,
		},
		"a better format whose files come later": {
			[]window{{"fl-old", 0, 1, false, false}, {"fl-old", 1, 2, false, false}, {"fl-new", 0, 1, true, false}, {"fl-old", 2, 4, false, false}, {"fl-new", 1, 2, true, false}, {"fl-new", 2, 4, true, false}}, 7, 7,
		},
		"an owner that has been silent for an hour": {
			[]window{{"fl-1", 0, 1, false, false}, {"fl-2", 12, 2, false, false}, {"fl-2", 13, 4, false, false}, {"fl-1", 13, 4, false, false}}, 5, 6,
		},
		"windows before the owner's first": {
			[]window{{"fl-1", 5, 1, false, false}, {"fl-2", 2, 2, false, false}, {"fl-2", 3, 4, false, false}, {"fl-2", 5, 1, false, false}, {"fl-1", 6, 8, false, false}}, 15, 1,
		},
		"accepted and rejected traffic in flow logs of their own": {
			[]window{{"fl-reject", 0, 1, false, true}, {"fl-accept", 0, 2, false, false}, {"fl-reject", 1, 1, false, true}, {"fl-accept", 1, 4, false, false}}, 6, 0,
		},
		"files that do not name their flow log": {
			[]window{{"", 0, 1, false, false}, {"fl-1", 0, 2, false, false}, {"", 0, 4, false, false}}, 7, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, counted, overlapping := commitWindows(t, test.windows...)
			if counted != test.counted || overlapping != test.overlapping {
				t.Errorf("got %d bytes counted and %d overlapping, want %d and %d", counted, overlapping, test.counted, test.overlapping)
			}
		})
	}
}

// TestOverlappingFlowLogsInAnyOrder delivers the windows of two flow logs that log the same in random orders: each byte counts once.
func TestOverlappingFlowLogsInAnyOrder(t *testing.T) {
	seed := *orderSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("rerun with -order.seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	for range 200 {
		var windows []window
		for n := range 8 {
			for _, id := range []string{"fl-1", "fl-2"} {
				windows = append(windows, window{id, n, 1 << n, false, false})
			}
		}
		rng.Shuffle(len(windows), func(i, j int) { windows[i], windows[j] = windows[j], windows[i] })
		if _, counted, overlapping := commitWindows(t, windows...); counted != 255 || overlapping != 255 {
			t.Fatalf("windows %v: got %d bytes counted and %d overlapping, want 255 and 255", windows, counted, overlapping)
		}
	}
}

// TestManyWindowsInAnyOrder delivers a day of one flow log in a random order, more windows than reigns are remembered.
func TestManyWindowsInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	windows := make([]window, 60)
	for n := range windows {
		windows[n] = window{"fl-1", n, 1, false, false}
	}
	rng.Shuffle(len(windows), func(i, j int) { windows[i], windows[j] = windows[j], windows[i] })
	if _, counted, overlapping := commitWindows(t, windows...); counted != 60 || overlapping != 0 {
		t.Errorf("got %d bytes counted and %d overlapping", counted, overlapping)
	}
}

// TestSparseWindows delivers two flow logs of an interface with traffic every other hour one after the other, as a listing does: more reigns than are remembered.
func TestSparseWindows(t *testing.T) {
	var windows []window
	for _, id := range []string{"fl-1", "fl-2"} {
		for n := range 24 {
			windows = append(windows, window{id, 24 * (n - 24), 1, false, false})
		}
	}
	if _, counted, overlapping := commitWindows(t, windows...); counted != 24 || overlapping != 24 {
		t.Errorf("got %d bytes counted and %d overlapping", counted, overlapping)
	}
}

func TestFindings(t *testing.T) {
	a, _, _ := commitWindows(t, window{"fl-1", 0, 1, false, false}, window{"fl-2", 0, 1, false, false}, window{"fl-2", 1, 1, false, false})
	commit(t, a, header, conversation...)
	commit(t, a, "interface-id srcaddr dstaddr bytes flow-direction", "eni-pod 11.0.0.7 203.0.113.5 10 egress", "eni-pod 11.0.0.7 203.0.113.6 10 egress")
	commit(t, a, header, conversation...)
	var got []string
	for _, f := range a.TakeFindings() {
		got = append(got, fmt.Sprintf("%d %s %s %s %s %s", f.Kind, f.AccountID, f.Region, f.Interface, f.FlowLogID, f.Detail))
	}
	slices.Sort(got)
	want := []string{
		"0 123456789012 eu-west-3 eni-nat unknown learned",
		"1 123456789012 eu-west-3 eni-pod unknown 11.0.0.7",
		"2 123456789012 eu-west-3 eni-1 fl-2 fl-1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if again := a.TakeFindings(); len(again) != 0 {
		t.Errorf("told again: %v", again)
	}
}

// at appends the start and end of a row that ends so long before now.
func at(row string, before time.Duration) string {
	end := now.Add(-before).Unix()
	return fmt.Sprintf("%s %d %d", row, end-60, end)
}

// TestAddressOfAnother lets an address go from a client of a NAT gateway to an instance with a direct route, and back.
func TestAddressOfAnother(t *testing.T) {
	const header = "interface-id instance-id vpc-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes flow-direction traffic-path"
	nat := []string{
		"eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 ingress -",
		"eni-nat - vpc-1 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 egress 8",
	}
	for name, test := range map[string]struct {
		direct time.Duration // How long after the gateway's rows those of the other instance come.
		want   string
	}{
		"at the same time":        {0, "client_view"},
		"some minutes later":      {20 * time.Minute, "client_view"},
		"hours later":             {3 * time.Hour, "counted"},
		"hours before, read late": {-3 * time.Hour, "counted"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAggregator(aggregator.DefaultConfig())
			commit(t, a, header, at(nat[0], 5*time.Hour), at(nat[1], 5*time.Hour))
			commit(t, a, header, at("eni-web i-7 vpc-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 7 ingress -", 5*time.Hour-test.direct))
			pass(t, a, 2*time.Hour)
			s := a.Snapshot()
			got := map[bool]string{true: "client_view", false: "counted"}[s.Dispositions[classifier.ClientView].Records == 1]
			if got != test.want || s.Held.Records != 0 {
				t.Errorf("got\n%s\nwant the instance's row as %s", totals(a), test.want)
			}
		})
	}
}

// TestRouteChanges moves a client from a NAT gateway to an internet gateway: an hour later its old route is forgotten.
func TestRouteChanges(t *testing.T) {
	const header = "interface-id instance-id vpc-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes flow-direction traffic-path"
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, header,
		at("eni-nat - vpc-1 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 ingress -", 5*time.Hour),
		at("eni-nat - vpc-1 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 egress 8", 5*time.Hour),
		at("eni-cli i-1 vpc-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000 egress 1", 5*time.Hour),
		at("eni-cli i-1 vpc-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 500 ingress -", 5*time.Hour))
	commit(t, a, header,
		at("eni-cli i-1 vpc-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 10 egress 8", 2*time.Hour),
		at("eni-cli i-1 vpc-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 20 ingress -", 2*time.Hour))
	pass(t, a, 3*time.Hour)
	if got := a.Snapshot().Dispositions[classifier.ClientView]; got.Bytes != 1500 {
		t.Errorf("got\n%s\nwant 1500 bytes of client views", totals(a))
	}
}

// TestGatewayNoLonger lets the interface of a NAT instance become that of an ordinary one: after an hour without clients it is learned anew.
func TestGatewayNoLonger(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, header,
		at("eni-1 i-9 10.0.1.5 10.0.0.9 10.0.1.5 203.0.113.5 1000", 5*time.Hour), at("eni-1 i-9 10.0.0.9 203.0.113.5 10.0.0.9 203.0.113.5 1000", 5*time.Hour))
	own := "eni-1 i-9 10.0.0.9 203.0.113.5 10.0.0.9 203.0.113.5 7"
	commit(t, a, header, at(own, 230*time.Minute))
	commit(t, a, header, at(own, 200*time.Minute))
	pass(t, a, 2*time.Hour)
	s := a.Snapshot()
	if len(s.Gateways) != 0 || s.Dispositions[classifier.Counted].Bytes != 1014 {
		t.Errorf("got gateways %+v and\n%s", s.Gateways, totals(a))
	}
}

// TestPodsMove lets a pod with a public address move from a node to another one that talks to it: neither is a NAT instance.
func TestPodsMove(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, header, at("eni-node i-1 10.0.2.3 10.0.0.9 10.0.2.3 11.0.0.7 1000", 8*time.Hour))
	commit(t, a, header, at("eni-node i-1 10.0.0.9 11.0.0.8 10.0.0.9 11.0.0.8 10", 5*time.Hour))
	commit(t, a, header, at("eni-node i-1 10.0.0.9 11.0.0.7 10.0.0.9 11.0.0.7 10", 4*time.Hour))
	pass(t, a, 2*time.Hour)
	if s := a.Snapshot(); len(s.Gateways) != 0 || s.Dispositions[classifier.Counted].Bytes != 1020 {
		t.Errorf("got gateways %+v and\n%s", s.Gateways, totals(a))
	}
}

// TestQuietClient lets a client of a NAT gateway be quiet for hours but for a stray packet: its first real rows wait for the gateway's, which come later.
func TestQuietClient(t *testing.T) {
	a := newAggregator(aggregator.DefaultConfig())
	commit(t, a, header, at("eni-client i-1 198.51.100.9 10.0.1.5 198.51.100.9 10.0.1.5 40", 10*time.Hour))
	pass(t, a, -6*time.Hour)
	commit(t, a, header, at(conversation[4], 3*time.Hour), at(conversation[5], 3*time.Hour))
	commit(t, a, header, at(conversation[0], 3*time.Hour), at(conversation[1], 3*time.Hour), at(conversation[2], 3*time.Hour), at(conversation[3], 3*time.Hour))
	pass(t, a, 2*time.Hour)
	if got := a.Snapshot().Dispositions[classifier.Counted].Bytes; got != 51_040 {
		t.Errorf("got\n%s", totals(a))
	}
}
