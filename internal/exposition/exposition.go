// Package exposition reads pages of metrics for tests, as Prometheus would.
package exposition

import (
	"fmt"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// A Sample is a series of a page with its value; that of a histogram is the number of its observations.
type Sample struct {
	Name   string
	Series string // Series is the name with the labels as the page has them.
	Labels map[string]string
	Value  float64
}

// Parse reads a page in Prometheus's text format, and fails on one that Prometheus would refuse. The samples are in no order.
func Parse(text string) ([]Sample, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse page of metrics: %w", err)
	}
	var samples []Sample
	for name, family := range families {
		for _, m := range family.GetMetric() {
			s := Sample{Name: name, Series: name, Labels: make(map[string]string, len(m.GetLabel()))}
			var rendered []string
			for _, l := range m.GetLabel() {
				s.Labels[l.GetName()] = l.GetValue()
				rendered = append(rendered, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			if len(rendered) > 0 {
				s.Series += "{" + strings.Join(rendered, ",") + "}"
			}
			s.Value = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			samples = append(samples, s)
		}
	}
	return samples, nil
}

// Own returns the lines of a page that are series of the exporter's own.
func Own(text string) string {
	var own strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "vpcflow_") {
			own.WriteString(line)
		}
	}
	return own.String()
}
