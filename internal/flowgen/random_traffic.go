package flowgen

import "math/rand/v2"

// randomTraffic makes the conversations of a random scenario.
type randomTraffic struct {
	rng      *rand.Rand
	network  *randomNetwork
	recorder *Recorder
	span     Span
}

// needed makes the traffic that every scenario has: each gateway forwards something and shows how, and each instance has two peers, so
// that its own address is the one in all of its rows.
func (t *randomTraffic) needed() {
	for _, v := range t.network.vpcs {
		for _, g := range v.gateways {
			t.show(g, v.clients[t.rng.IntN(len(v.clients))])
		}
		for _, client := range v.clients {
			t.show(client.Gateways[0], client)
		}
		for _, in := range v.publics {
			for _, remote := range t.twoRemotes() {
				t.recorder.Direct(t.talk(in, remote), v.publicPath)
			}
		}
	}
	for _, rare := range t.network.rare {
		if rare.needed != nil {
			rare.needed(t)
		}
	}
}

// leading makes the traffic that is hours older than the rest.
func (t *randomTraffic) leading() {
	for _, rare := range t.network.rare {
		if rare.leading != nil {
			rare.leading(t)
		}
	}
}

// show sends through a gateway to two remotes, both ways. A gateway with secondary addresses does so from its primary one first, if that is ever
// used, since not all rows from secondary ones prove that it is a gateway.
func (t *randomTraffic) show(g *Gateway, client *Instance) {
	if client.Gateways[0] != g {
		client.Gateways = append(client.Gateways, g)
	}
	if !g.OnlySecondary {
		g = g.primary()
	}
	for _, remote := range t.twoRemotes() {
		t.recorder.NAT(g, t.talk(client, remote))
	}
}

func (t *randomTraffic) twoRemotes() []Remote {
	i := t.rng.IntN(len(t.network.remotes))
	return []Remote{t.network.remotes[i], t.network.remotes[(i+1)%len(t.network.remotes)]}
}

// conversation makes one conversation of a random kind.
func (t *randomTraffic) conversation() {
	if rare := t.network.rare; len(rare) > 0 && t.rng.IntN(4) == 0 {
		if again := anyOf(t.rng, rare).again; again != nil {
			again(t)
			return
		}
	}
	v := t.network.anyVPC()
	switch t.rng.IntN(10) {
	case 0, 1:
		t.internal(v)
	case 2:
		t.transit(v)
	case 3:
		t.scan(v)
	case 4:
		t.public(v)
	default:
		t.client(v)
	}
}

func (t *randomTraffic) client(v *randomVPC) {
	c := t.talk(anyOf(t.rng, v.clients), t.network.remote())
	if t.rng.IntN(8) == 0 {
		c.Down = Volume{}
	}
	if v.hasEndpoint && (c.Remote.Service == "S3" || c.Remote.Service == "DYNAMODB") && t.rng.IntN(2) == 0 {
		t.recorder.Direct(c, [...]int{TrafficPathGatewayEndpoint, TrafficPathInternetGatewayOrEndpoint}[t.rng.IntN(2)])
		return
	}
	t.recorder.NAT(c.Client.Gateways[t.rng.IntN(len(c.Client.Gateways))], c)
}

func (t *randomTraffic) public(v *randomVPC) {
	if len(v.publics) == 0 {
		return
	}
	in := anyOf(t.rng, v.publics)
	remote, path := t.network.remote(), v.publicPath
	if v.hasEndpoint && remote.Service == "S3" {
		path = TrafficPathGatewayEndpoint
	}
	t.recorder.Direct(t.talk(in, remote), path)
}

func (t *randomTraffic) internal(v *randomVPC) {
	all := v.instances()
	a, b := t.rng.IntN(len(all)), t.rng.IntN(len(all))
	if a == b {
		return
	}
	t.recorder.Internal(all[a], all[b], t.volume(), t.volume(), t.span, TrafficPathVPC)
}

// transit connects two VPCs: by peering, or by a transit gateway where the formats show one.
func (t *randomTraffic) transit(v *randomVPC) {
	w := t.network.vpcs[t.rng.IntN(len(t.network.vpcs))]
	if v.CIDR == w.CIDR {
		return
	}
	a, b := v.clients[t.rng.IntN(len(v.clients))], w.clients[t.rng.IntN(len(w.clients))]
	switch {
	case v.FlowLog.Region != w.FlowLog.Region:
		t.recorder.Internal(a, b, t.volume(), t.volume(), t.span, TrafficPathInterRegionPeering)
	case t.rng.IntN(2) == 0:
		t.recorder.Internal(a, b, t.volume(), t.volume(), t.span, TrafficPathIntraRegionPeering)
	default:
		t.recorder.ViaTransitGateway(a, b, v.attachment, w.attachment, t.volume(), t.volume(), t.span)
	}
}

// scan knocks at a gateway, and at an instance whose security group refuses.
func (t *randomTraffic) scan(v *randomVPC) {
	scanner := Remote{Addr: t.network.public("185.192.0.0/11"), Port: 40000 + t.rng.IntN(1000)}
	if t.rng.IntN(4) == 0 {
		scanner = t.network.remote()
	}
	t.recorder.Scan(v.gateways[t.rng.IntN(len(v.gateways))], scanner, Volume{Bytes: 40 + t.rng.Int64N(400)}, t.span)
	if len(v.publics) > 0 {
		reason := [...]string{"", "", "BPA"}[t.rng.IntN(3)]
		t.recorder.RejectFrom(scanner, v.publics[t.rng.IntN(len(v.publics))], Volume{Bytes: 44, Packets: 1}, t.span, reason)
	}
}

// odds adds rows that are no conversations.
func (t *randomTraffic) odds() {
	for range t.rng.IntN(8) {
		v := t.network.vpcs[t.rng.IntN(len(t.network.vpcs))]
		in := v.instances()[t.rng.IntN(len(v.instances()))]
		minute := Span{t.span.From, t.span.From.Add(Interval)}
		switch t.rng.IntN(3) {
		case 0:
			t.recorder.NoData(in, minute)
		case 1:
			t.recorder.SkipData(v.gateways[t.rng.IntN(len(v.gateways))], minute)
		default:
			t.recorder.Malform(in, t.network.remote(), minute, Damage(t.rng.IntN(int(numDamages))))
		}
	}
}

// close lets time pass at every interface that has logged something.
func (t *randomTraffic) close(s Span) {
	for _, at := range t.recorder.seen {
		t.recorder.NoData(at, s)
	}
}

// volume is anything from one packet to gigabytes.
func (t *randomTraffic) volume() Volume {
	size := 40 + t.rng.Int64N(1<<(6+t.rng.IntN(28)))
	return Volume{Bytes: size, Packets: 1 + size/(200+t.rng.Int64N(1200))}
}
