package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/common/version"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog/gunzip"
	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/demo"
)

const (
	demoBucket = "vpc-flow-logs"
	demoRegion = "eu-west-3"
	demoSeed   = 1
	// Somebody reads the page after seconds, and a Prometheus that scrapes the demo may be told to do so every 5 s.
	demoHold = 5 * time.Second
)

// runDemo is the program with --demo: the daemon as it is, endpoints inside this process, and a simulated account that writes to them.
func runDemo(ctx context.Context, f flags, hangups <-chan os.Signal, logger *slog.Logger, stdout io.Writer) (err error) {
	cloud, err := awstest.NewCloud(awstest.Options{Region: demoRegion})
	if err != nil {
		return fmt.Errorf("start demo endpoints: %w", err)
	}
	defer func() { err = errors.Join(err, cloud.Close()) }()
	queueURL, err := createDemoResources(ctx, cloud)
	if err != nil {
		return fmt.Errorf("prepare demo endpoints: %w", err)
	}
	config := DefaultConfig()
	config.SQS.QueueURL = queueURL
	config.Top.Hold = demoHold
	folder, err := os.MkdirTemp("", "vpcflow_demo_*")
	if err != nil {
		return fmt.Errorf("prepare demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if config.Enrichment, err = demoNames(folder); err != nil {
		return fmt.Errorf("prepare demo: %w", err)
	}
	logger.Info("Starting vpcflow_exporter", "version", version.Info(), "inflater", gunzip.Inflater)
	a, err := newApp(f, config, cloud.AWSConfig(demoRegion), logger, time.Now)
	if err != nil {
		return err
	}
	simulator := demo.New(demo.Config{Speed: f.demoSpeed, Bucket: demoBucket, QueueURL: queueURL, Seed: demoSeed, Now: time.Now},
		cloud.S3Client(), cloud.SQSClient(), logger.With("component", "demo"))
	printDemo(stdout, browsable(a.address()), f.telemetry)

	simulating, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer stop()
	background.Go(func() {
		if err := simulator.Run(simulating); err != nil {
			logger.Error("Stopped simulation", "err", err)
		}
	})
	background.Go(func() { printFirstDollars(simulating, stdout, a.aggregator.Snapshot) })
	return a.run(ctx, hangups)
}

// createDemoResources makes the bucket, and the queue with its dead-letter queue as the documentation recommends them.
func createDemoResources(ctx context.Context, cloud *awstest.Cloud) (queueURL string, err error) {
	if err := cloud.CreateBucket(ctx, demoBucket); err != nil {
		return "", err
	}
	if _, err := cloud.CreateQueue("vpc-flow-logs-dead", nil); err != nil {
		return "", err
	}
	redrive := fmt.Sprintf(`{"deadLetterTargetArn":"arn:aws:sqs:%s:%s:vpc-flow-logs-dead","maxReceiveCount":"5"}`, demoRegion, awstest.AccountID)
	return cloud.CreateQueue("vpc-flow-logs", map[string]string{"RedrivePolicy": redrive})
}

// demoNames names the demo's remotes without asking anybody.
func demoNames(folder string) (EnrichmentConfig, error) {
	config := DefaultConfig().Enrichment
	config.Networks = demo.Networks()
	config.IPRanges = filepath.Join(folder, "ip-ranges.json")
	ranges, err := demo.AddressRanges()
	if err != nil {
		return config, err
	}
	return config, os.WriteFile(config.IPRanges, ranges, 0o600)
}

// browsable turns a listening address into one that a browser on this machine understands.
func browsable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func printDemo(w io.Writer, address, telemetry string) {
	fmt.Fprintf(w, `
vpcflow_exporter demo: a simulated account writes flow logs of three zonal NAT gateways and a regional one in eu-west-3 and of a zonal one in
us-east-1, this exporter reads them.

  Start page   http://%[1]s/
  Metrics      http://%[1]s%[2]s

  What NAT costs, by gateway, direction and AWS service; the bytes behind it; and what became of every flow log line:
  curl -s http://%[1]s%[2]s | grep -E '^vpcflow_(nat_cost_usd_total|nat_bytes_total|records_total)'

  After two minutes one instance begins to pull a lot from S3 through its NAT gateway. Ctrl-C stops the demo.

`, address, telemetry)
}

// printFirstDollars sums up the first totals, so that somebody who only looks at the terminal sees what this is about.
func printFirstDollars(ctx context.Context, w io.Writer, snapshot func() *aggregator.Snapshot) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := snapshot()
		var bytes uint64
		var usd float64
		services := map[string]float64{}
		for m := range s.NAT() {
			cost, _ := m.Value.CostUSD()
			usd += cost
			bytes += m.Value.Bytes
			services[m.Labels.AWSService] += cost
		}
		if usd == 0 || s.Held.Records > 0 && s.CommittedFiles < 4 {
			continue
		}
		var lines uint64
		for _, c := range s.Dispositions {
			lines += c.Records
		}
		top, share := largest(services)
		fmt.Fprintf(w, "First NAT dollars: %.2f USD for %.1f GiB through NAT gateways, %.0f %% of it traffic with %s. Only %d of %d flow log lines count: the others show the same bytes again, or none.\n\n",
			usd, float64(bytes)/(1<<30), 100*share/usd, serviceName(top), s.Dispositions[classifier.Counted].Records, lines)
		return
	}
}

func largest(services map[string]float64) (name string, usd float64) {
	for service, cost := range services {
		if c := cmp.Compare(cost, usd); c > 0 || c == 0 && service < name {
			name, usd = service, cost
		}
	}
	return name, usd
}

func serviceName(label string) string {
	if label == "none" {
		return "hosts outside AWS"
	}
	return "the AWS service " + label
}
