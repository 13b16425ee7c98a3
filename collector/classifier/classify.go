package classifier

// Facts is what is known about an interface, and about one key of its tables, when a row is classified. Each may turn from false to true while more
// rows are read, and what is held under one set of facts is classified again under the next: so the order of the rows does not matter.
type Facts struct {
	Role Role
	// Translates says that the interface has shown a translation. Nothing of it is counted before its role is decided.
	Translates bool
	// Suspect says that nothing speaks against a NAT gateway: no instance owns the interface, as far as the format tells. Its rows may be legs B and C.
	Suspect bool
	// Instance says that an instance owns the interface, which may be a NAT instance: its public rows may be legs B and C.
	Instance bool
	// Relay says that the interface belongs to no instance, or to a middlebox of AWS's: packets that it translates are copies made on the way.
	Relay bool
	// Named says that a NAT gateway has named the interface's address as its client.
	Named bool
	// ShowsView says that rows of the interface prove that its public traffic goes through a middlebox of the VPC.
	ShowsView bool
	// NATLogged says that the NAT gateways of the interface's account and region are logged, so the client's view is a copy.
	NATLogged bool
	// CountClients says that the clients' views are to be counted in place of the gateway's private legs.
	CountClients bool
	// Released says that the wait for a decision is over.
	Released bool
	// OwnKnown says that the interface's own address is known; ClientOwn and RemoteOwn, whether an end is one of them.
	OwnKnown, ClientOwn, RemoteOwn bool
	// RemoteSeen says that a private NAT gateway has shown the private remote as an end of its own legs B and C, which it never does with an address of
	// its own; HidesOwn, that it has shown remotes opposite to hidden ends, which are its own addresses then.
	RemoteSeen, HidesOwn bool
}

// behindNAT says whether the interface's public traffic goes through a NAT gateway or another middlebox of the VPC.
func (f Facts) behindNAT() bool { return f.Named || f.ShowsView }

// A Class is the verdict on all rows of one Shape at one interface. Direction and Path mean something only when Counted.
type Class struct {
	Disposition Disposition
	Direction   Direction
	Path        Path
	Rule        Rule // Rule says why.
}

func held(r Rule) Class                         { return Class{Disposition: Held, Rule: r} }
func dropped(d Disposition, r Rule) Class       { return Class{Disposition: d, Rule: r} }
func counted(d Direction, p Path, r Rule) Class { return Class{Counted, d, p, r} }

// Classify applies the rules of counting to a shape. It is total: every shape gets a class under any facts, Held among them unless
// facts.Released.
func Classify(f Facts, s Shape) Class {
	switch {
	case f.Role.IsNAT():
		return classifyLeg(f, s)
	case f.Role == RoleUndecided && !f.Released && f.waits(s):
		return held(RuleWaitsForRole)
	case s.Translated() && f.Relay:
		return dropped(Transit, RuleRelayed)
	case s.form() == formInternal:
		return classifyInternal(f, s)
	default:
		return classifyPublic(f, s)
	}
}

// WaitedFor says whether rows of a shape have their class only because the wait for more facts is over.
func WaitedFor(f Facts, s Shape) bool {
	if !f.Released {
		return false
	}
	f.Released = false
	return Classify(f, s).Disposition == Held
}

// waits says whether a row's class depends on a role that is not decided yet. IPv6 is never translated but for NAT64.
func (f Facts) waits(s Shape) bool {
	switch {
	case s.is(shapeIPv6):
		return false
	case f.Translates, s.Translated():
		return true
	case f.Named:
		return false
	case f.Suspect:
		return true
	default:
		return f.Instance && s.form() != formInternal && !f.ShowsView && !s.ShowsClientView()
	}
}

// classifyLeg sorts the legs of a NAT gateway. Those that it forwards count unless the views of its clients do.
func classifyLeg(f Facts, s Shape) Class {
	c := classifyRegional(s)
	if f.Role != RoleRegionalNAT {
		c = classifyZonal(f, s)
	}
	if f.CountClients && c.Disposition == Counted {
		return dropped(Transit, RuleClientsCounted)
	}
	return c
}

// classifyRegional sorts the legs of a regional NAT gateway, whose pkt-addresses equal the leg's: the rows between a client and a remote
// are counted, those that carry the gateway's own public address are not.
func classifyRegional(s Shape) Class {
	switch s.form() {
	case formOut:
		if s.is(shapeConfigured) && s.is(shapeEgress) {
			return dropped(NATPublicLeg, RuleLegB)
		}
		return counted(Egress, PathNAT, RuleLegA)
	case formIn:
		if s.is(shapeConfigured) && s.is(shapeIngress) {
			return dropped(NATPublicLeg, RuleLegC)
		}
		return counted(Ingress, PathNAT, RuleLegD)
	case formPublic:
		return publicLeg(s)
	default:
		if s.is(shapeEgress) {
			return counted(Ingress, PathNAT, RuleLegD)
		}
		return counted(Egress, PathNAT, RuleLegA)
	}
}

