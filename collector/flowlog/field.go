package flowlog

import "strings"

// Field is a field of a VPC flow log record. String returns AWS's name of it.
type Field uint8

// The fields of versions 2 to 11, in the order of AWS's table
// (https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html).
const (
	FieldVersion Field = iota
	FieldAccountID
	FieldInterfaceID
	FieldSrcAddr
	FieldDstAddr
	FieldSrcPort
	FieldDstPort
	FieldProtocol
	FieldPackets
	FieldBytes
	FieldStart
	FieldEnd
	FieldAction
	FieldLogStatus
	FieldVPCID
	FieldSubnetID
	FieldInstanceID
	FieldTCPFlags
	FieldType
	FieldPktSrcAddr
	FieldPktDstAddr
	FieldRegion
	FieldAZID
	FieldSublocationType
	FieldSublocationID
	FieldPktSrcAWSService
	FieldPktDstAWSService
	FieldFlowDirection
	FieldTrafficPath
	FieldECSClusterARN
	FieldECSClusterName
	FieldECSContainerInstanceARN
	FieldECSContainerInstanceID
	FieldECSContainerID
	FieldECSSecondContainerID
	FieldECSServiceName
	FieldECSTaskDefinitionARN
	FieldECSTaskARN
	FieldECSTaskID
	FieldRejectReason
	FieldResourceID
	FieldEncryptionStatus
	FieldInstanceTag
	FieldInstanceTag2
	FieldInterfaceTag
	FieldInterfaceTag2
	FieldASGTag
	FieldASGTag2
	FieldInterfaceType
	FieldNextHopInterfaceID
	FieldNextHopSubnetID
	FieldNextHopAZID
	FieldNextHopVPCID
	FieldNextHopInterfaceType

	numFields
	// NoField stands for a column that is not a field of AWS's table.
	noField = numFields
)

var fieldNames = [numFields]string{
	FieldVersion:                 "version",
	FieldAccountID:               "account-id",
	FieldInterfaceID:             "interface-id",
	FieldSrcAddr:                 "srcaddr",
	FieldDstAddr:                 "dstaddr",
	FieldSrcPort:                 "srcport",
	FieldDstPort:                 "dstport",
	FieldProtocol:                "protocol",
	FieldPackets:                 "packets",
	FieldBytes:                   "bytes",
	FieldStart:                   "start",
	FieldEnd:                     "end",
	FieldAction:                  "action",
	FieldLogStatus:               "log-status",
	FieldVPCID:                   "vpc-id",
	FieldSubnetID:                "subnet-id",
	FieldInstanceID:              "instance-id",
	FieldTCPFlags:                "tcp-flags",
	FieldType:                    "type",
	FieldPktSrcAddr:              "pkt-srcaddr",
	FieldPktDstAddr:              "pkt-dstaddr",
	FieldRegion:                  "region",
	FieldAZID:                    "az-id",
	FieldSublocationType:         "sublocation-type",
	FieldSublocationID:           "sublocation-id",
	FieldPktSrcAWSService:        "pkt-src-aws-service",
	FieldPktDstAWSService:        "pkt-dst-aws-service",
	FieldFlowDirection:           "flow-direction",
	FieldTrafficPath:             "traffic-path",
	FieldECSClusterARN:           "ecs-cluster-arn",
	FieldECSClusterName:          "ecs-cluster-name",
	FieldECSContainerInstanceARN: "ecs-container-instance-arn",
	FieldECSContainerInstanceID:  "ecs-container-instance-id",
	FieldECSContainerID:          "ecs-container-id",
	FieldECSSecondContainerID:    "ecs-second-container-id",
	FieldECSServiceName:          "ecs-service-name",
	FieldECSTaskDefinitionARN:    "ecs-task-definition-arn",
	FieldECSTaskARN:              "ecs-task-arn",
	FieldECSTaskID:               "ecs-task-id",
	FieldRejectReason:            "reject-reason",
	FieldResourceID:              "resource-id",
	FieldEncryptionStatus:        "encryption-status",
	FieldInstanceTag:             "instance-tag",
	FieldInstanceTag2:            "instance-tag-2",
	FieldInterfaceTag:            "interface-tag",
	FieldInterfaceTag2:           "interface-tag-2",
	FieldASGTag:                  "asg-tag",
	FieldASGTag2:                 "asg-tag-2",
	FieldInterfaceType:           "interface-type",
	FieldNextHopInterfaceID:      "next-hop-interface-id",
	FieldNextHopSubnetID:         "next-hop-subnet-id",
	FieldNextHopAZID:             "next-hop-az-id",
	FieldNextHopVPCID:            "next-hop-vpc-id",
	FieldNextHopInterfaceType:    "next-hop-interface-type",
}

// fieldVersion returns the flow log version that brought a field. No VPC field has version 6: that one belongs to transit
// gateway flow logs.
func fieldVersion(f Field) int {
	switch {
	case f <= FieldLogStatus:
		return 2
	case f <= FieldPktDstAddr:
		return 3
	case f <= FieldSublocationID:
		return 4
	case f <= FieldTrafficPath:
		return 5
	case f <= FieldECSTaskID:
		return 7
	case f == FieldRejectReason:
		return 8
	case f == FieldResourceID:
		return 9
	case f == FieldEncryptionStatus:
		return 10
	default:
		return 11
	}
}

// String returns AWS's name of the field, with hyphens.
func (f Field) String() string {
	if f < numFields {
		return fieldNames[f]
	}
	return "unknown"
}

// ParseField returns the field that a column is named after. Text files write hyphens, Parquet files underscores.
func ParseField(name string) (Field, bool) {
	name = strings.ReplaceAll(name, "_", "-")
	for f, known := range fieldNames {
		if name == known {
			return Field(f), true
		}
	}
	return noField, false
}
