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
	return n.standardPrivate(a) || len(n.internal) > 0 && n.isInternal(a.Netip())
}

func (n *Networks) standardPrivate(a flowlog.Addr) bool {
	if a.Is4() {
		v := uint32(a.Lo)
		if v>>24 == 10 || v>>20 == 172<<4|1 || v>>16 == 192<<8|168 || v>>22 == (100<<24|64<<16)>>22 {
			return true
		}
		if v>>16 == 169<<8|254 || v>>24 == 127 || v>>24 == 0 || v>>28 >= 14 {
			return true
		}
		return false
	}
	return a.Hi>>57 == 0xfc>>1 || a.Hi>>54 == 0xfe80>>6 || a.Hi>>56 == 0xff || a.Hi == 0
}

func (n *Networks) isInternal(a netip.Addr) bool {
	for _, p := range n.internal {
		if p.Contains(a) {
			return true
		}
	}
	return false
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

// Read observes a data row (flowlog.StatusOK). It sets all of o and allocates nothing.
func (n *Networks) Read(r *flowlog.Record, o *Observation) {
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
		leg := shape.form()
		if shape.Translated() {
			leg = n.form(r.SrcAddr, r.DstAddr, r.TrafficPath)
		}
		if leg != formInternal {
			shape |= shapeLegPublic
		}
		if !src.Is4() && !dst.Is4() {
			shape |= shapeIPv6
		}
	}
	shape |= Shape(pathOf(r))<<shapePathShift | direction(r.Direction)
	if shape.Translated() && inbound(r, shape) {
		shape |= shapeInbound
	}
	if len(n.internal) > 0 && shape.OneEndPrivate() && !n.standardPrivate(src) && !n.standardPrivate(dst) {
		shape |= shapeConfigured
	}
	o.Shape = shape
	if shape.ownIsDestination() {
		o.Ends.Remote, o.Ends.Client = src, dst
		o.Service, o.ServiceField = r.PktSrcAWSService, flowlog.FieldPktSrcAWSService
	} else {
		o.Ends.Remote, o.Ends.Client = dst, src
		o.Service, o.ServiceField = r.PktDstAWSService, flowlog.FieldPktDstAWSService
	}
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

// pathOf returns the path as a Shape holds it.
func pathOf(r *flowlog.Record) uint8 {
	switch {
	case r.NextHopInterfaceType == flowlog.InterfaceNATGateway, r.NextHopInterfaceType == flowlog.InterfaceRegionalNATGateway:
		return pathNextHopNAT
	case r.TrafficPath > pathInternetGateway:
		return pathOther
	default:
		return r.TrafficPath
	}
}

// inbound says whether a translated row looks like the traffic of a load balancer that keeps its clients' addresses: the end that is not hidden
// is the server, by a port of its own below those that hosts pick for the connections that they open, which the hidden end has.
func inbound(r *flowlog.Record, s Shape) bool {
	const (
		reserved  = 1024  // Below are servers' ports only.
		ephemeral = 32768 // From here on Linux picks ports; other systems from 49152.
	)
	shown, hidden := r.SrcPort, r.DstPort
	if s.is(shapeSrcTranslated) {
		shown, hidden = hidden, shown
	}
	return shown > 0 && (shown < reserved && hidden >= reserved || shown < ephemeral && hidden >= ephemeral)
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
