package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/explain"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

const (
	countingDoc    = "docs/counting.md"
	countingFolder = "docs/counting"
	// Orders that the rows of each example are committed in.
	exampleOrders = 20
)

// A countingExample is one example of docs/counting.md: a flow log file, or a folder of them, with the configuration beside it if that matters.
type countingExample struct {
	name       string
	files      []explain.File // files are in the order of their windows.
	configYAML string
	config     explain.Config
	reader     *flowlog.Reader
}

// countingExamples reads docs/counting.
func countingExamples(t *testing.T) map[string]countingExample {
	t.Helper()
	folder := filepath.Join(repositoryRoot, filepath.FromSlash(countingFolder))
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	examples := make(map[string]countingExample)
	configs := make(map[string]bool)
	for _, entry := range entries {
		name, isLog := strings.CutSuffix(entry.Name(), ".log")
		switch {
		case entry.IsDir():
			paths, err := filepath.Glob(filepath.Join(folder, name, "*.log"))
			if err != nil {
				t.Fatal(err)
			}
			examples[name] = readExample(t, name, paths)
		case isLog:
			examples[name] = readExample(t, name, []string{filepath.Join(folder, entry.Name())})
		case strings.HasSuffix(name, ".yaml"):
			configs[strings.TrimSuffix(name, ".yaml")] = true
		default:
			t.Errorf("%s/%s is neither an example nor its configuration", countingFolder, entry.Name())
		}
	}
	for name := range configs {
		if _, ok := examples[name]; !ok {
			t.Errorf("%s/%s.yaml configures no example", countingFolder, name)
		}
	}
	return examples
}

func readExample(t *testing.T, name string, paths []string) countingExample {
	t.Helper()
	e := countingExample{name: name}
	config := DefaultConfig()
	configPath := filepath.Join(repositoryRoot, filepath.FromSlash(countingFolder), name+".yaml")
	if text, err := os.ReadFile(configPath); err == nil {
		e.configYAML = string(text)
		if config, err = LoadConfig(configPath, LoadOptions{LookupEnv: noEnv, NeedQueueURL: true}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if keys := unsupported(config); len(keys) > 0 {
			t.Fatalf("%s: configuration of features that are not there: %q", name, keys)
		}
	}
	s, err := newStages(config)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	e.config = explainConfig(s)
	e.reader = flowlog.NewReader(e.config.FlowLog)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		e.files = append(e.files, explain.File{Name: filepath.Base(path), Data: text})
	}
	slices.SortStableFunc(e.files, func(f, g explain.File) int { return originOf(f).Time.Compare(originOf(g).Time) })
	if len(e.files) == 0 {
		t.Fatalf("%s has no files", name)
	}
	return e
}

// path returns the path of one of the example's files below docs/counting.
func (e countingExample) path(f explain.File) string {
	if f.Name == e.name+".log" {
		return f.Name
	}
	return e.name + "/" + f.Name
}

func originOf(f explain.File) s3event.Origin { return s3event.ParseOrigin(f.Name + ".gz") }

// explanation is what an explain.Writer is told.
type explanation struct {
	lines    []explain.Line
	totals   []explain.Total
	gateways []explain.Gateway
}

func (e *explanation) Line(l explain.Line) error {
	e.lines = append(e.lines, l)
	return nil
}

func (e *explanation) End(totals []explain.Total, gateways []explain.Gateway) error {
	e.totals, e.gateways = totals, gateways
	return nil
}

func (e countingExample) explain(t *testing.T, files []explain.File) explanation {
	t.Helper()
	var x explanation
	if err := explain.Explain(e.config, files, &x); err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	slices.SortFunc(x.gateways, func(a, b explain.Gateway) int { return cmp.Compare(a.Gateway, b.Gateway) })
	return x
}

// block is what the document shows of the example: its rows, its configuration, and what becomes of the rows.
func (e countingExample) block(x explanation) string {
	var b strings.Builder
	for _, f := range e.files {
		fmt.Fprintf(&b, "[%s](counting/%s)\n\n```\n%s```\n\n", f.Name, e.path(f), numbered(f.Data))
	}
	if e.configYAML != "" {
		fmt.Fprintf(&b, "[%[1]s.yaml](counting/%[1]s.yaml)\n\n```yaml\n%[2]s```\n\n", e.name, e.configYAML)
	}
	b.WriteString("```\n")
	var counted, all uint64
	for _, f := range e.files {
		if len(e.files) > 1 {
			b.WriteString(f.Name + "\n")
		}
		table := []string{"line leg disposition direction path bytes interface"}
		for _, l := range x.lines {
			if l.File != f.Name {
				continue
			}
			table = append(table, fmt.Sprint(l.Line, " ", cmp.Or(l.Leg, "-"), " ", l.Disposition, " ", cmp.Or(l.Direction, "-"), " ", cmp.Or(l.Path, "-"), " ", l.Bytes,
				" ", cmp.Or(l.Interface, "-")))
			all += l.Bytes
			if l.Disposition == classifier.Counted.String() {
				counted += l.Bytes
			}
		}
		b.WriteString(aligned(table))
	}
	fmt.Fprintf(&b, "\ncounted: %d of %d bytes\n", counted, all)
	for _, g := range x.gateways {
		fmt.Fprintf(&b, "NAT gateway %s: kind %s, recognised_by %s\n", g.Gateway, g.Kind, g.RecognisedBy)
	}
	b.WriteString("```\n")
	return b.String()
}