// publicLeg drops a leg between a gateway and a remote.
func publicLeg(s Shape) Class {
	switch {
	case s.is(shapeIngress), s.form() == formIn:
		return dropped(NATPublicLeg, RuleLegC)
	case s.is(shapeEgress), s.form() == formOut:
		return dropped(NATPublicLeg, RuleLegB)
	default:
		return dropped(NATPublicLeg, RulePublicLeg)
	}
}

// classifyZonal sorts the legs at the interface of a NAT gateway: legs A and D hide a true end behind the gateway's private address, legs B and
// C carry a public address or one of the gateway's own as a true end.
func classifyZonal(f Facts, s Shape) Class {
	path := PathNAT
	if f.Role == RoleNATInstance {
		path = PathNATInstance
	}
	switch {
	case s.is(shapeNAT64) && s.form() == formOut:
		return counted(Egress, path, RuleLegA)
	case s.is(shapeNAT64):
		return counted(Ingress, path, RuleLegD)
	case !s.HasPkt():
		return classifyZonalPlain(f, s, path)
	case s.LegPublic(), !s.Translated(), f.RemoteOwn:
		return publicLeg(s)
	case s.form() == formInternal && !f.RemoteSeen && !f.Released:
		return held(RuleWaitsForOwn)
	case s.form() == formInternal && !f.RemoteSeen && f.HidesOwn:
		return publicLeg(s)
	case s.is(shapeDstTranslated):
		return counted(Egress, path, RuleLegA)
	default:
		return counted(Ingress, path, RuleLegD)
	}
}

// classifyZonalPlain tells A from D by the gateway's own address where the format has no pkt-addresses (version 2).
func classifyZonalPlain(f Facts, s Shape, path Path) Class {
	switch {
	case s.form() != formInternal:
		return publicLeg(s)
	case s.is(shapeIngress) || f.RemoteOwn:
		return counted(Egress, path, RuleLegA)
	case s.is(shapeEgress) || f.ClientOwn || f.Released:
		return counted(Ingress, path, RuleLegD)
	default:
		return held(RuleWaitsForOwn)
	}
}

// classifyInternal counts traffic between private ends at its sender.
func classifyInternal(f Facts, s Shape) Class {
	sender := false
	switch {
	case s.is(shapeEgress):
		sender = true
	case s.is(shapeIngress):
	case s.Translated():
		// The translated end is the interface's own: a pod behind its node.
		sender = s.is(shapeSrcTranslated)
	case f.OwnKnown:
		sender = f.ClientOwn
	case !f.Released:
		return held(RuleWaitsForOwn)
	default:
		sender = true
	}
	if !sender {
		return dropped(ReceiverSide, RuleReceiver)
	}
	return counted(Internal, PathInternal, RuleSender)
}

// classifyPublic gives traffic between an ordinary interface and a public remote its path, or drops it as the copy of what a NAT gateway
// forwarded. An IPv6 remote is never reached through NAT, except under the NAT64 prefix.
func classifyPublic(f Facts, s Shape) Class {
	egress := s.FromClient()
	if s.DirectionOpen() {
		if !f.OwnKnown && !f.Released {
			return held(RuleWaitsForOwn)
		}
		egress = !f.OwnKnown || f.ClientOwn
	}
	direction, path := Ingress, PathUnknown
	if egress {
		direction, path = Egress, egressPath(s.path())
	}
	switch {
	case s.is(shapeIPv6):
		return counted(direction, path, RuleIPv6)
	case path == PathInternetGateway, path == PathInternetGatewayOrEndpoint, path == PathGatewayEndpoint:
		return counted(direction, path, RuleTrafficPath)
	case f.behindNAT() || s.ShowsClientView():
		return classifyClientView(f, direction)
	case f.Released && path != PathUnknown:
		return counted(direction, path, RuleTrafficPath)
	case f.Released:
		return counted(direction, path, RuleUnexplained)
	default:
		return held(RuleWaitsForView)
	}
}

// classifyClientView drops the client's view where the gateway's own rows are logged; otherwise it is all there is.
func classifyClientView(f Facts, d Direction) Class {
	switch {
	case f.CountClients:
		return counted(d, PathNAT, RuleClientsCounted)
	case f.NATLogged && d == Egress:
		return dropped(ClientView, RuleLegE)
	case f.NATLogged:
		return dropped(ClientView, RuleLegF)
	case f.Released:
		return counted(d, PathUnseenMiddlebox, RuleUnseen)
	default:
		return held(RuleWaitsForGateway)
	}
}
