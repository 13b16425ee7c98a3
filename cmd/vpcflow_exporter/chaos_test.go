package main

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/chaos"
)

// daemonVariable makes the test binary the exporter: its main runs with the arguments as they are. The tests of this file need the exporter as a process that
// can be killed. Built anew by the go command it would be the same code, but the test cache would not see when that changes.
const daemonVariable = "VPCFLOW_EXPORTER_TEST_IS_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(daemonVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

var (
	chaosSeed     = flag.Uint64("chaos.seed", 1, "seed of the first round of TestChaos, and of TestSoak")
	chaosDuration = flag.Duration("chaos.duration", 0, "how long TestChaos begins further rounds")
	chaosOutput   = flag.String("chaos.output", "", "file for the report as JSON")
	chaosBinary   = flag.String("chaos.binary", "", "program to run in place of the test binary")
	soakFiles     = flag.Int("soak.files", 1000, "number of files of TestSoak")
)

// exporterProcess makes a process of the exporter.
func exporterProcess(t *testing.T) func(args ...string) *exec.Cmd {
	t.Helper()
	if *chaosBinary != "" {
		return func(args ...string) *exec.Cmd { return exec.Command(*chaosBinary, args...) }
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func(args ...string) *exec.Cmd {
		command := exec.Command(binary, args...)
		command.Env = append(os.Environ(), daemonVariable+"=1")
		return command
	}
}

// TestChaos has S3 and SQS fail in all ways, and kills the exporter at all points of its work where it has a durable state: its totals must be those of the
// traffic. What it does is bounded by files and kills, so that it shows the same on a slow machine.
func TestChaos(t *testing.T) {
	for _, c := range []struct {
		name   string
		config chaos.Config
	}{
		{"memory", chaos.Config{Files: 60}},
		{"durable", chaos.Config{Files: 220, Kills: 36, Durable: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := c.config
			config.Command, config.Directory, config.Logf = exporterProcess(t), t.TempDir(), t.Logf
			config.Seed, config.Rounds, config.Duration, config.Patient = *chaosSeed, 1, *chaosDuration, *chaosDuration > 0
			report, err := chaos.Run(t.Context(), config)
			writeChaosReport(t, report)
			if err != nil {
				t.Fatal(err)
			}
			for _, point := range []chaos.Point{chaos.WhileReading, chaos.BeforeDelete, chaos.AfterDelete, chaos.AtRandom} {
				if config.Kills > 0 && report.Kills[point] == 0 {
					t.Errorf("there was no kill %s, the test shows nothing of it", point)
				}
			}
		})
	}
}

// TestSoak has one process read many files, which must not make it need more and more. The numbers of a long soak are in docs/reliability.md.
func TestSoak(t *testing.T) {
	t.Parallel()
	report, err := chaos.Soak(t.Context(), chaos.SoakConfig{
		Command: exporterProcess(t), Seed: *chaosSeed, Files: *soakFiles, Durable: true, Directory: t.TempDir(), Logf: t.Logf,
	})
	writeChaosReport(t, report)
	if err != nil {
		t.Fatal(err)
	}
}

func writeChaosReport(t *testing.T, report any) {
	t.Helper()
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
