package main

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/enrich"
)

func TestEnrichConfig(t *testing.T) {
	config := DefaultConfig()
	config.Enrichment.Networks = map[string][]string{"office": {"192.0.2.0/24"}}
	config.FlowLogs.InternalCIDRs = []string{"198.51.100.0/24"}
	config.State.Path = "/var/lib/vpcflow"
	got, err := enrichConfig(config, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	want := enrich.DefaultConfig()
	if got.IPRanges != want.IPRanges || got.CacheSize != want.CacheSize || got.IPInfo != want.IPInfo {
		t.Errorf("the defaults of the file and of the package differ: got %+v, want %+v", got, want)
	}
	if got.IPRangesCopy != filepath.Join("/var/lib/vpcflow", "ip-ranges.json") {
		t.Errorf("the copy of the ranges is at %q", got.IPRangesCopy)
	}
	if len(got.Networks["office"]) != 1 || len(got.Internal) != 1 || got.Internal[0] != netip.MustParsePrefix("198.51.100.0/24") {
		t.Errorf("got the networks %v and %v", got.Networks, got.Internal)
	}
}

func TestEnrichConfigToken(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env        map[string]string
		want       enrich.Secret
		wantError  string
	}{
		{"none", "", nil, "", ""},
		{"from the environment", "", map[string]string{"IPINFO_TOKEN": "one\n"}, "one", ""},
		{"the name of vpc-flowlogs-egress-analyzer", "", map[string]string{"IP_INFO_API_KEY": "two"}, "two", ""},
		{"both", "", map[string]string{"IPINFO_TOKEN": "one", "IP_INFO_API_KEY": "two"}, "one", ""},
		{"a file comes first", "/run/secrets/ipinfo", map[string]string{"IPINFO_TOKEN": "two words"}, "", ""},
		{"no token", "", map[string]string{"IPINFO_TOKEN": "two words"}, "", "read environment variable IPINFO_TOKEN: token holds characters that no token has"},
	} {
		config := DefaultConfig()
		config.Enrichment.IPInfoTokenFile = c.file
		got, err := enrichConfig(config, func(name string) string { return c.env[name] })
		if string(got.IPInfo.Token) != string(c.want) || got.IPInfo.TokenFile != c.file && err == nil {
			t.Errorf("%s: got the token %q and the file %q, want %q", c.name, string(got.IPInfo.Token), got.IPInfo.TokenFile, string(c.want))
		}
		if (err == nil) != (c.wantError == "") || err != nil && err.Error() != c.wantError {
			t.Errorf("%s: got the error %v, want %q", c.name, err, c.wantError)
		}
		if err != nil && strings.Contains(err.Error(), "two words") {
			t.Errorf("%s: the error holds the token: %v", c.name, err)
		}
	}
}
