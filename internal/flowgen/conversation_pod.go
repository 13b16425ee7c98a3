package flowgen

import "net/netip"

// behind are the ends of a pod's conversation as its node logs them: the node's own address stands for the pod's in the leg.
func (r *Recorder) behind(node *Instance, pod netip.Addr, peer end) addresses {
	own := r.end(pod)
	way := plain(own, peer)
	way.src.addr = node.Addr
	return way
}

// PodDirect records a conversation of a pod that passes no NAT gateway. Source: AWS, "Flow log record examples".
func (r *Recorder) PodDirect(pod netip.Addr, c Conversation, trafficPath int) {
	x := exchange{
		at: c.Client, addresses: r.behind(c.Client, pod, c.Remote.end()), protocol: c.Remote.protocol(), sends: true, path: trafficPath,
	}
	x.up, x.down = r.direct(c.Client, trafficPath, x.dst)
	r.log(x, c.Up, c.Down, c.Span)
}

// PodNAT records a conversation of a pod through a gateway, whose client is the pod and not its node.
func (r *Recorder) PodNAT(g *Gateway, pod netip.Addr, c Conversation) {
	way := r.behind(c.Client, pod, c.Remote.end())
	r.inside(g, c.Client, way.pktSrc, way.dst, hop(c.Client), c)
	r.outside(g, TrafficPathInternetGateway, c)
	r.client(way, hop(g), c)
}

// PodInternal records a conversation that a pod opens with an instance.
func (r *Recorder) PodInternal(node *Instance, pod netip.Addr, peer *Instance, up, down Volume, s Span) {
	way := r.behind(node, pod, end{addr: peer.Addr, port: portSQL})
	r.log(sender(node, way, TrafficPathVPC, hop(peer)), up, down, s)
	r.log(receiver(peer, plain(way.pktSrc, way.dst), TrafficPathVPC, hop(node)), up, down, s)
}
