package flowgen

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Disposition is how a row ends, as vpcflow_records_total names it.
type Disposition string

// The dispositions of what the generator makes.
const (
	Counted      Disposition = "counted"
	NATPublicLeg Disposition = "nat_public_leg"
	ClientView   Disposition = "client_view"
	ReceiverSide Disposition = "receiver_side"
	Transit      Disposition = "transit"
	Overlapping  Disposition = "overlapping_flow_log"
	Rejected     Disposition = "rejected"
	NoData       Disposition = "no_data"
	SkipData     Disposition = "skip_data"
	Malformed    Disposition = "malformed"
)

// Direction is the direction of counted bytes as the client sees it.
type Direction string

// The directions.
const (
	Egress   Direction = "egress"
	Ingress  Direction = "ingress"
	Internal Direction = "internal"
)

// Path is the way that counted bytes took, as vpcflow_bytes_total names it.
type Path string

// The paths of what the generator makes.
const (
	PathUnknown                   Path = "unknown"
	PathNAT                       Path = "nat"
	PathNATInstance               Path = "nat_instance"
	PathInternal                  Path = "internal"
	PathInternetGateway           Path = "internet_gateway"
	PathInternetGatewayOrEndpoint Path = "igw_or_gateway_endpoint"
	PathGatewayEndpoint           Path = "gateway_endpoint"
	PathVirtualPrivateGateway     Path = "virtual_private_gateway"
	PathPeering                   Path = "peering"
	PathLocalZone                 Path = "local_zone"
	PathUnseenMiddlebox           Path = "unseen_middlebox"
)

// The values of aws_service that are not AWS's own.
const (
	ServiceNone    = "none"    // ServiceNone: the record says "-".
	ServiceUnknown = "unknown" // ServiceUnknown: the format has no such field.
)

// unknownGateway is the label of what a client's view shows of forwarded traffic: it does not name the gateway.
const unknownGateway = "unknown"

// Verdict is what is to be made of a row. All but Disposition mean something only for Counted rows; Gateway is a gateway's label, empty where
// no NAT gateway forwarded the bytes.
type Verdict struct {
	Disposition Disposition
	Direction   Direction
	Path        Path
	Service     string
	Gateway     string
}

// NATKey are the labels of vpcflow_nat_bytes_total.
type NATKey struct {
	AccountID, Region, NATGateway string
	Direction                     Direction
	Service                       string
}

// BytesKey are the labels of vpcflow_bytes_total.
type BytesKey struct {
	AccountID, Region string
	Direction         Direction
	Path              Path
	Service           string
}

// PacketsKey are the labels of vpcflow_packets_total.
type PacketsKey struct {
	AccountID, Region string
	Direction         Direction
	Path              Path
}

// Ledger is what a reader must have counted once it has read everything. It has no zero entries, so that two ledgers of the same traffic are equal
// maps. The zero value is an empty ledger; it is not safe for concurrent use.
type Ledger struct {
	NATBytes      map[NATKey]uint64
	Bytes         map[BytesKey]uint64
	Packets       map[PacketsKey]uint64
	Records       map[Disposition]uint64
	ObservedBytes map[Disposition]uint64
	// Ends are the counted bytes between clients and remotes by their true ends, which a flow log need not show. They have no part in String and Diff.
	Ends map[EndsKey]uint64
}

// EndsKey are the true ends of counted traffic that is not internal. Gateway is empty where no NAT gateway forwarded it.
type EndsKey struct {
	Region, Gateway string
	Direction       Direction
	Client, Remote  netip.Addr
}

