package pricing

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDefaultFigures compares the embedded list with figures that were copied by
// hand from their sources, not from the list.
func TestDefaultFigures(t *testing.T) {
	tests := []struct {
		region string
		item   Item
		usd    float64
		source string
		date   string
	}{
		{"eu-west-3", NATGB, 0.05, "A+B", "2026-09-03"},
		{"eu-west-3", NATHour, 0.05, "A+B", "2026-09-03"},
		{"eu-west-3", InternetEgressGB, 0.09, "B+C+S", "2026-08-31"},
		{"eu-west-3", CrossAZGB, 0.01, "C", "2024-09-25"},
		{"eu-west-3", InterfaceEndpointHour, 0.011, "A", "2025-11-04"},
		{"eu-west-3", InterfaceEndpointGB, 0.01, "A", "2025-11-04"},
		{"us-east-1", NATGB, 0.045, "A+B+D", "2026-09-25"},
		{"us-east-1", InternetEgressGB, 0.09, "B+C+D+S", "2026-09-16"},
		{"us-east-1", InterfaceEndpointHour, 0.01, "A+D", "2026-09-17"},
		{"us-west-1", NATGB, 0.048, "A+B", "2026-09-03"},
		{"sa-east-1", NATGB, 0.093, "A+B", "2026-09-03"},
		{"sa-east-1", InternetEgressGB, 0.15, "B+C+S", "2026-08-31"},
		{"us-gov-west-1", NATGB, 0.054, "A", "2025-10-28"},
		{"us-gov-west-1", InternetEgressGB, 0.155, "C", "2024-09-25"},
		{"eu-west-1", NATGB, 0.048, "A+B+E", "2026-09-25"},
		{"eu-central-1", NATGB, 0.052, "A+B", "2026-09-03"},
		{"eu-central-2", InternetEgressGB, 0.09, "S", "2023-04-27"},
		{"eu-north-1", InterfaceEndpointHour, 0.0105, "A", "2025-11-04"},
		{"ap-south-1", NATGB, 0.056, "A+B", "2026-09-03"},
		{"ap-south-1", InternetEgressGB, 0.1093, "B+C+S", "2026-08-31"},
		{"ap-northeast-1", NATHour, 0.062, "A+B", "2026-09-03"},
		{"ap-east-2", NATGB, 0.0558, "A", "2025-10-28"},
		{"ap-southeast-5", NATGB, 0.05015, "A+D", "2026-09-25"},
		{"ap-southeast-5", InternetEgressGB, 0.108, "C+D", "2026-09-16"},
		{"ap-southeast-5", InterfaceEndpointHour, 0.0117, "A+D", "2026-09-17"},
		{"mx-central-1", NATGB, 0.04725, "A", "2025-10-28"},
		{"il-central-1", InternetEgressGB, 0.11, "B+C", "2026-08-31"},
		{"af-south-1", InterfaceEndpointHour, 0.01309, "A", "2025-11-04"},
	}
	for _, test := range tests {
		rate, ok := Default().Price(test.region, test.item)
		date := rate.Date.Format(time.DateOnly)
		if !ok || rate.USD != test.usd || rate.Source != test.source || date != test.date || rate.Override {
			t.Errorf("%s in %s is %+v, %v, want %+v", test.item, test.region, rate, ok, test)
		}
	}
}

// defaultRegions are AWS's 34 commercial regions and both of GovCloud.
var defaultRegions = []string{
	"af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3",
	"ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4",
	"ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1",
	"eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3",
	"il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1", "us-east-2",
	"us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2",
}

