package flowlog

import (
	"math"
	"unsafe"
)

// Status is the log-status of a record.
type Status uint8

// The values of log-status. A format without the field leaves StatusOK, unless the addresses are missing: then StatusNoData.
const (
	StatusOK Status = iota
	StatusNoData
	StatusSkipData
)

// Direction is the flow-direction of a record: as the capturing interface sees it.
type Direction uint8

// The values of flow-direction; DirectionUnknown where the format has no such field or the record says "-".
const (
	DirectionUnknown Direction = iota
	DirectionIngress
	DirectionEgress
)

// InterfaceType is the type of the capturing interface, or of the next hop's.
type InterfaceType uint8

// The values of interface-type and next-hop-interface-type. InterfaceOther stands for "-" and for values that AWS may add: the
// field is there and the interface is none of the named ones.
const (
	InterfaceTypeUnknown InterfaceType = iota
	InterfaceOther
	InterfaceNATGateway
	InterfaceRegionalNATGateway
	InterfaceNetworkLoadBalancer
	InterfaceTransitGateway
	InterfaceVPCEndpoint
)

// A Record is one line of a flow log file. Read reuses it: every byte slice borrows the reader's buffer and is valid until the
// next call. A missing value ("-", or no such column) is the zero value.
type Record struct {
	Format *Format // Format says which fields the file has. Never nil after a successful Read.

	Status   Status
	Rejected bool // Rejected is true when action is REJECT.

	SrcAddr, DstAddr       Addr // SrcAddr and DstAddr are the addresses of the leg: those at the capturing interface.
	PktSrcAddr, PktDstAddr Addr // PktSrcAddr and PktDstAddr are the packet's true ends; equal to the leg's where the record does not say.

	Bytes, Packets   uint64
	SrcPort, DstPort uint16 // SrcPort and DstPort are read of translated rows only, and 0 otherwise.
	Start, End       int64  // Start and End are Unix seconds.

	Direction            Direction
	TrafficPath          uint8 // TrafficPath is 1 to 8 for egress rows, 0 where missing.
	InterfaceType        InterfaceType
	NextHopInterfaceType InterfaceType

	AccountID, Region                  []byte
	InterfaceID, ResourceID            []byte
	VPCID, SubnetID, InstanceID, AZID  []byte
	PktSrcAWSService, PktDstAWSService []byte

	// Names are what the workload of the capturing interface is called, by Name. Tags are percent-encoded, as AWS writes them.
	Names [NumNames][]byte
}

// A Name is a field that says what the workload of the capturing interface is called: by ECS (version 7), or by the tags that the flow log has chosen
// (version 11).
type Name uint8

// The names. AWS's fields of the same words are ecs-cluster-name, ecs-service-name and those of the tags.
const (
	NameECSCluster Name = iota
	NameECSService
	NameInstanceTag
	NameInstanceTag2
	NameInterfaceTag
	NameInterfaceTag2
	NameASGTag
	NameASGTag2

	NumNames
)

// nameOf returns the name that a field is, if it is one.
func nameOf(f Field) (Name, bool) {
	switch {
	case f == FieldECSClusterName:
		return NameECSCluster, true
	case f == FieldECSServiceName:
		return NameECSService, true
	case f >= FieldInstanceTag && f <= FieldASGTag2:
		return NameInstanceTag + Name(f-FieldInstanceTag), true
	default:
		return 0, false
	}
}

// MaxRecordBytes bounds the bytes of one record to 16 TiB: more than 200 Gbit/s carry in the longest aggregation interval. A
// larger value is malformed.
const MaxRecordBytes = 1 << 44

const (
	// Times are bounded, in milliseconds, by the year 5138.
	maxTime = 100_000_000_000_000
	// A time from here on is in milliseconds.
	milliseconds = 100_000_000_000
)

// addresses returns SrcAddr, DstAddr, PktSrcAddr and PktDstAddr, which follow one another.
func (r *Record) addresses() *[4]Addr { return (*[4]Addr)(unsafe.Pointer(&r.SrcAddr)) }

