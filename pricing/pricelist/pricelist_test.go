package pricelist

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/pricing"
)

func TestIdentify(t *testing.T) {
	for _, test := range []struct {
		usageType, region string
		want              string
		item              pricing.Item
	}{
		{"NatGateway-Bytes", "us-east-1", "us-east-1", pricing.NATGB},
		{"NatGateway-Bytes", "", "us-east-1", pricing.NATGB},
		{"USE1-NatGateway-Bytes", "", "us-east-1", pricing.NATGB},
		{"EU-NatGateway-Bytes", "eu-west-1", "eu-west-1", pricing.NATGB},
		{"EUW1-NatGateway-Hours", "eu-west-1", "eu-west-1", pricing.NATHour},
		{"EUW3-NatGateway-Bytes", "eu-west-3", "eu-west-3", pricing.NATGB},
		{"APS1-NatGateway-Bytes", "ap-southeast-1", "ap-southeast-1", pricing.NATGB},
		{"APS3-NatGateway-Bytes", "ap-south-1", "ap-south-1", pricing.NATGB},
		{"CPT1-NatGateway-Bytes", "af-south-1", "af-south-1", pricing.NATGB},
		{"UGW1-VpcEndpoint-Hours", "us-gov-west-1", "us-gov-west-1", pricing.InterfaceEndpointHour},
		{"USE1-VpcEndpoint-Bytes", "us-east-1", "us-east-1", pricing.InterfaceEndpointGB},
		{"USE2-DataTransfer-Out-Bytes", "", "us-east-2", pricing.InternetEgressGB},
		{"DataTransfer-Regional-Bytes", "", "us-east-1", pricing.CrossAZGB},
	} {
		region, item, ok := Product{Region: test.region, UsageType: test.usageType}.Identify()
		if !ok || region != test.want || item != test.item {
			t.Errorf("%s is %s in %q, %v, want %s in %q", test.usageType, item, region, ok, test.item, test.want)
		}
	}
	for _, p := range []Product{
		{"us-east-1", "RegionalNatGateway-Bytes", nil},
		{"us-east-1", "USE1-RegionalNatGateway-Bytes", nil},
		{"eu-west-1", "EU-RegionalNatGateway-Hours", nil},
		{"us-east-1", "NatGateway-Prvd-Bytes", nil},
		{"eu-west-1", "EU-NatGateway-Prvd-Gbps-Hours", nil},
		{"eu-west-1", "EU-VpcEndpoint-GWLBE-Bytes", nil},
		{"us-west-2", "USW2-LAX1-NatGateway-Bytes", nil}, // A Local Zone.
		{"", "Global-DataTransfer-Out-Bytes", nil},       // The free tier.
		{"", "EU-USE1-DataTransfer-Out-Bytes", nil},
		{"", "EU-CloudFront-DataTransfer-Out-Bytes", nil},
		{"cn-northwest-1", "CNW1-NatGateway-Bytes", nil},
		{"ap-south-1", "APS1-NatGateway-Bytes", nil}, // Contradicts its prefix.
		{"us-east-1", "EU-NatGateway-Bytes", nil},
		{"eu-west-1", "eu-NatGateway-Bytes", nil},
		{"eu-west-1", "-NatGateway-Bytes", nil},
		{"eu-west-1", "EU", nil},
		{"", "", nil},
	} {
		region, item, ok := p.Identify()
		if ok || region != "" || item != "" {
			t.Errorf("%q of %q was taken for %s in %s", p.UsageType, p.Region, item, region)
		}
	}
}

// TestPrefixes holds that the prefixes are those of the regions that the embedded
// list has, no more and no fewer.
func TestPrefixes(t *testing.T) {
	var named []string
	for _, region := range regions {
		named = append(named, region)
	}
	slices.Sort(named)
	if named = slices.Compact(named); !slices.Equal(named, pricing.Default().Regions()) {
		t.Errorf("regions with prefixes are %q, want %q", named, pricing.Default().Regions())
	}
	for region, want := range map[string][]string{
		"us-east-1": {"NatGateway-Bytes", "USE1-NatGateway-Bytes"}, "eu-west-1": {"EU-NatGateway-Bytes", "EUW1-NatGateway-Bytes"},
		"eu-west-3": {"EUW3-NatGateway-Bytes"}, "cn-north-1": nil,
	} {
		if got := UsageTypes(region, pricing.NATGB); !slices.Equal(got, want) {
			t.Errorf("usage types of %s are %q, want %q", region, got, want)
		}
	}
}

