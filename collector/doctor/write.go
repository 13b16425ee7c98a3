package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// A Report is a Diagnosis with where its format came from.
type Report struct {
	Source string `json:"source"`
	Diagnosis
	Sample *Sample `json:"sample,omitempty"` // Sample is nil for a format that came without a file.
}

// WriteJSON writes one JSON document.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// WriteText writes for people.
func (r Report) WriteText(w io.Writer) error {
	var b bytes.Buffer
	r.writeVerdict(&b)
	r.writeTables(&b)
	r.writeAdvice(&b)
	if r.Sample != nil {
		r.Sample.write(&b)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func (r Report) writeVerdict(b *bytes.Buffer) {
	fmt.Fprintf(b, "Format of version %d with %d fields", r.FieldsVersion, r.Fields)
	if r.Sample != nil && r.Sample.Headerless {
		b.WriteString(", not from a header line but as flow_logs.format or AWS's default says")
	}
	b.WriteString(".\n")
	if len(r.Unknown) > 0 {
		fmt.Fprintf(b, "Unknown fields are ignored: %q.\n", r.Unknown)
	}
	verdict := map[Level]string{
		Exact:       "can be exact",
		Conditional: "can be exact, under conditions",
		Inexact:     "cannot be exact",
	}
	fmt.Fprintf(b, "NAT bytes %s.\n", verdict[r.NATBytes])
	fmt.Fprintf(b, "NAT gateways are recognised (nat_recognition=%q): %s.\n", r.NATRecognition, r.Recognised)
}

func (r Report) writeTables(b *bytes.Buffer) {
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\ncounter\t\tfor want of")
	for _, c := range r.Counters {
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.Metric, c.Level, list(c.Without))
	}
	_ = table.Flush() // Into memory.
	if len(r.Lacks) > 0 {
		b.WriteString("\nOff, for want of\n")
	}
	for _, l := range r.Lacks {
		fmt.Fprintf(b, "- %s: %s\n    %s\n", list(l.Without), l.Off, l.Effect)
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

// writeAdvice says how to recreate the flow log, since its format cannot be changed.
func (r Report) writeAdvice(b *bytes.Buffer) {
	if len(r.Missing) == 0 {
		b.WriteString("\nThe format has all recommended fields.\n")
		return
	}
	fmt.Fprintf(b, "\nThe format of a flow log cannot be changed. Create another one with\n\n    --log-format '%s'\n\nand delete this one. Missing are %d fields: %s.\n",
		r.LogFormat, len(r.Missing), list(r.Missing))
	if len(r.NotRead) > 0 {
		fmt.Fprintf(b, "Not read by this version: %s.\n", list(r.NotRead))
	}
	fmt.Fprintf(b, "Estimate from typical widths: a record grows from %d bytes by %d, by %d in records of ECS tasks; compressed %d:1 by %d and %d.\n",
		r.Cost.Now, r.Cost.More, r.Cost.MoreECS, gzipRatio, r.Cost.MoreGzip, r.Cost.MoreECSGzip)
}

func (s *Sample) write(b *bytes.Buffer) {
	which := "The first"
	if s.Whole {
		which = "All"
	}
	fmt.Fprintf(b, "\n%s %d data lines were looked at: %d accepted, %d rejected, %d without data, %d that stand for lost records, %d malformed.\n",
		which, s.Lines, s.Accepted, s.Rejected, s.NoData, s.SkipData, s.Malformed)
	b.WriteString("What each of them counts as depends on its interface: see --flowlogs.explain.\n")
}