// recordHas says whether a Record carries the field, that is, whether its column must be read.
func recordHas(f Field) bool {
	switch f {
	case FieldAccountID, FieldInterfaceID, FieldSrcAddr, FieldDstAddr, FieldSrcPort, FieldDstPort, FieldPackets, FieldBytes, FieldStart, FieldEnd,
		FieldAction, FieldLogStatus, FieldVPCID, FieldSubnetID, FieldInstanceID, FieldPktSrcAddr, FieldPktDstAddr, FieldRegion,
		FieldAZID, FieldPktSrcAWSService, FieldPktDstAWSService, FieldFlowDirection, FieldTrafficPath, FieldResourceID,
		FieldInterfaceType, FieldNextHopInterfaceType:
		return true
	default:
		_, name := nameOf(f)
		return name
	}
}

// set stores one column's text and reports why it cannot, or "".
func (r *Record) set(f Field, v []byte) string {
	missing := len(v) == 1 && v[0] == '-'
	switch f {
	case FieldSrcAddr:
		return setAddr(&r.SrcAddr, v, missing)
	case FieldDstAddr:
		return setAddr(&r.DstAddr, v, missing)
	case FieldPktSrcAddr:
		return setAddr(&r.PktSrcAddr, v, missing)
	case FieldPktDstAddr:
		return setAddr(&r.PktDstAddr, v, missing)
	case FieldBytes:
		return setUint(&r.Bytes, v, missing)
	case FieldPackets:
		return setUint(&r.Packets, v, missing)
	case FieldSrcPort:
		r.SrcPort = parsePort(v)
	case FieldDstPort:
		r.DstPort = parsePort(v)
	case FieldStart:
		return setTime(&r.Start, v, missing)
	case FieldEnd:
		return setTime(&r.End, v, missing)
	case FieldTrafficPath:
		return setTrafficPath(&r.TrafficPath, v, missing)
	case FieldAction:
		r.Rejected = string(v) == "REJECT"
	case FieldLogStatus:
		r.Status = parseStatus(v)
	case FieldFlowDirection:
		r.Direction = parseDirection(v)
	case FieldInterfaceType:
		r.InterfaceType = parseInterfaceType(v)
	case FieldNextHopInterfaceType:
		r.NextHopInterfaceType = parseInterfaceType(v)
	default:
		if missing {
			v = nil
		}
		*r.text(f) = v
	}
	return ""
}

// setInt stores an integer of the usual size, and says false of any other and of fields that are no integers: set decides on them.
func (r *Record) setInt(f Field, n uint64) bool {
	switch {
	case f == FieldBytes && n <= MaxRecordBytes:
		r.Bytes = n
	case f == FieldPackets && n <= MaxRecordBytes:
		r.Packets = n
	case f == FieldSrcPort && n <= math.MaxUint16:
		r.SrcPort = uint16(n)
	case f == FieldDstPort && n <= math.MaxUint16:
		r.DstPort = uint16(n)
	case f == FieldStart && n < milliseconds:
		r.Start = int64(n)
	case f == FieldEnd && n < milliseconds:
		r.End = int64(n)
	case f == FieldTrafficPath && n <= trafficPathOther:
		r.TrafficPath = uint8(n)
	default:
		return false
	}
	return true
}

// addr returns the place of a field that is an address.
func (r *Record) addr(f Field) *Addr {
	switch f {
	case FieldSrcAddr:
		return &r.SrcAddr
	case FieldDstAddr:
		return &r.DstAddr
	case FieldPktSrcAddr:
		return &r.PktSrcAddr
	default:
		return &r.PktDstAddr
	}
}

// text returns the place of a field that is kept as text.
func (r *Record) text(f Field) *[]byte {
	switch f {
	case FieldAccountID:
		return &r.AccountID
	case FieldInterfaceID:
		return &r.InterfaceID
	case FieldResourceID:
		return &r.ResourceID
	case FieldVPCID:
		return &r.VPCID
	case FieldSubnetID:
		return &r.SubnetID
	case FieldInstanceID:
		return &r.InstanceID
	case FieldAZID:
		return &r.AZID
	case FieldRegion:
		return &r.Region
	case FieldPktSrcAWSService:
		return &r.PktSrcAWSService
	case FieldPktDstAWSService:
		return &r.PktDstAWSService
	default:
		name, _ := nameOf(f)
		return &r.Names[name]
	}
}

