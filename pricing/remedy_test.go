package pricing

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares text with a file, which -update writes.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs, -update writes it:\n%s", path, got)
	}
}

// awsServices are all values that the documentation of flow logs lists for
// pkt-dst-aws-service, and what stands where there is none.
var awsServices = []string{
	"AMAZON", "AMAZON_APPFLOW", "AMAZON_CONNECT", "API_GATEWAY", "AURORA_DSQL", "CHIME_MEETINGS", "CHIME_VOICECONNECTOR",
	"CLOUD9", "CLOUDFRONT", "CLOUDFRONT_ORIGIN_FACING", "CODEBUILD", "DYNAMODB", "EBS", "EC2", "EC2_INSTANCE_CONNECT",
	"GLOBALACCELERATOR", "IVS_LOW_LATENCY", "IVS_REALTIME", "KINESIS_VIDEO_STREAMS", "MEDIA_PACKAGE_V2", "ROUTE53",
	"ROUTE53_HEALTHCHECKS", "ROUTE53_HEALTHCHECKS_PUBLISHING", "ROUTE53_RESOLVER", "S3", "WORKSPACES_GATEWAYS",
	"none", "unknown", "other", "", "s3", "S3 ",
}

func TestRemedy(t *testing.T) {
	p := newPrices(t, DefaultConfig())
	const nat = 0.05
	for _, test := range []struct {
		region, service string
		where           Locality
		natPerGB        float64
		want            Remedy
		saving          float64
	}{
		{"eu-west-3", "S3", SameRegion, nat, GatewayEndpoint, 0.05},
		{"eu-west-3", "DYNAMODB", SameRegion, nat, GatewayEndpoint, 0.05},
		{"eu-west-3", "S3", SameRegion, 0.03, GatewayEndpoint, 0.03},
		{"eu-west-3", "S3", OtherRegion, nat, NoRemedy, 0},
		{"eu-west-3", "S3", RegionUnknown, nat, NoRemedy, 0},
		{"eu-west-3", "DYNAMODB", OtherRegion, nat, NoRemedy, 0},
		{"eu-west-3", "EBS", SameRegion, nat, InterfaceEndpoint, 0.04},
		{"eu-west-3", "EBS", OtherRegion, nat, NoRemedy, 0},
		{"eu-west-3", "EBS", RegionUnknown, nat, NoRemedy, 0},
		{"eu-west-3", "AMAZON", SameRegion, nat, PossibleEndpoint, 0.04},
		{"eu-west-3", "AMAZON", RegionUnknown, nat, NoRemedy, 0},
		{"eu-west-3", "EC2", SameRegion, nat, NoRemedy, 0},
		{"eu-west-3", "CLOUDFRONT", SameRegion, nat, NoRemedy, 0},
		{"eu-west-3", "GLOBALACCELERATOR", SameRegion, nat, NoRemedy, 0},
		{"eu-west-3", "none", SameRegion, nat, NoRemedy, 0},
		{"eu-west-3", "S4", SameRegion, nat, NoRemedy, 0},
		// Provisioned bandwidth: there is nothing to save.
		{"eu-west-3", "S3", SameRegion, 0, NoRemedy, 0},
		{"eu-west-3", "EBS", SameRegion, 0, NoRemedy, 0},
		// An endpoint that costs as much or more is none.
		{"eu-west-3", "EBS", SameRegion, 0.01, NoRemedy, 0},
		{"eu-west-3", "EBS", SameRegion, 0.009, NoRemedy, 0},
		// A region without prices: what is free saves all, of the rest nothing is known.
		{"cn-north-1", "S3", SameRegion, nat, GatewayEndpoint, 0.05},
		{"cn-north-1", "EBS", SameRegion, nat, NoRemedy, 0},
		{"eu-west-3", "S3", SameRegion, math.NaN(), NoRemedy, 0},
	} {
		remedy, saving := p.Remedy(test.region, test.service, test.where, test.natPerGB)
		if remedy != test.want || math.Abs(saving-test.saving) > 1e-15 {
			t.Errorf("%s of %s, locality %d, at %v: %q saves %v, want %q, %v", test.service, test.region, test.where, test.natPerGB, remedy, saving, test.want, test.saving)
		}
	}
}

// TestRemediesGolden shows the whole table, so that a change of it is seen.
func TestRemediesGolden(t *testing.T) {
	p := newPrices(t, DefaultConfig())
	var b strings.Builder
	for _, region := range []string{"us-east-1", "us-gov-west-1", "cn-north-1"} {
		nat, _ := p.NATPerGB(region)
		for _, service := range awsServices {
			for _, where := range []Locality{RegionUnknown, SameRegion, OtherRegion} {
				remedy, saving := p.Remedy(region, service, where, nat)
				if remedy == NoRemedy {
					continue
				}
				name, _ := EndpointService(region, service)
				fmt.Fprintf(&b, "%s %s at %v: %s saves %.6g with %q\n", region, service, nat, remedy, saving, name)
			}
		}
	}
	golden(t, "remedies.txt", b.String())
}

