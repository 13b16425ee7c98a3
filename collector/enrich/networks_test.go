package enrich

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

func TestNetworksLookup(t *testing.T) {
	networks, err := NewNetworks(map[string][]netip.Prefix{
		"corp":     prefixes("10.0.0.0/8", "2001:db8::/32"),
		"prod":     prefixes("10.1.0.0/16", "10.1.0.0/16"), // Said twice, which harms nobody.
		"prod-db":  prefixes("10.1.2.0/24", "2001:db8:1::/48"),
		"one\nbad": prefixes("192.0.2.1/32"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"10.0.0.1": "corp", "10.1.0.1": "prod", "10.1.2.3": "prod-db", "10.1.3.0": "prod", "10.2.0.0": "corp", "11.0.0.0": "", "192.0.2.1": "one bad", "192.0.2.2": "",
		"2001:db8::1": "corp", "2001:db8:1::1": "prod-db", "2001:db9::": "", "::": "", "64:ff9b::10.1.2.3": "prod-db",
	} {
		b := bitsOf(netip.MustParseAddr(addr))
		if got, ok := networks.Lookup(b.hi, b.lo); got != want || ok != (want != "") {
			t.Errorf("%s is in %q (%t), want %q", addr, got, ok, want)
		}
	}
	var none *Networks
	if name, ok := none.Lookup(1, 2); name != "" || ok {
		t.Errorf("nil networks know %q", name)
	}
}

func TestNewNetworksErrors(t *testing.T) {
	_, err := NewNetworks(map[string][]netip.Prefix{
		"office":  prefixes("192.0.2.0/24", "198.51.100.0/24"),
		"partner": prefixes("203.0.113.0/24", "198.51.100.0/24"),
		"slip":    {netip.MustParsePrefix("10.0.0.1/8"), {}},
	})
	want := []string{
		`enrichment.networks.partner[1]: must have one name, got 198.51.100.0/24 in "office" and in "partner"`,
		`enrichment.networks.slip[0]: must be a CIDR without host bits, got "10.0.0.1/8"`,
		`enrichment.networks.slip[1]: must be a CIDR without host bits, got "invalid Prefix"`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Fatalf("got the error\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	var first *NetworkError
	if !errors.As(err, &first) || first.Name != "partner" || first.Index != 1 {
		t.Errorf("the first error is %#v", first)
	}
	if err := (Config{Networks: map[string][]netip.Prefix{"a": prefixes("10.0.0.0/8"), "b": prefixes("10.0.0.0/8")}}).Validate(); err == nil || !strings.Contains(err.Error(), "must have one name") {
		t.Errorf("validating a configuration gives %v", err)
	}
	if err := (Config{Internal: prefixes("10.0.0.1/8")}).Validate(); err == nil || err.Error() != `flow_logs.internal_cidrs[0]: must be a CIDR without host bits, got "10.0.0.1/8"` {
		t.Errorf("validating internal networks gives %v", err)
	}
}
