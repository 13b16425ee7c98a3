// Package doctor says in words what a flow log format allows: which counters are exact and which are not, what is off for want of which field, how NAT gateways
// are recognised, and with which format to recreate the flow log.
//
// It describes what the aggregator does with the fields of a format; docs/counting.md shows the rules behind it.
package doctor

import (
	"slices"
	"strings"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// Level says how far a counter can be relied on.
type Level string

// The levels, the best first.
const (
	Exact       Level = "exact"
	Conditional Level = "conditional" // exact, unless something is the case that the effect of a lack names.
	Inexact     Level = "inexact"
)

// Options are what the configuration says besides the format.
type Options struct {
	// NamesGateways says that flow_logs.nat_gateways names NAT gateways.
	NamesGateways bool
}

// A Counter is a metric, or a breakdown of one, and the missing fields that spoil it.
type Counter struct {
	Metric  string   `json:"metric"`
	Level   Level    `json:"level"`
	Without []string `json:"without"`
}

// A Lack is what is off for want of fields.
type Lack struct {
	Without []string `json:"without"`
	Off     string   `json:"off"`
	Effect  string   `json:"effect"`
}

// String returns the lack as a clause.
func (l Lack) String() string { return "without " + strings.Join(l.Without, " and ") + " " + l.Effect }

// A Diagnosis is what a format allows.
type Diagnosis struct {
	Header        string   `json:"header"`
	FieldsVersion int      `json:"fields_version"`
	Fields        int      `json:"fields"`
	Unknown       []string `json:"unknown_fields"` // Unknown are the fields that are ignored.

	NATBytes       Level  `json:"nat_bytes"`
	NATRecognition string `json:"nat_recognition"` // NATRecognition is the label of vpcflow_format_info.
	Recognised     string `json:"nat_recognition_text"`

	Counters []Counter `json:"counters"`
	Lacks    []Lack    `json:"lacks"`

	Missing   []string `json:"missing_fields"`          // Missing are the recommended fields that the format lacks.
	NotRead   []string `json:"missing_fields_not_read"` // NotRead are those of them that this version does not read.
	LogFormat string   `json:"log_format"`              // LogFormat is the format to recreate the flow log with.
	Cost      Cost     `json:"estimated_bytes_per_record"`
}

// CanBeExact says whether nothing in the format keeps the NAT bytes from being exact.
func (d Diagnosis) CanBeExact() bool { return d.NATBytes != Inexact }

// Examine says what a format allows.
func Examine(f *flowlog.Format, options Options) Diagnosis {
	d := Diagnosis{
		Header: f.String(), FieldsVersion: f.Version(), Fields: f.Columns(), Unknown: append([]string{}, f.Unknown()...),
		NATRecognition: aggregator.NATRecognition(f), Lacks: []Lack{}, Missing: []string{}, NotRead: []string{},
	}
	d.Recognised = recognised(f, d.NATRecognition)
	d.Counters = counters()
	for _, c := range checks {
		if !c.when.met(f, options) {
			continue
		}
		if without := lacking(f, c.fields); len(without) > 0 {
			d.Lacks = append(d.Lacks, Lack{without, c.off, c.effect})
			d.spoil(c.spoils, without)
		}
	}
	d.NATBytes = d.Counters[natBytes].Level
	d.recommend(f)
	return d
}

// counters returns all counters as they are if nothing spoils them.
func counters() []Counter {
	list := make([]Counter, numCounters)
	for i := range list {
		list[i] = Counter{counterNames[i], Exact, []string{}}
	}
	return list
}

// spoil makes counters, and those that follow them, no better than the levels.
func (d *Diagnosis) spoil(spoils map[counter]Level, without []string) {
	for i, level := range spoils {
		c := &d.Counters[i]
		if c.Level != Inexact {
			c.Level = level
		}
		for _, name := range without {
			if !slices.Contains(c.Without, name) {
				c.Without = append(c.Without, name)
			}
		}
		for _, j := range follows[i] {
			d.spoil(map[counter]Level{j: level}, without)
		}
	}
}

// recommend says with which format to recreate the flow log, and what that costs. Fields that somebody else may need stay.
func (d *Diagnosis) recommend(f *flowlog.Format) {
	names := strings.Fields(Recommended)
	var missing []flowlog.Field
	for _, field := range recommended() {
		if f.Has(field) {
			continue
		}
		missing = append(missing, field)
		d.Missing = append(d.Missing, field.String())
		if slices.Contains(notRead, field) {
			d.NotRead = append(d.NotRead, field.String())
		}
	}
	for field := range widths {
		if field := flowlog.Field(field); f.Has(field) && !slices.Contains(names, field.String()) {
			names = append(names, field.String())
		}
	}
	d.LogFormat = LogFormat(names)
	d.Cost = costOf(f, missing)
}

// lacking returns the names of the fields that a format lacks.
func lacking(f *flowlog.Format, fields []flowlog.Field) []string {
	var names []string
	for _, field := range fields {
		if !f.Has(field) {
			names = append(names, field.String())
		}
	}
	return names
}

// recognitionTexts explain the labels of NATRecognition.
var recognitionTexts = map[string]string{
	"interface_type": "by their interface-type, at once",
	"learned":        "learned from the addresses in their rows",
	"resource_id":    "regional ones by their resource-id, zonal ones where flow_logs.nat_gateways names them",
	"config":         `zonal ones where flow_logs.nat_gateways names them, regional ones by an interface-id of "-"`,
}

// recognised says how NAT gateways are recognised.
func recognised(f *flowlog.Format, recognition string) string {
	switch {
	case !f.Has(flowlog.FieldInterfaceID):
		return "regional ones by their resource-id, zonal ones not at all"
	case recognition == "learned" && !f.Has(flowlog.FieldInstanceID):
		return recognitionTexts[recognition] + ", and marked unverified"
	default:
		return recognitionTexts[recognition]
	}
}
