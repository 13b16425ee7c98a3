package aggregator

import "github.com/vpcflow/vpcflow_exporter/collector/flowlog"

// clientSet remembers which addresses are clients of a NAT gateway. A private address repeats across VPCs, so it belongs to the gateway's VPC, whoever
// owns the client's interface there, or to the gateway's account and region where a format has no vpc-id.
type clientSet struct {
	last map[clientAddress]int64 // last is the newest record end that showed the client.
}

// clientAddress is an address in a scope: a VPC, a place whose gateway has no known VPC, or any VPC of a place, for interfaces whose format does not name
// theirs.
type clientAddress struct {
	place   place
	vpc     string
	address flowlog.Addr
}

const (
	// No VPC has this id.
	anyVPC = "*"
	// The bound on the set's memory. A client beyond it is known only by what its own rows say.
	maxClients = 2_000_000
)

func (c *clientSet) add(p place, vpc string, a flowlog.Addr, at int64) {
	if a.IsZero() {
		return
	}
	if c.last == nil {
		c.last = make(map[clientAddress]int64)
	}
	scope := clientAddress{vpc: vpc, address: a}
	if vpc == "" {
		scope.place = p
	}
	for _, key := range [...]clientAddress{scope, {p, anyVPC, a}} {
		if old, known := c.last[key]; known || len(c.last) < maxClients {
			c.last[key] = max(old, at)
		}
	}
}

// has says whether an address of an interface in the given VPC ("" where unknown) is a client of a NAT gateway.
func (c *clientSet) has(p place, vpc string, a flowlog.Addr) bool {
	if vpc == "" {
		_, ok := c.last[clientAddress{p, anyVPC, a}]
		return ok
	}
	if _, ok := c.last[clientAddress{vpc: vpc, address: a}]; ok {
		return true
	}
	_, ok := c.last[clientAddress{p, "", a}]
	return ok
}

// prune forgets the clients that have not been seen since a time.
func (c *clientSet) prune(before int64) {
	for key, last := range c.last {
		if last < before {
			delete(c.last, key)
		}
	}
}
