// Package refresh asks the AWS Price List API for list prices once a day.
//
// Each region's answer counts wholly or not at all: if it is cut short, malformed
// or beyond belief, the prices of the region stay as they were. The last good
// list may be kept in a file, so that a restart does not go back to older prices.
package refresh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awspricing "github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/pricing/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/vpcflow/vpcflow_exporter/internal/backoff"
	"github.com/vpcflow/vpcflow_exporter/pricing"
	"github.com/vpcflow/vpcflow_exporter/pricing/pricelist"
)

// source is the source of refreshed prices; rates.csv explains it.
const source = "P"

const (
	interval   = 24 * time.Hour
	firstRetry = time.Minute
	mostRetry  = time.Hour
	idle       = time.Minute // Until regions are looked for again, where none are known.
	timeout    = 30 * time.Second
	maxPages   = 20
)

// API is what the refresher needs of the Price List API's client. The API is
// served in us-east-1, eu-central-1 and ap-south-1, whatever regions are priced.
type API interface {
	GetProducts(ctx context.Context, input *awspricing.GetProductsInput, options ...func(*awspricing.Options)) (*awspricing.GetProductsOutput, error)
}

// Deps are what a Refresher works with.
type Deps struct {
	API        API
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Book       *pricing.Book   // Gets each new list.
	Regions    func() []string // Whose prices are asked for; regions that AWS does not price in dollars are left out.
	File       string          // Where the last good list is kept; empty for nowhere.
	Now        func() time.Time
}

// A Refresher keeps the list of a Book up to date. Only the goroutine of Run uses
// it.
type Refresher struct {
	Deps
	table     *pricing.Table
	fetched   map[string]time.Time // By region.
	failures  int
	refreshes *prometheus.CounterVec
}

// New returns a refresher, with what the file holds in force if it is newer than
// the embedded list. A file that is broken is not fatal: it is logged and left
// out.
func New(deps Deps) *Refresher {
	r := &Refresher{Deps: deps, table: pricing.Default(), fetched: make(map[string]time.Time)}
	r.refreshes = promauto.With(deps.Registerer).NewCounterVec(prometheus.CounterOpts{
		Name: "vpcflow_price_refreshes_total",
		Help: "Regions whose list prices were asked for at the AWS Price List API, by result: refreshed, refused (the answer is malformed or beyond belief) or failed (no answer). Old prices stay in force. Replicas add up.",
	}, []string{"result"})
	for _, result := range []string{"refreshed", "refused", "failed"} {
		r.refreshes.WithLabelValues(result)
	}
	if err := r.restore(); err != nil {
		r.Logger.Error("Refused copy of price list, the built-in list is in force", "file", r.File, "err", err)
	}
	return r
}

// restore reads the file.
func (r *Refresher) restore() error {
	if r.File == "" {
		return nil
	}
	data, err := os.ReadFile(r.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("read price list: %w", err)
	}
	kept, err := pricing.Load(bytes.NewReader(data))
	if err != nil {
		return err
	}
	var rows []pricing.Row
	for _, row := range kept.Rows() {
		// A newer program may know newer prices.
		if built, ok := pricing.Default().Price(row.Region, row.Item); row.Rate.Source == source && (!ok || row.Rate.Date.After(built.Date)) {
			rows = append(rows, row)
		}
	}
	table, err := pricing.Default().Merge(rows)
	if err != nil {
		return err
	}
	r.publish(table)
	return nil
}

func (r *Refresher) publish(table *pricing.Table) {
	r.table = table
	r.Book.Refresh(table)
}

// Run refreshes until ctx ends.
func (r *Refresher) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if !backoff.Sleep(ctx, r.Round(ctx)) {
			return
		}
	}
}

// Round asks for the prices of all regions that are due, and returns how long
// there is nothing to do.
func (r *Refresher) Round(ctx context.Context) time.Duration {
	failed, changed := false, false
	for _, region := range r.due() {
		err := r.refresh(ctx, region)
		if ctx.Err() != nil {
			return 0
		}
		if err != nil {
			failed = true
			r.Logger.Warn("Refused or failed to refresh list prices, the old ones stay in force", "region", region, "err", err)
			continue
		}
		changed = true
		r.fetched[region] = r.Now()
	}
	if changed {
		if err := r.keep(); err != nil {
			r.Logger.Error("Refreshed list prices are not kept for the next start", "file", r.File, "err", err)
		}
	}
	if failed {
		r.failures++
		return backoff.Delay(firstRetry, mostRetry, r.failures)
	}
	r.failures = 0
	return idle
}

