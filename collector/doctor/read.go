package doctor

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

const (
	// So many data lines of a file are looked at.
	sampleLines = 1000
	// So much of a text file, which holds the longest header and a line.
	sampleBytes = 1 << 20
)

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
	opened, err := open(source)
	if err != nil {
		return Diagnosis{}, Sample{}, err
	}
	reader := flowlog.NewReader(config)
	var s Sample
	if err = reader.Reset(opened.Reader); err == nil {
		err = s.read(reader)
	}
	s.Whole = s.Whole && !opened.cut
	s.Headerless = s.Headerless && !opened.parquet
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

// opened is a file as a flowlog.Reader reads it.
type opened struct {
	io.Reader
	cut     bool // cut says that it is the beginning of a text.
	parquet bool // parquet has no header line but names its columns.
}

// open makes a gzip file of the beginning of a text, cut behind a line if it is longer, and leaves anything else as it is.
func open(source io.Reader) (opened, error) {
	b := bufio.NewReader(source)
	magic, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return opened{}, fmt.Errorf("read file magic: %w", err)
	}
	parquet := string(magic) == "PAR1"
	if len(magic) == 0 || parquet || bytes.HasPrefix(magic, []byte{0x1f, 0x8b}) {
		return opened{Reader: b, parquet: parquet}, nil
	}
	text, err := io.ReadAll(io.LimitReader(b, sampleBytes))
	if err != nil {
		return opened{}, fmt.Errorf("read text: %w", err)
	}
	cut := len(text) == sampleBytes
	if rest := len(text) - bytes.LastIndexByte(text, '\n') - 1; cut && rest <= flowlog.MaxLineBytes {
		text = text[:len(text)-rest]
	}
	zip, err := flowlog.Zip(text)
	return opened{Reader: zip, cut: cut}, err
}
