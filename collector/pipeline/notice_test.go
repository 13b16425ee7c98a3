package pipeline

import (
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// TestLacks names the fields that each format is told to lack, by the first field of each sentence.
func TestLacks(t *testing.T) {
	for name, test := range map[string]struct{ header, want string }{
		"version 2": {flowlog.DefaultFormat, "pkt-srcaddr vpc-id flow-direction traffic-path pkt-src-aws-service"},
		"version 3": {
			"version vpc-id subnet-id instance-id interface-id account-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes start end action log-status",
			"flow-direction traffic-path pkt-src-aws-service",
		},
		"no instance-id": {
			"interface-id vpc-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service bytes flow-direction traffic-path",
			"instance-id",
		},
		"no instance-id, but interface-type": {
			"interface-id interface-type vpc-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service bytes flow-direction traffic-path", "",
		},
		"no interface-id": {
			"resource-id instance-id vpc-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service bytes flow-direction traffic-path",
			"interface-id",
		},
	} {
		t.Run(name, func(t *testing.T) {
			format, err := flowlog.ParseFormat(test.header)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, text := range lacks(format) {
				got = append(got, strings.Fields(text)[1])
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
