package pipeline

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// TestPricer has no price for a region that neither the list nor the configuration knows, warns once about it, and prices it after a reload.
func TestPricer(t *testing.T) {
	var log bytes.Buffer
	config := pricing.DefaultConfig()
	config.Gateways = map[string]float64{"eni-0a": 0.5}
	book := pricing.NewBook(newPrices(t, config))
	p := NewPricer(book, slog.New(slog.NewTextHandler(&log, nil)))
	check := func(account, region, gateway string, wantUSD float64, wantOK bool) {
		t.Helper()
		got, ok := p.NATPrice(account, region, gateway)
		if ok != wantOK || ok && got != (aggregator.Price{USDPerGB: wantUSD, BytesPerGB: 1 << 30}) {
			t.Errorf("%s %s: got %v, %t, want %v USD, %t", region, gateway, got, ok, wantUSD, wantOK)
		}
	}
	for range 3 {
		check("123456789012", "eu-west-3", "eni-0b", 0.05, true)
		check("123456789012", "xx-nowhere-1", "eni-0b", 0, false)
		check("123456789012", "xx-nowhere-1", "eni-0a", 0.5, true)
		check("123456789012", "xx-nowhere-2", "eni-0b", 0, false)
	}
	if n := strings.Count(log.String(), "Region without a price"); n != 2 {
		t.Errorf("got %d warnings, want one for each of two regions:\n%s", n, &log)
	}
	config.Overrides = map[string]map[string]float64{"xx-nowhere-1": {"nat_gb": 0.25}}
	book.Swap(newPrices(t, config))
	check("123456789012", "xx-nowhere-1", "eni-0b", 0.25, true)
	check("123456789012", "xx-nowhere-1", "eni-0a", 0.5, true)
	config.Discounts = pricing.Discounts{"nat": 0.5}
	config.AccountDiscounts = map[string]pricing.Discounts{"210987654321": {"nat": 0.2}}
	book.Swap(newPrices(t, config))
	list, all, one := 0.05, 0.5, 0.2
	check("123456789012", "eu-west-3", "eni-0b", list*(1-all), true)
	check("210987654321", "eu-west-3", "eni-0b", list*(1-one), true)
	check("210987654321", "xx-nowhere-1", "eni-0b", 0.25, true)
}

// TestPricerIsBounded does not remember what ever it is asked.
func TestPricerIsBounded(t *testing.T) {
	p := NewPricer(pricing.NewBook(newPrices(t, pricing.DefaultConfig())), slog.New(slog.DiscardHandler))
	for i := range 2 * maxUnpriced {
		p.NATPrice("123456789012", fmt.Sprintf("xx-nowhere-%d", i), "eni-0b")
	}
	if len(p.unpriced) != maxUnpriced {
		t.Errorf("remembers %d regions, want %d", len(p.unpriced), maxUnpriced)
	}
}

func newPrices(t *testing.T, config pricing.Config) *pricing.Prices {
	t.Helper()
	prices, err := pricing.New(pricing.Default(), config)
	if err != nil {
		t.Fatal(err)
	}
	return prices
}