// due returns the regions whose prices are a day old.
func (r *Refresher) due() []string {
	var due []string
	for _, region := range r.Regions() {
		last, asked := r.fetched[region]
		if len(pricelist.Prefixes(region)) > 0 && (!asked || r.Now().Sub(last) >= interval) {
			due = append(due, region)
		}
	}
	return due
}

// refresh puts the prices of one region in force.
func (r *Refresher) refresh(ctx context.Context, region string) error {
	products, err := r.products(ctx, region)
	if err != nil {
		r.refreshes.WithLabelValues("failed").Inc()
		return err
	}
	table, err := r.accept(region, products)
	if err != nil {
		r.refreshes.WithLabelValues("refused").Inc()
		return err
	}
	r.publish(table)
	r.refreshes.WithLabelValues("refreshed").Inc()
	r.Logger.Info("Refreshed list prices", "region", region, "products", len(products))
	return nil
}

// accept returns the list with a region's products.
func (r *Refresher) accept(region string, products []string) (*pricing.Table, error) {
	var list pricelist.List
	for _, text := range products {
		product, err := pricelist.Parse([]byte(text))
		if err != nil {
			return nil, err
		}
		if err := list.Add(product); err != nil {
			return nil, err
		}
	}
	rows, err := list.Rows(region, source, r.Now().UTC(), r.table)
	if err != nil {
		return nil, err
	}
	return r.table.Merge(rows)
}

// products asks for the products of each item by its exact usage types.
func (r *Refresher) products(ctx context.Context, region string) ([]string, error) {
	var all []string
	for _, item := range pricing.Items() {
		for _, usageType := range pricelist.UsageTypes(region, item) {
			products, err := r.ask(ctx, serviceOf(item), usageType)
			if err != nil {
				return nil, fmt.Errorf("get products of %q: %w", usageType, err)
			}
			all = append(all, products...)
		}
	}
	return all, nil
}

func serviceOf(item pricing.Item) string {
	switch item {
	case pricing.InterfaceEndpointHour, pricing.InterfaceEndpointGB:
		return "AmazonVPC"
	case pricing.InternetEgressGB, pricing.CrossAZGB:
		return "AWSDataTransfer"
	default:
		return "AmazonEC2"
	}
}

// ask reads all pages for a usage type.
func (r *Refresher) ask(ctx context.Context, service, usageType string) ([]string, error) {
	input := &awspricing.GetProductsInput{
		ServiceCode:   aws.String(service),
		FormatVersion: aws.String("aws_v1"),
		MaxResults:    aws.Int32(100),
		Filters:       []types.Filter{{Type: types.FilterTypeTermMatch, Field: aws.String("usagetype"), Value: aws.String(usageType)}},
	}
	var all []string
	for range maxPages {
		output, err := r.page(ctx, input)
		if err != nil {
			return nil, err
		}
		all = append(all, output.PriceList...)
		if aws.ToString(output.NextToken) == "" {
			return all, nil
		}
		input.NextToken = output.NextToken
	}
	return nil, fmt.Errorf("more than %d pages", maxPages)
}

func (r *Refresher) page(ctx context.Context, input *awspricing.GetProductsInput) (*awspricing.GetProductsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return r.API.GetProducts(ctx, input)
}

// keep writes the list beside the file and renames it, so that a crash leaves the
// old or the new one.
func (r *Refresher) keep() (err error) {
	if r.File == "" {
		return nil
	}
	file, err := os.CreateTemp(filepath.Dir(r.File), filepath.Base(r.File)+".*.tmp")
	if err != nil {
		return fmt.Errorf("keep price list: %w", err)
	}
	err = errors.Join(r.table.Write(file), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), r.File)
	}
	if err != nil {
		return fmt.Errorf("keep price list: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}
