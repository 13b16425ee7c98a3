package aggregator

import "github.com/vpcflow/vpcflow_exporter/collector/flowlog"

// clientSet remembers which addresses are clients of a NAT gateway. A private address repeats across VPCs, so it belongs to the gateway's VPC,
// or to its account and region where a format has no vpc-id.
type clientSet struct {
	last map[clientAddress]int64 // last is the newest record end that showed the client.
}

// clientAddress is an address in a place. Every client is there twice: once under its VPC ("" where unknown), once with anyVPC for interfaces whose
// format does not name theirs.
type clientAddress struct {
	place   place
	vpc     string
	address flowlog.Addr
}

// anyVPC cannot be the id of a VPC.
const anyVPC = "*"

func (c *clientSet) add(p place, vpc string, a flowlog.Addr, at int64) (isNew bool) {
	if c.last == nil {
		c.last = make(map[clientAddress]int64)
	}
	key := clientAddress{p, vpc, a}
	old, known := c.last[key]
	c.last[key] = max(old, at)
	wide := clientAddress{p, anyVPC, a}
	c.last[wide] = max(c.last[wide], at)
	return !known
}

// has says whether an address of an interface in the given VPC ("" where unknown) is a client of a NAT gateway.
func (c *clientSet) has(p place, vpc string, a flowlog.Addr) bool {
	if vpc == "" {
		vpc = anyVPC
	} else if _, ok := c.last[clientAddress{p, "", a}]; ok {
		return true
	}
	_, ok := c.last[clientAddress{p, vpc, a}]
	return ok
}

// prune forgets the clients of a place that have not been seen since a time.
func (c *clientSet) prune(p place, before int64) {
	for key, last := range c.last {
		if key.place == p && last < before {
			delete(c.last, key)
		}
	}
}
