package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"runtime"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/doctor"
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
	internal := make([]netip.Prefix, len(c.FlowLogs.InternalCIDRs))
	for i, cidr := range c.FlowLogs.InternalCIDRs {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			return config, fmt.Errorf("parse flow_logs.internal_cidrs: %w", err)
		}
		internal[i] = prefix
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
	for _, g := range c.FlowLogs.NATGateways {
		config.NATGateways = append(config.NATGateways, aggregator.Gateway{ENI: g.ENI, ID: g.ID, Name: g.Name})
	}
	return config
}

func newPrices(c Config) (*pricing.Prices, error) {
	config := pricing.Config{BytesPerGB: c.Pricing.BytesPerGB, Overrides: c.Pricing.Overrides, Gateways: make(map[string]float64)}
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
		{"top", c.Top, defaults.Top},
		{"enrichment", c.Enrichment, defaults.Enrichment},
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
