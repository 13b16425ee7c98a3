package flowgen

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// field is one column that a format can have.
type field struct {
	name    string
	version int
	append  func([]byte, *Row) []byte
}

// fields are all fields of AWS's versions 2 to 11 but version itself, which is the format's. Source: AWS, "Flow log records".
var fields = [...]field{
	{"account-id", 2, func(b []byte, r *Row) []byte { return appendText(b, r.AccountID) }},
	{"interface-id", 2, func(b []byte, r *Row) []byte { return appendText(b, r.InterfaceID) }},
	{"srcaddr", 2, func(b []byte, r *Row) []byte { return appendAddr(b, r.SrcAddr) }},
	{"dstaddr", 2, func(b []byte, r *Row) []byte { return appendAddr(b, r.DstAddr) }},
	{"srcport", 2, func(b []byte, r *Row) []byte { return appendNumber(b, r.SrcPort) }},
	{"dstport", 2, func(b []byte, r *Row) []byte { return appendNumber(b, r.DstPort) }},
	{"protocol", 2, func(b []byte, r *Row) []byte { return appendNumber(b, r.Protocol) }},
	{"packets", 2, func(b []byte, r *Row) []byte { return appendNumber(b, r.Packets) }},
	{"bytes", 2, func(b []byte, r *Row) []byte { return appendNumber(b, r.Bytes) }},
	{"start", 2, func(b []byte, r *Row) []byte { return appendNumber(b, r.Start) }},
	{"end", 2, func(b []byte, r *Row) []byte { return appendNumber(b, r.End) }},
	{"action", 2, func(b []byte, r *Row) []byte { return appendText(b, string(r.Action)) }},
	{"log-status", 2, func(b []byte, r *Row) []byte { return appendText(b, string(r.LogStatus)) }},
	{"vpc-id", 3, func(b []byte, r *Row) []byte { return appendText(b, r.VPCID) }},
	{"subnet-id", 3, func(b []byte, r *Row) []byte { return appendText(b, r.SubnetID) }},
	{"instance-id", 3, func(b []byte, r *Row) []byte { return appendText(b, r.InstanceID) }},
	{"tcp-flags", 3, func(b []byte, r *Row) []byte { return appendNumber(b, r.TCPFlags) }},
	{"type", 3, func(b []byte, r *Row) []byte { return appendText(b, r.Type) }},
	{"pkt-srcaddr", 3, func(b []byte, r *Row) []byte { return appendAddr(b, r.PktSrcAddr) }},
	{"pkt-dstaddr", 3, func(b []byte, r *Row) []byte { return appendAddr(b, r.PktDstAddr) }},
	{"region", 4, func(b []byte, r *Row) []byte { return appendText(b, r.Region) }},
	{"az-id", 4, func(b []byte, r *Row) []byte { return appendText(b, r.AZID) }},
	{"sublocation-type", 4, func(b []byte, _ *Row) []byte { return appendText(b, "") }},
	{"sublocation-id", 4, func(b []byte, _ *Row) []byte { return appendText(b, "") }},
	{"pkt-src-aws-service", 5, func(b []byte, r *Row) []byte { return appendText(b, r.PktSrcService) }},
	{"pkt-dst-aws-service", 5, func(b []byte, r *Row) []byte { return appendText(b, r.PktDstService) }},
	{"flow-direction", 5, func(b []byte, r *Row) []byte { return appendText(b, r.FlowDirection) }},
	{"traffic-path", 5, func(b []byte, r *Row) []byte { return appendNumber(b, r.TrafficPath) }},
	{"ecs-cluster-arn", 7, func(b []byte, r *Row) []byte { return appendText(b, r.Task.ClusterARN) }},
	{"ecs-cluster-name", 7, func(b []byte, r *Row) []byte { return appendText(b, r.Task.ClusterName) }},
	{"ecs-container-instance-arn", 7, func(b []byte, r *Row) []byte { return appendText(b, r.Task.ContainerInstanceARN) }},
	{"ecs-container-instance-id", 7, func(b []byte, r *Row) []byte { return appendText(b, r.Task.ContainerInstanceID) }},
	{"ecs-container-id", 7, func(b []byte, r *Row) []byte { return appendText(b, r.Task.ContainerID) }},
	{"ecs-second-container-id", 7, func(b []byte, r *Row) []byte { return appendText(b, r.Task.SecondContainerID) }},
	{"ecs-service-name", 7, func(b []byte, r *Row) []byte { return appendText(b, r.Task.ServiceName) }},
	{"ecs-task-definition-arn", 7, func(b []byte, r *Row) []byte { return appendText(b, r.Task.TaskDefinitionARN) }},
	{"ecs-task-arn", 7, func(b []byte, r *Row) []byte { return appendText(b, r.Task.TaskARN) }},
	{"ecs-task-id", 7, func(b []byte, r *Row) []byte { return appendText(b, r.Task.ID) }},
	{"reject-reason", 8, func(b []byte, r *Row) []byte { return appendText(b, r.RejectReason) }},
	{"resource-id", 9, func(b []byte, r *Row) []byte { return appendText(b, r.ResourceID) }},
	{"encryption-status", 10, func(b []byte, r *Row) []byte { return appendNumber(b, r.EncryptionStatus) }},
	{"instance-tag", 11, func(b []byte, r *Row) []byte { return appendText(b, r.InstanceTag) }},
	{"instance-tag-2", 11, func(b []byte, r *Row) []byte { return appendText(b, r.InstanceTag2) }},
	{"interface-tag", 11, func(b []byte, r *Row) []byte { return appendText(b, r.InterfaceTag) }},
	{"interface-tag-2", 11, func(b []byte, _ *Row) []byte { return appendText(b, "") }},
	{"asg-tag", 11, func(b []byte, r *Row) []byte { return appendText(b, r.ASGTag) }},
	{"asg-tag-2", 11, func(b []byte, _ *Row) []byte { return appendText(b, "") }},
	{"interface-type", 11, func(b []byte, r *Row) []byte { return appendText(b, string(r.InterfaceType)) }},
	{"next-hop-interface-id", 11, func(b []byte, r *Row) []byte { return appendText(b, r.NextHop.InterfaceID) }},
	{"next-hop-subnet-id", 11, func(b []byte, r *Row) []byte { return appendText(b, r.NextHop.SubnetID) }},
	{"next-hop-az-id", 11, func(b []byte, r *Row) []byte { return appendText(b, r.NextHop.AZID) }},
	{"next-hop-vpc-id", 11, func(b []byte, r *Row) []byte { return appendText(b, r.NextHop.VPCID) }},
	{"next-hop-interface-type", 11, func(b []byte, r *Row) []byte { return appendText(b, string(r.NextHop.InterfaceType)) }},
}