// document is a product with tiers, each "begin unit price".
func document(region, usageType string, tiers ...string) string {
	var dimensions []string
	for i, tier := range tiers {
		f := strings.Fields(tier)
		dimensions = append(dimensions, fmt.Sprintf(`"%d": {"beginRange": %q, "unit": %q, "pricePerUnit": {"USD": %q}}`, i, f[0], f[1], f[2]))
	}
	return fmt.Sprintf(`{"product": {"attributes": {"regionCode": %q, "usagetype": %q}}, "terms": {"OnDemand": {"x": {"priceDimensions": {%s}}}}}`,
		region, usageType, strings.Join(dimensions, ","))
}

// TestFirstTier takes the first paid tier, in whatever order tiers stand.
func TestFirstTier(t *testing.T) {
	p, err := Parse([]byte(document("", "DataTransfer-Out-Bytes", "51200 GB 0.07", "0 GB 0.09", "10240 GB 0.085")))
	if err != nil {
		t.Fatal(err)
	}
	if usd, err := p.Price(pricing.InternetEgressGB); err != nil || usd != 0.09 {
		t.Errorf("a GB is %v, %v", usd, err)
	}
	for name, text := range map[string]string{
		"no first": document("", "DataTransfer-Out-Bytes", "10240 GB 0.085"),
		"two":      document("", "DataTransfer-Out-Bytes", "0 GB 0.085", "0 GB 0.09"),
		"none":     document("", "DataTransfer-Out-Bytes"),
		"hours":    document("", "DataTransfer-Out-Bytes", "0 Hrs 0.085"),
	} {
		p, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if usd, err := p.Price(pricing.InternetEgressGB); err == nil {
			t.Errorf("%s: a GB is %v", name, usd)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := document("eu-west-3", "EUW3-NatGateway-Bytes", "0 GB 0.05")
	for _, text := range []string{
		"", "{}", "[]", good[:len(good)-1], good + good, `{"product": {"attributes": {"usagetype": 7}}}`,
		document("eu-west-3", "EUW3-NatGateway-Bytes", "none GB 0.05"),
	} {
		if p, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, p)
		}
	}
}

func TestRows(t *testing.T) {
	var list List
	for _, text := range []string{
		document("eu-west-3", "EUW3-NatGateway-Bytes", "0 GB 0.052"),
		document("eu-west-3", "EUW3-NatGateway-Bytes", "0 GB 0.0520"), // The same again.
		document("eu-west-3", "EUW3-NatGateway-Hours", "0 Hrs 0.05"),
		document("eu-west-3", "EUW3-RegionalNatGateway-Bytes", "0 GB 0.08"),
	} {
		p, err := Parse([]byte(text))
		if err == nil {
			err = list.Add(p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	date := time.Date(2026, 9, 25, 0, 0, 0, 0, time.UTC)
	got, err := list.Rows("eu-west-3", "L", date, pricing.Default())
	want := []pricing.Row{
		{Region: "eu-west-3", Item: pricing.NATGB, Rate: pricing.Rate{USD: 0.052, Source: "L", Date: date}},
		{Region: "eu-west-3", Item: pricing.NATHour, Rate: pricing.Rate{USD: 0.05, Source: "L", Date: date}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("rows are %+v, %v, want %+v", got, err, want)
	}
	if rows, err := list.Rows("eu-west-1", "L", date, pricing.Default()); err == nil {
		t.Errorf("a region without products has rows %+v", rows)
	}
}

// FuzzParse holds that whatever is accepted has a price that the list takes.
func FuzzParse(f *testing.F) {
	f.Add(document("eu-west-3", "EUW3-NatGateway-Bytes", "0 GB 0.05"))
	f.Add(document("", "DataTransfer-Out-Bytes", "51200 GB 0.07", "0 GB 0.09"))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse([]byte(text))
		if err != nil {
			return
		}
		var list List
		region, item, ok := p.Identify()
		if err := list.Add(p); err != nil || !ok {
			return
		}
		row := pricing.Row{Region: region, Item: item, Rate: pricing.Rate{USD: list.prices[region][item], Source: "L"}}
		if _, err := pricing.Default().Merge([]pricing.Row{row}); err != nil {
			t.Fatal(err)
		}
	})
}
