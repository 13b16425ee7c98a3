package main

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/chaos"
)

// The chaos tests need the exporter as a process that can be killed. That is this test binary, which then is the exporter: its main runs with the arguments as they
// are. Built anew by the go command it would be the same code, but the test cache would not see when that changes. With -chaos.binary it is any other program.
const daemonVariable = "VPCFLOW_EXPORTER_TEST_IS_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(daemonVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

var (
	chaosSeed     = flag.Uint64("chaos.seed", 1, "seed of the first round of TestChaos")
	chaosDuration = flag.Duration("chaos.duration", 0, "how long TestChaos goes on with further rounds")
	chaosOutput   = flag.String("chaos.output", "", "file for the report of TestChaos, as JSON")
	chaosBinary   = flag.String("chaos.binary", "", "program to run in place of the test binary")
)

// exporterProcess makes a process of the exporter.
func exporterProcess(t *testing.T) func(args ...string) *exec.Cmd {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if *chaosBinary != "" {
		binary = *chaosBinary
	}
	t.Setenv(daemonVariable, "1")
	return func(args ...string) *exec.Cmd { return exec.Command(binary, args...) }
}

// TestChaos kills the exporter at all points of its work, under all faults of S3 and SQS: its totals must be those of the traffic.
func TestChaos(t *testing.T) {
	config := chaos.Config{
		Command: exporterProcess(t), Seed: *chaosSeed, Rounds: 1, Duration: *chaosDuration,
		Files: 150, Kills: 0, Durable: false, Patient: *chaosDuration > time.Minute,
		Directory: t.TempDir(), Logf: t.Logf,
	}
	report, err := chaos.Run(t.Context(), config)
	writeChaosReport(t, report)
	if err != nil {
		t.Fatal(err)
	}
}

func writeChaosReport(t *testing.T, report any) {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", text)
	if *chaosOutput == "" {
		return
	}
	if err := os.WriteFile(*chaosOutput, append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}
