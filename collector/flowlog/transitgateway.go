package flowlog

import "strings"

// Transit gateways have flow logs of their own, version 6, under the same keys as those of VPCs. Only the names of the columns tell them apart
// (https://docs.aws.amazon.com/vpc/latest/tgw/tgw-flow-logs.html).

// isTransitGatewayField says whether only flow logs of transit gateways have a field of this name.
func isTransitGatewayField(name string) bool {
	name = strings.ReplaceAll(name, "_", "-")
	return name == "resource-type" || strings.HasPrefix(name, "tgw-") || strings.HasPrefix(name, "packets-lost-")
}

// transitGatewayField returns the field by which a format is that of a transit gateway, or "". A format that names an interface is a VPC's, whatever AWS may
// add to it.
func (f *Format) transitGatewayField() string {
	if f.has[FieldInterfaceID] || f.has[FieldResourceID] {
		return ""
	}
	for _, name := range f.unknown {
		if isTransitGatewayField(name) {
			return name
		}
	}
	return ""
}
