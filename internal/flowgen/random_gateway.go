package flowgen

import "net/netip"

// addOnlySecondary keeps the primary address of a gateway out of its public legs. Where such a gateway is to be learned, leg B must show
// what it reaches as AWS says today, since a row that translates a secondary address to the primary one proves nothing.
func (n *randomNetwork) addOnlySecondary() *rareTraffic {
	v := n.anyVPC()
	for _, g := range v.gateways {
		if g.Regional() || g.IsInstance() {
			continue
		}
		if len(g.Secondary) == 0 {
			g.Secondary = []netip.Addr{v.addr(), v.addr()}
		}
		g.OnlySecondary = true
		g.ShowsSecondary = n.opt.Recognition == Learned || n.mayShowSecondary(v) && n.rng.IntN(2) == 0
		return &rareTraffic{}
	}
	return nil
}

// addNATInstance adds a NAT instance, or puts one in the place of all gateways of a VPC. It has no traffic of its own, which nobody could tell from legs
// B and C; and none where clients' views are counted, which do not say that what forwards them costs nothing.
func (n *randomNetwork) addNATInstance() *rareTraffic {
	v := n.where(Format.ShowsInstances)
	if v == nil || n.vantage == VantageClient {
		return nil
	}
	g := n.zonal(v).primary()
	g.InstanceID, g.ID, g.Name, g.HidesAccount = n.id("i-"), "", "instance", false
	if n.rng.IntN(3) > 0 {
		v.gateways = append(v.gateways, g)
		anyOf(n.rng, v.clients).Gateways = []*Gateway{g}
		return &rareTraffic{}
	}
	v.gateways = []*Gateway{g}
	for _, client := range v.clients {
		client.Gateways = []*Gateway{g}
	}
	return &rareTraffic{}
}

// addPrivateNAT adds a private NAT gateway to a VPC whose clients have another way to public remotes. Without pkt-addresses its legs B and C are private
// ones between it and another address, as A and D are.
func (n *randomNetwork) addPrivateNAT() *rareTraffic {
	v := n.where(Format.ShowsTranslation)
	if v == nil {
		return nil
	}
	g := n.zonal(v)
	g.Name, g.Public, g.ShowsSecondary = "private", nil, true
	n.extra = append(n.extra, g)
	remotes := []Remote{n.privateRemote(), n.privateRemote(), n.privateRemote()}
	return &rareTraffic{
		needed: func(t *randomTraffic) {
			for _, remote := range remotes {
				t.recorder.NAT(g.primary(), t.talk(anyOf(t.rng, v.clients), remote))
			}
			for _, secondary := range g.Secondary {
				t.recorder.NAT(g.from(secondary), t.talk(anyOf(t.rng, v.clients), anyOf(t.rng, remotes)))
			}
		},
		again: func(t *randomTraffic) { t.recorder.NAT(g, t.talk(anyOf(t.rng, v.clients), anyOf(t.rng, remotes))) },
	}
}

// privateRemote returns a host of another private network, of which nothing is logged.
func (n *randomNetwork) privateRemote() Remote {
	return Remote{Addr: n.public("10.200.0.0/16"), Port: [...]int{portHTTPS, portSQL}[n.rng.IntN(2)]}
}

// addOneWay adds a gateway that is seen in one direction only. Its clients have two-way traffic through another one, by which they are known.
func (n *randomNetwork) addOneWay() *rareTraffic {
	v, uploads := n.anyVPC(), n.rng.IntN(2) == 0
	g := n.zonal(v).primary()
	n.extra = append(n.extra, g)
	once := func(t *randomTraffic, remote Remote) {
		c := t.talk(anyOf(t.rng, v.clients), remote)
		if uploads {
			c.Down = Volume{}
		} else {
			c.Up = Volume{}
		}
		t.recorder.NAT(g, c)
	}
	return &rareTraffic{
		needed: func(t *randomTraffic) {
			for _, remote := range t.twoRemotes() {
				once(t, remote)
			}
		},
		again: func(t *randomTraffic) { once(t, n.remote()) },
	}
}

// addChain adds two VPCs with a gateway each, of which one is the other's client. Where gateways are learned, vpc-id must keep the inner one's address, a
// client of the outer one, from being taken for one of its own VPC.
func (n *randomNetwork) addChain() *rareTraffic {
	innerOwner, outerOwner := anyOf(n.rng, n.owners), anyOf(n.rng, n.owners)
	if innerOwner.region != outerOwner.region {
		outerOwner = innerOwner
	}
	if n.opt.Recognition == Learned && (!n.formats[innerOwner].Has("vpc-id") || !n.formats[outerOwner].Has("vpc-id")) {
		return nil
	}
	inside, outside := n.extraVPC(innerOwner, true), n.extraVPC(outerOwner, true)
	inner, outer := n.zonal(inside).primary(), n.zonal(outside)
	inner.Name, inner.Public = "inner", nil
	n.extra = append(n.extra, inner, outer)
	clients := n.behind(inside, inner)
	return &rareTraffic{
		needed: func(t *randomTraffic) {
			for _, client := range clients {
				for _, remote := range t.twoRemotes() {
					t.recorder.Chain(inner, outer.primary(), t.talk(client, remote))
				}
			}
		},
		again: func(t *randomTraffic) { t.recorder.Chain(inner, outer, t.talk(anyOf(t.rng, clients), n.remote())) },
	}
}
