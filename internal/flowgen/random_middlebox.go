package flowgen

import "net/netip"

// addHairpin adds a load balancer that clients behind NAT use under its public address.
func (n *randomNetwork) addHairpin() *rareTraffic {
	v := n.anyVPC()
	b := &LoadBalancer{ENI: n.id("eni-"), Subnet: n.subnet(v), Addr: v.addr(), Public: n.public("13.39.0.0/16")}
	hairpin := func(t *randomTraffic) {
		client := anyOf(t.rng, v.clients)
		g := client.Gateways[0]
		if !g.OnlySecondary {
			g = g.primary()
		}
		t.recorder.Hairpin(g, b, t.talk(client, Remote{}))
	}
	return &rareTraffic{
		needed: func(t *randomTraffic) {
			hairpin(t)
			for _, target := range v.instances()[:2] {
				t.recorder.Internal(b, target, t.volume(), t.volume(), t.span, TrafficPathVPC)
			}
		},
		again: hairpin,
	}
}

// pods returns addresses of pods: public ones that nobody has configured as internal, or shared ones.
func (n *randomNetwork) pods(cidr string) []netip.Addr {
	var pods []netip.Addr
	for range 2 + n.rng.IntN(3) {
		pods = append(pods, n.public(cidr))
	}
	return pods
}

const (
	publicPods = "11.0.0.0/16"
	sharedPods = "100.64.0.0/16"
)

// addPublicPods adds a node with a route to an internet gateway, which pulls images from the remotes of its pods.
func (n *randomNetwork) addPublicPods() *rareTraffic {
	v := n.anyVPC()
	node := n.node(v)
	v.publics = append(v.publics, node)
	cidr := [...]string{publicPods, publicPods, sharedPods}[n.rng.IntN(3)]
	pods := n.pods(cidr)
	return &rareTraffic{
		needed: func(t *randomTraffic) {
			for _, remote := range t.twoRemotes() {
				t.recorder.PodDirect(anyOf(t.rng, pods), t.talk(node, remote), v.publicPath)
				t.recorder.Direct(t.talk(node, remote), v.publicPath)
			}
		},
		again: func(t *randomTraffic) {
			if cidr == sharedPods && t.rng.IntN(2) == 0 {
				t.recorder.PodInternal(node, anyOf(t.rng, pods), anyOf(t.rng, v.clients), t.volume(), t.volume(), t.span)
				return
			}
			t.recorder.PodDirect(anyOf(t.rng, pods), t.talk(node, n.remote()), v.publicPath)
		},
	}
}

// addPrivatePods adds a node whose pods reach the internet through a gateway as themselves, as the node does: a reader that knows the node's address
// for a client's knows it of all that its interface logs.
func (n *randomNetwork) addPrivatePods() *rareTraffic {
	v := n.anyVPC()
	node, pods := n.node(v), n.pods(sharedPods)
	node.Gateways = []*Gateway{anyOf(n.rng, v.gateways)}
	v.clients = append(v.clients, node)
	return &rareTraffic{again: func(t *randomTraffic) {
		if pod := anyOf(t.rng, pods); t.rng.IntN(3) > 0 {
			t.recorder.PodNAT(node.Gateways[0], pod, t.talk(node, n.remote()))
		} else {
			t.recorder.PodInternal(node, pod, v.clients[0], t.volume(), t.volume(), t.span)
		}
	}}
}

func (n *randomNetwork) node(v *randomVPC) *Instance {
	in := n.instance(v)
	in.ID, in.Task, in.Role = n.id("i-"), Task{}, "node"
	return in
}

// addFirewall adds a firewall's endpoint, which packets pass on their way to a gateway and between instances.
func (n *randomNetwork) addFirewall() *rareTraffic {
	v := n.where(Format.ShowsTransit)
	if v == nil {
		return nil
	}
	e := n.endpoint(v)
	inspect := func(t *randomTraffic) {
		client := anyOf(t.rng, v.clients)
		t.recorder.InspectedNAT(anyOf(t.rng, client.Gateways), e, t.talk(client, n.remote()))
	}
	return &rareTraffic{
		needed: inspect,
		again: func(t *randomTraffic) {
			if a, b := anyOf(t.rng, v.instances()), anyOf(t.rng, v.instances()); a != b && t.rng.IntN(2) == 0 {
				t.recorder.InspectedInternal(a, b, e, t.volume(), t.volume(), t.span)
				return
			}
			inspect(t)
		},
	}
}

func (n *randomNetwork) endpoint(v *randomVPC) *Endpoint {
	return &Endpoint{ENI: n.id("eni-"), Subnet: n.subnet(v), Addr: v.addr(), HidesAccount: n.rng.IntN(2) == 0}
}

// addNetworkBalancer adds a Network Load Balancer that preserves the addresses of its clients.
func (n *randomNetwork) addNetworkBalancer() *rareTraffic {
	v := n.where(Format.ShowsLoadBalancer)
	if v == nil {
		return nil
	}
	b := &LoadBalancer{ENI: n.id("eni-"), Subnet: n.subnet(v), Addr: v.addr(), Public: n.public("13.39.0.0/16"), Network: true}
	clients := []Remote{{Addr: n.public("81.0.0.0/8")}, {Addr: n.public("81.0.0.0/8")}, n.remote()}
	balance := func(t *randomTraffic, client Remote) {
		t.recorder.Balance(b, anyOf(t.rng, v.instances()), client, t.volume(), t.volume(), t.span, TrafficPathInternetGateway)
	}
	return &rareTraffic{
		needed: func(t *randomTraffic) {
			for _, client := range clients {
				balance(t, client)
			}
		},
		again: func(t *randomTraffic) { balance(t, anyOf(t.rng, clients)) },
	}
}

// addPrivateLink adds a service's interface endpoint, with two peers that show which address is its own.
func (n *randomNetwork) addPrivateLink() *rareTraffic {
	v := n.anyVPC()
	e := n.endpoint(v)
	use := func(t *randomTraffic, in *Instance) {
		t.recorder.Internal(in, e, t.volume(), t.volume(), t.span, TrafficPathVPC)
	}
	return &rareTraffic{
		needed: func(t *randomTraffic) {
			for _, in := range v.instances()[:2] {
				use(t, in)
			}
		},
		again: func(t *randomTraffic) { use(t, anyOf(t.rng, v.instances())) },
	}
}
