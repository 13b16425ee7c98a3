package pipeline

import (
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// tables are the ways in which services may be known that the format does not name.
var tables = map[string]func() aggregator.Services{"no table": nil, "table": newParity}

// parity gives three addresses of four to a service, one of which flow logs name too.
type parity struct{}

func newParity() aggregator.Services { return parity{} }

func (parity) Region(flowlog.Addr) string { return "" }

func (parity) Service(a flowlog.Addr) string {
	return [4]string{"", "S3", "EC2", "TABLE_ONLY"}[(a.Lo^a.Hi>>32)%4]
}

// TestServicesInOtherFiles reads scenarios with a table of services: it changes nothing but the label aws_service, and that only from unknown to a service or none, however the
// rows are cut into files.
func TestServicesInOtherFiles(t *testing.T) {
	first := firstSeed(t)
	resolved := 0
	for i := range uint64(max(*scenarios/10, 1)) {
		s := flowgen.Random(first+i, flowgen.Options{})
		store := func(f flowgen.File) (string, []byte) { return f.Key, f.Gzip() }
		want := readStored(t, s, s.Files, newParity, store)
		if diff := withoutServices(s.Ledger).Diff(withoutServices(want)); diff != "" {
			t.Fatalf("rerun with -seed=%d -scenarios=1: without services: %s\n%s", first+i, s, diff)
		}
		for k, v := range s.Ledger.Bytes {
			now := want.Bytes[k]
			if k.Service == "unknown" && now > v || k.Service != "unknown" && now < v {
				t.Fatalf("rerun with -seed=%d -scenarios=1: %v had %d bytes, now %d\n%s", first+i, k, v, now, s)
			}
		}
		for k := range want.Bytes {
			if k.Service == "TABLE_ONLY" {
				resolved++
			}
		}
		for cut := range uint64(4) {
			files := s.Recut(cut)
			if cut == 3 {
				files = s.CutInto(5, first+i)
			}
			if diff := want.Diff(readStored(t, s, files, newParity, store)); diff != "" {
				t.Fatalf("rerun with -seed=%d -scenarios=1: cut %d of %s\n%s", first+i, cut, s, diff)
			}
		}
	}
	if resolved == 0 && *scenarios >= manyScenarios {
		t.Error("the table was never used: the scenarios test nothing")
	}
}

// withoutServices sums a ledger over the services.
func withoutServices(l flowgen.Ledger) flowgen.Ledger {
	summed := l
	summed.Bytes, summed.NATBytes = make(map[flowgen.BytesKey]uint64), make(map[flowgen.NATKey]uint64)
	for k, v := range l.Bytes {
		k.Service = ""
		summed.Bytes[k] += v
	}
	for k, v := range l.NATBytes {
		k.Service = ""
		summed.NATBytes[k] += v
	}
	return summed
}
