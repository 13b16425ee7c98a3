package aggregator

import "github.com/vpcflow/vpcflow_exporter/collector/flowlog"

// NATRecognition returns how zonal NAT gateways are recognised in files of a format, in the words of the label recognised_by: "resource_id" where only regional
// ones are without configuration. A regional gateway is also recognised by rows without an interface.
func NATRecognition(f *flowlog.Format) string {
	switch {
	case f.Has(flowlog.FieldInterfaceID) && f.Has(flowlog.FieldInterfaceType):
		return recognisedByInterfaceType
	case f.Has(flowlog.FieldInterfaceID) && f.Has(flowlog.FieldPktSrcAddr) && f.Has(flowlog.FieldPktDstAddr):
		return recognisedByLearning
	case f.Has(flowlog.FieldResourceID):
		return recognisedByResourceID
	default:
		return recognisedByConfig
	}
}
