package demo

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// TestNames looks up all remotes of the demo: those with an AWS service in the ranges of that service, and the others in a named network, so that none is left without a name.
func TestNames(t *testing.T) {
	data, err := AddressRanges()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Prefixes []struct {
			IPPrefix netip.Prefix `json:"ip_prefix"`
			Service  string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	for _, remote := range slices.Concat(w.s3, w.s3Elsewhere, w.s3Second, w.dynamo, w.registry, w.compute, w.cdn, w.github, w.packages, w.logs, w.payments, w.web) {
		found := ""
		for _, p := range file.Prefixes {
			if p.IPPrefix.Contains(remote.Addr) {
				found = p.Service
			}
		}
		if found != remote.Service || found == "" && !hasNetwork(t, remote) {
			t.Errorf("%s of %q: found %q", remote.Addr, remote.Service, found)
		}
	}
}

func hasNetwork(t *testing.T, remote flowgen.Remote) bool {
	t.Helper()
	for _, cidrs := range Networks() {
		for _, cidr := range cidrs {
			if netip.MustParsePrefix(cidr).Contains(remote.Addr) {
				return true
			}
		}
	}
	return false
}
