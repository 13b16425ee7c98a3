package aggregator

import (
	"cmp"
	"maps"
	"slices"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// residents are the private addresses, with the newest ends of files that have shown them, at which an instance or an ECS task talks to public remotes besides its
// own one: those of a node's pods, and secondary ones.
type residents map[flowlog.Addr]int64

// maxResidents bounds the addresses of one interface: EKS puts up to 737 pods on a node, and addresses of pods that have ended are remembered for a day.
const maxResidents = 1024

// houses says whether the private end of rows of a shape is an address at the interface. Only an instance or a task has addresses besides its own one; what passes
// elsewhere is somebody's. Behind a private leg the interface hides a remote, as a NAT instance does, and the private end is its client.
func (n *netInterface) houses(s classifier.Shape) bool {
	return n.isWorkload() && n.isOwnEnd(s) && (!s.Translated() || s.LegPublic())
}

// isWorkload says whether the records name an instance or an ECS task.
func (n *netInterface) isWorkload() bool {
	return n.attributes.instanceID != "" || n.called(flowlog.NameECSCluster) != ""
}

// addResident remembers an address at the interface. Beyond the bound the oldest ones are forgotten.
func (n *netInterface) addResident(a flowlog.Addr, at int64) {
	if own, known := n.own.of(a).address(); known && own == a {
		return
	}
	last, known := n.residents[a]
	if known && last >= at {
		return
	}
	if n.residents == nil {
		n.residents = make(residents)
	}
	n.residents[a] = at
	if len(n.residents) > maxResidents {
		n.residents.shorten(maxResidents * 3 / 4)
	}
}

// shorten keeps the newest addresses.
func (r residents) shorten(keep int) {
	oldest := slices.SortedFunc(maps.Keys(r), func(a, b flowlog.Addr) int {
		return cmp.Or(cmp.Compare(r[a], r[b]), cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo))
	})
	for _, a := range oldest[:len(r)-keep] {
		delete(r, a)
	}
}

// pruneResidents forgets the addresses that have not been seen since a time, and says whether there were any.
func (n *netInterface) pruneResidents(before int64) bool {
	known := len(n.residents)
	maps.DeleteFunc(n.residents, func(_ flowlog.Addr, at int64) bool { return at < before })
	return len(n.residents) < known
}

// Residents are written in groups of up to 256 neighbours, under the interface's name, as clients are.
const residentsBucket = "residents"

// residentBlock returns the lowest address that differs from another in the last byte only.
func residentBlock(a flowlog.Addr) flowlog.Addr { return flowlog.Addr{Hi: a.Hi, Lo: a.Lo &^ 0xff} }

// writeResidents reports the blocks that have changed.
func (w *written) writeResidents(b *Batch, name []byte, r residents) {
	if len(r)+len(w.residents) == 0 {
		return
	}
	blocks := make(map[flowlog.Addr]struct{})
	for a := range r {
		blocks[residentBlock(a)] = struct{}{}
	}
	for block := range w.residents {
		blocks[block] = struct{}{}
	}
	if w.residents == nil {
		w.residents = make(map[flowlog.Addr]uint64)
	}
	for block := range blocks {
		key := encoder{b: slices.Clip(name)}
		key.addr(block)
		last := w.residents[block]
		writeRecord(b, residentsBucket, key.b, r.encode(block), &last)
		if last == 0 {
			delete(w.residents, block)
		} else {
			w.residents[block] = last
		}
	}
}

// encode is the last bytes of the addresses of a block with their times, each by its distance from the one before.
func (r residents) encode(block flowlog.Addr) []byte {
	var e encoder
	var before int64
	for last := range uint64(256) {
		at, ok := r[flowlog.Addr{Hi: block.Hi, Lo: block.Lo | last}]
		if !ok {
			continue
		}
		e.byte(byte(last))
		e.int(at - before)
		before = at
	}
	return e.b
}

// restoreResidents takes a block.
func (n *netInterface) restoreResidents(k, v *decoder) {
	block := k.addr()
	if block != residentBlock(block) {
		k.failf("block begins at %s", block)
	}
	if len(v.b) == 0 {
		v.failf("no addresses")
	}
	if k.err != nil {
		return
	}
	if n.residents == nil {
		n.residents = make(residents)
	}
	if n.written.residents == nil {
		n.written.residents = make(map[flowlog.Addr]uint64)
	}
	n.written.residents[block] = hashRecord(v.b)
	var at int64
	for next := 0; len(v.b) > 0; {
		last := v.byte()
		at += v.int()
		a := flowlog.Addr{Hi: block.Hi, Lo: block.Lo | uint64(last)}
		if int(last) < next || a.IsZero() {
			v.failf("addresses out of order")
		}
		next = int(last) + 1
		n.residents[a] = at
	}
}
