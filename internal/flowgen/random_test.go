package flowgen_test

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

const seeds = 30

func eachScenario(t *testing.T, check func(t *testing.T, s flowgen.Scenario)) {
	t.Helper()
	for seed := range uint64(seeds) {
		s := flowgen.Random(seed, flowgen.Options{})
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { check(t, s) })
	}
}

func allFiles(s flowgen.Scenario) []flowgen.File { return slices.Concat(s.Leading, s.Files, s.Closing) }

// managed are the gateways that an operator can configure.
func managed(s flowgen.Scenario) []*flowgen.Gateway {
	return slices.DeleteFunc(slices.Clone(s.Gateways), (*flowgen.Gateway).IsInstance)
}

// dataLines returns a file's lines after the header, cut into fields.
func dataLines(t *testing.T, f flowgen.File) [][]string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(string(f.Text), "\n"), "\n")
	if lines[0] != f.FlowLog.Format.Header() {
		t.Fatalf("%s begins with %q, not its format's header", f.Key, lines[0])
	}
	var out [][]string
	for _, line := range lines[1:] {
		out = append(out, strings.Fields(line))
	}
	return out
}

func TestSameSeedSameScenario(t *testing.T) {
	for seed := range uint64(5) {
		a, b := flowgen.Random(seed, flowgen.Options{}), flowgen.Random(seed, flowgen.Options{})
		if a.String() != b.String() {
			t.Errorf("seed %d describes itself in two ways:\n%s\n%s", seed, a, b)
		}
		if diff := a.Ledger.Diff(b.Ledger); diff != "" {
			t.Errorf("seed %d has two ledgers:\n%s", seed, diff)
		}
		same := func(x, y flowgen.File) bool { return x.Key == y.Key && string(x.Text) == string(y.Text) }
		if !slices.EqualFunc(allFiles(a), allFiles(b), same) {
			t.Errorf("seed %d has two sets of files", seed)
		}
		if c := flowgen.Random(seed+1000, flowgen.Options{}); c.Ledger.Diff(a.Ledger) == "" {
			t.Errorf("seeds %d and %d have one ledger", seed, seed+1000)
		}
	}
}

func TestRecordsAreConserved(t *testing.T) {
	eachScenario(t, func(t *testing.T, s flowgen.Scenario) {
		booked := uint64(0)
		for _, f := range allFiles(s) {
			lines := dataLines(t, f)
			if len(lines) != f.Lines {
				t.Errorf("%s has %d data lines, says %d", f.Key, len(lines), f.Lines)
			}
			booked += uint64(len(lines))
		}
		if got := s.Ledger.TotalRecords(); got != booked {
			t.Errorf("the ledger has %d records, the files have %d lines", got, booked)
		}
	})
}

func TestLinesHaveTheFormatsFields(t *testing.T) {
	eachScenario(t, func(t *testing.T, s flowgen.Scenario) {
		odd := uint64(0)
		for _, f := range allFiles(s) {
			for _, line := range dataLines(t, f) {
				if len(line) != len(f.FlowLog.Format.Fields()) {
					odd++
				}
			}
		}
		if odd > s.Ledger.Records[flowgen.Malformed] {
			t.Errorf("%d lines have another number of fields than their header, only %d are malformed", odd, s.Ledger.Records[flowgen.Malformed])
		}
	})
}

// TestNATBytesAreThoseOfLegsAAndD sums the legs by what the scenario says of its gateways, in formats that show all that is needed for it.
func TestNATBytesAreThoseOfLegsAAndD(t *testing.T) {
	for seed := range uint64(seeds) {
		s := flowgen.Random(seed, flowgen.Options{Recognition: flowgen.Typed, Format: flowgen.FieldNames(11), Everyday: true})
		labels := make(map[string]bool)
		for _, g := range s.Gateways {
			labels[g.Label()] = true
		}
		var sum uint64
		for _, f := range allFiles(s) {
			for _, line := range dataLines(t, f) {
				sum += legBytes(f.FlowLog.Format, line, labels)
			}
		}
		if got := s.Ledger.TotalNATBytes(); got != sum || sum == 0 {
			t.Errorf("seed %d: the ledger has %d NAT bytes, the legs A and D %d", seed, got, sum)
		}
	}
}

