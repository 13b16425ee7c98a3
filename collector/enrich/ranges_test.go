package enrich

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// A rangesEntry is a prefix of a test's ip-ranges.json.
type rangesEntry struct{ prefix, region, service string }

func rangesJSON(tb testing.TB, entries ...rangesEntry) []byte {
	tb.Helper()
	four, six := []map[string]string{}, []map[string]string{}
	for _, e := range entries {
		item := map[string]string{"region": e.region, "service": e.service, "network_border_group": e.region}
		if strings.Contains(e.prefix, ":") {
			item["ipv6_prefix"] = e.prefix
			six = append(six, item)
		} else {
			item["ip_prefix"] = e.prefix
			four = append(four, item)
		}
	}
	data, err := json.MarshalIndent(map[string]any{
		"syncToken": "1787411825", "createDate": "2026-08-22-15-17-05", "prefixes": four, "ipv6_prefixes": six,
	}, "", "  ")
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func parseRanges(tb testing.TB, entries ...rangesEntry) *Ranges {
	tb.Helper()
	ranges, err := ParseRanges(rangesJSON(tb, entries...))
	if err != nil {
		tb.Fatal(err)
	}
	return ranges
}

func lookupText(lookup func(hi, lo uint64) (string, string, bool), text string) string {
	b := bitsOf(netip.MustParseAddr(text))
	service, region, ok := lookup(b.hi, b.lo)
	if !ok {
		return "none" + service + region
	}
	return service + " " + region
}

func TestRangesLookup(t *testing.T) {
	entries := []rangesEntry{
		{"3.5.140.0/22", "ap-northeast-2", "AMAZON"},
		{"3.5.140.0/22", "ap-northeast-2", "S3"},
		{"3.5.140.0/22", "ap-northeast-2", "EC2"},
		{"52.94.0.0/16", "eu-west-1", "AMAZON"},
		{"52.94.5.0/24", "eu-west-1", "EC2"},
		{"52.94.5.0/24", "eu-west-1", "AMAZON"},
		{"52.94.5.64/26", "eu-west-3", "DYNAMODB"},
		{"52.94.5.80/32", "eu-west-3", "AMAZON"},
		{"120.52.22.96/27", "GLOBAL", "CLOUDFRONT_ORIGIN_FACING"},
		{"120.52.22.96/27", "GLOBAL", "CLOUDFRONT"},
		{"120.52.22.96/27", "GLOBAL", "AMAZON"},
		{"2600:1f00::/24", "us-east-1", "AMAZON"},
		{"2600:1fa0:8000::/39", "us-east-1", "S3"},
		{"2600:1f01:492a:4::/65", "us-west-1", "EC2"},
		{"2600:1f01:492a:4:8000::/65", "us-west-2", "EC2"},
	}
	for _, reversed := range []bool{false, true} {
		if reversed {
			for i, j := 0, len(entries)-1; i < j; i, j = i+1, j-1 {
				entries[i], entries[j] = entries[j], entries[i]
			}
		}
		ranges := parseRanges(t, entries...)
		for _, c := range []struct{ addr, want string }{
			{"3.5.139.255", "none"},
			{"3.5.140.0", "S3 ap-northeast-2"},
			{"3.5.143.255", "S3 ap-northeast-2"},
			{"3.5.144.0", "none"},
			{"52.94.4.255", "AMAZON eu-west-1"},
			{"52.94.5.1", "EC2 eu-west-1"},
			{"52.94.5.64", "DYNAMODB eu-west-3"},
			{"52.94.5.80", "AMAZON eu-west-3"}, // The longest prefix decides, whatever its service.
			{"52.94.5.81", "DYNAMODB eu-west-3"},
			{"52.94.5.128", "EC2 eu-west-1"},
			{"52.94.6.0", "AMAZON eu-west-1"},
			{"::ffff:52.94.5.64", "DYNAMODB eu-west-3"},
			{"64:ff9b::52.94.5.64", "DYNAMODB eu-west-3"},
			{"120.52.22.100", "CLOUDFRONT GLOBAL"},
			{"2600:1f00::1", "AMAZON us-east-1"},
			{"2600:1fa0:8000::1", "S3 us-east-1"},
			{"2600:1f01:492a:4::1", "EC2 us-west-1"},
			{"2600:1f01:492a:4:7fff:ffff:ffff:ffff", "EC2 us-west-1"},
			{"2600:1f01:492a:4:8000::", "EC2 us-west-2"},
			{"2600:1f01:492a:5::", "AMAZON us-east-1"},
			{"2600:2000::", "none"},
			{"::", "none"},
			{"255.255.255.255", "none"},
		} {
			if got := lookupText(ranges.Lookup, c.addr); got != c.want {
				t.Errorf("reversed %t: %s is %q, want %q", reversed, c.addr, got, c.want)
			}
		}
	}
	var none *Ranges
	if got := lookupText(none.Lookup, "3.5.140.0"); got != "none" {
		t.Errorf("nil ranges know %q", got)
	}
}

func TestParseRangesErrors(t *testing.T) {
	good := string(rangesJSON(t, rangesEntry{"3.5.140.0/22", "eu-west-1", "S3"}))
	replace := func(old, next string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in %s", old, good)
		}
		return strings.Replace(good, old, next, 1)
	}
	for _, c := range []struct{ name, data, want string }{
		{"empty", "", "decode ip-ranges: unexpected end of JSON input"},
		{"null", "null", "want an object with syncToken, prefixes and ipv6_prefixes"},
		{"a list", "[]", "cannot unmarshal array"},
		{"HTML", "<html>proxy says no</html>", "invalid character '<'"},
		{"another document after it", good + good, "invalid character '{' after top-level value"},
		{"no token", replace(`"syncToken"`, `"token"`), "want an object with syncToken"},
		{"no IPv4 list", replace(`"prefixes"`, `"ipv4_prefixes"`), "want an object with syncToken"},
		{"no IPv6 list", replace(`"ipv6_prefixes"`, `"prefixes6"`), "want an object with syncToken"},
		{"a list that is null", replace(`"ipv6_prefixes": []`, `"ipv6_prefixes": null`), "want an object with syncToken"},
		{"a list that is an object", replace(`"ipv6_prefixes": []`, `"ipv6_prefixes": {}`), "want a list of prefixes"},
		{"a list of texts", replace(`"ipv6_prefixes": []`, `"ipv6_prefixes": ["3.5.140.0/22"]`), "cannot unmarshal string"},
		{"no prefixes", `{"syncToken":"1","prefixes":[],"ipv6_prefixes":[]}`, "prefixes is empty"},
		{"a prefix of another name", replace(`"ip_prefix"`, `"cidr"`), `prefixes[0]: parse prefix "": want a CIDR`},
		{"an address", replace("3.5.140.0/22", "3.5.140.0"), `parse prefix "3.5.140.0": want a CIDR`},
		{"host bits", replace("3.5.140.0/22", "3.5.140.1/22"), "without host bits"},
		{"the other family", replace("3.5.140.0/22", "2600::/24"), "of that family"},
		{"IPv4 in IPv6", replace(`"ipv6_prefixes": []`, `"ipv6_prefixes": [{"ipv6_prefix":"::ffff:3.5.140.0/118","region":"r","service":"S3"}]`), "ipv6_prefixes[0]: parse prefix"},
		{"no service", replace(`"service"`, `"product"`), "has no service or no region"},
		{"a service that is a number", replace(`"S3"`, "3"), "cannot unmarshal number"},
		{"too many", `{"syncToken":"1","ipv6_prefixes":[],"prefixes":[` + strings.Repeat("{},", maxRangesPrefixes) + `{}]}`, "more than 200000 prefixes"},
		{"too large", strings.Repeat(" ", maxRangesBytes+1), "larger than"},
	} {
		ranges, err := ParseRanges([]byte(c.data))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v and the error %v, want one with %q", c.name, ranges, err, c.want)
		}
	}
}

