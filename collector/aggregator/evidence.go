package aggregator

import (
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// interfaceName identifies an interface among all files: the account, and the interface's or the regional NAT gateway's id.
type interfaceName struct {
	account, region, id string
}

// attributes are what records say about their interface besides traffic.
type attributes struct {
	vpcID, subnetID, instanceID, azID string
	hasInstanceField                  bool
}

// fill takes over what is not known yet; AWS leaves fields out at times.
func (a *attributes) fill(r *flowlog.Record) {
	fillText(&a.vpcID, r.VPCID)
	fillText(&a.subnetID, r.SubnetID)
	fillText(&a.instanceID, r.InstanceID)
	fillText(&a.azID, r.AZID)
	a.hasInstanceField = a.hasInstanceField || r.Format.Has(flowlog.FieldInstanceID)
}

func fillText(dst *string, v []byte) {
	if *dst == "" && len(v) > 0 {
		*dst = string(clip(v))
	}
}

// merge takes over what another file knows.
func (a *attributes) merge(b attributes) {
	for _, m := range [...]struct {
		dst *string
		src string
	}{{&a.vpcID, b.vpcID}, {&a.subnetID, b.subnetID}, {&a.instanceID, b.instanceID}, {&a.azID, b.azID}} {
		if *m.dst == "" {
			*m.dst = m.src
		}
	}
	a.hasInstanceField = a.hasInstanceField || b.hasInstanceField
}

// ownAddress finds an interface's own address of each family: the one that is an end of the leg in all of its rows.
type ownAddress struct {
	v4, v6 candidates
}

// candidates are the addresses that may be the own one; zero where ruled out.
type candidates struct {
	addresses [2]flowlog.Addr
	started   bool
}

func (o *ownAddress) of(a flowlog.Addr) *candidates {
	if a.Is4() {
		return &o.v4
	}
	return &o.v6
}

// observe takes the ends of a leg. Where the record says its direction, one end is known to be the interface's own.
func (o *ownAddress) observe(r *flowlog.Record) {
	src, dst := r.SrcAddr, r.DstAddr
	switch r.Direction {
	case flowlog.DirectionEgress:
		dst = src
	case flowlog.DirectionIngress:
		src = dst
	case flowlog.DirectionUnknown:
	}
	o.of(src).observe(src, dst)
}

func (c *candidates) observe(src, dst flowlog.Addr) {
	if !c.started {
		c.addresses, c.started = [2]flowlog.Addr{src, dst}, true
		return
	}
	for i, a := range c.addresses {
		if a != src && a != dst {
			c.addresses[i] = flowlog.Addr{}
		}
	}
}

// merge intersects the candidates of two files.
func (o *ownAddress) merge(b ownAddress) {
	o.v4.merge(b.v4)
	o.v6.merge(b.v6)
}

func (c *candidates) merge(b candidates) {
	if b.started {
		c.observe(b.addresses[0], b.addresses[1])
	}
}

// mayBe says whether an address is one of the candidates.
func (o *ownAddress) mayBe(a flowlog.Addr) bool {
	c := o.of(a)
	return a == c.addresses[0] || a == c.addresses[1]
}

// address returns the interface's own address, if only one is left.
func (c *candidates) address() (flowlog.Addr, bool) {
	a, b := c.addresses[0], c.addresses[1]
	switch {
	case a == b:
		return a, !a.IsZero()
	case a.IsZero():
		return b, true
	default:
		return a, b.IsZero()
	}
}

// evidence is what rows prove about the role of their interface.
type evidence struct {
	interfaceType flowlog.InterfaceType
	regional      bool // regional: rows without an interface, or with a regional NAT gateway's id.
	pkt           bool // pkt: the format can show translations.
	path          bool // path: the format has traffic-path.
	translated    bool
	view          bool // view: a row proves that the public traffic goes through a middlebox.
	direct        bool // direct: a row proves a default route to an internet gateway.
}

// observe takes what a data row says by its fields.
func (e *evidence) observe(r *flowlog.Record) {
	e.interfaceType = max(e.interfaceType, r.InterfaceType)
	e.regional = e.regional || isRegional(r) || len(r.InterfaceID) == 0 && r.Format.Has(flowlog.FieldInterfaceID)
	e.path = e.path || r.Format.Has(flowlog.FieldTrafficPath)
}

// shape takes what a counted row says by its shape.
func (e *evidence) shape(s classifier.Shape) {
	e.pkt = e.pkt || s.HasPkt()
	e.translated = e.translated || s.Translated()
	e.view = e.view || s.ShowsClientView()
	e.direct = e.direct || s.ShowsDirectRoute()
}

// isNAT says whether the records name the interface a NAT gateway.
func (e *evidence) isNAT() bool {
	return e.isRegional() || e.interfaceType == flowlog.InterfaceNATGateway
}

func (e *evidence) isRegional() bool {
	return e.regional || e.interfaceType == flowlog.InterfaceRegionalNATGateway
}

func (e *evidence) merge(b evidence) {
	e.interfaceType = max(e.interfaceType, b.interfaceType)
	e.regional = e.regional || b.regional
	e.pkt = e.pkt || b.pkt
	e.path = e.path || b.path
	e.translated = e.translated || b.translated
	e.view = e.view || b.view
	e.direct = e.direct || b.direct
}
