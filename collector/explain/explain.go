// Package explain says of each line of flow log files what it was taken for and why: which leg of which conversation, counted or not, at which
// NAT gateway, by which rule.
//
// The files are read twice by the packages that the exporter counts with: once to learn what the interfaces are, as in a range of files that is decided
// as a whole, and once to say it. So an explanation is what the exporter would do, not a second opinion.
package explain

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

// Config is what an operator sets.
type Config struct {
	Aggregator aggregator.Config
	Networks   *classifier.Networks
	FlowLog    flowlog.Config
	DeltaKeys  int
}

// A File is a flow log file in memory: gzip, Parquet, or the text itself.
type File struct {
	// Name is where it came from. Account, region and flow log are taken from it if its last part is as AWS names files.
	Name string
	Data []byte
}

// A Line is what one data line was taken for. Fields without a meaning for the line are empty.
type Line struct {
	File         string `json:"file"`
	Line         int64  `json:"line"`
	Disposition  string `json:"disposition"`
	Leg          string `json:"leg,omitempty"`
	Direction    string `json:"direction,omitempty"`
	Path         string `json:"path,omitempty"`
	Interface    string `json:"interface,omitempty"`
	Gateway      string `json:"nat_gateway,omitempty"`
	RecognisedBy string `json:"recognised_by,omitempty"`
	Client       string `json:"client,omitempty"`
	Remote       string `json:"remote,omitempty"`
	Service      string `json:"aws_service,omitempty"`
	Bytes        uint64 `json:"bytes"`
	Why          string `json:"why"`
}

// A Total is the sum of one disposition.
type Total struct {
	Disposition string `json:"disposition"`
	Records     uint64 `json:"records"`
	Bytes       uint64 `json:"bytes"`
}

// A Gateway is a NAT gateway that the lines have shown.
type Gateway struct {
	Gateway      string `json:"nat_gateway"`
	Kind         string `json:"kind"`
	RecognisedBy string `json:"recognised_by"`
}

// A Writer takes the explanations, lines first.
type Writer interface {
	Line(Line) error
	End(totals []Total, gateways []Gateway) error
}

// Explain reads the files as one range and writes what each of their lines was taken for. An error names the file.
func Explain(config Config, files []File, w Writer) error {
	config.Aggregator.Explain = true
	a := aggregator.New(config.Aggregator, unpriced{}, time.Now)
	x := explainer{config: config, aggregator: a, reader: flowlog.NewReader(config.FlowLog)}
	for i, f := range files {
		if err := x.learn(i, f); err != nil {
			return fmt.Errorf("read %s: %w", f.Name, err)
		}
	}
	a.Finish()
	for i, f := range files {
		if err := x.tell(i, f, w); err != nil {
			return fmt.Errorf("explain %s: %w", f.Name, err)
		}
	}
	return w.End(totals(a.Snapshot()), gateways(a.Snapshot()))
}

// unpriced has no prices: an explanation is about bytes.
type unpriced struct{}

func (unpriced) NATPrice(string, string, string) (aggregator.Price, bool) { return aggregator.Price{}, false }

type explainer struct {
	config     Config
	aggregator *aggregator.Aggregator
	reader     *flowlog.Reader
}

// learn commits a file.
func (x *explainer) learn(i int, f File) error {
	d := aggregator.NewDelta(x.config.Networks, x.config.DeltaKeys)
	err := x.read(f, func(r *flowlog.Record, bad *flowlog.LineError) error {
		if bad == nil {
			d.Add(r)
		} else {
			d.Malformed()
		}
		return nil
	})
	if err == nil {
		_, err = x.aggregator.Commit(fileOf(i, f), d)
	}
	return err
}

// tell explains the lines of a file.
func (x *explainer) tell(i int, f File, w Writer) error {
	file := fileOf(i, f)
	return x.read(f, func(r *flowlog.Record, bad *flowlog.LineError) error {
		if bad != nil {
			return w.Line(Line{File: f.Name, Line: bad.Line, Disposition: classifier.Malformed.String(), Why: bad.Error()})
		}
		line := lineOf(x.aggregator.Explain(file, x.config.Networks, r))
		line.File, line.Line, line.Bytes = f.Name, x.reader.Line(), r.Bytes
		return w.Line(line)
	})
}

// read calls back for each data line of a file, with the record or with why it cannot be read.
func (x *explainer) read(f File, each func(*flowlog.Record, *flowlog.LineError) error) error {
	if err := x.reader.ResetText(bytes.NewReader(f.Data)); err != nil {
		return err
	}
	var record flowlog.Record
	for {
		err := x.reader.Read(&record)
		bad, isLine := errors.AsType[*flowlog.LineError](err)
		if err != nil && !isLine {
			return flowlog.EndOfFile(err)
		}
		if err := each(&record, bad); err != nil {
			return err
		}
	}
}

// fileOf returns what a file's name says, as far as it is named as AWS does; who has unpacked it has taken the .gz away.
func fileOf(i int, f File) aggregator.File {
	name := path.Base(filepath.ToSlash(f.Name))
	if strings.HasSuffix(name, ".log") {
		name += ".gz"
	}
	origin := s3event.ParseOrigin(name)
	return aggregator.File{
		Identity: strconv.Itoa(i), AccountID: origin.Account, Region: origin.Region, FlowLogID: origin.FlowLogID, Time: origin.Time,
	}
}

func lineOf(e aggregator.Explanation) Line {
	line := Line{
		Disposition: e.Class.Disposition.String(), Leg: e.Class.Rule.Leg(), Interface: e.Interface, Gateway: e.Gateway, RecognisedBy: e.RecognisedBy,
		Service: e.Service, Why: e.Class.Rule.String(),
	}
	if e.Class.Disposition == classifier.Counted {
		line.Direction, line.Path = e.Class.Direction.String(), e.Class.Path.String()
	}
	if !e.Client.IsZero() {
		line.Client, line.Remote = e.Client.String(), e.Remote.String()
	}
	return line
}

func totals(s *aggregator.Snapshot) []Total {
	var out []Total
	for d, c := range s.Dispositions {
		if c.Records > 0 {
			out = append(out, Total{classifier.Disposition(d).String(), c.Records, c.Bytes})
		}
	}
	return out
}

func gateways(s *aggregator.Snapshot) []Gateway {
	var out []Gateway
	for _, g := range s.Gateways {
		out = append(out, Gateway{g.NATGateway, g.Kind, g.RecognisedBy})
	}
	return out
}