// Book enters a row that a flow log has logged, with what is to be made of it.
func (l *Ledger) Book(log *FlowLog, r *Row, v Verdict) {
	add(&l.Records, v.Disposition, 1)
	if v.Disposition == Malformed {
		return
	}
	size := uint64(max(r.Bytes, 0))
	add(&l.ObservedBytes, v.Disposition, size)
	if v.Disposition != Counted {
		return
	}
	add(&l.Bytes, BytesKey{log.Account, log.Region, v.Direction, v.Path, v.Service}, size)
	if log.Format.Has("packets") {
		add(&l.Packets, PacketsKey{log.Account, log.Region, v.Direction, v.Path}, uint64(max(r.Packets, 0)))
	}
	switch v.Direction {
	case Egress:
		add(&l.Ends, EndsKey{log.Region, v.Gateway, v.Direction, r.PktSrcAddr, r.PktDstAddr}, size)
	case Ingress:
		add(&l.Ends, EndsKey{log.Region, v.Gateway, v.Direction, r.PktDstAddr, r.PktSrcAddr}, size)
	case Internal:
	}
	if v.Gateway != "" {
		add(&l.NATBytes, NATKey{log.Account, log.Region, v.Gateway, v.Direction, v.Service}, size)
	}
}

// Add enters all of another ledger.
func (l *Ledger) Add(other Ledger) {
	addAll(&l.NATBytes, other.NATBytes)
	addAll(&l.Bytes, other.Bytes)
	addAll(&l.Packets, other.Packets)
	addAll(&l.Records, other.Records)
	addAll(&l.ObservedBytes, other.ObservedBytes)
	addAll(&l.Ends, other.Ends)
}

// Clone returns a copy that shares nothing with l.
func (l Ledger) Clone() Ledger {
	var c Ledger
	c.Add(l)
	return c
}

// TotalRecords returns the number of data lines.
func (l Ledger) TotalRecords() uint64 {
	var n uint64
	for _, v := range l.Records {
		n += v
	}
	return n
}

// TotalNATBytes returns the bytes that all gateways forwarded, in both directions.
func (l Ledger) TotalNATBytes() uint64 {
	var n uint64
	for _, v := range l.NATBytes {
		n += v
	}
	return n
}

// String returns the ledger in the form of the exporter's metrics, one series a line, sorted.
func (l Ledger) String() string { return strings.Join(l.lines(), "\n") }

func (l Ledger) lines() []string {
	var lines []string
	for k, v := range l.NATBytes {
		lines = append(lines, fmt.Sprintf("nat_bytes{account_id=%q,region=%q,nat_gateway=%q,direction=%q,aws_service=%q} %d",
			k.AccountID, k.Region, k.NATGateway, k.Direction, k.Service, v))
	}
	for k, v := range l.Bytes {
		lines = append(lines, fmt.Sprintf("bytes{account_id=%q,region=%q,direction=%q,path=%q,aws_service=%q} %d",
			k.AccountID, k.Region, k.Direction, k.Path, k.Service, v))
	}
	for k, v := range l.Packets {
		lines = append(lines, fmt.Sprintf("packets{account_id=%q,region=%q,direction=%q,path=%q} %d", k.AccountID, k.Region, k.Direction, k.Path, v))
	}
	for k, v := range l.Records {
		lines = append(lines, fmt.Sprintf("records{disposition=%q} %d", k, v))
	}
	for k, v := range l.ObservedBytes {
		lines = append(lines, fmt.Sprintf("observed_bytes{disposition=%q} %d", k, v))
	}
	slices.Sort(lines)
	return lines
}

// Diff says where got differs from l, one series a line with a sign before it: "-" for what l has and got has not, "+" for the reverse. It is empty
// for equal ledgers; zero entries of either are ignored.
func (l Ledger) Diff(got Ledger) string {
	want, have := l.Clone().lines(), got.Clone().lines()
	var lines []string
	for _, line := range want {
		if _, found := slices.BinarySearch(have, line); !found {
			lines = append(lines, "- "+line)
		}
	}
	for _, line := range have {
		if _, found := slices.BinarySearch(want, line); !found {
			lines = append(lines, "+ "+line)
		}
	}
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	return strings.Join(lines, "\n")
}

func add[K comparable](m *map[K]uint64, k K, n uint64) {
	if n == 0 {
		return
	}
	if *m == nil {
		*m = make(map[K]uint64)
	}
	(*m)[k] += n
}

func addAll[K comparable](m *map[K]uint64, other map[K]uint64) {
	for k, n := range other {
		add(m, k, n)
	}
}
