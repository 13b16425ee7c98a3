package chaos

import (
	"fmt"
	"strings"

	"github.com/vpcflow/vpcflow_exporter/internal/exposition"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// totals are what a page says of the files that were counted.
type totals struct {
	ledger flowgen.Ledger
	// processed files, and what they inflate to.
	processed, inflated uint64
	// held are records that wait for a decision.
	held uint64
	// gauges are values that may fall.
	gauges map[string]float64
}

// ParseLedger reads a page of metrics in the terms of the traffic generator.
func ParseLedger(page string) (flowgen.Ledger, error) {
	t, err := parseTotals(page)
	return t.ledger, err
}

func parseTotals(page string) (totals, error) {
	samples, err := exposition.Parse(page)
	if err != nil {
		return totals{}, err
	}
	t := totals{gauges: map[string]float64{}, ledger: flowgen.Ledger{
		NATBytes: map[flowgen.NATKey]uint64{}, Bytes: map[flowgen.BytesKey]uint64{}, Packets: map[flowgen.PacketsKey]uint64{},
		Records: map[flowgen.Disposition]uint64{}, ObservedBytes: map[flowgen.Disposition]uint64{},
	}}
	for _, s := range samples {
		t.sample(s.Name, s.Labels, s.Value)
	}
	return t, nil
}

// sample enters one sample of a page. Integers are exact up to 2^53 there.
func (t *totals) sample(name string, l map[string]string, value float64) {
	n := uint64(value)
	place := func() (account, region string, d flowgen.Direction) {
		return l["account_id"], l["region"], flowgen.Direction(l["direction"])
	}
	switch name {
	case "vpcflow_nat_bytes_total":
		account, region, d := place()
		t.ledger.NATBytes[flowgen.NATKey{AccountID: account, Region: region, NATGateway: l["nat_gateway"], Direction: d, Service: l["aws_service"]}] = n
	case "vpcflow_bytes_total":
		account, region, d := place()
		t.ledger.Bytes[flowgen.BytesKey{AccountID: account, Region: region, Direction: d, Path: flowgen.Path(l["path"]), Service: l["aws_service"]}] = n
	case "vpcflow_packets_total":
		account, region, d := place()
		t.ledger.Packets[flowgen.PacketsKey{AccountID: account, Region: region, Direction: d, Path: flowgen.Path(l["path"])}] = n
	case "vpcflow_records_total":
		t.ledger.Records[flowgen.Disposition(l["disposition"])] = n
	case "vpcflow_observed_bytes_total":
		t.ledger.ObservedBytes[flowgen.Disposition(l["disposition"])] = n
	case "vpcflow_files_total":
		if l["result"] == "processed" {
			t.processed = n
		}
	case "vpcflow_file_decompressed_bytes_total":
		t.inflated = n
	case "vpcflow_held_records":
		t.held = n
	case "vpcflow_claims_unfinished", "go_goroutines", "process_open_fds", "process_resident_memory_bytes", "vpcflow_state_size_bytes":
		t.gauges[name] = value
	}
}

// series returns the number of series.
func (t totals) series() int {
	l := t.ledger
	return len(l.NATBytes) + len(l.Bytes) + len(l.Packets) + len(l.Records) + len(l.ObservedBytes)
}

// diff says where got differs, "" if nowhere.
func (t totals) diff(got totals) string {
	var lines []string
	for _, c := range []struct {
		name      string
		want, got uint64
	}{
		{"files processed", t.processed, got.processed},
		{"inflated bytes", t.inflated, got.inflated},
		{"held records", t.held, got.held},
	} {
		if c.want != c.got {
			lines = append(lines, fmt.Sprintf("%s: got %d, want %d", c.name, c.got, c.want))
		}
	}
	if d := t.ledger.Diff(got.ledger); d != "" {
		lines = append(lines, d)
	}
	return strings.Join(lines, "\n")
}

// fallen says which counter of a later page is below that of an earlier one, "" if none is.
func (t totals) fallen(later totals) string {
	var lines []string
	lines = fallen(lines, "nat_bytes", t.ledger.NATBytes, later.ledger.NATBytes)
	lines = fallen(lines, "bytes", t.ledger.Bytes, later.ledger.Bytes)
	lines = fallen(lines, "packets", t.ledger.Packets, later.ledger.Packets)
	lines = fallen(lines, "records", t.ledger.Records, later.ledger.Records)
	lines = fallen(lines, "observed_bytes", t.ledger.ObservedBytes, later.ledger.ObservedBytes)
	files := func(t totals) map[string]uint64 {
		return map[string]uint64{"processed": t.processed, "inflated": t.inflated}
	}
	return strings.Join(fallen(lines, "files", files(t), files(later)), "\n")
}

func fallen[K comparable](lines []string, name string, before, after map[K]uint64) []string {
	for k, n := range before {
		if after[k] < n {
			lines = append(lines, fmt.Sprintf("%s %v fell from %d to %d", name, k, n, after[k]))
		}
	}
	return lines
}

// add adds the page of another replica.
func (t *totals) add(o totals) {
	t.processed += o.processed
	t.inflated += o.inflated
	t.held += o.held
	addAll(t.ledger.NATBytes, o.ledger.NATBytes)
	addAll(t.ledger.Bytes, o.ledger.Bytes)
	addAll(t.ledger.Packets, o.ledger.Packets)
	addAll(t.ledger.Records, o.ledger.Records)
	addAll(t.ledger.ObservedBytes, o.ledger.ObservedBytes)
}

func addAll[K comparable](to, from map[K]uint64) {
	for k, n := range from {
		to[k] += n
	}
}
