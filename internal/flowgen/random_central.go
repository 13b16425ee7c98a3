package flowgen

// addCentralEgress adds a spoke VPC whose clients leave through the gateway of an egress VPC, over a transit gateway: in one account or two, and with
// one of the VPCs logged or both. Where the spoke's rows have no traffic-path, nothing in its VPC tells a reader of the gateway.
func (n *randomNetwork) addCentralEgress() *rareTraffic {
	spokeOwner := anyOf(n.rng, n.owners)
	egressOwner := spokeOwner
	switch n.rng.IntN(4) {
	case 0:
		egressOwner = n.newOwner(spokeOwner.region)
	case 1, 2:
		spokeOwner = n.newOwner(egressOwner.region)
	}
	logged := n.rng.IntN(4)
	spoke, egress := n.extraVPC(spokeOwner, logged != 0), n.extraVPC(egressOwner, logged != 1)
	g := n.zonal(egress)
	n.extra = append(n.extra, g)
	spokeSide, egressSide, clients := n.attach(spoke), n.attach(egress), n.behind(spoke, g)
	return &rareTraffic{
		needed: func(t *randomTraffic) {
			for _, client := range clients {
				for _, remote := range t.twoRemotes() {
					t.recorder.CentralNAT(g.primary(), spokeSide, egressSide, t.talk(client, remote))
				}
			}
		},
		again: func(t *randomTraffic) {
			if t.rng.IntN(4) == 0 {
				t.recorder.Internal(clients[0], clients[1], t.volume(), t.volume(), t.span, TrafficPathVPC)
				return
			}
			t.recorder.CentralNAT(g, spokeSide, egressSide, t.talk(anyOf(t.rng, clients), n.remote()))
		},
	}
}

// addUnloggedNAT adds a VPC whose gateway is in a subnet without a flow log, in an account of its own or beside logged ones. Where the format shows it, a
// firewall's endpoint before the gateway is logged.
func (n *randomNetwork) addUnloggedNAT() *rareTraffic {
	o := anyOf(n.rng, n.owners)
	if n.rng.IntN(3) > 0 {
		o = n.newOwner(o.region)
	}
	v := n.extraVPC(o, true)
	g := n.zonal(v)
	g.Subnet = n.unlogged(v)
	e, clients := n.endpoint(v), n.behind(v, g)
	return &rareTraffic{
		needed: func(t *randomTraffic) {
			for _, client := range clients {
				for _, remote := range t.twoRemotes() {
					t.recorder.NAT(g, t.talk(client, remote))
				}
			}
		},
		again: func(t *randomTraffic) {
			c := t.talk(anyOf(t.rng, clients), n.remote())
			switch t.rng.IntN(4) {
			case 0:
				t.recorder.Internal(clients[0], clients[1], t.volume(), t.volume(), t.span, TrafficPathVPC)
			case 1:
				t.recorder.Direct(c, TrafficPathGatewayEndpoint)
			case 2:
				t.recorder.InspectedNAT(g, e, c)
			default:
				t.recorder.NAT(g, c)
			}
		},
	}
}
