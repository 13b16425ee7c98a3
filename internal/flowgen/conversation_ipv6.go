package flowgen

// InternalIPv6 records a conversation between two dual-stack instances of one VPC.
func (r *Recorder) InternalIPv6(a, b *Instance, up, down Volume, s Span) {
	way := r.internalWay(a.Addr6, b.Addr6)
	r.log(sender(a, way, TrafficPathVPC, hop(b)), up, down, s)
	r.log(receiver(b, way, TrafficPathVPC, hop(a)), up, down, s)
}
