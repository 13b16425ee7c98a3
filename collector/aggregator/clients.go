package aggregator

import "github.com/vpcflow/vpcflow_exporter/collector/flowlog"

// clientSet remembers which addresses are clients of a NAT gateway. A private address repeats across VPCs, so it belongs to the gateway's VPC, whoever
// owns the client's interface there, or to the gateway's account and region where a format has no vpc-id.
type clientSet struct {
	seen  map[clientAddress]span
	dirty map[clientBlock]struct{} // dirty are the blocks that have changed since the last write, nil without a journal.
}

// span is a stretch of record time in Unix seconds.
type span struct {
	first, last int64
}

func (s *span) add(t span) {
	if t.first > 0 && (s.first == 0 || t.first < s.first) {
		s.first = t.first
	}
	s.last = max(s.last, t.last)
}

// near says whether two stretches are less than a wait apart. Later an address may be somebody else's.
func (s span) near(t span) bool {
	return s.first-holdSeconds <= t.last && t.first-holdSeconds <= s.last
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

// add remembers that a gateway has named a client in rows of a stretch of time.
func (c *clientSet) add(p place, vpc string, a flowlog.Addr, at span) {
	if a.IsZero() {
		return
	}
	if c.seen == nil {
		c.seen = make(map[clientAddress]span)
	}
	scope := clientAddress{vpc: vpc, address: a}
	if vpc == "" {
		scope.place = p
	}
	for _, key := range [...]clientAddress{scope, {p, anyVPC, a}} {
		old, known := c.seen[key]
		if !known && len(c.seen) >= maxClients {
			continue
		}
		seen := old
		seen.add(at)
		if !known || seen != old {
			c.seen[key] = seen
			c.touch(key)
		}
	}
}

func (c *clientSet) touch(key clientAddress) {
	if c.dirty != nil {
		c.dirty[key.block()] = struct{}{}
	}
}

// named returns when a NAT gateway has last named an address as a client, if that was near the life of an interface in the given VPC ("" where unknown).
func (c *clientSet) named(p place, vpc string, a flowlog.Addr, life span) (last int64, ok bool) {
	keys := [...]clientAddress{{vpc: vpc, address: a}, {p, "", a}}
	if vpc == "" {
		keys[0] = clientAddress{p, anyVPC, a}
	}
	for _, key := range keys {
		if seen, known := c.seen[key]; known && seen.near(life) {
			last, ok = max(last, seen.last), true
		}
	}
	return last, ok
}

// prune forgets the clients that have not been seen since a time.
func (c *clientSet) prune(before int64) {
	for key, seen := range c.seen {
		if seen.last < before {
			delete(c.seen, key)
			c.touch(key)
		}
	}
}
