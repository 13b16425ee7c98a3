package flowgen

import (
	"net/netip"
	"slices"
)

// addDualStack gives a VPC and some of its instances IPv6: to remotes through an internet gateway or an egress-only one, between the instances, and to
// IPv4 remotes through NAT64. Each instance has two IPv6 remotes, so that its own address is the one in all of its IPv6 rows.
func (n *randomNetwork) addDualStack() *rareTraffic {
	v := n.anyVPC()
	block := [16]byte{0x26, 0x00, 0x1f, 0x14, byte(n.rng.Uint32()), byte(n.rng.Uint32()), byte(n.rng.Uint32())}
	v.CIDR6 = netip.PrefixFrom(netip.AddrFrom16(block), 56)
	dual := slices.Clone(v.instances())
	if len(dual) > 4 {
		dual = dual[:4]
	}
	for i, in := range dual {
		block[7], block[15] = byte(i%3), byte(5+i)
		in.Addr6 = netip.AddrFrom16(block)
	}
	remotes := []Remote{
		{Addr: netip.MustParseAddr("2a00:1450:4007:80e::200e")},
		{Addr: netip.MustParseAddr("2606:4700::6810:84e5"), Port: 443, Protocol: 17},
		{Addr: netip.MustParseAddr("2600:1fa0:c080:1::5"), Service: "S3"},
		{Addr: netip.MustParseAddr("2600:9000:2000::7"), Service: "CLOUDFRONT"},
	}
	path := [...]int{TrafficPathInternetGateway, Missing}[n.rng.IntN(2)]
	return &rareTraffic{
		needed: func(t *randomTraffic) {
			for _, in := range dual {
				i := t.rng.IntN(len(remotes))
				for _, remote := range []Remote{remotes[i], remotes[(i+1)%len(remotes)]} {
					t.recorder.Direct(t.talk(in, remote), path)
				}
			}
		},
		again: func(t *randomTraffic) {
			in, other := anyOf(t.rng, dual), anyOf(t.rng, dual)
			g := in.translator()
			switch kind := t.rng.IntN(3); {
			case kind == 0 && g != nil:
				t.recorder.NAT64(g, t.talk(in, n.remote()))
			case kind == 1 && in != other:
				t.recorder.InternalIPv6(in, other, t.volume(), t.volume(), t.span)
			default:
				t.recorder.Direct(t.talk(in, anyOf(t.rng, remotes)), path)
			}
		},
	}
}

// translator returns the gateway that translates the instance's IPv6 packets to IPv4: of its gateways a zonal one of AWS's own, or nil.
func (i *Instance) translator() *Gateway {
	for _, g := range i.Gateways {
		if !g.Regional() && !g.IsInstance() {
			return g
		}
	}
	return nil
}
