package doctor

import (
	"strings"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// Recommended are the fields of the recommended format, in its order. Tests hold every copy of it to this one.
const Recommended = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status " +
	"pkt-srcaddr pkt-dstaddr region az-id flow-direction traffic-path pkt-src-aws-service pkt-dst-aws-service resource-id interface-type next-hop-az-id " +
	"vpc-id subnet-id instance-id ecs-cluster-arn ecs-cluster-name ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id"

// LogFormat returns fields in the notation that AWS takes for --log-format.
func LogFormat(names []string) string { return "${" + strings.Join(names, "} ${") + "}" }

// recommended returns the recommended fields.
func recommended() []flowlog.Field {
	var fields []flowlog.Field
	for name := range strings.FieldsSeq(Recommended) {
		if field, ok := flowlog.ParseField(name); ok {
			fields = append(fields, field)
		}
	}
	return fields
}

// Cost estimates what fields add to a record, in bytes, from the typical widths of their values. Values of ECS are there in records of its tasks only.
type Cost struct {
	Now         int `json:"now"` // Now is the record as it is, with its line end.
	More        int `json:"more"`
	MoreGzip    int `json:"more_gzip"` // MoreGzip is More in the file, if that is compressed by gzipRatio.
	MoreECS     int `json:"more_ecs_task"`
	MoreECSGzip int `json:"more_ecs_task_gzip"`
}

// gzipRatio is typical of flow logs.
const gzipRatio = 6

// costOf estimates the cost of adding fields to a format.
func costOf(f *flowlog.Format, missing []flowlog.Field) Cost {
	var c Cost
	for i, width := range widths {
		if field := flowlog.Field(i); f.Has(field) && !isECS(field) {
			c.Now += width + 1
		} else if f.Has(field) {
			c.Now += len("- ")
		}
	}
	for _, field := range missing {
		c.MoreECS += widths[field] + 1
		if isECS(field) {
			c.More += len("- ")
		} else {
			c.More += widths[field] + 1
		}
	}
	c.MoreGzip, c.MoreECSGzip = roundUp(c.More), roundUp(c.MoreECS)
	return c
}

func roundUp(bytes int) int { return (bytes + gzipRatio - 1) / gzipRatio }

func isECS(f flowlog.Field) bool {
	return f >= flowlog.FieldECSClusterARN && f <= flowlog.FieldECSTaskID
}

// widths are typical numbers of characters of each field's values: of ids their length, of what is mostly "-" a little more than one.
var widths = [...]int{
	flowlog.FieldVersion:                 2,
	flowlog.FieldAccountID:               12,
	flowlog.FieldInterfaceID:             21,
	flowlog.FieldSrcAddr:                 11,
	flowlog.FieldDstAddr:                 11,
	flowlog.FieldSrcPort:                 5,
	flowlog.FieldDstPort:                 5,
	flowlog.FieldProtocol:                1,
	flowlog.FieldPackets:                 2,
	flowlog.FieldBytes:                   5,
	flowlog.FieldStart:                   10,
	flowlog.FieldEnd:                     10,
	flowlog.FieldAction:                  6,
	flowlog.FieldLogStatus:               2,
	flowlog.FieldVPCID:                   21,
	flowlog.FieldSubnetID:                24,
	flowlog.FieldInstanceID:              19,
	flowlog.FieldTCPFlags:                2,
	flowlog.FieldType:                    4,
	flowlog.FieldPktSrcAddr:              12,
	flowlog.FieldPktDstAddr:              12,
	flowlog.FieldRegion:                  9,
	flowlog.FieldAZID:                    8,
	flowlog.FieldSublocationType:         1,
	flowlog.FieldSublocationID:           1,
	flowlog.FieldPktSrcAWSService:        2,
	flowlog.FieldPktDstAWSService:        2,
	flowlog.FieldFlowDirection:           7,
	flowlog.FieldTrafficPath:             1,
	flowlog.FieldECSClusterARN:           53,
	flowlog.FieldECSClusterName:          10,
	flowlog.FieldECSContainerInstanceARN: 100,
	flowlog.FieldECSContainerInstanceID:  32,
	flowlog.FieldECSContainerID:          43,
	flowlog.FieldECSSecondContainerID:    1,
	flowlog.FieldECSServiceName:          12,
	flowlog.FieldECSTaskDefinitionARN:    65,
	flowlog.FieldECSTaskARN:              86,
	flowlog.FieldECSTaskID:               32,
	flowlog.FieldRejectReason:            1,
	flowlog.FieldResourceID:              2,
	flowlog.FieldEncryptionStatus:        1,
	flowlog.FieldInstanceTag:             8,
	flowlog.FieldInstanceTag2:            8,
	flowlog.FieldInterfaceTag:            8,
	flowlog.FieldInterfaceTag2:           8,
	flowlog.FieldASGTag:                  8,
	flowlog.FieldASGTag2:                 8,
	flowlog.FieldInterfaceType:           3,
	flowlog.FieldNextHopInterfaceID:      21,
	flowlog.FieldNextHopSubnetID:         24,
	flowlog.FieldNextHopAZID:             8,
	flowlog.FieldNextHopVPCID:            21,
	flowlog.FieldNextHopInterfaceType:    3,
}
