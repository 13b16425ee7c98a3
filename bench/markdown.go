package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// markdown is the report as docs/performance.md shows it. What was not measured comes last.
func (r *report) markdown() string {
	var b strings.Builder
	r.Machine.markdown(&b)
	for _, c := range r.Comparisons {
		c.markdown(&b)
	}
	r.ratiosMarkdown(&b)
	r.growthMarkdown(&b)
	r.profileMarkdown(&b)
	list(&b, "Wrong figures", r.Failures)
	var reasons []string
	for _, m := range r.Missing {
		reasons = append(reasons, m.Name+": "+m.Reason)
	}
	list(&b, "Not measured", reasons)
	return b.String()
}

func (m machine) markdown(b *strings.Builder) {
	pinned := "pinned to one core"
	if !m.Pinned {
		pinned = "not pinned to a core"
	}
	fmt.Fprintf(b, "%s, %d cores, %s, %s; %s, median of the runs. Also: %s.\n", m.CPU, m.Cores, m.Platform, m.Go, pinned, strings.Join(m.Versions, ", "))
}

func (c *comparison) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n%s records in %d files, %.0f bytes a record, gzip %.1f:1. The gateway forwards %d bytes.\n\n", c.Title, thousands(float64(c.records())),
		c.Files, float64(c.TextBytes)/float64(c.records()), float64(c.TextBytes)/float64(c.CompressedBytes), c.NATBytes)
	b.WriteString("| program | records/s | MiB/s inflated | ratio to ours | peak MiB | runs | NAT sum equal |\n|---|--:|--:|--:|--:|--:|---|\n")
	for _, m := range c.Rows {
		if len(m.Seconds) == 0 {
			fmt.Fprintf(b, "| %s | failed | | | | | |\n", m.Name)
			continue
		}
		equal := ""
		if m.NATEqual != nil {
			equal = map[bool]string{true: "yes", false: "NO"}[*m.NATEqual]
		}
		fmt.Fprintf(b, "| %s | %s | %.0f | %.2f | %s | %d | %s |\n", m.Name, thousands(m.RecordsPerSecond), m.MiBPerSecond, m.RatioToOurs, peak(m.PeakBytes),
			len(m.Seconds), equal)
	}
}

// ratiosMarkdown shows what the design promises beside what came out.
func (r *report) ratiosMarkdown(b *strings.Builder) {
	if len(r.Comparisons) == 0 {
		return
	}
	b.WriteString("\n### Ratios\n\n| what | measured | target |\n|---|--:|--:|\n")
	usual, many, wide := r.Comparisons[0], r.Comparisons[1], r.Comparisons[2]
	speed := func(what string, m *measurement, target string) {
		if m != nil {
			fmt.Fprintf(b, "| %s | %.2f million records/s | %s |\n", what, m.RecordsPerSecond/1e6, target)
		}
	}
	ratio := func(what string, of, to *measurement, target string) {
		if of != nil && to != nil {
			fmt.Fprintf(b, "| %s | %.2f | %s |\n", what, of.RecordsPerSecond/to.RecordsPerSecond, target)
		}
	}
	speed("inflated input, 18 fields", usual.row(oursText), "5")
	speed("inflated input, 40 fields", wide.row(oursText), "3")
	ratio("with klauspost, to klauspost alone", usual.row(oursGzip), usual.row(floorLibrary), "0.60")
	ratio("with ISA-L, to igzip alone", usual.row(oursISAL), usual.row(floorISAL), "0.40")
	ratio("1 million remotes, to 10,000", many.row(oursGzip), usual.row(oursGzip), "0.50")
	for _, peer := range []string{peerDuckDB, peerDuckDBTyped, peerVRL, peerMawk, peerObvious, peerFlowLogsReader} {
		ratio("ours to "+peer, usual.row(oursGzip), usual.row(peer), "")
	}
	for _, w := range r.Workers {
		fmt.Fprintf(b, "| two workers to one, %s | %.2f | 1.85 |\n", w.Title, w.ratio())
	}
	if r.LargePeakBytes > 0 {
		fmt.Fprintf(b, "| memory of two workers, 10 million records and 1 million remotes a file | %s MiB | 384 |\n", peak(r.LargePeakBytes))
	}
}

func (r *report) growthMarkdown(b *strings.Builder) {
	if len(r.Growth) == 0 {
		return
	}
	b.WriteString("\n### How cost grows\n\nOne file of inflated input, read and committed.\n\n")
	b.WriteString("| file | bytes a record | ns a record | MiB/s | peak MiB |\n|---|--:|--:|--:|--:|\n")
	for _, g := range r.Growth {
		records := float64(g.records())
		fmt.Fprintf(b, "| %s | %.0f | %.0f | %.0f | %s |\n", g.Title, float64(g.TextBytes)/records, g.Seconds*1e9/records, float64(g.TextBytes)/(1<<20)/g.Seconds,
			peak(g.PeakBytes))
	}
}

func (r *report) profileMarkdown(b *strings.Builder) {
	if len(r.Profile.Packages) == 0 {
		return
	}
	b.WriteString("\n### Where the time goes\n\nThis exporter on gzip, 18 fields, 10,000 remotes.\n")
	for _, table := range []struct {
		head string
		rows []share
	}{{"package", r.Profile.Packages}, {"function, without what it calls", r.Profile.Functions}} {
		fmt.Fprintf(b, "\n| %s | CPU |\n|---|--:|\n", table.head)
		for _, row := range table.rows {
			fmt.Fprintf(b, "| `%s` | %.1f %% |\n", row.Name, row.Percent)
		}
	}
}

func list(b *strings.Builder, title string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n", title)
	for _, item := range items {
		fmt.Fprintf(b, "- %s\n", item)
	}
}

// peak writes bytes in MiB, or nothing where they are unknown or too few to be told.
func peak(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return strconv.FormatInt((bytes+1<<20-1)>>20, 10)
}

// thousands writes a number with its groups of digits.
func thousands(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// The lines that a document has around what is generated.
const (
	blockBegin = "<!-- bench -->\n"
	blockEnd   = "<!-- end -->\n"
)

// updateDocument replaces what stands between the two lines.
func updateDocument(name, text string) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("update document: %w", err)
	}
	before, rest, begins := strings.Cut(string(old), blockBegin)
	_, after, ends := strings.Cut(rest, blockEnd)
	if !begins || !ends {
		return fmt.Errorf("update document %q: want a line %q and behind it a line %q", name, strings.TrimSpace(blockBegin), strings.TrimSpace(blockEnd))
	}
	return os.WriteFile(name, []byte(before+blockBegin+"\n"+text+"\n"+blockEnd+after), 0o644)
}
