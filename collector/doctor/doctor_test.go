package doctor

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

func parse(t *testing.T, header string) *flowlog.Format {
	t.Helper()
	f, err := flowlog.ParseFormat(header)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// without returns the recommended format without some fields.
func without(names ...string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(Recommended), func(name string) bool { return slices.Contains(names, name) }), " ")
}

const analyzer = flowlog.DefaultFormat + " pkt-srcaddr pkt-dstaddr pkt-dst-aws-service flow-direction traffic-path"

// TestExamine holds the verdict on each kind of format: NAT bytes, how gateways are recognised, the counters that are not exact, and what is off.
func TestExamine(t *testing.T) {
	for name, test := range map[string]struct {
		header                         string
		options                        Options
		natBytes                       Level
		recognition                    string
		conditional, inexact, lacksAny string
	}{
		"recommended": {Recommended, Options{}, Exact, "interface_type", "", "", ""},
		"default": {
			flowlog.DefaultFormat,
			Options{},
			Inexact, "config", "",
			"nat_bytes nat_bytes_by_aws_service nat_cost_usd bytes bytes_by_path packets",
			"pkt-srcaddr pkt-srcaddr resource-id pkt-src-aws-service traffic-path flow-direction vpc-id region subnet-id ecs-cluster-name",
		},
		"default, gateways named": {
			flowlog.DefaultFormat,
			Options{NamesGateways: true},
			Conditional, "config",
			"nat_bytes nat_cost_usd bytes packets", "nat_bytes_by_aws_service bytes_by_path",
			"pkt-srcaddr pkt-srcaddr resource-id pkt-src-aws-service traffic-path flow-direction vpc-id region subnet-id ecs-cluster-name",
		},
		"18 fields and one": {
			analyzer,
			Options{},
			Conditional, "learned",
			"nat_bytes nat_cost_usd bytes bytes_by_path packets", "nat_bytes_by_aws_service",
			"instance-id resource-id pkt-src-aws-service vpc-id interface-type region subnet-id ecs-cluster-name",
		},
		"all but interface-type": {without("interface-type"), Options{}, Exact, "learned", "", "", "interface-type"},
		"all but instance-id": {
			without("instance-id"),
			Options{},
			Conditional, "interface_type",
			"nat_bytes nat_bytes_by_aws_service nat_cost_usd bytes bytes_by_path packets", "", "instance-id",
		},
		"all but instance-id and interface-type": {
			without("instance-id", "interface-type"), Options{}, Exact, "learned", "nat_cost_usd bytes bytes_by_path packets", "", "instance-id interface-type",
		},
		"all but one pkt-address": {
			without("pkt-dstaddr"), Options{}, Conditional, "interface_type", "nat_bytes nat_cost_usd bytes bytes_by_path packets", "nat_bytes_by_aws_service", "pkt-dstaddr",
		},
		"all but pkt-addresses and interface-type": {
			without("pkt-srcaddr", "pkt-dstaddr", "interface-type"),
			Options{},
			Inexact, "resource_id", "",
			"nat_bytes nat_bytes_by_aws_service nat_cost_usd bytes bytes_by_path packets", "pkt-srcaddr pkt-srcaddr",
		},
		"all but interface-id": {
			without("interface-id"),
			Options{NamesGateways: true},
			Inexact, "resource_id", "",
			"nat_bytes nat_bytes_by_aws_service nat_cost_usd bytes bytes_by_path packets", "interface-id",
		},
		"all but flow-direction": {without("flow-direction"), Options{}, Exact, "interface_type", "bytes bytes_by_path packets", "", "flow-direction"},
		"all but flow-direction and interface-type": {
			without("flow-direction", "interface-type"),
			Options{},
			Conditional, "learned",
			"nat_bytes nat_bytes_by_aws_service nat_cost_usd bytes bytes_by_path packets", "", "flow-direction flow-direction interface-type",
		},
		"all but ports":                    {without("srcport", "dstport"), Options{}, Exact, "interface_type", "", "", ""},
		"all but traffic-path":             {without("traffic-path"), Options{}, Exact, "interface_type", "bytes packets", "bytes_by_path", "traffic-path"},
		"all but packets and log-status":   {without("packets", "log-status"), Options{}, Exact, "interface_type", "", "packets records_of_skip_data", "packets log-status"},
		"all but fields that nobody reads": {without("version", "protocol", "ecs-task-id", "next-hop-az-id"), Options{}, Exact, "interface_type", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := Examine(parse(t, test.header), test.options)
			if d.NATBytes != test.natBytes || d.NATRecognition != test.recognition || d.CanBeExact() != (test.natBytes != Inexact) {
				t.Errorf("got NAT bytes %s by %s, want %s by %s", d.NATBytes, d.NATRecognition, test.natBytes, test.recognition)
			}
			if got := counted(d, Conditional); got != test.conditional {
				t.Errorf("got conditional\n%s, want\n%s", got, test.conditional)
			}
			if got := counted(d, Inexact); got != test.inexact {
				t.Errorf("got inexact\n%s, want\n%s", got, test.inexact)
			}
			var lacks []string
			for _, l := range d.Lacks {
				lacks = append(lacks, l.Without[0])
			}
			if got := strings.Join(lacks, " "); got != test.lacksAny {
				t.Errorf("got lacks of %s, want %s", got, test.lacksAny)
			}
			for _, c := range d.Counters {
				if (len(c.Without) == 0) != (c.Level == Exact) {
					t.Errorf("%s is %s for want of %q", c.Metric, c.Level, c.Without)
				}
			}
		})
	}
}

