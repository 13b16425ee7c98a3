package flowgen

import "net/netip"

// Missing is the value of a number that a row does not have; it renders as "-".
const Missing = -1

// InterfaceType is AWS's interface-type (version 11) of interfaces that belong to a service.
type InterfaceType string

// The interface types that the generator makes. The empty type renders as "-".
const (
	TypeNATGateway          InterfaceType = "nat_gateway"
	TypeRegionalNATGateway  InterfaceType = "regional_nat_gateway"
	TypeTransitGateway      InterfaceType = "transit_gateway"
	TypeVPCEndpoint         InterfaceType = "vpc_endpoint"
	TypeNetworkLoadBalancer InterfaceType = "network_load_balancer"
)

// Action is AWS's action of a row.
type Action string

// The actions. The empty action renders as "-".
const (
	Accept Action = "ACCEPT"
	Reject Action = "REJECT"
)

// LogStatus is AWS's log-status of a row.
type LogStatus string

// The log statuses.
const (
	StatusOK       LogStatus = "OK"
	StatusNoData   LogStatus = "NODATA"
	StatusSkipData LogStatus = "SKIPDATA"
)

// Row is one flow log record with all fields of versions 2 to 11; version itself follows from the Format. Empty strings, zero addresses and negative
// numbers render as "-". Source: AWS, "Flow log records".
type Row struct {
	AccountID, InterfaceID string
	SrcAddr, DstAddr       netip.Addr
	SrcPort, DstPort       int
	Protocol               int
	Packets, Bytes         int64
	// Start and End are Unix seconds.
	Start, End int64
	Action     Action
	LogStatus  LogStatus

	VPCID, SubnetID, InstanceID string
	TCPFlags                    int
	Type                        string
	PktSrcAddr, PktDstAddr      netip.Addr

	Region, AZID string

	PktSrcService, PktDstService string
	FlowDirection                string
	// TrafficPath is set on egress rows only.
	TrafficPath int

	Task Task

	RejectReason     string
	ResourceID       string
	EncryptionStatus int

	InstanceTag, InstanceTag2, InterfaceTag, ASGTag string
	InterfaceType                                   InterfaceType
	NextHop                                         NextHop
}

// NextHop is what version 11 says of the interface that receives an egress row's packets, or that sent an ingress row's.
type NextHop struct {
	InterfaceID, SubnetID, AZID, VPCID string
	InterfaceType                      InterfaceType
}

// Task is what version 7 says of the ECS task whose interface logged the row.
type Task struct {
	ClusterARN, ClusterName                     string
	ContainerInstanceARN, ContainerInstanceID   string
	ContainerID, SecondContainerID              string
	ServiceName, TaskDefinitionARN, TaskARN, ID string
}

// noTraffic returns a row whose traffic fields are all missing.
func noTraffic() Row {
	return Row{
		SrcPort:          Missing,
		DstPort:          Missing,
		Protocol:         Missing,
		Packets:          Missing,
		Bytes:            Missing,
		TCPFlags:         Missing,
		TrafficPath:      Missing,
		EncryptionStatus: Missing,
	}
}
