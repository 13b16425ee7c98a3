package aggregator

import (
	"slices"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// maxPairs bounds the pairs of one file, to what stays in a processor's cache. Top pairs stand out from many more.
const maxPairs = 1 << 13

// A pairTable sums the bytes of one file by client and remote, for rows that a NAT gateway may have forwarded. Beyond maxPairs it forgets the lighter half, except the pairs
// that have series: so of a file with more pairs it may miss bytes of pairs that have none yet. It is an open-addressing hash table without deletion. The zero value is empty.
type pairTable struct {
	slots []pairSlot
	spare []pairSlot // spare is empty, for the next purge.
	used  int
	shift uint8
}

// A pairSlot holds the keys of its client and remote in the tables of a delta; no remote's key is 0.
type pairSlot struct {
	remote, client uint64
	bytes          uint64
}

func hashPair(remote, client uint64) uint64 {
	return (remote ^ client*fibonacci>>32) * fibonacci
}

func (t *pairTable) add(remote, client, bytes uint64) {
	if 2*t.used >= len(t.slots) {
		t.resize(max(2*len(t.slots), minSlots))
	}
	slot := t.find(remote, client)
	if slot.remote == 0 {
		t.used++
		slot.remote, slot.client = remote, client
	}
	slot.bytes = sum(slot.bytes, bytes)
}

func (t *pairTable) find(remote, client uint64) *pairSlot {
	mask := len(t.slots) - 1
	for i := int(hashPair(remote, client) >> t.shift); ; i = (i + 1) & mask {
		if slot := &t.slots[i]; slot.remote == 0 || slot.remote == remote && slot.client == client {
			return slot
		}
	}
}

func (t *pairTable) resize(slots int) {
	old := t.slots
	t.slots, t.shift = make([]pairSlot, slots), shiftFor(slots)
	for i := range old {
		if slot := &old[i]; slot.remote != 0 {
			*t.find(slot.remote, slot.client) = *slot
		}
	}
}

func (t *pairTable) full() bool { return t.used >= maxPairs }

// purge forgets pairs that are not kept: the lighter half by the median of a sample.
func (t *pairTable) purge(kept func(*pairSlot) bool) {
	bar := t.median()
	old := t.slots
	if len(t.spare) != len(old) {
		t.spare = make([]pairSlot, len(old))
	}
	t.slots, t.used = t.spare, 0
	for i := range old {
		if slot := &old[i]; slot.remote != 0 && (slot.bytes > bar || kept(slot)) {
			t.used++
			*t.find(slot.remote, slot.client) = *slot
		}
	}
	clear(old)
	t.spare = old
}

func (t *pairTable) median() uint64 {
	const sample = 512
	bytes := make([]uint64, 0, sample)
	for i := range t.slots {
		if len(bytes) == sample {
			break
		}
		if t.slots[i].remote != 0 {
			bytes = append(bytes, t.slots[i].bytes)
		}
	}
	slices.Sort(bytes)
	return bytes[len(bytes)/2]
}

// reset empties the table and keeps its memory.
func (t *pairTable) reset() {
	clear(t.slots)
	t.used = 0
}

// A Watch is what the aggregator wants to know of the next file besides its sums. It is immutable.
type Watch struct {
	// clientViews: what clients see of forwarded traffic is counted, somewhere at least, so its remotes are wanted.
	clientViews bool
	pairs       pairsWanted
	services    func() Services // services returns the table for the next file; nil, as what it returns may be, is none.
	// kept are the pairs that have series, and marks a set of their hashes that may have more.
	kept  map[pair]struct{}
	marks [keptMarks / 64]uint64
}

const keptMarks = 1 << 13

// keep adds a pair. A delta does not know what clients are called, so a name stands for all clients of a remote.
func (w *Watch) keep(p pair) {
	p.source.Name = ""
	w.kept[p] = struct{}{}
	word, bit := mark(p.source.Address, p.destination.Address)
	w.marks[word] |= bit
}

// keeps says whether a pair is to be kept.
func (w *Watch) keeps(gateway string, client, remote flowlog.Addr) bool {
	if word, bit := mark(client, remote); w.marks[word]&bit == 0 {
		return false
	}
	_, kept := w.kept[pair{gateway, End{Address: client}, End{Address: remote}}]
	return kept
}

// mark returns the place of a pair's mark.
func mark(client, remote flowlog.Addr) (word int, bit uint64) {
	h := (client.Hi ^ client.Lo*fibonacci ^ remote.Hi ^ remote.Lo<<32 ^ remote.Lo>>32) * fibonacci % (1 << 63) >> (63 - 13)
	return int(h / 64), 1 << (h % 64)
}

// pairsWanted says in which rows the pairs are looked for.
type pairsWanted uint8

const (
	noPairs      pairsWanted = iota
	gatewayPairs             // In the rows of gateways.
	clientPairs              // In what clients see of it.
)

// Watch returns what a delta has to watch for, as of the last commit. It takes no lock.
func (a *Aggregator) Watch() *Watch { return a.watch.Load() }

// publishWatch makes the pairs that have series known to the files that are read next.
func (a *Aggregator) publishWatch() {
	w := &Watch{clientViews: a.unseen || a.config.Vantage == VantageClient, services: a.config.Services}
	switch {
	case a.config.Top.Pairs == 0:
	case a.config.Vantage == VantageClient:
		w.pairs = clientPairs
	default:
		w.pairs = gatewayPairs
	}
	if last := a.watch.Load(); last != nil && !a.tops.moved && w.clientViews == last.clientViews && w.pairs == last.pairs {
		return
	}
	a.tops.moved = false
	w.kept = make(map[pair]struct{})
	for identity := range a.tops.pairs.Identities() {
		w.keep(identity.Key)
	}
	a.watch.Store(w)
}

// addPair adds the bytes of a row, unless nobody asks for its pair.
func (d *Delta) addPair(remote, client, bytes uint64) {
	if d.pairs.full() {
		d.pairs.purge(d.keepsPair)
		if d.pairs.full() {
			return // Only by a hostile log does a gateway have so many pairs with series.
		}
	}
	d.pairs.add(remote, client, bytes)
}

// keepsPair says whether a pair has series.
func (d *Delta) keepsPair(slot *pairSlot) bool {
	g, remote := d.remotes.split(slot.remote)
	_, client := d.clients.split(slot.client)
	gateway := &d.interfaces[d.groups[g-1].iface].name
	return d.watch.keeps(gateway.label(), client, remote) || d.watch.keeps(gateway.label(), flowlog.Addr{}, remote)
}

// mayBeForwarded says whether rows of a shape may be ones that a NAT gateway has forwarded, and name their client and remote.
func (d *Delta) mayBeForwarded(in *deltaInterface, s classifier.Shape) bool {
	switch {
	case d.watch.pairs == noPairs, in.overflow, hidesRemote(s):
		return false
	case d.watch.pairs == clientPairs:
		return s.ShowsClientView() || s.PlainIngress()
	case in.evidence.isRegional():
		return s.OneEndPrivate() || s.Private()
	default:
		return s.InnerLeg() && !isRelayType(in.evidence.interfaceType)
	}
}

// isRelayType says whether an interface passes packets on without forwarding them as a NAT gateway does.
func isRelayType(t flowlog.InterfaceType) bool {
	return t == flowlog.InterfaceTransitGateway || t == flowlog.InterfaceVPCEndpoint || t == flowlog.InterfaceNetworkLoadBalancer
}
