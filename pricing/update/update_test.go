package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fixture is a bulk file of eu-west-3 with the given price of a GB. Behind the
// prices on demand stands what is no JSON, which must not be reached.
func fixture(natGB string) string {
	products := []string{}
	offers := []string{}
	for i, p := range []struct{ usageType, unit, usd string }{
		{"EUW3-BoxUsage:m5.large", "Hrs", "0.112"},
		{"EUW3-NatGateway-Bytes", "GB", natGB},
		{"EUW3-RegionalNatGateway-Bytes", "GB", "0.09"},
		{"EUW3-NatGateway-Hours", "Hrs", "0.05"},
		{"EUW3-NatGateway-Prvd-Bytes", "GB", "0.0"},
	} {
		products = append(products, fmt.Sprintf(`"SKU%d": {"sku": "SKU%d", "attributes": {"regionCode": "eu-west-3", "usagetype": %q}}`, i, i, p.usageType))
		offers = append(offers, fmt.Sprintf(
			`"SKU%d": {"SKU%d.T": {"priceDimensions": {"SKU%d.T.D": {"unit": %q, "beginRange": "0", "endRange": "Inf", "pricePerUnit": {"USD": %q}}}}}`, i, i, i, p.unit, p.usd))
	}
	return fmt.Sprintf(`{"formatVersion": "v1.0", "offerCode": "AmazonEC2", "publicationDate": "2026-11-20T17:45:21Z", "products": {%s}, "terms": {"OnDemand": {%s}, "Reserved": {!`,
		strings.Join(products, ","), strings.Join(offers, ","))
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestUpdate(t *testing.T) {
	list := read(t, "../rates.csv")
	rates := write(t, "rates.csv", list)
	var stdout, stderr strings.Builder
	if code := run([]string{rates, write(t, "index.json", fixture("0.0520000000"))}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	want := "! eu-west-3 nat_gb: 0.05 -> 0.052\n= eu-west-3 nat_hour: 0.05 -> 0.05\n2 prices read, 1 changed\n"
	if stdout.String() != want {
		t.Errorf("printed %q, want %q", stdout.String(), want)
	}
	wantList := strings.NewReplacer(
		"eu-west-3,nat_gb,0.05,A+B,2026-09-03", "eu-west-3,nat_gb,0.052,L,2026-11-20",
		"eu-west-3,nat_hour,0.05,A+B,2026-09-03", "eu-west-3,nat_hour,0.05,L,2026-11-20",
	).Replace(list)
	if got := read(t, rates); got != wantList {
		t.Errorf("the list has more changes than those two, or fewer")
	}
}

// TestUpdateRefuses leaves the list as it was.
func TestUpdateRefuses(t *testing.T) {
	good := fixture("0.052")
	for name, file := range map[string]string{
		"empty":         "",
		"no object":     "[]",
		"cut short":     good[:len(good)-len(`, "Reserved": {!`)-9],
		"cut products":  good[:len(good)/3],
		"no date":       strings.Replace(good, "publicationDate", "date", 1),
		"bad date":      strings.Replace(good, "2026-11-20T", "2026-13-20T", 1),
		"no terms":      good[:strings.Index(good, `, "terms"`)] + "}",
		"nothing ours":  strings.ReplaceAll(good, "EUW3-NatGateway", "EUW3-Nat"),
		"beyond belief": fixture("0.5"),
		"zero":          fixture("0.0"),
		"two prices":    strings.ReplaceAll(good, "EUW3-RegionalNatGateway-Bytes", "EUW3-NatGateway-Bytes"),
	} {
		t.Run(name, func(t *testing.T) {
			list := read(t, "../rates.csv")
			rates := write(t, "rates.csv", list)
			var stdout, stderr strings.Builder
			if code := run([]string{rates, write(t, "index.json", file)}, &stdout, &stderr); code != 1 || stderr.Len() == 0 || stdout.Len() != 0 {
				t.Errorf("exit code %d, %q, %q", code, stdout.String(), stderr.String())
			}
			if read(t, rates) != list {
				t.Error("the list was changed")
			}
		})
	}
}

func TestUsage(t *testing.T) {
	var stdout, stderr strings.Builder
	if code := run([]string{"rates.csv", ""}, &stdout, &stderr); code != 2 || !strings.Contains(stderr.String(), "make prices FILE=") {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
}
