package refresh

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awspricing "github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// today is after every date of the embedded list.
var today = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

type rig struct {
	*Refresher
	server *awstest.Pricing
	clock  time.Time
}

func newRig(t *testing.T, file string, regions ...string) *rig {
	t.Helper()
	rig := &rig{server: awstest.NewPricing(), clock: today}
	var servers awstest.Servers
	t.Cleanup(func() {
		if err := servers.Close(); err != nil {
			t.Error(err)
		}
	})
	url, err := servers.Serve(rig.server)
	if err != nil {
		t.Fatal(err)
	}
	client := awspricing.New(awspricing.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
	prices, err := pricing.New(pricing.Default(), pricing.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	rig.Refresher = New(Deps{
		API: client, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Book: pricing.NewBook(prices),
		Regions: func() []string { return regions }, File: file, Now: func() time.Time { return rig.clock },
	})
	return rig
}

// paris is a region with a price increase, and with products beside it that a
// match of a part would take.
func paris(natGB string) []awstest.PricingProduct {
	return []awstest.PricingProduct{
		awstest.PriceProduct("AmazonEC2", "eu-west-3", "EUW3-NatGateway-Bytes", "GB", natGB),
		awstest.PriceProduct("AmazonEC2", "eu-west-3", "EUW3-NatGateway-Hours", "Hrs", "0.051"),
		awstest.PriceProduct("AmazonEC2", "eu-west-3", "EUW3-RegionalNatGateway-Bytes", "GB", "0.07"),
		awstest.PriceProduct("AmazonEC2", "eu-west-3", "EUW3-RegionalNatGateway-Hours", "Hrs", "0.07"),
		awstest.PriceProduct("AmazonEC2", "eu-west-3", "EUW3-NatGateway-Prvd-Bytes", "GB", "0.0"),
		awstest.PriceProduct("AmazonEC2", "us-east-1", "NatGateway-Bytes", "GB", "0.046"),
		awstest.PriceProduct("AmazonEC2", "eu-west-1", "EU-NatGateway-Bytes", "GB", "0.049"),
		awstest.PriceProduct("AmazonVPC", "eu-west-3", "EUW3-VpcEndpoint-Hours", "Hrs", "0.012"),
		awstest.PriceProduct("AmazonVPC", "eu-west-3", "EUW3-VpcEndpoint-GWLBE-Hours", "Hrs", "0.02"),
		awstest.PriceProduct("AWSDataTransfer", "", "EUW3-DataTransfer-Regional-Bytes", "GB", "0.011"),
	}
}

func (r *rig) price(region string, item pricing.Item) pricing.Rate {
	rate, _ := r.Book.Prices().Price(region, item)
	return rate
}

func (r *rig) count(result string) float64 {
	return testutil.ToFloat64(r.refreshes.WithLabelValues(result))
}

func TestRefresh(t *testing.T) {
	r := newRig(t, "", "eu-west-3", "cn-north-1", "other", "")
	r.server.Set(paris("0.052")...)
	r.server.SetPageSize(1)
	r.Round(t.Context())
	for item, want := range map[pricing.Item]float64{
		pricing.NATGB: 0.052, pricing.NATHour: 0.051, pricing.InterfaceEndpointHour: 0.012, pricing.CrossAZGB: 0.011,
	} {
		if got := r.price("eu-west-3", item); got.USD != want || got.Source != "P" || !got.Date.Equal(time.Date(2031, 5, 6, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s is %+v, want %v of today", item, got, want)
		}
	}
	// What the answer lacks, and what was not asked for, stays.
	if got := r.price("eu-west-3", pricing.InternetEgressGB); got.USD != 0.09 || got.Source != "B+C+S" {
		t.Errorf("egress is %+v", got)
	}
	if got := r.price("us-east-1", pricing.NATGB); got.USD != 0.045 {
		t.Errorf("another region is %+v", got)
	}
	if r.count("refreshed") != 1 || r.count("failed") != 0 || r.count("refused") != 0 {
		t.Error("one region was asked for, the counters say otherwise")
	}
}

// TestRefreshDaily moves the clock: a second round asks nothing until a day has
// passed.
func TestRefreshDaily(t *testing.T) {
	r := newRig(t, "", "eu-west-3")
	r.server.Set(paris("0.052")...)
	r.Round(t.Context())
	asked := r.server.Requests()
	r.clock = r.clock.Add(interval - time.Second)
	r.Round(t.Context())
	if got := r.server.Requests(); got != asked {
		t.Errorf("%d requests before the day was over", got-asked)
	}
	r.server.Set(paris("0.053")...)
	r.clock = r.clock.Add(time.Second)
	r.Round(t.Context())
	if got := r.price("eu-west-3", pricing.NATGB).USD; got != 0.053 {
		t.Errorf("a day later a GB is %v", got)
	}
}

// TestRefreshPrefixes asks for a region whose usage types have two prefixes.
func TestRefreshPrefixes(t *testing.T) {
	for _, prefix := range []string{"EU-", "EUW1-"} {
		r := newRig(t, "", "eu-west-1")
		r.server.Set(
			awstest.PriceProduct("AmazonEC2", "eu-west-1", prefix+"NatGateway-Bytes", "Quantity", "0.0500000000"),
			awstest.PriceProduct("AmazonEC2", "eu-west-1", prefix+"NatGateway-Hours", "Hrs", "0.0500000000"),
		)
		r.Round(t.Context())
		if got := r.price("eu-west-1", pricing.NATGB).USD; got != 0.05 {
			t.Errorf("%s: a GB is %v", prefix, got)
		}
	}
}

// TestRefreshRefuses has answers that are wrong in one way each: the prices stay,
// it is counted, and the next good answer is taken.
func TestRefreshRefuses(t *testing.T) {
	with := func(p awstest.PricingProduct) []awstest.PricingProduct { return append(paris("0.052"), p) }
	truncated := func() []awstest.PricingProduct {
		products := paris("0.052")
		products[0].Text = products[0].Text[:len(products[0].Text)/2]
		return products
	}
	yuan := func() []awstest.PricingProduct {
		products := paris("0.052")
		products[0].Text = strings.ReplaceAll(products[0].Text, "USD", "CNY")
		return products
	}
	nat := func(usageType, unit, usd string) awstest.PricingProduct {
		return awstest.PriceProduct("AmazonEC2", "eu-west-3", usageType, unit, usd)
	}
	for name, products := range map[string][]awstest.PricingProduct{
		"nothing":         nil,
		"no GB":           paris("0.052")[1:],
		"truncated":       truncated(),
		"yuan":            yuan(),
		"zero":            paris("0.0"),
		"negative":        paris("-0.05"),
		"not a number":    paris("NaN"),
		"infinite":        paris("Inf"),
		"words":           paris("free"),
		"too high":        paris("0.16"),
		"too low":         paris("0.016"),
		"two prices":      with(nat("EUW3-NatGateway-Bytes", "GB", "0.053")),
		"unit":            slices.Concat(paris("0.052")[1:], []awstest.PricingProduct{nat("EUW3-NatGateway-Bytes", "MB", "0.052")}),
		"other region":    slices.Concat(paris("0.052")[1:], []awstest.PricingProduct{awstest.PriceProduct("AmazonEC2", "eu-west-2", "EUW3-NatGateway-Bytes", "GB", "0.052")}),
		"optional is odd": with(awstest.PriceProduct("AWSDataTransfer", "", "EUW3-DataTransfer-Out-Bytes", "GB", "9")),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, filepath.Join(t.TempDir(), "prices.csv"), "eu-west-3")
			r.server.Set(products...)
			if wait := r.Round(t.Context()); wait < firstRetry/2 || wait > firstRetry {
				t.Errorf("next round in %v", wait)
			}
			if got := r.price("eu-west-3", pricing.NATGB); got.USD != 0.05 || got.Source != "A+B" {
				t.Errorf("price is %+v", got)
			}
			if r.count("refused") != 1 || r.count("refreshed") != 0 {
				t.Errorf("refused %v, refreshed %v", r.count("refused"), r.count("refreshed"))
			}
			if _, err := os.Stat(r.File); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a refused list was kept: %v", err)
			}
			r.server.Set(paris("0.052")...)
			r.Round(t.Context())
			if got := r.price("eu-west-3", pricing.NATGB); got.USD != 0.052 {
				t.Errorf("price is then %+v", got)
			}
		})
	}
}