// counted returns the short names of the counters of a level.
func counted(d Diagnosis, level Level) string {
	var names []string
	for _, c := range d.Counters {
		if c.Level == level {
			names = append(names, strings.NewReplacer("vpcflow_", "", "_total", "", " ", "_").Replace(c.Metric))
		}
	}
	return strings.Join(names, " ")
}

// TestEveryFieldHasAnEffect accounts for each recommended field: a format must have it, a check says what its lack does, or nobody reads it.
func TestEveryFieldHasAnEffect(t *testing.T) {
	for _, field := range recommended() {
		_, err := flowlog.ParseFormat(without(field.String()))
		checked := slices.ContainsFunc(checks, func(c check) bool { return slices.Contains(c.fields, field) })
		base := parse(t, "interface-id srcaddr dstaddr bytes").ReadColumns()
		read := true
		if f, err := flowlog.ParseFormat("interface-id srcaddr dstaddr bytes " + field.String()); err == nil {
			read = f.ReadColumns() > base
		}
		if unread := slices.Contains(notRead, field); unread == read || checked == (unread || err != nil) {
			t.Errorf("%s: required %t, read %t, checked %t, said to be unread %t", field, err != nil, read, checked, unread)
		}
	}
	for _, c := range checks {
		for _, field := range c.fields {
			if !strings.Contains(" "+Recommended+" ", " "+field.String()+" ") {
				t.Errorf("%s is off for want of %s, which is not recommended", c.off, field)
			}
		}
	}
}

// TestSameWordsAsFormatInfo compares with the label that the daemon exports, for random formats.
func TestSameWordsAsFormatInfo(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	words := map[string]bool{}
	for range 500 {
		f := randomFormat(t, rng)
		d := Examine(f, Options{})
		delta := aggregator.NewDelta(classifier.NewNetworks(nil), 100)
		delta.Add(&flowlog.Record{Format: f, Status: flowlog.StatusNoData})
		a := aggregator.New(aggregator.DefaultConfig(), unpriced{}, time.Now)
		if _, err := a.Commit(aggregator.File{Identity: "a"}, delta); err != nil {
			t.Fatal(err)
		}
		for series := range a.Snapshot().Formats() {
			info := series.Labels
			if info.NATRecognition != d.NATRecognition || info.FieldsVersion != strconv.Itoa(d.FieldsVersion) {
				t.Fatalf("%s: got %s of version %d, the label says %+v", f, d.NATRecognition, d.FieldsVersion, info)
			}
		}
		words[d.NATRecognition] = true
		if d.Recognised == "" {
			t.Errorf("nothing is said about %s", d.NATRecognition)
		}
	}
	if len(words) != len(recognitionTexts) {
		t.Errorf("got words %v, texts are %v", words, recognitionTexts)
	}
}

type unpriced struct{}

func (unpriced) NATPrice(string, string, string) (aggregator.Price, bool) { return aggregator.Price{}, false }

// randomFormat returns a format of what is required and a random subset of all other fields.
func randomFormat(t *testing.T, rng *rand.Rand) *flowlog.Format {
	names := []string{"srcaddr", "dstaddr", "bytes"}
	names = append(names, []string{"interface-id", "resource-id"}[rng.IntN(2)])
	density := rng.IntN(4)
	for i := range widths {
		if name := flowlog.Field(i).String(); !slices.Contains(names, name) && rng.IntN(4) < density {
			names = append(names, name)
		}
	}
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return parse(t, strings.Join(names, " "))
}

// TestLogFormat recommends for random formats one that AWS takes and that lacks nothing, and keeps the fields that somebody else may need.
func TestLogFormat(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		f := randomFormat(t, rng)
		d := Examine(f, Options{})
		to := parse(t, d.LogFormat)
		for i := range widths {
			if field := flowlog.Field(i); f.Has(field) && !to.Has(field) {
				t.Errorf("%s: %s is left out of %s", f, field, d.LogFormat)
			}
		}
		after := Examine(to, Options{})
		if len(after.Missing)+len(after.Lacks)+len(after.Unknown) > 0 || after.NATBytes != Exact || after.Cost.More != 0 || after.LogFormat != d.LogFormat && len(f.Unknown()) == 0 {
			t.Fatalf("%s: the recommended format is %+v", f, after)
		}
		if got := d.Cost.Now + d.Cost.More; got != after.Cost.Now {
			t.Errorf("%s: %d bytes grow by %d, to %d", f, d.Cost.Now, d.Cost.More, after.Cost.Now)
		}
		if d.Cost.MoreECS < d.Cost.More || d.Cost.MoreGzip > d.Cost.More || d.Cost.MoreECSGzip < d.Cost.MoreGzip {
			t.Errorf("%s: got cost %+v", f, d.Cost)
		}
	}
}

// TestWidths has a width for each field that flowlog knows.
func TestWidths(t *testing.T) {
	for i, width := range widths {
		if name := flowlog.Field(i).String(); width < 1 || name == "unknown" {
			t.Errorf("field %d, %s, is %d wide", i, name, width)
		}
	}
	if name := flowlog.Field(len(widths)).String(); name != "unknown" {
		t.Errorf("%s has no width", name)
	}
}

// TestTypicalRecord holds the estimate of a record against one that AWS documents.
func TestTypicalRecord(t *testing.T) {
	const record = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n"
	got := Examine(parse(t, flowlog.DefaultFormat), Options{}).Cost.Now
	if got < len(record)*8/10 || got > len(record)*12/10 {
		t.Errorf("got %d bytes, a record of AWS's documentation has %d", got, len(record))
	}
}
