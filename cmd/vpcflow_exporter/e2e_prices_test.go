package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// TestPriceRefresh has AWS raise its prices between two files: the first keeps its dollars, the second costs the new price, and a restart goes on with the
// new price even if AWS does not answer.
func TestPriceRefresh(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.State.Path = filepath.Join(t.TempDir(), "state")
	s.config.Pricing.Refresh = true
	s.now = func() time.Time { return window.Add(300 * 24 * time.Hour) } // The embedded list is older.
	s.config.FlowLogs.MaxAge = 0
	const perGB = `vpcflow_price_usd_per_gigabyte{item="nat_gb",region="eu-west-3"}`
	refreshed := func(result string) string { return `vpcflow_price_refreshes_total{result="` + result + `"}` }
	costs := func(egress float64) map[string]float64 {
		return map[string]float64{natSeries("vpcflow_nat_cost_usd_total", "egress"): egress, natSeries("vpcflow_nat_cost_usd_total", "ingress"): 2 * egress}
	}

	d := s.start()
	s.deliver(logKey("aaa1"), natFile(gigabyte, 2*gigabyte))
	d.await(processed, 1).check(t, costs(0.05))
	d.terminate()
	d.wait()

	// The region is known from the state, so the next daemon asks at once.
	s.cloud.Pricing.Set(
		awstest.PriceProduct("AmazonEC2", testRegion, "EUW3-NatGateway-Bytes", "GB", "0.075"),
		awstest.PriceProduct("AmazonEC2", testRegion, "EUW3-NatGateway-Hours", "Hrs", "0.075"),
		awstest.PriceProduct("AmazonEC2", testRegion, "EUW3-RegionalNatGateway-Bytes", "GB", "0.09"),
	)
	d = s.start()
	d.await(refreshed("refreshed"), 1).check(t, map[string]float64{perGB: 0.075})
	s.deliver(logKey("aaa2"), natFile(gigabyte, 2*gigabyte))
	d.await(processed, 2).check(t, costs(0.125))
	d.terminate()
	d.wait()

	s.cloud.Pricing.Set()
	d = s.start()
	d.await(refreshed("refused"), 1).check(t, map[string]float64{perGB: 0.075})
	s.deliver(logKey("aaa3"), natFile(gigabyte, 2*gigabyte))
	d.await(processed, 3).check(t, costs(0.2))
}