// TestRefreshFails has a server that does not answer as the API does.
func TestRefreshFails(t *testing.T) {
	for name, fault := range map[string]func(http.ResponseWriter) bool{
		"refused": func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusForbidden); return true },
		"broken":  func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusInternalServerError); return true },
		"cut short": func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Length", "9999")
			_, _ = w.Write([]byte(`{"Pri`))
			return true
		},
		"no JSON": func(w http.ResponseWriter) bool { _, _ = w.Write([]byte("<html>")); return true },
		"endless": func() func(w http.ResponseWriter) bool {
			n := 0
			return func(w http.ResponseWriter) bool {
				n++
				_, _ = w.Write([]byte(`{"PriceList":[],"NextToken":"` + strconv.Itoa(n) + `"}`))
				return true
			}
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "", "eu-west-3")
			r.server.Set(paris("0.052")...)
			r.server.SetFault(fault)
			r.Round(t.Context())
			if got := r.price("eu-west-3", pricing.NATGB); got.USD != 0.05 {
				t.Errorf("price is %+v", got)
			}
			if r.count("failed") != 1 {
				t.Errorf("failed %v, refused %v, refreshed %v", r.count("failed"), r.count("refused"), r.count("refreshed"))
			}
			r.server.SetFault(nil)
			r.Round(t.Context())
			if got := r.price("eu-west-3", pricing.NATGB); got.USD != 0.052 {
				t.Errorf("price is then %+v", got)
			}
		})
	}
}

// TestRefreshKeepsCopy restarts with the copy, then with a broken one.
func TestRefreshKeepsCopy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "prices.csv")
	r := newRig(t, file, "eu-west-3")
	r.server.Set(paris("0.052")...)
	r.Round(t.Context())
	again := newRig(t, file)
	if got, want := again.price("eu-west-3", pricing.NATGB), r.price("eu-west-3", pricing.NATGB); got != want || got.USD != 0.052 {
		t.Errorf("restored %+v, want %+v", got, want)
	}
	if names, err := filepath.Glob(file + "*"); err != nil || len(names) != 1 {
		t.Errorf("files are %q, %v", names, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(data, "eu-west-3,nat"...), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := newRig(t, file)
	if got := broken.price("eu-west-3", pricing.NATGB); got.USD != 0.05 {
		t.Errorf("a broken copy gave %+v", got)
	}
}

func TestRunEnds(t *testing.T) {
	r := newRig(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	cancel()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("Run does not end with its context")
	}
}