// versionField is the one field that is the same in all rows of a format.
const versionField = "version"

// futureValue stands in the columns that no version of AWS has yet.
const futureValue = "new"

func appendText(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	return append(b, s...)
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, '-')
	}
	return a.AppendTo(b)
}

func appendNumber[N int | int64](b []byte, n N) []byte {
	if n < 0 {
		return append(b, '-')
	}
	return strconv.AppendInt(b, int64(n), 10)
}

// FieldNames returns the names of all fields of versions 2 to the given one, in AWS's order of versions. FieldNames(11) are all 54.
func FieldNames(version int) []string {
	names := []string{versionField}
	for _, f := range fields {
		if f.version <= version {
			names = append(names, f.name)
		}
	}
	return names
}

// DefaultFields returns the fields of AWS's default format, version 2.
func DefaultFields() []string { return FieldNames(2) }

// Format is an ordered list of columns: any subset of AWS's fields in any order, and columns that AWS does not have yet. It is immutable.
type Format struct {
	names   []string
	columns []field
	version int
}

// NewFormat returns the format with the named columns. A name that is none of AWS's makes a column of a future version.
func NewFormat(names ...string) Format {
	f := Format{names: slices.Clone(names), columns: make([]field, len(names)), version: 2}
	for i, name := range names {
		f.columns[i] = field{name: name, append: func(b []byte, _ *Row) []byte { return append(b, futureValue...) }}
		for _, known := range fields {
			if known.name == name {
				f.columns[i] = known
				f.version = max(f.version, known.version)
			}
		}
	}
	version := strconv.Itoa(f.version)
	for i, name := range names {
		if name == versionField {
			f.columns[i].append = func(b []byte, _ *Row) []byte { return append(b, version...) }
		}
	}
	return f
}

// Fields returns the names of the columns in order.
func (f Format) Fields() []string { return slices.Clone(f.names) }

// Has says whether the format has a column.
func (f Format) Has(name string) bool { return slices.Contains(f.names, name) }

// Version returns AWS's version of the format: the highest among its fields.
func (f Format) Version() int { return f.version }

// Header returns the first line of a file, without a line end.
func (f Format) Header() string { return strings.Join(f.names, " ") }

// AppendRow appends a row as a line without a line end.
func (f Format) AppendRow(b []byte, r *Row) []byte {
	for i, c := range f.columns {
		if i > 0 {
			b = append(b, ' ')
		}
		b = c.append(b, r)
	}
	return b
}

// Bytes returns the text of a file: the header and the rows, each with a line end.
func (f Format) Bytes(rows []Row) []byte {
	b := append([]byte(f.Header()), '\n')
	for i := range rows {
		b = append(f.AppendRow(b, &rows[i]), '\n')
	}
	return b
}

// ShowsTranslation says whether the format has the packets' true addresses, without which a NAT gateway is only known by configuration.
func (f Format) ShowsTranslation() bool { return f.Has("pkt-srcaddr") && f.Has("pkt-dstaddr") }

// ShowsTransit says whether rows that a transit gateway logged on the way can be told from others.
func (f Format) ShowsTransit() bool {
	return f.ShowsTranslation() && (f.Has("instance-id") || f.Has("interface-type"))
}

// ShowsLoadBalancer says whether a Network Load Balancer that preserves its clients' addresses can be told from a NAT gateway: it hides them before its
// targets and talks to them in its own name as a NAT gateway does with remotes. Its type tells, or the ports, of which the lower is its own side's.
func (f Format) ShowsLoadBalancer() bool {
	return f.ShowsTransit() && (f.Has("interface-type") || f.Has("srcport") && f.Has("dstport"))
}

// ShowsInstances says whether a NAT instance is told for what it is, or else taken for a gateway. A format that names types, but no instances, makes it an
// interface without a type, which is none of both.
func (f Format) ShowsInstances() bool {
	return f.ShowsTranslation() && (f.Has("instance-id") || !f.Has("interface-type"))
}
