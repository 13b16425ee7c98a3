package pricing

import (
	"math"
	"strings"
)

// Remedy is what would take traffic off a NAT gateway. Its text is the value of
// the metric label.
type Remedy string

// The remedies. Each byte has one of them at most, the first that applies.
const (
	// NoRemedy is all traffic for which nothing cheaper than NAT is known.
	NoRemedy Remedy = ""
	// GatewayEndpoint is a gateway endpoint in the client's VPC, which is free.
	GatewayEndpoint Remedy = "gateway_endpoint"
	// InterfaceEndpoint is an interface endpoint in the client's VPC. Its hours
	// are not part of a saving per GB, see [Prices.EndpointMonth].
	InterfaceEndpoint Remedy = "interface_endpoint"
	// PossibleEndpoint says that an endpoint may carry the traffic or a part of
	// it, which the service's name alone does not tell. Such savings are no part
	// of a total.
	PossibleEndpoint Remedy = "possible"
	// SameAZNAT is a NAT gateway in the client's availability zone. No service
	// decides that, so [Prices.Remedy] never returns it.
	SameAZNAT Remedy = "same_az_nat"
)

// Locality says where a remote is, as seen from the NAT gateway.
type Locality uint8

// The localities. The zero value is the one that never claims a saving.
const (
	RegionUnknown Locality = iota
	SameRegion
	OtherRegion
)

// endpoint is how traffic with a service can go without NAT.
type endpoint struct {
	remedy Remedy
	// name is the last part of the endpoint service's name; empty where there is
	// more than one to choose from.
	name string
}

// endpoints are the services, as pkt-dst-aws-service writes them, that an
// endpoint serves or may serve. Names are those of the table of services that
// integrate with AWS PrivateLink (docs.aws.amazon.com/vpc/latest/privatelink/
// aws-services-privatelink-support.html) and of the guide on gateway endpoints.
//
// What is absent has no remedy. EC2 addresses are other customers' machines.
// CLOUDFRONT, CLOUDFRONT_ORIGIN_FACING and GLOBALACCELERATOR stand in front of
// anything. ROUTE53 and its kin are name servers and health checkers. From
// AMAZON_APPFLOW, CLOUD9 and EC2_INSTANCE_CONNECT connections only come in. The
// table has no endpoint for AMAZON_CONNECT's media, CHIME_MEETINGS,
// CHIME_VOICECONNECTOR, IVS_REALTIME, KINESIS_VIDEO_STREAMS and
// MEDIA_PACKAGE_V2.
var endpoints = map[string]endpoint{
	"S3":       {GatewayEndpoint, "s3"},
	"DYNAMODB": {GatewayEndpoint, "dynamodb"},

	"EBS": {InterfaceEndpoint, "ebs"},
	// Connections need the cluster's own name, which begins with this one.
	"AURORA_DSQL": {InterfaceEndpoint, "dsql"},

	// Any of AWS's services that has no name of its own in the logs.
	"AMAZON": {PossibleEndpoint, ""},
	// The endpoint reaches private APIs alone.
	"API_GATEWAY": {PossibleEndpoint, "execute-api"},
	// The endpoint reaches the service's API, not the machines that build.
	"CODEBUILD": {PossibleEndpoint, "codebuild"},
	// The endpoint takes streams in, and does not play them.
	"IVS_LOW_LATENCY": {PossibleEndpoint, "ivs.contribute"},
	// The endpoint carries one of two streaming protocols.
	"WORKSPACES_GATEWAYS": {PossibleEndpoint, "highlander"},
}

// Remedy returns what would take traffic with a service off a NAT gateway in a
// region, and the dollars that each GB would cost less. The service is written
// as in pkt-dst-aws-service, and natPerGB is what the gateway costs, with
// whatever discount or price of its own it has.
//
// An endpoint serves its own region: traffic to another one, or to nobody knows
// where, has no remedy. Neither has traffic that costs no less without NAT, or
// in a region where the price of an interface endpoint is not known. The first
// tier's price is taken, at which an interface endpoint saves the least.
func (p *Prices) Remedy(region, awsService string, where Locality, natPerGB float64) (remedy Remedy, usdPerGB float64) {
	return p.Account("").Remedy(region, awsService, where, natPerGB)
}