// finish derives what depends on several columns and reports the field that a data row lacks, or noField.
func (r *Record) finish() Field {
	if r.SrcAddr.IsZero() && r.DstAddr.IsZero() && r.Status == StatusOK {
		r.Status = StatusNoData
	}
	if r.Status != StatusOK {
		return noField
	}
	if r.SrcAddr.IsZero() {
		return FieldSrcAddr
	}
	if r.DstAddr.IsZero() {
		return FieldDstAddr
	}
	if r.PktSrcAddr.IsZero() {
		r.PktSrcAddr = r.SrcAddr
	}
	if r.PktDstAddr.IsZero() {
		r.PktDstAddr = r.DstAddr
	}
	if !r.translated() {
		r.SrcPort, r.DstPort = 0, 0
	}
	return noField
}

// translated says whether an address of the leg is not the packet's.
func (r *Record) translated() bool { return r.PktSrcAddr != r.SrcAddr || r.PktDstAddr != r.DstAddr }

func setAddr(dst *Addr, v []byte, missing bool) string {
	if missing {
		*dst = Addr{}
		return ""
	}
	a, ok := parseAddr(v)
	if !ok {
		return "not an IP address"
	}
	*dst = a
	return ""
}

func setUint(dst *uint64, v []byte, missing bool) string {
	if missing {
		*dst = 0
		return ""
	}
	n, ok := parseUint(v)
	if !ok || n > MaxRecordBytes {
		return "not a number of bytes or packets"
	}
	*dst = n
	return ""
}

// setTime reads Unix seconds. Some files have carried milliseconds against the documentation; a value that large is no
// time of this era in seconds.
func setTime(dst *int64, v []byte, missing bool) string {
	if missing {
		*dst = 0
		return ""
	}
	n, ok := parseUint(v)
	if !ok || n > maxTime {
		return "not a time in Unix seconds"
	}
	if n >= milliseconds {
		n /= 1000
	}
	*dst = int64(n)
	return ""
}

func setTrafficPath(dst *uint8, v []byte, missing bool) string {
	if missing {
		*dst = 0
		return ""
	}
	n, ok := parseUint(v)
	if !ok || n > 255 {
		return "not a traffic path"
	}
	// A path that AWS may add is kept as "none of the known ones".
	*dst = uint8(min(n, trafficPathOther))
	return ""
}

// trafficPathOther is the largest value that Record.TrafficPath takes: it stands for any path that AWS has not documented.
const trafficPathOther = 15

// parseUint reads up to 19 decimal digits, so it cannot overflow.
func parseUint(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		c -= '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return n, true
}

// parsePort reads a port. Ports are only a hint, so what is none is no reason to drop a line.
func parsePort(v []byte) uint16 {
	n, ok := parseUint(v)
	if !ok || n > 65535 {
		return 0
	}
	return uint16(n)
}

func parseStatus(v []byte) Status {
	switch string(v) {
	case "NODATA":
		return StatusNoData
	case "SKIPDATA":
		return StatusSkipData
	default:
		return StatusOK
	}
}

func parseDirection(v []byte) Direction {
	switch string(v) {
	case "ingress":
		return DirectionIngress
	case "egress":
		return DirectionEgress
	default:
		return DirectionUnknown
	}
}

func parseInterfaceType(v []byte) InterfaceType {
	switch string(v) {
	case "nat_gateway":
		return InterfaceNATGateway
	case "regional_nat_gateway":
		return InterfaceRegionalNATGateway
	case "network_load_balancer":
		return InterfaceNetworkLoadBalancer
	case "transit_gateway":
		return InterfaceTransitGateway
	case "vpc_endpoint":
		return InterfaceVPCEndpoint
	default:
		return InterfaceOther
	}
}
