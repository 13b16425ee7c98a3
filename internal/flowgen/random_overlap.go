package flowgen

// addOverlap adds a second flow log for a VPC, or for one interface or regional gateway in it.
func (n *randomNetwork) addOverlap() *rareTraffic {
	v := n.anyVPC()
	first, interfaces := v.FlowLog, []string(nil)
	switch n.rng.IntN(3) {
	case 0:
		interfaces = []string{anyOf(n.rng, v.instances()).ENI}
	case 1:
		g := anyOf(n.rng, v.gateways)
		first, _, _ = g.vantage()
		interfaces = []string{g.Label()}
	}
	second := n.flowLog(v.owner, first.Format)
	n.keepLog(second)
	n.overlaps = append(n.overlaps, overlap{first, second, interfaces})
	return &rareTraffic{}
}

// addReusedAddress adds an instance with a route to an internet gateway, under the address that a client of a gateway had hours before.
func (n *randomNetwork) addReusedAddress() *rareTraffic {
	v := n.anyVPC()
	g := anyOf(n.rng, v.gateways)
	former, heir := n.instance(v), n.instance(v)
	former.Gateways, heir.Addr = []*Gateway{g}, former.Addr
	v.publics = append(v.publics, heir)
	return &rareTraffic{leading: func(t *randomTraffic) { t.show(g, former) }}
}
