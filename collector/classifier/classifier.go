// Package classifier says what a flow log record is: which leg of a conversation, in which direction, on which path, with which
// remote and client, counted or not and why not.
//
// It works in two steps, because a record alone does not tell whether its interface is a NAT gateway. Read turns a record into an
// Observation, which depends on the record alone. Classify turns an observation's Shape into a Class once the facts about its
// interface are known, which may be many files later. Both are pure functions; the package keeps nothing.
package classifier

import (
	"net/netip"
	"slices"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// Networks says which addresses are internal. It is immutable and safe for concurrent use.
type Networks struct {
	internal []netip.Prefix
}

// NewNetworks returns the standard private ranges plus internal, the operator's own.
func NewNetworks(internal []netip.Prefix) *Networks {
	return &Networks{internal: slices.Clone(internal)}
}

// Private says whether an address is never a public remote: RFC 1918, RFC 6598 (100.64/10), link-local, unique local (RFC 4193), the operator's
// internal ranges, and what never leaves a network: loopback, multicast, broadcast and "this network".
func (n *Networks) Private(a flowlog.Addr) bool {
	if a.Is4() {
		v := uint32(a.Lo)
		if v>>24 == 10 || v>>20 == 172<<4|1 || v>>16 == 192<<8|168 || v>>22 == (100<<24|64<<16)>>22 {
			return true
		}
		if v>>16 == 169<<8|254 || v>>24 == 127 || v>>24 == 0 || v>>28 >= 14 {
			return true
		}
	} else if a.Hi>>57 == 0xfc>>1 || a.Hi>>54 == 0xfe80>>6 || a.Hi>>56 == 0xff || a.Hi == 0 {
		return true
	}
	return len(n.internal) > 0 && n.isInternal(a.Netip())
}

func (n *Networks) isInternal(a netip.Addr) bool {
	for _, p := range n.internal {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// A Shape is all that a record says of itself about how it is to be counted, in one small comparable value.
type Shape uint16

// Bits of a Shape. The two lowest say which of the packet's true ends are public.
const (
	formOut      Shape = iota // a private source and a public destination
	formIn                    // a public source and a private destination
	formInternal              // both private
	formPublic                // both public
	formMask     Shape = 3

	shapeDstTranslated Shape = 1 << 2 // dstaddr is not pkt-dstaddr
	shapeSrcTranslated Shape = 1 << 3 // srcaddr is not pkt-srcaddr
	shapeLegPublic     Shape = 1 << 4 // srcaddr or dstaddr is public
	shapeIPv6          Shape = 1 << 5 // the ends are IPv6 addresses, and none is a NAT64 one
	shapeIngress       Shape = 1 << 6
	shapeEgress        Shape = 1 << 7
	shapePathShift           = 8
	shapePathMask      Shape = 15 << shapePathShift
	shapeNextHopNAT    Shape = 1 << 12 // the next hop is a NAT gateway
	shapeNoPkt         Shape = 1 << 13 // the format has no pkt-addresses
	shapeNAT64         Shape = 1 << 14 // the remote is an IPv4 one under the NAT64 prefix
)

func (s Shape) form() Shape        { return s & formMask }
func (s Shape) is(bits Shape) bool { return s&bits != 0 }

// TrafficPath returns AWS's traffic-path of an egress row, 0 where missing.
func (s Shape) TrafficPath() uint8 { return uint8(s >> shapePathShift & 15) }

// Translated says whether an address of the leg differs from the packet's: the mark of a middlebox.
func (s Shape) Translated() bool { return s.is(shapeDstTranslated | shapeSrcTranslated) }

// Private says whether both ends are private.
func (s Shape) Private() bool { return s.form() == formInternal }

// OneEndPrivate says whether one end is private and the other public.
func (s Shape) OneEndPrivate() bool { return s.form() == formOut || s.form() == formIn }

// NAT64 says whether an IPv6 client reaches an IPv4 remote under the NAT64 prefix, which only a NAT gateway translates.
func (s Shape) NAT64() bool { return s.is(shapeNAT64) }

// DirectionOpen says whether nothing in the row tells which of two public ends is the remote.
func (s Shape) DirectionOpen() bool {
	return s.form() == formPublic && !s.is(shapeIngress|shapeEgress) && !s.Translated()
}

// LegPublic says whether srcaddr or dstaddr is public.
func (s Shape) LegPublic() bool { return s.is(shapeLegPublic) }

// HasPkt says whether the format has pkt-addresses, without which a translation cannot be seen.
func (s Shape) HasPkt() bool { return !s.is(shapeNoPkt) }

// FromClient says whether the Client of the observation is the sender.
func (s Shape) FromClient() bool {
	switch s.form() {
	case formIn:
		return false
	case formOut:
		return true
	default:
		return !s.ownIsDestination()
	}
}

// ShowsClientView says whether the row alone proves that its interface is behind a NAT gateway: its next hop is one (v11), or a public
// remote is reached through another resource of the VPC (traffic-path 1).
func (s Shape) ShowsClientView() bool {
	if s.is(shapeIPv6) || s.form() == formInternal {
		return false
	}
	return s.is(shapeNextHopNAT) || s.TrafficPath() == pathVPC && s.form() != formIn
}

// Reaches says whether the row shows an untranslated packet to the observation's Remote. A NAT gateway sends such a packet (leg B) for each one that
// it received with the same remote behind its own address (leg A).
func (s Shape) Reaches() bool {
	return !s.Translated() && !s.is(shapeNAT64) && s.form() != formIn && !s.ownIsDestination()
}

// Hides says whether the row shows a packet whose destination, the observation's Remote, the leg's dstaddr does not name.
func (s Shape) Hides() bool { return s.is(shapeDstTranslated) && s.form() != formIn }

// ShowsDirectRoute says whether the row proves a default route to an internet gateway.
func (s Shape) ShowsDirectRoute() bool {
	return !s.is(shapeIPv6) && s.form() == formOut && s.TrafficPath() == pathInternetGateway
}

// Ends are the addresses of an observation. Remote is the public end, or of two private ones the one that the translation hides; Client is the other.
type Ends struct {
	Remote, Client flowlog.Addr
}

// An Observation is what one record says without knowing its interface.
type Observation struct {
	Shape   Shape
	Ends    Ends
	Service []byte // Service is the AWS service of the remote as AWS writes it, nil where missing. It borrows the record.
	// ServiceField is the field that Service comes from; a format without it knows no services.
	ServiceField flowlog.Field
}

// Read observes a data row (flowlog.StatusOK). It allocates nothing.
func (n *Networks) Read(r *flowlog.Record) Observation {
	var shape Shape
	pktSrc, pktDst := r.PktSrcAddr, r.PktDstAddr
	if !r.Format.Has(flowlog.FieldPktSrcAddr) || !r.Format.Has(flowlog.FieldPktDstAddr) {
		// One true end alone does not tell a leg; the addresses of the leg, taken together, may.
		shape |= shapeNoPkt
		pktSrc, pktDst = r.SrcAddr, r.DstAddr
	}
	src, srcNAT64 := unwrapNAT64(pktSrc)
	dst, dstNAT64 := unwrapNAT64(pktDst)
	if r.SrcAddr != pktSrc {
		shape |= shapeSrcTranslated
	}
	if r.DstAddr != pktDst {
		shape |= shapeDstTranslated
	}
	switch {
	case dstNAT64:
		shape |= formOut | shapeNAT64
	case srcNAT64:
		shape |= formIn | shapeNAT64
	default:
		shape |= n.form(src, dst, r.TrafficPath)
		if n.form(r.SrcAddr, r.DstAddr, r.TrafficPath) != formInternal {
			shape |= shapeLegPublic
		}
		if !src.Is4() && !dst.Is4() {
			shape |= shapeIPv6
		}
	}
	shape |= Shape(r.TrafficPath)<<shapePathShift&shapePathMask | direction(r.Direction)
	if t := r.NextHopInterfaceType; t == flowlog.InterfaceNATGateway || t == flowlog.InterfaceRegionalNATGateway {
		shape |= shapeNextHopNAT
	}
	if shape.ownIsDestination() {
		return Observation{Shape: shape, Ends: Ends{Remote: src, Client: dst}, Service: r.PktSrcAWSService, ServiceField: flowlog.FieldPktSrcAWSService}
	}
	return Observation{Shape: shape, Ends: Ends{Remote: dst, Client: src}, Service: r.PktDstAWSService, ServiceField: flowlog.FieldPktDstAWSService}
}

// form says which of the true ends are public. Two IPv6 addresses in one /56, the size of a VPC's block, or joined by a path inside the VPC are
// internal although they are public ones.
func (n *Networks) form(src, dst flowlog.Addr, path uint8) Shape {
	srcPrivate, dstPrivate := n.Private(src), n.Private(dst)
	switch {
	case srcPrivate && dstPrivate:
		return formInternal
	case srcPrivate:
		return formOut
	case dstPrivate:
		return formIn
	case !src.Is4() && !dst.Is4() && (src.Hi>>8 == dst.Hi>>8 || path == pathVPC):
		return formInternal
	default:
		return formPublic
	}
}

// ownIsDestination says whether the client's end of a shape is the destination. A translated end is the client's own behind an
// ordinary interface (a pod), but the hidden remote at a NAT gateway's private legs.
func (s Shape) ownIsDestination() bool {
	switch s.form() {
	case formOut:
		return false
	case formIn:
		return true
	case formInternal:
		return s.is(shapeSrcTranslated) && !s.is(shapeDstTranslated)
	default:
		if s.Translated() {
			return s.is(shapeDstTranslated) && !s.is(shapeSrcTranslated)
		}
		return s.is(shapeIngress)
	}
}

func unwrapNAT64(a flowlog.Addr) (flowlog.Addr, bool) {
	if v4, ok := a.NAT64(); ok {
		return v4, true
	}
	return a, false
}

func direction(d flowlog.Direction) Shape {
	switch d {
	case flowlog.DirectionIngress:
		return shapeIngress
	case flowlog.DirectionEgress:
		return shapeEgress
	default:
		return 0
	}
}
