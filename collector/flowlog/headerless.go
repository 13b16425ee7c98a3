package flowlog

import (
	"bytes"
	"fmt"
	"time"
)

// headerless settles the format of a file whose first line is data already: Config.Format, or AWS's default format. What CloudWatch Logs exports has the time of
// the log event in front of it.
func (r *Reader) headerless(line []byte) error {
	format := r.config.Format
	if format == nil {
		var err error
		if format, err = ParseFormat(DefaultFormat); err != nil {
			return err
		}
	}
	switch n := countFields(line); {
	case n == format.Columns():
		r.format = format
	case n == format.Columns()+1 && beginsWithTime(line):
		r.format = format.behindTimestamp()
	default:
		return fmt.Errorf("read first line %q: no header, and %d fields instead of the %d of flow_logs.format: %w",
			clip(line), n, format.Columns(), ErrUnsupportedFormat)
	}
	return nil
}

// beginsWithTime says whether the first word of a line is a time like 2018-06-20T16:20:00.000Z, which no field of a flow log is.
func beginsWithTime(line []byte) bool {
	for word := range bytes.FieldsSeq(line) {
		_, err := time.Parse(time.RFC3339, string(word))
		return err == nil
	}
	return false
}

// behindTimestamp returns the format with a column in front of it that is skipped.
func (f *Format) behindTimestamp() *Format {
	g := *f
	g.header = "timestamp " + f.header
	g.columns = append([]Field{noField}, f.columns...)
	g.read, g.fast = 0, fastPlan{}
	g.compile()
	return &g
}