func TestDefaultCoverage(t *testing.T) {
	if got := Default().Regions(); !slices.Equal(got, defaultRegions) || len(got) != 36 {
		t.Errorf("regions are %q, want %q", got, defaultRegions)
	}
	// Where no source states a price, the list must not invent one.
	missing := map[Item][]string{
		InternetEgressGB: {"ap-east-2", "ap-southeast-4", "ap-southeast-6", "ap-southeast-7", "mx-central-1"},
		CrossAZGB: {
			"ap-east-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-6", "ap-southeast-7",
			"eu-central-2", "eu-south-2", "me-central-1", "mx-central-1",
		},
	}
	for _, region := range defaultRegions {
		for _, item := range Items() {
			_, ok := Default().Price(region, item)
			if want := !slices.Contains(missing[item], region); ok != want {
				t.Errorf("%s in %s has a price: %v, want %v", item, region, ok, want)
			}
		}
	}
}

// TestNoChina: the only price known for a region in China is 0.37 yuan for
// cn-northwest-1. As a number in a list of dollars it would overstate costs
// sevenfold, so the regions have no price at all.
func TestNoChina(t *testing.T) {
	for _, region := range []string{"cn-north-1", "cn-northwest-1"} {
		for _, item := range Items() {
			if rate, ok := Default().Price(region, item); ok {
				t.Errorf("%s in %s has price %+v", item, region, rate)
			}
		}
	}
	if strings.Contains(ratesCSV, "\ncn-") {
		t.Error("the list has a row for a region in China")
	}
}

// TestDefaultShape holds what is known of AWS's prices in general.
func TestDefaultShape(t *testing.T) {
	for _, region := range defaultRegions {
		price := func(item Item) float64 {
			rate, _ := Default().Price(region, item)
			return rate.USD
		}
		if price(NATGB) != price(NATHour) {
			t.Errorf("%s: a GB through NAT is %v, an hour %v; AWS lists them equal", region, price(NATGB), price(NATHour))
		}
		if p := price(NATGB); p < 0.045 || p > 0.093 {
			t.Errorf("%s: a GB through NAT is %v", region, p)
		}
		if p := price(InterfaceEndpointGB); p != 0.01 {
			t.Errorf("%s: a GB through an interface endpoint is %v, AWS lists 0.01 everywhere", region, p)
		}
		if p := price(CrossAZGB); p != 0 && p != 0.01 {
			t.Errorf("%s: a GB across zones is %v", region, p)
		}
		if p := price(InternetEgressGB); p != 0 && (p < 0.09 || p > 0.155) {
			t.Errorf("%s: a GB to the internet is %v", region, p)
		}
	}
}

// TestDefaultSources holds that each source key in use is explained in the
// list's own comment.
func TestDefaultSources(t *testing.T) {
	for k, rate := range Default().rates {
		for source := range strings.SplitSeq(rate.Source, "+") {
			if !strings.Contains(ratesCSV, "\n#   "+source+"  ") {
				t.Errorf("%s in %s has source %q, which is not explained", k.item, k.region, source)
			}
		}
	}
}

const head = "region,item,usd,source,source_date\n"

