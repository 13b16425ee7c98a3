package pipeline

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/doctor"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

// TestFormatLog says one line about each header, however often it is seen: a warning if it lacks anything.
func TestFormatLog(t *testing.T) {
	for name, test := range map[string]struct {
		header string
		has    []string
		not    string
	}{
		"recommended": {doctor.Recommended, []string{"level=INFO", "nat_bytes=exact", "nat_recognition=interface_type", "fields_version=11"}, "lacks="},
		"default": {
			flowlog.DefaultFormat, []string{"level=WARN", "nat_bytes=inexact", "nat_recognition=config", `lacks="without pkt-srcaddr and pkt-dstaddr a zonal NAT gateway counts only if`}, "unknown_fields",
		},
		"unknown fields": {doctor.Recommended + " future-field", []string{"level=INFO", `unknown_fields="[\"future-field\"]"`}, "lacks="},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			f := formatLog{logger: slog.New(slog.NewTextHandler(&b, nil))}
			for range 2 {
				format, err := flowlog.ParseFormat(test.header)
				if err != nil {
					t.Fatal(err)
				}
				f.seen(format, doctor.Options{})
			}
			if strings.Count(b.String(), "\n") != 1 || strings.Contains(b.String(), test.not) {
				t.Errorf("got log\n%s", &b)
			}
			for _, want := range test.has {
				if !strings.Contains(b.String(), want) {
					t.Errorf("no %s in\n%s", want, &b)
				}
			}
		})
	}
}

// TestFormatLogOfTransitGateways says one line about each flow log of a transit gateway.
func TestFormatLogOfTransitGateways(t *testing.T) {
	var b bytes.Buffer
	f := formatLog{logger: slog.New(slog.NewTextHandler(&b, nil))}
	for _, id := range []string{"fl-1", "fl-1", "fl-2", "", ""} {
		f.seenTransitGateway(id, s3event.Object{Bucket: "logs", Key: "a.gz"}, errors.New("parse header"))
	}
	if n := strings.Count(b.String(), "\n"); n != 3 {
		t.Errorf("got %d lines, want 3:\n%s", n, &b)
	}
}
