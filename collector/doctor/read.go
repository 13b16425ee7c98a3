package doctor

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// So many data lines of a file are looked at.
const sampleLines = 1000

// A Sample is what the first data lines of a file are.
type Sample struct {
	Lines      int64 `json:"lines"`
	Accepted   int64 `json:"accepted"`
	Rejected   int64 `json:"rejected"`
	NoData     int64 `json:"no_data"`
	SkipData   int64 `json:"skip_data"`
	Malformed  int64 `json:"malformed"`
	Whole      bool  `json:"whole_file"`
	Headerless bool  `json:"headerless"` // Headerless files have the format of flow_logs.format, or AWS's default format.
}

// Read examines the header of a file and its first data lines: gzip, Parquet or text. It reads no more than it needs. The Sample comes with an error behind the header.
func Read(source io.Reader, config flowlog.Config, options Options) (Diagnosis, Sample, error) {
	file := bufio.NewReader(source)
	parquet, err := isParquet(file)
	if err != nil {
		return Diagnosis{}, Sample{}, err
	}
	reader := flowlog.NewReader(config)
	var s Sample
	if err = reader.ResetText(file); err == nil {
		err = s.read(reader)
	}
	s.Headerless = s.Headerless && !parquet
	format := reader.Format()
	switch {
	case format == nil && err == nil:
		return Diagnosis{}, s, errors.New("read header: the file has no lines")
	case format == nil:
		return Diagnosis{}, s, err
	default:
		return Examine(format, options), s, err
	}
}

// read counts the first data lines.
func (s *Sample) read(reader *flowlog.Reader) error {
	var record flowlog.Record
	for s.Lines < sampleLines {
		err := reader.Read(&record)
		_, malformed := errors.AsType[*flowlog.LineError](err)
		if err != nil && !malformed {
			s.Whole = flowlog.EndOfFile(err) == nil
			return flowlog.EndOfFile(err)
		}
		s.Lines++
		s.Headerless = s.Headerless || s.Lines == reader.Line()
		s.add(&record, malformed)
	}
	return nil
}

func (s *Sample) add(r *flowlog.Record, malformed bool) {
	switch {
	case malformed:
		s.Malformed++
	case r.Status == flowlog.StatusNoData:
		s.NoData++
	case r.Status == flowlog.StatusSkipData:
		s.SkipData++
	case r.Rejected:
		s.Rejected++
	default:
		s.Accepted++
	}
}

// isParquet looks at the beginning of a file. Parquet has no header line but names its columns.
func isParquet(file *bufio.Reader) (bool, error) {
	const magic = "PAR1"
	begin, err := file.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read file magic: %w", err)
	}
	return string(begin) == magic, nil
}