// numbered shows a file with the numbers of its lines, in columns unless no screen is wide enough.
func numbered(file []byte) string {
	const screen = 180
	lines := strings.Split(strings.TrimSuffix(string(file), "\n"), "\n")
	longest := 0
	for i := range lines {
		lines[i] = fmt.Sprintf("%d %s", i+1, lines[i])
		longest = max(longest, len(lines[i]))
	}
	if longest > screen {
		return strings.Join(lines, "\n") + "\n"
	}
	return aligned(lines)
}

// aligned sets lines of words in columns.
func aligned(lines []string) string {
	var widths []int
	for _, line := range lines {
		for i, word := range strings.Fields(line) {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len(word))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		words := strings.Fields(line)
		for i, word := range words[:len(words)-1] {
			fmt.Fprintf(&b, "%-*s  ", widths[i], word)
		}
		b.WriteString(words[len(words)-1] + "\n")
	}
	return b.String()
}

// generatedBlock finds what the tests generate in the document: examples, and the whole output of --flowlogs.explain for one of them.
var generatedBlock = regexp.MustCompile(`(?s)<!-- (example|output): ([a-z0-9-]+) -->\n(.*?)<!-- end -->`)

// TestCountingExamples holds the examples of docs/counting.md against what the exporter makes of their files. Refresh the document with:
// go test ./cmd/vpcflow_exporter -run TestCountingExamples -update.
func TestCountingExamples(t *testing.T) {
	t.Parallel()
	examples := countingExamples(t)
	document := readFile(t, countingDoc)
	shown := make(map[string]int)
	page := generatedBlock.ReplaceAllStringFunc(document, func(block string) string {
		m := generatedBlock.FindStringSubmatch(block)
		kind, name := m[1], m[2]
		e, ok := examples[name]
		if !ok {
			t.Errorf("%s shows an example %s, which is not in %s", countingDoc, name, countingFolder)
			return block
		}
		var want string
		if kind == "example" {
			shown[name]++
			want = e.block(e.explain(t, e.files))
		} else {
			want = e.output(t)
		}
		if m[3] != want && !*update {
			t.Errorf("%s: what is shown of %s has drifted:\n%s", countingDoc, name, strings.Join(lineDiff(m[3], want), "\n"))
		}
		return fmt.Sprintf("<!-- %s: %s -->\n%s<!-- end -->", kind, name, want)
	})
	if n := strings.Count(document, "<!--"); n != 2*len(generatedBlock.FindAllString(document, -1)) {
		t.Errorf("%s has %d comments, which are not all the pairs around generated blocks", countingDoc, n)
	}
	for name := range examples {
		if shown[name] != 1 {
			t.Errorf("%s shows %s %d times, want once", countingDoc, name, shown[name])
		}
	}
	if *update && page != document {
		if err := os.WriteFile(filepath.Join(repositoryRoot, filepath.FromSlash(countingDoc)), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// output is what the command prints for the example.
func (e countingExample) output(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	files := slices.Clone(e.files)
	command := []string{"$ vpcflow_exporter"}
	for i, f := range files {
		files[i].Name = countingFolder + "/" + e.path(f)
		command = append(command, "--flowlogs.explain="+files[i].Name)
	}
	if err := explain.Explain(e.config, files, explain.NewText(&b)); err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	return "```\n" + strings.Join(command, " ") + "\n" + b.String() + "```\n"
}

// TestCountingExamplesAddUp counts the examples as the daemon does: what is said of the lines adds up to what is counted, for the files as they are, and for
// their rows in random orders in files of one row each.
func TestCountingExamplesAddUp(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for name, e := range countingExamples(t) {
		t.Run(name, func(t *testing.T) {
			whole := e.explain(t, e.files)
			want := linesAddedUp(whole.lines)
			if got := e.count(t, e.files); !maps.Equal(got, want) {
				t.Fatalf("the lines add up to\n%s\ncounted were\n%s", sums(want), sums(got))
			}
			if strings.HasPrefix(name, "overlap-") || name == "gateway-retired" {
				return // Of two flow logs the first one that reports owns an interface; and what an interface was an hour ago is not what it is.
			}
			rows := e.rows(t)
			for range exampleOrders {
				order := e.shuffled(rng, rows)
				files := make([]explain.File, len(order))
				for i, row := range order {
					files[i] = rows[row].file
				}
				if got := e.count(t, files); !maps.Equal(got, want) {
					t.Fatalf("in the order %v: counted were\n%s\nwant\n%s", order, sums(got), sums(want))
				}
				for i, got := range e.explain(t, files).lines {
					want := whole.lines[order[i]]
					want.File, want.Line = got.File, got.Line
					if got != want {
						t.Errorf("in the order %v: got %+v, want %+v", order, got, want)
					}
				}
			}
		})
	}
}

// exampleRow is a row in a file of its own.
type exampleRow struct {
	file explain.File
	end  int64
}

// rows returns the rows of all files.
func (e countingExample) rows(t *testing.T) []exampleRow {
	t.Helper()
	var rows []exampleRow
	for _, f := range e.files {
		header, data, _ := strings.Cut(string(f.Data), "\n")
		for line := range strings.Lines(data) {
			row := exampleRow{file: explain.File{Name: f.Name, Data: []byte(header + "\n" + line)}}
			e.read(t, row.file, func(r *flowlog.Record) { row.end = r.End })
			rows = append(rows, row)
		}
	}
	return rows
}

// shuffled returns indexes of rows in a random order. Rows of the same 20 minutes come in any order; what happened later comes later.
func (e countingExample) shuffled(rng *rand.Rand, rows []exampleRow) []int {
	const stretch = int64(20 * time.Minute / time.Second)
	order := rng.Perm(len(rows))
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(rows[i].end/stretch, rows[j].end/stretch) })
	return order
}

func (e countingExample) read(t *testing.T, f explain.File, each func(*flowlog.Record)) {
	t.Helper()
	if err := e.reader.Reset(bytes.NewReader(stored(f.Data))); err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	var r flowlog.Record
	for {
		err := e.reader.Read(&r)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		each(&r)
	}
}

// count commits files in their order and returns bytes by what they were counted as, and records by disposition.
func (e countingExample) count(t *testing.T, files []explain.File) map[string]uint64 {
	t.Helper()
	a := aggregator.New(e.config.Aggregator, flatPrice{}, time.Now)
	for i, f := range files {
		d := aggregator.NewDelta(e.config.Networks, e.config.DeltaKeys)
		e.read(t, f, d.Add)
		origin := originOf(f)
		file := aggregator.File{Identity: strconv.Itoa(i), AccountID: origin.Account, Region: origin.Region, FlowLogID: origin.FlowLogID, Time: origin.Time}
		if _, err := a.Commit(file, d); err != nil {
			t.Fatal(err)
		}
	}
	a.Finish()
	s := a.Snapshot()
	counts := make(map[string]uint64)
	for series := range s.Bytes() {
		counts[fmt.Sprintf("bytes %s %s", series.Labels.Direction, series.Labels.Path)] += series.Value
	}
	for series := range s.NAT() {
		counts[fmt.Sprintf("NAT bytes %s %s", series.Labels.NATGateway, series.Labels.Direction)] += series.Value.Bytes
	}
	for d, c := range s.Dispositions {
		if c.Records > 0 {
			counts[fmt.Sprintf("records %s", classifier.Disposition(d))] = c.Records
		}
	}
	return counts
}

// linesAddedUp returns what explained lines say that count returns.
func linesAddedUp(lines []explain.Line) map[string]uint64 {
	counts := make(map[string]uint64)
	for _, l := range lines {
		counts["records "+l.Disposition]++
		if l.Disposition != classifier.Counted.String() {
			continue
		}
		counts[fmt.Sprintf("bytes %s %s", l.Direction, l.Path)] += l.Bytes
		if l.Path == classifier.PathNAT.String() || l.Path == classifier.PathNATInstance.String() {
			counts[fmt.Sprintf("NAT bytes %s %s", cmp.Or(l.Gateway, "unknown"), l.Direction)] += l.Bytes
		}
	}
	return counts
}

func sums(counts map[string]uint64) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s: %d\n", key, counts[key])
	}
	return b.String()
}

// flatPrice is a Pricer for bytes that nobody pays for.
type flatPrice struct{}

func (flatPrice) NATPrice(string, string, string) (aggregator.Price, bool) {
	return aggregator.Price{USDPerGB: 1, BytesPerGB: 1 << 30}, true
}
