package pipeline

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
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

func (f *formatLog) seen(format *flowlog.Format) {
	if !f.isNew(format.String()) {
		return
	}
	f.logger.Info("New flow log format", "fields_version", format.Version(), "fields", format.Columns(),
		"pkt_addresses", format.Has(flowlog.FieldPktSrcAddr) && format.Has(flowlog.FieldPktDstAddr),
		"flow_direction", format.Has(flowlog.FieldFlowDirection), "traffic_path", format.Has(flowlog.FieldTrafficPath),
		"aws_service", format.Has(flowlog.FieldPktDstAWSService), "vpc_id", format.Has(flowlog.FieldVPCID),
		"instance_id", format.Has(flowlog.FieldInstanceID), "interface_type", format.Has(flowlog.FieldInterfaceType),
		"resource_id", format.Has(flowlog.FieldResourceID), "header", clip(format.String()))
	if unknown := format.Unknown(); len(unknown) > 0 {
		f.logger.Warn("Unknown fields are ignored", "fields", clip(fmt.Sprintf("%q", unknown)))
	}
	if lacks := lacks(format); len(lacks) > 0 {
		f.logger.Warn("Flow log format tells less than it could", "fields_version", format.Version(), "lacks", strings.Join(lacks, "; "))
	}
}

// seenTransitGateway says once per flow log that its files are skipped: their keys do not tell them from those of VPCs.
func (f *formatLog) seenTransitGateway(flowLogID string, object s3event.Object, err error) {
	if f.isNew("transit gateway " + flowLogID) {
		f.logger.Warn("Skipping flow log of a transit gateway, it says nothing about NAT gateways: deliver it elsewhere, or leave it out by flow_logs.flow_log_ids",
			"flow_log_id", flowLogID, "bucket", object.Bucket, "key", object.Key, "err", err)
	}
}

// lacks says in words what a format keeps from being counted or told apart.
func lacks(format *flowlog.Format) []string {
	var out []string
	lack := func(text string, fields ...flowlog.Field) {
		for _, field := range fields {
			if !format.Has(field) {
				out = append(out, text)
				return
			}
		}
	}
	pkt := format.Has(flowlog.FieldPktSrcAddr) && format.Has(flowlog.FieldPktDstAddr)
	lack("without pkt-srcaddr and pkt-dstaddr NAT gateways count only if flow_logs.nat_gateways names them, and without destinations",
		flowlog.FieldPktSrcAddr, flowlog.FieldPktDstAddr)
	lack("without interface-id only regional NAT gateways count, and other traffic only as unknown", flowlog.FieldInterfaceID)
	if pkt && !format.Has(flowlog.FieldInterfaceType) {
		lack("without instance-id a NAT instance, which costs no processing, passes for a NAT gateway: what is learned is marked unverified", flowlog.FieldInstanceID)
	}
	lack("without vpc-id a client of a NAT gateway is known by its address, account and region only", flowlog.FieldVPCID)
	lack("without flow-direction the sender of internal traffic is known once an interface has had two peers", flowlog.FieldFlowDirection)
	lack("without traffic-path the way of traffic that no NAT gateway forwards is unknown", flowlog.FieldTrafficPath)
	lack("without pkt-src-aws-service and pkt-dst-aws-service the AWS service of a remote is unknown",
		flowlog.FieldPktSrcAWSService, flowlog.FieldPktDstAWSService)
	return out
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
