package main

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awspricing "github.com/aws/aws-sdk-go-v2/service/pricing"

	"github.com/vpcflow/vpcflow_exporter/pricing/refresh"
)

// pricingRegion is one of the few regions that serve the Price List API; it prices all of them.
const pricingRegion = "us-east-1"

// newRefresher returns what keeps list prices up to date, nil unless the configuration wants it.
func (a *app) newRefresher(config Config, cloud aws.Config, now func() time.Time) *refresh.Refresher {
	if !config.Pricing.Refresh {
		return nil
	}
	deps := refresh.Deps{
		API:        awspricing.NewFromConfig(cloud, func(o *awspricing.Options) { o.Region = pricingRegion }),
		Logger:     a.logger.With("component", "pricing"),
		Registerer: a.registry,
		Book:       a.book,
		Regions:    a.regions,
		Now:        now,
	}
	if config.State.Path != "" {
		deps.File = filepath.Join(config.State.Path, "prices.csv")
	}
	return refresh.New(deps)
}

// regions returns the regions that flow logs have named so far.
func (a *app) regions() []string {
	var regions []string
	for m := range a.aggregator.Snapshot().Places() {
		regions = append(regions, m.Labels.Region)
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}
