package explain

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// flushLines is how many lines of text share their column widths; more would have to be kept in memory.
const flushLines = 1000

// NewText returns a Writer of aligned columns for people.
func NewText(w io.Writer) Writer {
	buffer := bufio.NewWriter(w)
	return &textWriter{out: buffer, table: tabwriter.NewWriter(buffer, 0, 0, 2, ' ', 0)}
}

type textWriter struct {
	out   *bufio.Writer
	table *tabwriter.Writer
	file  string
	lines int
}

func (t *textWriter) Line(l Line) error {
	if l.File != t.file {
		if err := t.table.Flush(); err != nil {
			return err
		}
		t.file, t.lines = l.File, 0
		fmt.Fprintf(t.out, "%s\n", l.File)
	}
	if t.lines%flushLines == 0 {
		if err := t.table.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(t.table, "line\tleg\tdisposition\tdirection\tpath\tbytes\tinterface\tclient\tremote\twhy")
	}
	t.lines++
	_, err := fmt.Fprintf(t.table, "%d\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", l.Line, dash(l.Leg), l.Disposition, dash(l.Direction), dash(l.Path), l.Bytes,
		dash(l.Interface), dash(l.Client), dash(l.Remote), l.Why)
	return err
}

func (t *textWriter) End(totals []Total, gateways []Gateway) error {
	fmt.Fprintln(t.table, "\ndisposition\trecords\tbytes")
	for _, total := range totals {
		fmt.Fprintf(t.table, "%s\t%d\t%d\n", total.Disposition, total.Records, total.Bytes)
	}
	if len(gateways) > 0 {
		fmt.Fprintln(t.table, "\nNAT gateway\tkind\trecognised by")
	}
	for _, g := range sorted(gateways) {
		fmt.Fprintf(t.table, "%s\t%s\t%s\n", g.Gateway, g.Kind, g.RecognisedBy)
	}
	if err := t.table.Flush(); err != nil {
		return err
	}
	return t.out.Flush()
}

// NewJSON returns a Writer of one JSON document.
func NewJSON(w io.Writer) Writer { return &jsonWriter{out: bufio.NewWriter(w)} }

type jsonWriter struct {
	out   *bufio.Writer
	lines int
}

func (j *jsonWriter) Line(l Line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	separator := `{"lines":[` + "\n"
	if j.lines > 0 {
		separator = ",\n"
	}
	j.lines++
	_, err = j.out.WriteString(separator + string(text))
	return err
}

func (j *jsonWriter) End(totals []Total, gateways []Gateway) error {
	begin := ""
	if j.lines == 0 {
		begin = `{"lines":[`
	}
	end, err := json.Marshal(struct {
		Totals   []Total   `json:"totals"`
		Gateways []Gateway `json:"nat_gateways"`
	}{append([]Total{}, totals...), sorted(gateways)})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(j.out, "%s\n],%s\n", begin, end[1:]); err != nil {
		return err
	}
	return j.out.Flush()
}

func sorted(gateways []Gateway) []Gateway {
	out := append([]Gateway{}, gateways...)
	slices.SortFunc(out, func(a, b Gateway) int { return cmp.Compare(a.Gateway, b.Gateway) })
	return out
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