func TestLoadRefuses(t *testing.T) {
	good := "eu-west-3,nat_gb,0.05,A,2026-09-03\n"
	tests := map[string]struct{ csv, want string }{
		"empty":             {"", "no rows"},
		"comment alone":     {"# nothing\n", "no rows"},
		"header alone":      {head, "no prices"},
		"no header":         {good, "line 1: columns are"},
		"other columns":     {"# c\n\nregion,usd,item,source,source_date\n" + good, "line 3: columns are"},
		"too few fields":    {head + "eu-west-3,nat_gb,0.05,A\n", "line 2"},
		"too many fields":   {head + "eu-west-3,nat_gb,0.05,A,2026-09-03,x\n", "line 2"},
		"bare quote":        {head + good + "eu-west-3,nat_hour,0\"05,A,2026-09-03\n", "line 3"},
		"duplicate":         {head + good + "# c\n" + good, "line 4: second price for nat_gb in eu-west-3"},
		"unknown item":      {head + "eu-west-3,nat_tb,0.05,A,2026-09-03\n", `line 2: unknown item "nat_tb", want one of nat_gb, nat_hour`},
		"item in upper":     {head + "eu-west-3,NAT_GB,0.05,A,2026-09-03\n", "unknown item"},
		"bad region":        {head + "Paris,nat_gb,0.05,A,2026-09-03\n", `line 2: bad region "Paris"`},
		"region with space": {head + " eu-west-3,nat_gb,0.05,A,2026-09-03\n", "bad region"},
		"no region":         {head + ",nat_gb,0.05,A,2026-09-03\n", "bad region"},
		"no price":          {head + "eu-west-3,nat_gb,,A,2026-09-03\n", "line 2: parse price"},
		"price in words":    {head + "eu-west-3,nat_gb,free,A,2026-09-03\n", "line 2: parse price"},
		"price with comma":  {head + "eu-west-3,nat_gb,\"0,05\",A,2026-09-03\n", "line 2: parse price"},
		"price too large":   {head + "eu-west-3,nat_gb,1e999,A,2026-09-03\n", "line 2: parse price"},
		"negative":          {head + "eu-west-3,nat_gb,-0.05,A,2026-09-03\n", `line 2: bad price "-0.05"`},
		"zero":              {head + "eu-west-3,nat_gb,0,A,2026-09-03\n", `line 2: bad price "0"`},
		"negative zero":     {head + "eu-west-3,nat_gb,-0,A,2026-09-03\n", "bad price"},
		"NaN":               {head + "eu-west-3,nat_gb,NaN,A,2026-09-03\n", `line 2: bad price "NaN"`},
		"infinite":          {head + "eu-west-3,nat_gb,+Inf,A,2026-09-03\n", `line 2: bad price "+Inf"`},
		"no source":         {head + "eu-west-3,nat_gb,0.05,,2026-09-03\n", `line 2: bad source ""`},
		"odd source":        {head + "eu-west-3,nat_gb,0.05,\"A\r\r\n\",2026-09-03\n", "line 2: bad source"},
		"no date":           {head + "eu-west-3,nat_gb,0.05,A,\n", "line 2: parse source date"},
		"no such day":       {head + "eu-west-3,nat_gb,0.05,A,2026-02-30\n", "line 2: parse source date"},
		"date with time":    {head + "eu-west-3,nat_gb,0.05,A,2026-09-03T00:00:00Z\n", "line 2: parse source date"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			table, err := Load(strings.NewReader(test.csv))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q in it", err, test.want)
			}
			if table != nil {
				t.Error("a table came with the error")
			}
		})
	}
}

func TestLoad(t *testing.T) {
	table, err := Load(strings.NewReader("# why\r\n" + head + "\n# c\nxx-test-1,nat_gb,4.5e-2,A+B,2026-09-03\nxx-test-1,nat_hour,1,A,2026-09-04"))
	if err != nil {
		t.Fatal(err)
	}
	want := Rate{USD: 0.045, Source: "A+B", Date: time.Date(2026, 9, 3, 0, 0, 0, 0, time.UTC)}
	if got, ok := table.Price("xx-test-1", NATGB); !ok || got != want {
		t.Errorf("price is %+v, %v, want %+v", got, ok, want)
	}
	if got, ok := table.Price("xx-test-1", CrossAZGB); ok || got != (Rate{}) {
		t.Errorf("price of what is not listed is %+v, %v", got, ok)
	}
	if got, ok := table.Price("eu-west-3", NATGB); ok || got != (Rate{}) {
		t.Errorf("price of a region that is not listed is %+v, %v", got, ok)
	}
}

// encode writes a table as CSV.
func encode(t *Table) string {
	var b strings.Builder
	b.WriteString(head)
	for k, r := range t.rates {
		fmt.Fprintf(&b, "%s,%s,%v,%s,%s\n", k.region, k.item, r.USD, r.Source, r.Date.Format(time.DateOnly))
	}
	return b.String()
}

