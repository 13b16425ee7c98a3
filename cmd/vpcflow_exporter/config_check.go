package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// checkConfig validates the file and prints the effective configuration.
func checkConfig(file string, stdout, stderr io.Writer) int {
	config, err := loadConfigFile(file)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	stages, err := newStages(config)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	page, err := config.YAML()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	for _, key := range unsupported(config) {
		fmt.Fprintf(stderr, "%s: %s has no effect in this version\n", file, key)
	}
	fmt.Fprintf(stdout, "# %s is valid. The exporter would\n", file)
	for _, line := range intentions(config, stages) {
		fmt.Fprintf(stdout, "# - %s\n", line)
	}
	fmt.Fprintf(stdout, "# This is what would be in effect:\n%s", page)
	return exitOK
}

// intentions says in words what the daemon would do, for what the values alone do not tell.
func intentions(c Config, s stages) []string {
	lines := []string{
		fmt.Sprintf("read the queue %s in %s", c.SQS.QueueURL, cmp.Or(queueRegion(c.SQS.QueueURL), "the region of the AWS environment")),
		fmt.Sprintf("read %d files at a time, of %s, %s and %s, %s", s.pipeline.Workers, onlySome("account", c.FlowLogs.Accounts),
			onlySome("region", c.FlowLogs.Regions), onlySome("flow log", c.FlowLogs.FlowLogIDs), ageLimit(c.FlowLogs.MaxAge)),
		fmt.Sprintf("know %s from here, and the others from the records", counted(len(c.FlowLogs.NATGateways), "NAT gateway")),
		fmt.Sprintf("know the prices of %s, for GB of %.0f bytes", counted(len(s.prices.Regions()), "region"), s.prices.BytesPerGB()),
		keeping(c.State.Path),
	}
	if c.Claim.Bucket != "" {
		lines = append(lines, fmt.Sprintf("claim each file in s3://%s/%s, so that one of several replicas counts it", c.Claim.Bucket, c.Claim.Prefix))
	}
	return lines
}

func keeping(path string) string {
	if path == "" {
		return "keep the totals in memory only: a restart begins anew, see docs/reliability.md"
	}
	return fmt.Sprintf("keep the totals and all that was learned in %q over restarts", path)
}

func onlySome(noun string, filter []string) string {
	if len(filter) == 0 {
		return "all " + noun + "s"
	}
	return counted(len(filter), noun)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func ageLimit(age time.Duration) string {
	if age == 0 {
		return "of any age"
	}
	return "up to " + formatDuration(age) + " old"
}

// loadConfigFile loads a file that the daemon can run with. Whoever has none yet learns how to begin.
func loadConfigFile(file string) (Config, error) {
	config, err := LoadConfig(file, LoadOptions{LookupEnv: os.LookupEnv, NeedQueueURL: true})
	if errors.Is(err, fs.ErrNotExist) {
		return config, fmt.Errorf("%w (name a file with --config.file, begin with config.example.yaml, or try --demo)", err)
	}
	return config, err
}