// TestParseRangesCutShort cuts a good file after each byte: only white space may be missing.
func TestParseRangesCutShort(t *testing.T) {
	data := append(rangesJSON(t, rangesEntry{"3.5.140.0/22", "eu-west-1", "S3"}, rangesEntry{"2600:1f00::/24", "GLOBAL", "EC2"}), "\n\n"...)
	for n := range data {
		_, err := ParseRanges(data[:n])
		if whole := strings.TrimSpace(string(data[n:])) == ""; whole != (err == nil) {
			t.Fatalf("the first %d of %d bytes: got the error %v", n, len(data), err)
		}
	}
}

func TestParseRangesNewFields(t *testing.T) {
	data := strings.Replace(string(rangesJSON(t, rangesEntry{"3.5.140.0/22", "eu-west-1", "S3"})), `"service"`, `"zone": {"id": 1}, "service"`, 1)
	if _, err := ParseRanges([]byte(`{"new":[1],` + data[1:])); err != nil {
		t.Errorf("a field that AWS has added is an error: %v", err)
	}
}

func TestRangesHostileNames(t *testing.T) {
	ranges := parseRanges(t, rangesEntry{"3.5.140.0/22", strings.Repeat("r", 1000), "S3\"\n\xff{}"})
	b := bitsOf(netip.MustParseAddr("3.5.140.1"))
	service, region, _ := ranges.Lookup(b.hi, b.lo)
	if service != "S3_______"[:len(service)] || len(region) != maxIDBytes {
		t.Errorf("got the service %q and a region of %d bytes", service, len(region))
	}
}

// TestRangesRandom compares with a search through all prefixes that applies the rule word by word.
func TestRangesRandom(t *testing.T) {
	services := []string{"AMAZON", "EC2", "S3", "DYNAMODB"}
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 3))
		var entries []rangesEntry
		entries = append(entries, rangesEntry{"192.0.2.0/24", "r0", "S3"})
		for range random.IntN(40) {
			addr := randomAddr(random)
			prefix := netip.PrefixFrom(addr, random.IntN(addr.BitLen()+1)).Masked()
			entries = append(entries, rangesEntry{prefix.String(), fmt.Sprint("r", random.IntN(2)), services[random.IntN(len(services))]})
		}
		ranges := parseRanges(t, entries...)
		for range 200 {
			addr := randomAddr(random)
			if got, want := lookupText(ranges.Lookup, addr.String()), ruleOf(entries, addr); got != want {
				t.Fatalf("seed %d: %s is %q, want %q of %v", seed, addr, got, want, entries)
			}
		}
	}
}

func ruleOf(entries []rangesEntry, addr netip.Addr) string {
	bits, best := -1, rangeOwner{}
	for _, e := range entries {
		prefix := netip.MustParsePrefix(e.prefix)
		owner := rangeOwner{e.service, e.region}
		if prefix.Contains(addr) && (prefix.Bits() > bits || prefix.Bits() == bits && owner.before(best)) {
			bits, best = prefix.Bits(), owner
		}
	}
	if bits < 0 {
		return "none"
	}
	return best.service + " " + best.region
}