// FuzzLoad holds that whatever is accepted has prices that can be multiplied, and
// survives being written and read again.
func FuzzLoad(f *testing.F) {
	f.Add(ratesCSV)
	f.Add(head + "eu-west-3,nat_gb,0.05,A,2026-09-03\n")
	f.Add(head + "eu-west-3,nat_gb,0x1p-1074,\"a+b\",0000-01-01\r\nus-east-1,nat_gb,1e308,\"A\",9999-12-31")
	f.Add(head + "eu-west-3,nat_gb,NaN,A,2026-09-03\n")
	f.Fuzz(func(t *testing.T, csv string) {
		table, err := Load(strings.NewReader(csv))
		if err != nil {
			return
		}
		for _, region := range table.Regions() {
			for _, item := range Items() {
				rate, ok := table.Price(region, item)
				if ok && (!(rate.USD > 0) || math.IsInf(rate.USD, 0) || rate.Source == "") {
					t.Fatalf("%s in %s is %+v", item, region, rate)
				}
			}
		}
		again, err := Load(strings.NewReader(encode(table)))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, table) {
			t.Fatalf("read again: %v, want %v", again.rates, table.rates)
		}
	})
}

// TestMerge puts rows in place of others, leaves both lists alone, and survives
// being written and read.
func TestMerge(t *testing.T) {
	day := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	rows := []Row{{"eu-west-3", NATGB, Rate{USD: 0.051, Source: "P", Date: day}}, {"xx-test-1", NATHour, Rate{USD: 1, Source: "P", Date: day}}}
	merged, err := Default().Merge(rows)
	if err != nil {
		t.Fatal(err)
	}
	if rate, _ := merged.Price("eu-west-3", NATGB); rate.USD != 0.051 || rate.Date.Format(time.DateOnly) != "2030-01-02" {
		t.Errorf("merged price is %+v", rate)
	}
	if rate, _ := Default().Price("eu-west-3", NATGB); rate.USD != 0.05 {
		t.Errorf("the list became %+v", rate)
	}
	if got, want := len(merged.Rows()), len(Default().Rows())+1; got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
	var b strings.Builder
	if err := merged.Write(&b); err != nil {
		t.Fatal(err)
	}
	if again, err := Load(strings.NewReader(b.String())); err != nil || !reflect.DeepEqual(again, merged) {
		t.Errorf("read again: %v", err)
	}
	for _, bad := range [][]Row{
		{{"eu-west-3", NATGB, Rate{USD: 0, Source: "P", Date: day}}},
		{{"eu-west-3", "nat_tb", Rate{USD: 1, Source: "P", Date: day}}},
		{{"", NATGB, Rate{USD: 1, Source: "P", Date: day}}},
		{rows[0], rows[0]},
	} {
		if table, err := Default().Merge(bad); err == nil || table != nil {
			t.Errorf("%+v were merged", bad)
		}
	}
}

// TestBookKeepsWhatIsNotChanged reloads the configuration after a refresh and
// refreshes after a reload.
func TestBookKeepsWhatIsNotChanged(t *testing.T) {
	newer, err := Default().Merge([]Row{{"eu-west-3", NATGB, Rate{USD: 0.06, Source: "P"}}})
	if err != nil {
		t.Fatal(err)
	}
	book := NewBook(newPrices(t, DefaultConfig()))
	taken := book.Prices()
	book.Refresh(newer)
	cfg := DefaultConfig()
	cfg.Discounts = Discounts{"nat": 0.5}
	book.Reconfigure(newPrices(t, cfg))
	if usd, _ := book.Prices().NATPerGB("eu-west-3"); usd != 0.03 {
		t.Errorf("half of the new price is %v", usd)
	}
	book.Refresh(Default())
	if usd, _ := book.Prices().NATPerGB("eu-west-3"); usd != 0.025 {
		t.Errorf("half of the old price is %v", usd)
	}
	if usd, _ := taken.NATPerGB("eu-west-3"); usd != 0.05 {
		t.Errorf("a snapshot became %v", usd)
	}
}
