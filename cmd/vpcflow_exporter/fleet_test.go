package main

import (
	"errors"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/chaos"
)

// TestFleet has several replicas read one queue. Without claims the sum of their counters is that of the traffic while they are ended and started in order. With claims it is
// also while they are killed, while messages are delivered twice and to different ones, and while requests about claims fail.
func TestFleet(t *testing.T) {
	for _, c := range []struct {
		name   string
		config chaos.FleetConfig
	}{
		{"in_order", chaos.FleetConfig{Replicas: 3, Files: 40, Stops: 3}},
		{"claims", chaos.FleetConfig{Replicas: 3, Files: 50, Kills: 8, Stops: 1, Claims: true, Faults: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := c.config
			config.Command, config.Directory, config.Logf = exporterProcess(t), t.TempDir(), t.Logf
			config.Seed, config.Rounds, config.Duration = *chaosSeed, 1, *chaosDuration
			report, err := chaos.RunFleet(t.Context(), config)
			writeChaosReport(t, report)
			if err != nil {
				t.Fatal(err)
			}
			if config.Kills > 0 && (report.Kills[chaos.AfterClaim] == 0 || report.Kills[chaos.BeforeFinish] == 0) {
				t.Errorf("the kills %v show nothing of claims", report.Kills)
			}
		})
	}
}

// TestFleetNeedsClaims is TestFleet with kills and without claims: files count twice, which the comparison must notice.
func TestFleetNeedsClaims(t *testing.T) {
	t.Parallel()
	report, err := chaos.RunFleet(t.Context(), chaos.FleetConfig{
		Command: exporterProcess(t), Seed: *chaosSeed, Rounds: 1, Replicas: 2, Files: 20, Kills: 2, Faults: true, Directory: t.TempDir(), Logf: t.Logf,
	})
	if !errors.Is(err, chaos.ErrTotals) || report.Totals.Files <= report.Ledger.Files {
		t.Fatalf("got %d files of %d and %v, want files that count twice", report.Totals.Files, report.Ledger.Files, err)
	}
}
