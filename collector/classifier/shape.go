package classifier

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
	shapeInbound       Shape = 1 << 12 // by its ports, the end that a translation hides opened the connection
	shapeNoPkt         Shape = 1 << 13 // the format has no pkt-addresses
	shapeNAT64         Shape = 1 << 14 // the remote is an IPv4 one under the NAT64 prefix
	shapeConfigured    Shape = 1 << 15 // the private end is private only because the configuration says so
)

// Values of the path in a Shape beyond AWS's 1 to 8.
const (
	pathNextHopNAT = 9  // The next hop is a NAT gateway (version 11), in either direction.
	pathOther      = 15 // A path that AWS has not documented.
)

func (s Shape) form() Shape        { return s & formMask }
func (s Shape) is(bits Shape) bool { return s&bits != 0 }
func (s Shape) path() uint8        { return uint8(s >> shapePathShift & 15) }

// Translated says whether an address of the leg differs from the packet's: the mark of a middlebox.
func (s Shape) Translated() bool { return s.is(shapeDstTranslated | shapeSrcTranslated) }

// Private says whether both ends are private.
func (s Shape) Private() bool { return s.form() == formInternal }

// OneEndPrivate says whether one end is private and the other public.
func (s Shape) OneEndPrivate() bool { return s.form() == formOut || s.form() == formIn }

// NAT64 says whether an IPv6 client reaches an IPv4 remote under the NAT64 prefix, which only a NAT gateway translates.
func (s Shape) NAT64() bool { return s.is(shapeNAT64) }

// LegPublic says whether srcaddr or dstaddr is public.
func (s Shape) LegPublic() bool { return s.is(shapeLegPublic) }

// HasPkt says whether the format has pkt-addresses, without which a translation cannot be seen.
func (s Shape) HasPkt() bool { return !s.is(shapeNoPkt) }

// Ingress says whether the record says that its interface received the packets.
func (s Shape) Ingress() bool { return s.is(shapeIngress) }

// Egress says whether the record says that its interface sent the packets.
func (s Shape) Egress() bool { return s.is(shapeEgress) }

// PlainIngress says whether an untranslated packet of a public remote came to a private address.
func (s Shape) PlainIngress() bool { return s.form() == formIn && !s.Translated() && !s.NAT64() }

// DirectionOpen says whether nothing in the row tells which of two public ends is the remote.
func (s Shape) DirectionOpen() bool {
	return s.form() == formPublic && !s.is(shapeIngress|shapeEgress) && !s.Translated()
}

// InnerLeg says whether the row may be a leg between a NAT gateway and its client: private addresses that hide a true end.
func (s Shape) InnerLeg() bool { return s.NAT64() || s.Translated() && !s.LegPublic() }

// OuterEgress says whether the row may be a leg from a NAT gateway to a public remote.
func (s Shape) OuterEgress() bool { return s.form() == formOut && s.LegPublic() }

// OuterLeg says whether the row may be leg B or C: an untranslated packet between a private address and a public remote, or two public addresses.
func (s Shape) OuterLeg() bool {
	return s.LegPublic() && !s.Translated() && s.form() != formInternal && !s.is(shapeIPv6|shapeNAT64|shapeNoPkt)
}

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

// ShowsClientView says whether the row alone proves that its interface is behind a middlebox: its next hop is a NAT gateway (version 11), or a
// public remote is reached through another resource of the VPC (traffic-path 1).
func (s Shape) ShowsClientView() bool {
	if s.is(shapeIPv6) || s.form() == formInternal || s.Translated() {
		return false
	}
	return s.path() == pathNextHopNAT || s.path() == pathVPC && s.form() != formIn
}

// ShowsDirectRoute says whether the row proves a default route to an internet gateway.
func (s Shape) ShowsDirectRoute() bool {
	return !s.is(shapeIPv6) && s.form() == formOut && s.path() == pathInternetGateway
}

// Sight is what a row shows of its observation's Remote at an interface that may be a NAT gateway.
type Sight uint8

// The sights. A NAT gateway shows each remote as hidden on its clients' legs (A, D) and as bare on its own (B, C).
const (
	SightNone   Sight = iota
	SightHidden       // SightHidden: the Remote is a true end of the packet that the addresses of the leg do not name.
	SightBare         // SightBare: the Remote is an end of an untranslated packet that the interface sent or received in its own name.
	SightPassed       // SightPassed: the interface sent the Remote a packet of another source, its own secondary address or somebody else's.
)

// Sight returns what the row shows of its Remote. Private remotes count on the way out only (design rule 4 in its narrow form), since behind an
// ordinary interface a private hidden source is a pod.
func (s Shape) Sight() Sight {
	switch {
	case !s.HasPkt(), s.is(shapeIPv6), s.form() == formPublic:
		return SightNone
	case s.is(shapeNAT64):
		// Only the direction tells a gateway's leg from the view of its client.
		return sightIf(s.form() == formOut && s.is(shapeIngress) || s.form() == formIn && s.is(shapeEgress), SightHidden)
	case s.form() == formIn:
		return s.sightOfSource()
	case s.is(shapeDstTranslated):
		// Leg A arrives at the gateway from a client, which opened the connection.
		return sightIf(!s.LegPublic() && !s.is(shapeSrcTranslated|shapeEgress|shapeInbound), SightHidden)
	case s.is(shapeSrcTranslated):
		return sightIf(s.form() == formOut && !s.is(shapeIngress), SightPassed)
	default:
		return sightIf(!s.is(shapeIngress), SightBare)
	}
}

func (s Shape) sightOfSource() Sight {
	if s.Translated() {
		return sightIf(!s.LegPublic() && !s.is(shapeDstTranslated|shapeIngress|shapeInbound), SightHidden)
	}
	return sightIf(!s.is(shapeEgress), SightBare)
}

func sightIf(ok bool, sight Sight) Sight {
	if ok {
		return sight
	}
	return SightNone
}