// Remedy is [Prices.Remedy] at the account's prices.
func (a AccountPrices) Remedy(region, awsService string, where Locality, natPerGB float64) (remedy Remedy, usdPerGB float64) {
	e := endpoints[awsService]
	if where != SameRegion || e.remedy == NoRemedy {
		return NoRemedy, 0
	}
	saving := natPerGB
	if e.remedy != GatewayEndpoint {
		rate, ok := a.Price(region, InterfaceEndpointGB)
		if !ok {
			return NoRemedy, 0
		}
		saving -= rate.USD
	}
	if !(saving > 0) {
		return NoRemedy, 0
	}
	return e.remedy, saving
}

// EndpointService returns the name under which an endpoint for a service is
// created in a region, as com.amazonaws.eu-west-3.s3; ok is false if the service
// has none, or more than one.
func EndpointService(region, awsService string) (name string, ok bool) {
	e := endpoints[awsService]
	if e.name == "" || region == "" {
		return "", false
	}
	name = "com.amazonaws." + region + "." + e.name
	if strings.HasPrefix(region, "cn-") && e.remedy != GatewayEndpoint {
		name = "cn." + name
	}
	return name, true
}

// HoursPerMonth is the length of a month on AWS's calculators: 8,760 hours a
// year in twelve parts.
const HoursPerMonth = 730

// EndpointMonth returns what one interface endpoint costs a month in so many
// availability zones, data apart; ok is false where an hour has no price. Three
// zones at 0.01 are 21.90.
func (p *Prices) EndpointMonth(region string, zones int) (usd float64, ok bool) {
	rate, ok := p.Price(region, InterfaceEndpointHour)
	return rate.USD * float64(zones) * HoursPerMonth, ok
}

// NATMonth returns what the hours of one more NAT gateway cost a month; ok is
// false where an hour has no price.
func (p *Prices) NATMonth(region string) (usd float64, ok bool) {
	rate, ok := p.Price(region, NATHour)
	return rate.USD * HoursPerMonth, ok
}

// CrossAZBothEnds returns what a GB between availability zones costs, counted
// once: the sending and the receiving side pay.
func (p *Prices) CrossAZBothEnds(region string) (usdPerGB float64, ok bool) {
	rate, ok := p.Price(region, CrossAZGB)
	return 2 * rate.USD, ok
}

// BreakEvenGB returns how many whole GB a month pay for what a remedy costs a
// month; ok is false if no traffic does. At 0.045 against 0.01, an endpoint of
// 21.90 needs 626 GB; at 0.02, a second NAT gateway of 32.85 needs 1,643 GB.
func BreakEvenGB(usdPerMonth, savingPerGB float64) (gb float64, ok bool) {
	if !(savingPerGB > 0) || !isPrice(usdPerMonth) || math.IsInf(savingPerGB, 0) {
		return 0, false
	}
	// A quotient that is whole but for rounding is not rounded up.
	return math.Ceil(usdPerMonth/savingPerGB - 1e-9), true
}

// The tiers of the data of interface endpoints, per region and month, in GB.
// They and the prices beyond the first are alike in the feed of all 36 regions
// of the list (source A of rates.csv).
const (
	endpointTier1GB  = 1 << 20 // 1 PB.
	endpointTier2GB  = 5 << 20 // 5 PB.
	endpointTier2USD = 0.006
	endpointTier3USD = 0.004
)

// EndpointData returns what a month's GB through the interface endpoints of a
// region cost, tiers and discount included; ok is false where a GB has no price.
// An overridden price holds for all GB.
func (p *Prices) EndpointData(region string, gb float64) (usd float64, ok bool) {
	rate, ok := p.Price(region, InterfaceEndpointGB)
	if !ok || rate.Override {
		return rate.USD * gb, ok
	}
	keep := 1 - rate.Discount
	usd = min(gb, endpointTier1GB) * rate.USD
	usd += max(0, min(gb, endpointTier2GB)-endpointTier1GB) * endpointTier2USD * keep
	usd += max(0, gb-endpointTier2GB) * endpointTier3USD * keep
	return usd, true
}