// legBytes returns the bytes of a readable line that is leg A or D of a gateway: it goes to or comes from a private client, and the other end is public.
func legBytes(f flowgen.Format, line []string, labels map[string]bool) uint64 {
	names := f.Fields()
	if len(line) != len(names) {
		return 0
	}
	get := func(name string) string { return line[slices.Index(names, name)] }
	if !labels[get("interface-id")] && !labels[get("resource-id")] {
		return 0
	}
	src, err1 := netip.ParseAddr(get("pkt-srcaddr"))
	dst, err2 := netip.ParseAddr(get("pkt-dstaddr"))
	leg1, err3 := netip.ParseAddr(get("srcaddr"))
	leg2, err4 := netip.ParseAddr(get("dstaddr"))
	size, err5 := strconv.ParseUint(get("bytes"), 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || err5 != nil || src.IsPrivate() == dst.IsPrivate() {
		return 0
	}
	if zonal := get("interface-id") != "-"; zonal && (!leg1.IsPrivate() || !leg2.IsPrivate()) {
		return 0
	}
	return size
}

var key = regexp.MustCompile(`^(network/|a b/c=d/)?AWSLogs/(\d{12}/vpcflowlogs/[a-z0-9-]+/2026/03/14/(\d\d/)?` +
	`|aws-account-id=\d{12}/aws-service=vpcflowlogs/aws-region=[a-z0-9-]+/year=2026/month=03/day=14/(hour=\d\d/)?)` +
	`(\d{12})_vpcflowlogs_([a-z0-9-]+)_(fl-[0-9a-f]+)_20260314T(\d{4})Z_[0-9a-f]{8}\.log\.gz$`)

func TestFilesHoldTheirWindow(t *testing.T) {
	eachScenario(t, func(t *testing.T, s flowgen.Scenario) {
		seen := make(map[string]bool)
		for _, f := range allFiles(s) {
			if !key.MatchString(f.Key) || seen[f.Key] {
				t.Fatalf("key %q is not AWS's, or not the only one", f.Key)
			}
			seen[f.Key] = true
			if m := key.FindStringSubmatch(f.Key); m[5] != f.FlowLog.Account || m[6] != f.FlowLog.Region || m[7] != f.FlowLog.ID || m[8] != f.Time.Format("1504") {
				t.Errorf("key %q belongs to flow log %+v at %s", f.Key, f.FlowLog, f.Time)
			}
			end := slices.Index(f.FlowLog.Format.Fields(), "end")
			for _, line := range dataLines(t, f) {
				if end >= len(line) {
					continue
				}
				// Damage may have moved another field to this place.
				if at := time.Unix(atoi(line[end]), 0); at.Unix() > 1e9 && (at.Before(f.Time) || !at.Before(f.Time.Add(flowgen.FileWindow))) {
					t.Errorf("%s has a row that ends at %s", f.Key, at.UTC())
				}
			}
		}
	})
}

func atoi(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func TestMalformedLinesStayUnderTheLimit(t *testing.T) {
	eachScenario(t, func(t *testing.T, s flowgen.Scenario) {
		// A second flow log has them again, in files of its own.
		limit := uint64(10)
		if slices.Contains(s.Topologies, flowgen.OverlappingLogs) {
			limit *= 2
		}
		if n := s.Ledger.Records[flowgen.Malformed]; n > limit {
			t.Errorf("%d malformed lines may fail a file", n)
		}
	})
}

func TestClosingFilesComeLater(t *testing.T) {
	eachScenario(t, func(t *testing.T, s flowgen.Scenario) {
		var last time.Time
		for _, f := range s.Files {
			if f.Time.After(last) {
				last = f.Time
			}
		}
		logs := make(map[string]bool)
		for _, f := range s.Closing {
			logs[f.FlowLog.Account+f.FlowLog.Region] = true
			if f.Time.Before(last.Add(2 * time.Hour)) {
				t.Errorf("closing file %s is not two hours after %s", f.Key, last)
			}
		}
		for _, l := range s.FlowLogs {
			if !logs[l.Account+l.Region] {
				t.Errorf("no closing file for %s in %s", l.Account, l.Region)
			}
		}
	})
}

// sortedLines returns the lines of all files with their flow logs.
func sortedLines(t *testing.T, files []flowgen.File) []string {
	var out []string
	for _, f := range files {
		for _, line := range dataLines(t, f) {
			out = append(out, f.FlowLog.ID+" "+strings.Join(line, " "))
		}
	}
	slices.Sort(out)
	return out
}

func TestRecutKeepsTheLines(t *testing.T) {
	for seed := range uint64(5) {
		s := flowgen.Random(seed, flowgen.Options{})
		again := s.Recut(seed + 1)
		if !slices.Equal(sortedLines(t, s.Files), sortedLines(t, again)) {
			t.Errorf("seed %d: other lines after a second cut", seed)
		}
		if slices.EqualFunc(s.Files, again, func(a, b flowgen.File) bool { return string(a.Text) == string(b.Text) }) {
			t.Errorf("seed %d: the second cut is the first", seed)
		}
	}
}

func TestCutInto(t *testing.T) {
	for seed := range uint64(10) {
		s := flowgen.Random(seed, flowgen.Options{With: []flowgen.Topology{flowgen.OverlappingLogs}})
		for _, size := range []int{3, 40, 100_000} {
			files := s.CutInto(size, seed)
			if !slices.Equal(sortedLines(t, s.Files), sortedLines(t, files)) {
				t.Errorf("seed %d: other lines in files of %d rows", seed, size)
			}
			checkCut(t, s, files, size)
		}
	}
}

// checkCut checks the sizes and names of files, and that the two flow logs that overlap have no file with rows of several windows.
func checkCut(t *testing.T, s flowgen.Scenario, files []flowgen.File, size int) {
	t.Helper()
	windows := make(map[time.Time]bool)
	for _, f := range s.Files {
		windows[f.Time] = true
	}
	keys, short, mixed := make(map[string]bool), make(map[string]int), make(map[string]bool)
	for _, f := range files {
		if keys[f.Key] || f.Lines == 0 || f.Lines > size {
			t.Errorf("seed %d: %s is not the only one, or has %d rows, want %d", s.Seed, f.Key, f.Lines, size)
		}
		keys[f.Key] = true
		if f.Lines < size {
			short[f.FlowLog.ID]++
		}
		end := slices.Index(f.FlowLog.Format.Fields(), "end")
		for _, line := range dataLines(t, f) {
			if len(line) != len(f.FlowLog.Format.Fields()) {
				continue
			}
			at := time.Unix(atoi(line[end]), 0)
			if !at.Before(f.Time.Add(flowgen.FileWindow)) {
				t.Errorf("seed %d: %s has a newer row: %s", s.Seed, f.Key, line)
			}
			mixed[f.FlowLog.ID] = mixed[f.FlowLog.ID] || at.Before(f.Time)
		}
	}
	unmixed := 0
	for id, n := range short {
		if n > len(windows) {
			t.Errorf("seed %d: flow log %s has %d short files", s.Seed, id, n)
		}
	}
	for _, is := range mixed {
		if !is {
			unmixed++
		}
	}
	if unmixed < 2 {
		t.Errorf("seed %d: %d flow logs are cut by window, want the two that overlap", s.Seed, unmixed)
	}
}

func TestEverydayLeavesOutTheRest(t *testing.T) {
	for seed := range uint64(seeds) {
		s := flowgen.Random(seed, flowgen.Options{Everyday: true})
		if len(s.Topologies) > 0 || len(s.Leading) > 0 || s.Vantage != flowgen.VantageAuto {
			t.Errorf("seed %d is not everyday: %s", seed, s)
		}
	}
}

// TestScenariosVary makes sure that the odd cases do come up.
func TestScenariosVary(t *testing.T) {
	var total flowgen.Ledger
	ways := make(map[flowgen.Recognition]int)
	seen := make(map[string]int)
	note := func(what string, is bool) {
		if is {
			seen[what]++
		} else {
			seen[what] += 0
		}
	}
	for seed := range uint64(4 * seeds) {
		s := flowgen.Random(seed, flowgen.Options{})
		total.Add(s.Ledger)
		ways[s.Recognition]++
		for _, g := range s.Gateways {
			note("regional gateway", g.Regional())
			note("own flow log", g.FlowLog != nil)
			note("secondary addresses", len(g.Secondary) > 0)
			note("hidden account", g.HidesAccount)
			note("secondary addresses in srcaddr", len(g.Secondary) > 0 && g.ShowsSecondary)
			note("secondary addresses in pkt-srcaddr alone", len(g.Secondary) > 0 && !g.ShowsSecondary)
		}
		for _, l := range s.FlowLogs {
			for _, name := range []string{"flow-direction", "traffic-path", "action", "log-status", "packets", "vpc-id", "instance-id"} {
				note("with "+name, l.Format.Has(name))
				note("without "+name, !l.Format.Has(name))
			}
			note("future field", l.Format.Has("future-field"))
			note("no interface-id", !l.Format.Has("interface-id"))
			note("the analyzer's fields", slices.Equal(l.Format.Fields(), flowgen.AnalyzerFields()))
			for _, version := range []int{2, 3, 9, 11} {
				note("version "+strconv.Itoa(version), slices.Equal(l.Format.Fields(), flowgen.FieldNames(version)))
			}
		}
		for _, topology := range flowgen.Topologies() {
			note(string(topology), slices.Contains(s.Topologies, topology))
		}
		for _, vantage := range []flowgen.Vantage{flowgen.VantageAuto, flowgen.VantageGateway, flowgen.VantageClient} {
			note("vantage "+string(vantage), s.Vantage == vantage)
		}
		note("leading files", len(s.Leading) > 0)
		note("several flow logs", len(s.FlowLogs) > 1)
		note("configured", len(s.NATGateways) == len(managed(s)))
		note("not configured", len(s.NATGateways) == 0)
		for _, f := range s.Files {
			note("no line end", !strings.HasSuffix(string(f.Text), "\n"))
			note("two spaces", strings.Contains(string(f.Text), "  "))
			note("empty file", f.Lines == 0)
		}
	}
	for what, n := range seen {
		if n == 0 {
			t.Errorf("no scenario has: %s", what)
		}
	}
	for _, way := range []flowgen.Recognition{flowgen.Learned, flowgen.Typed, flowgen.Configured, flowgen.Plain} {
		if ways[way] == 0 {
			t.Errorf("no scenario with recognition %s", way)
		}
	}
	for _, d := range []flowgen.Disposition{
		flowgen.Counted, flowgen.NATPublicLeg, flowgen.ClientView, flowgen.ReceiverSide, flowgen.Transit, flowgen.Overlapping, flowgen.Rejected,
		flowgen.NoData, flowgen.SkipData, flowgen.Malformed,
	} {
		if total.Records[d] == 0 {
			t.Errorf("no row is %s", d)
		}
	}
	for _, path := range []flowgen.Path{
		flowgen.PathUnknown, flowgen.PathNAT, flowgen.PathNATInstance, flowgen.PathInternal, flowgen.PathInternetGateway,
		flowgen.PathInternetGatewayOrEndpoint, flowgen.PathGatewayEndpoint, flowgen.PathVirtualPrivateGateway, flowgen.PathLocalZone,
		flowgen.PathUnseenMiddlebox,
	} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(total.Bytes)), func(k flowgen.BytesKey) bool { return k.Path == path }) {
			t.Errorf("no path is %s", path)
		}
	}
}

func TestRecognitionDecidesTheFormat(t *testing.T) {
	for _, way := range []flowgen.Recognition{flowgen.Learned, flowgen.Typed, flowgen.Configured, flowgen.Plain} {
		for seed := range uint64(20) {
			s := flowgen.Random(seed, flowgen.Options{Recognition: way})
			for _, l := range s.FlowLogs {
				f := l.Format
				ok := f.ShowsTranslation() == (way != flowgen.Plain)
				switch way {
				case flowgen.Learned:
					ok = ok && !f.Has("interface-type") && len(s.NATGateways) == 0
				case flowgen.Typed:
					ok = ok && f.Has("interface-type") && len(s.NATGateways) == 0
				default:
					ok = ok && len(s.NATGateways) == len(managed(s))
				}
				if !ok {
					t.Errorf("seed %d does not suit recognition %s: %s", seed, way, s)
				}
			}
		}
	}
}

func BenchmarkRandom(b *testing.B) {
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		for _, f := range flowgen.Random(1, flowgen.Options{Conversations: 2000}).Files {
			rows += f.Lines
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
