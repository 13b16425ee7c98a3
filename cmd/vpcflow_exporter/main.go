// Command vpcflow_exporter exports what NAT gateways cost, who spends it and on whom, from VPC flow logs.
//
// This file translates the operating system for the rest of the program: arguments, signals and exit codes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		received := <-signals
		signal.Stop(signals) // A second signal ends the process at once.
		if received == syscall.SIGTERM {
			cancel(errTerminated)
		}
		cancel(nil)
	}()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	os.Exit(run(ctx, os.Args[1:], hangups, os.Stdout, os.Stderr))
}

// errTerminated is the cause of a context that SIGTERM ended: somebody else than a person at a terminal wants the process to go, and can wait for a last
// scrape.
var errTerminated = errors.New("terminated")

// flags are the command line.
type flags struct {
	configFile  string
	configCheck bool
	inspect     bool
	demo        bool
	demoSpeed   float64
	explain     []string
	doctor      string
	// outputFormat is "text" or "json".
	outputFormat string
	telemetry    string
	created      bool
	profiling    bool
	web          *web.FlagConfig
	log          *promslog.Config
}

const defaultConfigFile = "config.yaml"

// toolkitListens says whether the web toolkit opens the listeners, since only it knows how: sockets of systemd, and vsock addresses.
func (f flags) toolkitListens() bool {
	isVsock := func(address string) bool { return strings.HasPrefix(address, "vsock://") }
	return *f.web.WebSystemdSocket || slices.ContainsFunc(*f.web.WebListenAddresses, isVsock)
}

// parseFlags reads the arguments. It is done if they asked for the help or the version and got it.
func parseFlags(args []string, stdout, stderr io.Writer) (f flags, done bool, err error) {
	app := kingpin.New("vpcflow_exporter", "What AWS NAT gateways cost, who spends it, and on whom: a Prometheus exporter that reads VPC flow logs as they arrive in S3.")
	app.HelpFlag.Short('h')
	app.UsageWriter(stdout)
	app.ErrorWriter(stderr)
	app.Terminate(func(int) { done = true })
	app.Version(version.Print("vpcflow_exporter"))
	app.Flag("config.file", "Configuration file.").Default(defaultConfigFile).StringVar(&f.configFile)
	app.Flag("config.check", "Check the configuration, print what it means, and exit.").BoolVar(&f.configCheck)
	app.Flag("demo", "Run against S3 and SQS inside this process, fed by a simulated VPC. Needs no AWS account, no network and no configuration.").BoolVar(&f.demo)
	app.Flag("demo.speed", "How many times faster than the clock the simulated time runs, until it has caught up with it.").Default("1").Float64Var(&f.demoSpeed)
	app.Flag("flowlogs.explain", "Print what each line of a flow log file (gzip, Parquet or text, - for standard input) was taken for and why, and exit. Repeat it to read several files as one range.").
		PlaceHolder("FILE").StringsVar(&f.explain)
	app.Flag("flowlogs.doctor", "Print what a flow log format allows, what to recreate the flow log with and what that costs, and exit: with 0 if NAT bytes can be exact, else with 1. "+
		"Takes a flow log file (gzip, Parquet or text, - for standard input), an object (s3://bucket/key), a header line, or a log format as ${version} ${account-id} and so on.").
		PlaceHolder("FILE|HEADER|s3://...").StringVar(&f.doctor)
	app.Flag("flowlogs.format", "Output format of --flowlogs.explain and --flowlogs.doctor: text or json.").Default("text").EnumVar(&f.outputFormat, "text", "json")
	app.Flag("state.inspect", "Check the state file that the configuration names, print what is in it, and exit.").BoolVar(&f.inspect)
	app.Flag("web.telemetry-path", "Path under which to expose metrics.").Default("/metrics").StringVar(&f.telemetry)
	app.Flag("web.openmetrics-created", "Expose _created series to scrapers that ask for OpenMetrics.").BoolVar(&f.created)
	app.Flag("web.enable-pprof", "Serve profiles under /debug/pprof.").BoolVar(&f.profiling)
	f.web = kingpinflag.AddFlags(app, ":9779")
	f.log = &promslog.Config{Writer: stderr}
	promslogflag.AddFlags(app, f.log)
	if _, err = app.Parse(args); err != nil || done {
		return f, done, err
	}
	if !(f.demoSpeed >= 1 && f.demoSpeed <= maxDemoSpeed) {
		return f, false, fmt.Errorf("--demo.speed must be between 1 and %d, got %v", maxDemoSpeed, f.demoSpeed)
	}
	return f, false, nil
}

const maxDemoSpeed = 10_000

// run is the whole program. It ends when ctx does, and returns the exit code.
func run(ctx context.Context, args []string, hangups <-chan os.Signal, stdout, stderr io.Writer) int {
	f, done, err := parseFlags(args, stdout, stderr)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "vpcflow_exporter: %v, try --help\n", err)
		return exitUsage
	case done:
		return exitOK
	case f.configCheck:
		return checkConfig(f.configFile, stdout, stderr)
	case f.inspect:
		return inspectState(f, stdout, stderr)
	case len(f.explain) > 0:
		return explainFiles(f, stdout, stderr)
	case f.doctor != "":
		return examineFormat(ctx, f, stdout, stderr)
	}
	logger := promslog.New(f.log)
	start := runDaemon
	if f.demo {
		start = runDemo
	}
	if err := start(ctx, f, hangups, logger, stdout); err != nil {
		logger.Error("Stopped", "err", err)
		return exitFailure
	}
	return exitOK
}