// TestRemedySavesNoMoreThanNAT draws prices: no remedy saves more than the GB
// costs, none is named that saves nothing, and none outside its region.
func TestRemedySavesNoMoreThanNAT(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 10_000 {
		cfg := DefaultConfig()
		region := defaultRegions[rng.IntN(len(defaultRegions))]
		if rng.IntN(2) == 0 {
			cfg.Overrides = map[string]map[string]float64{region: {"interface_endpoint_gb": rng.Float64() / 10}}
		}
		p := newPrices(t, cfg)
		service, where, nat := awsServices[rng.IntN(len(awsServices))], Locality(rng.IntN(3)), rng.Float64()/10
		remedy, saving := p.Remedy(region, service, where, nat)
		switch {
		case remedy == NoRemedy && saving != 0:
			t.Fatalf("nothing saves %v", saving)
		case remedy != NoRemedy && (!(saving > 0) || saving > nat || where != SameRegion):
			t.Fatalf("%s of %s, locality %d, at %v: %q saves %v", service, region, where, nat, remedy, saving)
		case remedy == GatewayEndpoint && saving != nat:
			t.Fatalf("a free endpoint saves %v of %v", saving, nat)
		}
	}
}

func TestEndpointService(t *testing.T) {
	for _, test := range []struct {
		region, service, want string
	}{
		{"eu-west-3", "S3", "com.amazonaws.eu-west-3.s3"},
		{"us-gov-west-1", "DYNAMODB", "com.amazonaws.us-gov-west-1.dynamodb"},
		{"us-east-1", "EBS", "com.amazonaws.us-east-1.ebs"},
		{"us-east-1", "API_GATEWAY", "com.amazonaws.us-east-1.execute-api"},
		{"cn-north-1", "S3", "com.amazonaws.cn-north-1.s3"},
		{"cn-north-1", "EBS", "cn.com.amazonaws.cn-north-1.ebs"},
		{"us-east-1", "AMAZON", ""},
		{"us-east-1", "EC2", ""},
		{"us-east-1", "none", ""},
		{"", "S3", ""},
	} {
		if got, ok := EndpointService(test.region, test.service); got != test.want || ok != (test.want != "") {
			t.Errorf("endpoint of %s in %q is %q, %v, want %q", test.service, test.region, got, ok, test.want)
		}
	}
}

// TestBreakEven holds the figures that the documentation gives.
func TestBreakEven(t *testing.T) {
	p := newPrices(t, DefaultConfig())
	endpoint, ok := p.EndpointMonth("us-east-1", 3)
	if !ok || fmt.Sprintf("%.2f", endpoint) != "21.90" {
		t.Errorf("three zones cost %v, %v a month", endpoint, ok)
	}
	gateway, ok := p.NATMonth("us-east-1")
	if !ok || fmt.Sprintf("%.2f", gateway) != "32.85" {
		t.Errorf("a gateway costs %v, %v a month", gateway, ok)
	}
	crossAZ, ok := p.CrossAZBothEnds("us-east-1")
	if !ok || crossAZ != 0.02 {
		t.Errorf("a GB across zones costs %v, %v", crossAZ, ok)
	}
	_, saving := p.Remedy("us-east-1", "EBS", SameRegion, 0.045)
	for _, test := range []struct {
		month, saving, want float64
		ok                  bool
	}{
		{endpoint, saving, 626, true},
		{gateway, crossAZ, 1643, true},
		{1, 0.1, 10, true},
		{0.9, 0.03, 30, true}, // The quotient is a hair above.
		{0, 0.045, 0, true},
		{21.9, 0, 0, false},
		{21.9, -0.01, 0, false},
		{21.9, math.NaN(), 0, false},
		{21.9, math.Inf(1), 0, false},
		{-1, 0.045, 0, false},
		{math.NaN(), 0.045, 0, false},
	} {
		if got, ok := BreakEvenGB(test.month, test.saving); got != test.want || ok != test.ok {
			t.Errorf("%v a month at %v a GB: %v, %v, want %v, %v", test.month, test.saving, got, ok, test.want, test.ok)
		}
	}
	for _, region := range []string{"cn-north-1", ""} {
		if _, ok := p.EndpointMonth(region, 3); ok {
			t.Errorf("an endpoint has a price in %q", region)
		}
		if _, ok := p.NATMonth(region); ok {
			t.Errorf("a gateway has a price in %q", region)
		}
	}
	if _, ok := p.CrossAZBothEnds("ap-east-2"); ok {
		t.Error("a GB across zones has a price where no source states one")
	}
}

// TestEndpointData holds the tiers against sums by hand, 0.01 for 1,048,576 GB,
// 0.006 for 4,194,304 GB and 0.004 beyond.
func TestEndpointData(t *testing.T) {
	plain := newPrices(t, DefaultConfig())
	cfg := DefaultConfig()
	cfg.Discounts = Discounts{"interface_endpoint": 0.5}
	half := newPrices(t, cfg)
	cfg.Overrides = map[string]map[string]float64{"eu-west-3": {"interface_endpoint_gb": 0.002}}
	flat := newPrices(t, cfg)
	for _, test := range []struct {
		gb, plain, flat float64
	}{
		{0, 0, 0},
		{1000, 10, 2},
		{1048576, 10485.76, 2097.152},
		{1048577, 10485.766, 2097.154},
		{5242880, 35651.584, 10485.76},
		{6242880, 39651.584, 12485.76},
	} {
		for name, c := range map[string]struct {
			p    *Prices
			want float64
		}{"list": {plain, test.plain}, "half": {half, test.plain / 2}, "override": {flat, test.flat}} {
			if got, ok := c.p.EndpointData("eu-west-3", test.gb); !ok || math.Abs(got-c.want) > 1e-6 {
				t.Errorf("%s: %v GB cost %v, %v, want %v", name, test.gb, got, ok, c.want)
			}
		}
	}
	if _, ok := plain.EndpointData("cn-north-1", 1); ok {
		t.Error("a region without a price has one")
	}
}
