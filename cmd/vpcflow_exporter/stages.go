package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/doctor"
	"github.com/vpcflow/vpcflow_exporter/collector/enrich"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/pipeline"
	"github.com/vpcflow/vpcflow_exporter/collector/queue"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// stages are the configurations of all stages that a configuration file may replace while the daemon runs.
type stages struct {
	pipeline   pipeline.Config
	aggregator aggregator.Config
	prices     *pricing.Prices
	enrich     enrich.Config
}

// newStages translates a configuration file.
func newStages(c Config) (s stages, err error) {
	if s.pipeline, err = pipelineConfig(c); err != nil {
		return stages{}, err
	}
	if s.prices, err = newPrices(c); err != nil {
		return stages{}, fmt.Errorf("load prices: %w", err)
	}
	s.aggregator = aggregatorConfig(c)
	if s.enrich, err = enrichConfig(c, os.Getenv); err != nil {
		return stages{}, err
	}
	return s, nil
}

func queueConfig(c Config) queue.Config {
	return queue.Config{URL: c.SQS.QueueURL, VisibilityTimeout: c.SQS.VisibilityTimeout, MaxReceives: c.SQS.MaxReceives}
}

func pipelineConfig(c Config) (pipeline.Config, error) {
	config := pipeline.DefaultConfig()
	config.Workers = c.Workers
	if config.Workers == 0 {
		config.Workers = runtime.GOMAXPROCS(0)
	}
	config.ShutdownGrace = c.ShutdownGrace
	config.MaxAge = c.FlowLogs.MaxAge
	config.DeltaKeys = c.Limits.DeltaKeys
	config.Accounts, config.Regions, config.FlowLogIDs = c.FlowLogs.Accounts, c.FlowLogs.Regions, c.FlowLogs.FlowLogIDs
	config.Doctor = doctor.Options{NamesGateways: len(c.FlowLogs.NATGateways) > 0}
	config.FlowLog.MaxFileBytes = c.FlowLogs.MaxFileBytes
	internal, err := parsePrefixes("flow_logs.internal_cidrs", c.FlowLogs.InternalCIDRs)
	if err != nil {
		return config, err
	}
	config.Networks = classifier.NewNetworks(internal)
	if c.FlowLogs.Format != "" {
		format, err := flowlog.ParseFormat(c.FlowLogs.Format)
		if err != nil {
			return config, fmt.Errorf("parse flow_logs.format: %w", err)
		}
		config.FlowLog.Format = format
	}
	return config, nil
}

func aggregatorConfig(c Config) aggregator.Config {
	config := aggregator.DefaultConfig()
	config.Vantage = aggregator.Vantage(c.FlowLogs.NATVantage)
	config.Series = c.Limits.Series
	config.HeldKeys = c.Limits.DeltaKeys
	config.MaxAge = c.FlowLogs.MaxAge
	config.Top = aggregator.TopConfig{
		Destinations: c.Top.Destinations, Sources: c.Top.Sources, Pairs: c.Top.Pairs, Hold: c.Top.Hold, Idle: c.Top.Idle, SourceKey: c.Top.SourceKey,
	}
	for _, g := range c.FlowLogs.NATGateways {
		config.NATGateways = append(config.NATGateways, aggregator.Gateway{ENI: g.ENI, ID: g.ID, Name: g.Name})
	}
	return config
}

// tokenVariables are the environment variables that may hold the token of IPinfo: its own tools' name, and that of vpc-flowlogs-egress-analyzer.
var tokenVariables = []string{"IPINFO_TOKEN", "IP_INFO_API_KEY"}

func enrichConfig(c Config, getenv func(string) string) (config enrich.Config, err error) {
	config = enrich.DefaultConfig()
	config.MMDB = c.Enrichment.MMDB
	config.IPRanges = c.Enrichment.IPRanges
	config.IPRangesCopy = rangesCopy(c)
	if config.Networks, err = parseNetworks(c.Enrichment.Networks); err != nil {
		return enrich.Config{}, err
	}
	if config.Internal, err = parsePrefixes("flow_logs.internal_cidrs", c.FlowLogs.InternalCIDRs); err != nil {
		return enrich.Config{}, err
	}
	config.CacheSize = c.Enrichment.CacheSize
	config.IPInfo.TokenFile = c.Enrichment.IPInfoTokenFile
	if config.IPInfo.TokenFile == "" {
		if config.IPInfo.Token, err = tokenOf(getenv); err != nil {
			return enrich.Config{}, err
		}
	}
	if err := config.Validate(); err != nil {
		return enrich.Config{}, err
	}
	return config, nil
}

// rangesCopy returns where the last good ip-ranges.json of a URL is kept, "" without a state.
func rangesCopy(c Config) string {
	if c.State.Path == "" {
		return ""
	}
	return filepath.Join(c.State.Path, "ip-ranges.json")
}

// tokenOf reads the first variable that is set.
func tokenOf(getenv func(string) string) (enrich.Secret, error) {
	for _, name := range tokenVariables {
		if value := getenv(name); value != "" {
			token, err := enrich.ParseToken(value)
			if err != nil {
				return "", fmt.Errorf("read environment variable %s: %w", name, err)
			}
			return token, nil
		}
	}
	return "", nil
}

func parseNetworks(networks map[string][]string) (map[string][]netip.Prefix, error) {
	parsed := make(map[string][]netip.Prefix, len(networks))
	for name, cidrs := range networks {
		var err error
		if parsed[name], err = parsePrefixes(childPath("enrichment.networks", name), cidrs); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

func parsePrefixes(key string, cidrs []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, len(cidrs))
	for i, cidr := range cidrs {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", key, err)
		}
		prefixes[i] = prefix
	}
	return prefixes, nil
}

func newPrices(c Config) (*pricing.Prices, error) {
	config := pricing.Config{
		BytesPerGB:       c.Pricing.BytesPerGB,
		Overrides:        c.Pricing.Overrides,
		Gateways:         make(map[string]float64),
		Discounts:        c.Pricing.Discount,
		AccountDiscounts: make(map[string]pricing.Discounts),
	}
	for account, discounts := range c.Pricing.AccountDiscounts {
		config.AccountDiscounts[account] = discounts
	}
	for _, g := range c.FlowLogs.NATGateways {
		if g.NATGB == nil {
			continue
		}
		// The logs name a zonal gateway by its interface, a regional one by its id.
		for _, name := range []string{g.ENI, g.ID} {
			if name != "" {
				config.Gateways[name] = *g.NATGB
			}
		}
	}
	return pricing.New(pricing.Default(), config)
}

// unsupported returns the sections with settings of features that this version does not have, so that nobody relies on them.
func unsupported(c Config) []string {
	defaults := DefaultConfig()
	var keys []string
	for _, section := range []struct {
		key       string
		got, want any
	}{
		{"claim", c.Claim, defaults.Claim},
		{"backfill", c.Backfill, defaults.Backfill},
	} {
		if !reflect.DeepEqual(section.got, section.want) {
			keys = append(keys, section.key)
		}
	}
	return keys
}

func warnUnsupported(c Config, logger *slog.Logger) {
	for _, key := range unsupported(c) {
		logger.Warn("Setting has no effect in this version", "key", key)
	}
}
