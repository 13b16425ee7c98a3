package aggregator

import (
	"cmp"
	"slices"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// The clients of NAT gateways are written in groups of up to 256 neighbours, since those of one gateway are seen together, in each of its files.
const clientsBucket = "clients"

// clientBlock names the clients of a scope whose addresses differ in the last byte only.
type clientBlock struct {
	place place
	vpc   string
	first flowlog.Addr // first is the lowest address that may be in it.
}

func (c clientAddress) block() clientBlock {
	return clientBlock{c.place, c.vpc, flowlog.Addr{Hi: c.address.Hi, Lo: c.address.Lo &^ 0xff}}
}

// at returns the client with a last byte.
func (b clientBlock) at(last byte) clientAddress {
	return clientAddress{b.place, b.vpc, flowlog.Addr{Hi: b.first.Hi, Lo: b.first.Lo | uint64(last)}}
}

func compareBlocks(a, b clientBlock) int {
	return cmp.Or(cmp.Compare(a.place.account, b.place.account), cmp.Compare(a.place.region, b.place.region), cmp.Compare(a.vpc, b.vpc),
		cmp.Compare(a.first.Hi, b.first.Hi), cmp.Compare(a.first.Lo, b.first.Lo))
}

// changes reports the blocks that have changed since the last call.
func (c *clientSet) changes(b *Batch) {
	blocks := make([]clientBlock, 0, len(c.dirty))
	for block := range c.dirty {
		blocks = append(blocks, block)
	}
	slices.SortFunc(blocks, compareBlocks)
	for _, block := range blocks {
		var key encoder
		key.text(block.place.account)
		key.text(block.place.region)
		key.text(block.vpc)
		key.addr(block.first)
		if value := c.encode(block); len(value) > 0 {
			b.put(clientsBucket, key.b, value)
		} else {
			b.delete(clientsBucket, key.b)
		}
	}
	clear(c.dirty)
}

// encode is the last bytes of the clients of a block with their times, each by its distance from the one before.
func (c *clientSet) encode(block clientBlock) []byte {
	var e encoder
	var before span
	for last := range 256 {
		seen, ok := c.seen[block.at(byte(last))]
		if !ok {
			continue
		}
		e.byte(byte(last))
		e.int(seen.first - before.first)
		e.int(seen.last - before.last)
		before = seen
	}
	return e.b
}

func (c *clientSet) restore(key, value []byte) error {
	k, v := decoder{b: key}, decoder{b: value}
	block := clientBlock{place{k.text(), k.text()}, k.text(), k.addr()}
	if block.first.Lo&0xff != 0 {
		k.failf("block begins at %s", block.first)
	}
	if err := k.end(); err != nil {
		return err
	}
	if len(value) == 0 {
		v.failf("no clients")
	}
	if c.seen == nil {
		c.seen = make(map[clientAddress]span)
	}
	var at span
	for next := 0; len(v.b) > 0; {
		last := v.byte()
		at = span{at.first + v.int(), at.last + v.int()}
		if int(last) < next {
			v.failf("clients out of order")
		}
		next = int(last) + 1
		c.seen[block.at(last)] = at
	}
	return v.end()
}
