package pipeline

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/doctor"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/collector/s3event"
)

// formatLog says once per header what it allows.
type formatLog struct {
	logger *slog.Logger
	mu     sync.Mutex
	known  map[string]struct{}
}

// maxHeaders bounds the headers remembered; a bucket holds a few.
const maxHeaders = 1000

// isNew says whether something has to be said, which is remembered.
func (f *formatLog) isNew(what string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil {
		f.known = make(map[string]struct{})
	}
	if _, ok := f.known[what]; ok || len(f.known) >= maxHeaders {
		return false
	}
	f.known[what] = struct{}{}
	return true
}

func (f *formatLog) seen(format *flowlog.Format, options doctor.Options) {
	if !f.isNew(format.String()) {
		return
	}
	d := doctor.Examine(format, options)
	attributes := []any{
		"fields_version", d.FieldsVersion, "fields", d.Fields, "nat_bytes", string(d.NATBytes), "nat_recognition", d.NATRecognition, "header", clip(d.Header),
	}
	if len(d.Unknown) > 0 {
		attributes = append(attributes, "unknown_fields", clip(fmt.Sprintf("%q", d.Unknown)))
	}
	if len(d.Lacks) == 0 {
		f.logger.Info("New flow log format", attributes...)
		return
	}
	lacks := make([]string, len(d.Lacks))
	for i, l := range d.Lacks {
		lacks[i] = l.String()
	}
	f.logger.Warn("New flow log format, --flowlogs.doctor says what to add to it", append(attributes, "lacks", strings.Join(lacks, "; "))...)
}

// seenTransitGateway says once per flow log that its files are skipped: their keys do not tell them from those of VPCs.
func (f *formatLog) seenTransitGateway(flowLogID string, object s3event.Object, err error) {
	if f.isNew("transit gateway " + flowLogID) {
		f.logger.Warn("Skipping flow log of a transit gateway, it says nothing about NAT gateways: deliver it elsewhere, or leave it out by flow_logs.flow_log_ids",
			"flow_log_id", flowLogID, "bucket", object.Bucket, "key", object.Key, "err", err)
	}
}

// report tells the operator what commits have found.
func (p *Pipeline) report(findings []aggregator.Finding) {
	for _, f := range findings {
		logger := p.logger.With("account_id", f.AccountID, "region", f.Region, "interface", f.Interface)
		switch f.Kind {
		case aggregator.FindingGateway:
			logger.Info("Recognised NAT gateway", "recognised_by", f.Detail)
		case aggregator.FindingPublicInterface:
			logger.Warn("Interface has a public address of its own, so its network counts as the internet: add its VPC's CIDR to flow_logs.internal_cidrs", "address", f.Detail)
		case aggregator.FindingOverlap:
			logger.Warn("Two flow logs cover one interface, the rows of the second are not counted", "flow_log_id", f.FlowLogID, "owner", f.Detail)
		case aggregator.FindingUnseenMiddlebox:
			logger.Warn("Clients are behind a NAT gateway or firewall whose rows are not logged: their traffic counts with path unseen_middlebox and without a price")
		case aggregator.FindingForgottenFiles:
			p.logger.Warn("More files than can be remembered, an old one that is delivered again would count again")
		}
	}
}

// refusedFiles remembers which files the store refused since one was read. One may be gone; three are a missing permission or a wrong endpoint.
type refusedFiles struct {
	mu    sync.Mutex
	files map[string]struct{}
	last  error
}

const maxRefused = 3

func (d *refusedFiles) add(identity string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files == nil {
		d.files = make(map[string]struct{})
	}
	if len(d.files) < maxRefused {
		d.files[identity] = struct{}{}
	}
	d.last = err
}

func (d *refusedFiles) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.files)
}

func (d *refusedFiles) err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.files) < maxRefused {
		return nil
	}
	return fmt.Errorf("%d or more files in a row were refused, the last: %w", maxRefused, d.last)
}
