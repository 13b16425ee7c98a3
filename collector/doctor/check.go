package doctor

import (
	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// counter is an index of counterNames.
type counter int

const (
	natBytes counter = iota
	natServices
	natCost
	allBytes
	paths
	packets
	lost

	numCounters
)

var counterNames = [numCounters]string{
	natBytes:    "vpcflow_nat_bytes_total",
	natServices: "vpcflow_nat_bytes_total by aws_service",
	natCost:     "vpcflow_nat_cost_usd_total",
	allBytes:    "vpcflow_bytes_total",
	paths:       "vpcflow_bytes_total by path",
	packets:     "vpcflow_packets_total",
	lost:        "vpcflow_records_total of skip_data",
}

// follows are the counters that are no better than another, since they are sums over the same rows.
var follows = map[counter][]counter{
	natBytes: {natServices, natCost, allBytes},
	allBytes: {paths, packets},
}

// A check is what the lack of any of some fields does.
type check struct {
	fields      []flowlog.Field
	when        condition
	off, effect string
	spoils      map[counter]Level
}

var packetAddresses = []flowlog.Field{flowlog.FieldPktSrcAddr, flowlog.FieldPktDstAddr}

// checks are in the order of what they cost. Together they hold all recommended fields that are read, but for those that a format must have.
var checks = []check{
	{
		fields: []flowlog.Field{flowlog.FieldInterfaceID}, off: "zonal NAT gateways",
		effect: "only regional NAT gateways are told apart, and all other interfaces are taken for one",
		spoils: map[counter]Level{natBytes: Inexact},
	},
	{
		fields: packetAddresses, when: unnamed, off: "zonal NAT gateways",
		effect: "a zonal NAT gateway counts only if flow_logs.nat_gateways names it, which names none, and around it vpcflow_bytes_total counts the same bytes several times",
		spoils: map[counter]Level{natBytes: Inexact},
	},
	{
		fields: packetAddresses, when: named, off: "zonal NAT gateways without configuration",
		effect: "a zonal NAT gateway that flow_logs.nat_gateways does not name is not counted, and around it vpcflow_bytes_total counts the same bytes several times",
		spoils: map[counter]Level{natBytes: Conditional},
	},
	{
		fields: packetAddresses, when: withInterfaces, off: "destinations of NAT traffic",
		effect: "the remote of what a zonal NAT gateway forwards and its AWS service are unknown, and a private NAT gateway counts twice",
		spoils: map[counter]Level{natBytes: Conditional, natServices: Inexact},
	},
	{
		fields: []flowlog.Field{flowlog.FieldInstanceID}, when: learned, off: "NAT instances",
		effect: "a NAT instance, which costs no processing, passes for a NAT gateway and is priced, and copies that transit gateways and firewalls make count as traffic",
		spoils: map[counter]Level{natCost: Conditional, allBytes: Conditional},
	},
	{
		fields: []flowlog.Field{flowlog.FieldInstanceID}, when: typed, off: "NAT instances",
		effect: "a NAT instance is not recognised, and its legs count as what they look like",
		spoils: map[counter]Level{natBytes: Conditional},
	},
	{
		fields: []flowlog.Field{flowlog.FieldSrcPort, flowlog.FieldDstPort}, when: learned, off: "load balancers",
		effect: "a network load balancer that keeps its clients' addresses looks like a NAT gateway and is priced",
		spoils: map[counter]Level{natBytes: Conditional},
	},
	{
		fields: []flowlog.Field{flowlog.FieldResourceID}, off: "names of regional NAT gateways",
		effect: `a regional NAT gateway has nat_gateway="unknown", and counts twice if two flow logs cover it`,
		spoils: map[counter]Level{natBytes: Conditional},
	},
	{
		fields: []flowlog.Field{flowlog.FieldAction}, off: "rejected packets",
		effect: "rejected packets count, unless the flow log is one of accepted traffic only",
		spoils: map[counter]Level{natBytes: Conditional},
	},
	{
		fields: []flowlog.Field{flowlog.FieldPktSrcAWSService, flowlog.FieldPktDstAWSService}, off: "AWS services",
		effect: "the AWS service of a remote is what enrichment.ip_ranges says, or unknown, where it sends (pkt-src-aws-service) or receives (pkt-dst-aws-service)",
		spoils: map[counter]Level{natServices: Inexact},
	},
	{
		fields: []flowlog.Field{flowlog.FieldTrafficPath}, off: "paths that pass no NAT gateway",
		effect: "egress that no NAT gateway forwards has the path unknown, and what a client behind NAT sends through a gateway endpoint is not counted",
		spoils: map[counter]Level{allBytes: Conditional, paths: Inexact},
	},
	{
		fields: []flowlog.Field{flowlog.FieldFlowDirection}, off: "senders of internal traffic",
		effect: "internal traffic of an interface with a single peer counts at both ends",
		spoils: map[counter]Level{allBytes: Conditional},
	},
	{
		fields: []flowlog.Field{flowlog.FieldFlowDirection}, when: learned, off: "NAT64 alone",
		effect: "a NAT gateway that forwards nothing but NAT64 is not recognised",
		spoils: map[counter]Level{natBytes: Conditional},
	},
	{
		fields: []flowlog.Field{flowlog.FieldVPCID}, off: "VPCs with the same addresses",
		effect: "a client of a NAT gateway is known by its address, account and region only, and the same address in another VPC is taken for it",
		spoils: map[counter]Level{allBytes: Conditional},
	},
	{
		fields: []flowlog.Field{flowlog.FieldInterfaceType}, when: learned, off: "NAT gateways at once",
		effect: "a NAT gateway is learned from its rows, and the first ones of an interface wait for up to 30 minutes of record time",
	},
	{
		fields: []flowlog.Field{flowlog.FieldPackets}, off: "packets",
		effect: "vpcflow_packets_total stays 0",
		spoils: map[counter]Level{packets: Inexact},
	},
	{
		fields: []flowlog.Field{flowlog.FieldLogStatus}, off: "lost records",
		effect: "records that AWS has lost look like intervals without traffic",
		spoils: map[counter]Level{lost: Inexact},
	},
	{
		fields: []flowlog.Field{flowlog.FieldStart, flowlog.FieldEnd}, off: "times of records",
		effect: "the time in the file's name is taken for that of its records",
	},
	{
		fields: []flowlog.Field{flowlog.FieldAccountID, flowlog.FieldRegion}, off: "account and region of records",
		effect: "the file's key says it, and under a key that is not AWS's it is unknown: without a region nothing has a price",
	},
	{
		fields: []flowlog.Field{flowlog.FieldSubnetID, flowlog.FieldAZID}, off: "place of a NAT gateway",
		effect: "subnet_id and az_id of vpcflow_nat_gateway_info are empty",
	},
	{
		fields: []flowlog.Field{flowlog.FieldECSClusterName, flowlog.FieldECSServiceName}, off: "ECS services",
		effect: "a task behind a NAT gateway is known by its address, and not by its service",
	},
}

// notRead are recommended fields that this version does not read. A flow log's format cannot be changed later.
var notRead = []flowlog.Field{
	flowlog.FieldVersion, flowlog.FieldProtocol, flowlog.FieldNextHopAZID, flowlog.FieldECSClusterARN, flowlog.FieldECSTaskDefinitionARN, flowlog.FieldECSTaskARN, flowlog.FieldECSTaskID,
}

// A condition says for which formats a check is. The zero one is for all.
type condition struct {
	text  string
	holds func(*flowlog.Format, Options) bool
}

func (c condition) met(f *flowlog.Format, o Options) bool { return c.holds == nil || c.holds(f, o) }

var (
	withInterfaces = condition{
		"with interface-id",
		func(f *flowlog.Format, _ Options) bool { return f.Has(flowlog.FieldInterfaceID) },
	}
	unnamed = condition{"without interface-type, nat_gateways is empty", unrecognised(false)}
	named   = condition{"without interface-type, nat_gateways is set", unrecognised(true)}
	learned = condition{"gateways are learned", by("learned")}
	typed   = condition{"with interface-type", by("interface_type")}
)

// by holds for formats in which NAT gateways are recognised by a rule.
func by(rule string) func(*flowlog.Format, Options) bool {
	return func(f *flowlog.Format, _ Options) bool { return aggregator.NATRecognition(f) == rule }
}

// unrecognised holds for formats that tell interfaces apart but not which of them are zonal NAT gateways, with a configuration that does or does not name some.
func unrecognised(named bool) func(*flowlog.Format, Options) bool {
	return func(f *flowlog.Format, o Options) bool {
		return f.Has(flowlog.FieldInterfaceID) && !f.Has(flowlog.FieldInterfaceType) && o.NamesGateways == named
	}
}

// An Effect is a row of the table of what fields are for.
type Effect struct {
	Lack
	When  string // When is empty where the effect does not depend on other fields.
	Bytes int    // Bytes are typical of the fields in a record.
}

// Effects returns what the lack of each field does, in the order of what it costs.
func Effects() []Effect {
	list := make([]Effect, len(checks))
	for i, c := range checks {
		list[i] = Effect{Lack: Lack{Off: c.off, Effect: c.effect}, When: c.when.text}
		for _, field := range c.fields {
			list[i].Without = append(list[i].Without, field.String())
			list[i].Bytes += widths[field] + 1
		}
	}
	return list
}
