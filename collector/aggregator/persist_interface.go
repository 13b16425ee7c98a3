package aggregator

import (
	"bytes"
	"errors"
	"hash/maphash"
	"slices"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// An interface is several records under its name, by how often they change: what it is (interfaces), its times, which each file moves (lives), what it has shown of
// remotes (sightings), a NAT gateway's addresses (legs), its rows that wait (held), the latter two with a record for each, and the addresses behind it (residents).
const (
	interfacesBucket = "interfaces"
	livesBucket      = "lives"
	sightingsBucket  = "sightings"
	legsBucket       = "legs"
	heldBucket       = "held"
)

// written is what the journal holds of an interface, so that only changes are written. It is nil without a journal.
type written struct {
	// identity, life and sightings are hashes of records, 0 where there is none.
	identity, life, sightings uint64
	legs                      [numLegSets]addressSet
	remotes                   map[remoteKey]uint64 // remotes and clients are held rows with their numbers of records, which only grow.
	clients                   map[clientKey]uint64
	residents                 map[flowlog.Addr]uint64 // residents are hashes of records, by the first address of the block.
}

var hashSeed = maphash.MakeSeed()

// hashRecord tells two values of one record apart, and both from none.
func hashRecord(value []byte) uint64 { return maphash.Bytes(hashSeed, value) | 1 }

func encodeName(name interfaceName) []byte {
	var e encoder
	e.text(name.account)
	e.text(name.region)
	e.text(name.id)
	return e.b
}

func (d *decoder) name() interfaceName { return interfaceName{d.text(), d.text(), d.text()} }

// writeInterface reports what has changed of an interface.
func (a *Aggregator) writeInterface(b *Batch, n *netInterface) {
	if n.written == nil {
		n.written = &written{}
	}
	w, key := n.written, encodeName(n.name)
	writeRecord(b, interfacesBucket, key, a.encodeIdentity(n), &w.identity)
	writeRecord(b, livesBucket, key, n.encodeLife(), &w.life)
	writeRecord(b, sightingsBucket, key, n.encodeSightings(), &w.sightings)
	for set, addresses := range n.legs.sets() {
		w.writeLegs(b, key, set, *addresses)
	}
	w.writeResidents(b, key, n.residents)
	w.writeHeld(b, key, &n.held)
}

// writeRecord reports a record that is another than the last time; an empty value is none.
func writeRecord(b *Batch, bucket string, key, value []byte, last *uint64) {
	switch {
	case len(value) == 0:
		if *last != 0 {
			b.delete(bucket, key)
		}
		*last = 0
	case hashRecord(value) != *last:
		b.put(bucket, key, value)
		*last = hashRecord(value)
	}
}

// forgetInterface reports that all of an interface is gone.
func forgetInterface(b *Batch, name interfaceName) {
	key := encodeName(name)
	for _, bucket := range []string{interfacesBucket, livesBucket, sightingsBucket} {
		b.delete(bucket, key)
	}
	b.deletePrefix(legsBucket, key)
	b.deletePrefix(residentsBucket, key)
	b.deletePrefix(heldBucket, key)
}

// restoredInterface returns an interface that a record names.
func (a *Aggregator) restoredInterface(name interfaceName) *netInterface {
	n, ok := a.interfaces[name]
	if !ok {
		n = &netInterface{name: name, gateway: a.configured(name), written: &written{}}
		a.interfaces[name] = n
	}
	return n
}

// restoreInterface takes one of the records of an interface.
func (a *Aggregator) restoreInterface(bucket string, key, value []byte) error {
	k, v := decoder{b: key}, decoder{b: value}
	name := k.name()
	if k.err != nil {
		return k.err
	}
	n := a.restoredInterface(name)
	w := n.written
	switch bucket {
	case interfacesBucket:
		a.restoreIdentity(n, &v)
		w.identity = hashRecord(value)
	case livesBucket:
		n.restoreLife(&v)
		w.life = hashRecord(value)
		if n.held.waiting {
			a.waiting[n] = struct{}{}
		}
	case sightingsBucket:
		n.restoreSightings(&v)
		w.sightings = hashRecord(value)
	case legsBucket:
		n.restoreLeg(&k)
	case residentsBucket:
		n.restoreResidents(&k, &v)
	case heldBucket:
		a.restoreHeld(n, &k, &v)
	}
	return errors.Join(k.end(), v.end())
}

// encodeIdentity is what an interface is, which most files do not change.
func (a *Aggregator) encodeIdentity(n *netInterface) []byte {
	var e encoder
	t := &n.attributes
	for _, text := range []string{t.vpcID, t.subnetID, t.instanceID, t.azID, n.recognisedBy} {
		e.text(text)
	}
	_, described := a.gateways[n.name]
	e.flags(t.hasInstanceField, n.publicOwn, described, n.legs.primary, n.legs.public, n.legs.private)
	for _, c := range []*candidates{&n.own.v4, &n.own.v6} {
		e.flags(c.started)
		e.addr(c.addresses[0])
		e.addr(c.addresses[1])
	}
	v := &n.evidence
	e.byte(byte(v.interfaceType))
	e.flags(v.regional, v.pkt, v.path, v.translated, v.view, v.direct)
	e.byte(byte(n.role))
	n.encodeNames(&e)
	return e.b
}

func (a *Aggregator) restoreIdentity(n *netInterface, d *decoder) {
	t := &n.attributes
	for _, text := range []*string{&t.vpcID, &t.subnetID, &t.instanceID, &t.azID, &n.recognisedBy} {
		*text = d.text()
	}
	described := false
	d.flags(&t.hasInstanceField, &n.publicOwn, &described, &n.legs.primary, &n.legs.public, &n.legs.private)
	for _, c := range []*candidates{&n.own.v4, &n.own.v6} {
		d.flags(&c.started)
		c.addresses = [2]flowlog.Addr{d.addr(), d.addr()}
	}
	v := &n.evidence
	v.interfaceType = flowlog.InterfaceType(d.enum(byte(flowlog.InterfaceVPCEndpoint) + 1))
	d.flags(&v.regional, &v.pkt, &v.path, &v.translated, &v.view, &v.direct)
	n.role = classifier.Role(d.enum(byte(classifier.RoleNATInstance) + 1))
	n.restoreNames(d)
	if described {
		a.gateways[n.name] = n
	}
}

// encodeLife is what each file of an interface moves.
func (n *netInterface) encodeLife() []byte {
	var e encoder
	for _, v := range n.times() {
		e.int(*v)
	}
	e.flags(n.released, n.held.waiting)
	if n.held.waiting {
		e.int(n.held.since)
		e.int(n.held.span.first)
		e.int(n.held.span.last)
	}
	n.encodeNameWindows(&e)
	for _, r := range n.reigns {
		e.text(r.flowLogID)
		e.uint(uint64(r.columns))
		e.int(r.first)
		e.int(r.last)
	}
	return e.b
}

func (n *netInterface) times() []*int64 {
	return []*int64{&n.life.first, &n.life.last, &n.viewAt, &n.directAt, &n.named, &n.leftOpen, &n.sightedSince, &n.legs.inner, &n.legs.outer}
}

func (n *netInterface) restoreLife(d *decoder) {
	for _, v := range n.times() {
		*v = d.int()
	}
	d.flags(&n.released, &n.held.waiting)
	if n.held.waiting {
		n.held.since, n.held.span = d.int(), span{d.int(), d.int()}
	}
	n.restoreNameWindows(d)
	for len(d.b) > 0 {
		r := reign{flowLogID: d.text()}
		columns := d.uint()
		if columns > maxColumns {
			d.failf("%d columns", columns)
		}
		r.columns, r.first, r.last = int(columns), d.int(), d.int()
		if n.reigns = append(n.reigns, r); len(n.reigns) > maxReigns {
			d.failf("too many flow logs")
		}
	}
}

// maxColumns is more than any format has.
const maxColumns = 1000

// encodeSightings is what an interface has shown of remotes, nothing if there is none.
func (n *netInterface) encodeSightings() []byte {
	var e encoder
	empty := true
	for _, s := range n.samples() {
		e.byte(byte(len(s.sorted)))
		for _, a := range s.sorted {
			e.addr(a.address)
		}
		empty = empty && len(s.sorted) == 0
	}
	if empty && !n.sightings.public.both && !n.sightings.private.both {
		return nil
	}
	e.flags(n.sightings.public.both, n.sightings.private.both)
	return e.b
}

func (n *netInterface) samples() []*addressSample {
	return []*addressSample{
		&n.addresses, &n.sightings.public.hidden, &n.sightings.public.bare, &n.sightings.public.passed, &n.sightings.private.hidden, &n.sightings.private.bare, &n.sightings.private.passed,
	}
}

func (n *netInterface) restoreSightings(d *decoder) {
	for _, s := range n.samples() {
		for range d.enum(sampleSize + 1) {
			a := d.addr()
			h := hashedAddr{hashAddr(a), a}
			if i := len(s.sorted); i > 0 && compareHashed(s.sorted[i-1], h) >= 0 {
				d.failf("sample out of order")
			}
			s.sorted = append(s.sorted, h)
		}
	}
	d.flags(&n.sightings.public.both, &n.sightings.private.both)
	if len(n.encodeSightings()) == 0 {
		d.failf("no sightings")
	}
}

const numLegSets = 4

// sets returns the sets of addresses; their places are part of the schema.
func (l *gatewayLegs) sets() *[numLegSets]*addressSet {
	return &[numLegSets]*addressSet{&l.own, &l.hidden, &l.shown, &l.bare}
}

// legSetLimits are the bounds of the sets.
var legSetLimits = [numLegSets]int{maxOwnAddresses, maxPrivateEnds, maxPrivateEnds, maxPrivateEnds}

// writeLegs reports what has changed in a set of addresses: they are added one by one and removed all at once.
func (w *written) writeLegs(b *Batch, name []byte, set int, addresses addressSet) {
	prefix := append(slices.Clip(name), byte(set))
	known := w.legs[set]
	if len(known) == 0 && len(addresses) == 0 {
		return
	}
	for a := range known {
		if !addresses.has(a) {
			b.deletePrefix(legsBucket, prefix)
			known = nil
			w.legs[set] = nil
			break
		}
	}
	for a := range addresses {
		if known.has(a) {
			continue
		}
		e := encoder{b: slices.Clone(prefix)}
		e.addr(a)
		b.put(legsBucket, e.b, nil)
		w.legs[set].add(a, legSetLimits[set])
	}
}

func (n *netInterface) restoreLeg(k *decoder) {
	set := k.enum(numLegSets)
	a := k.addr()
	if k.err == nil {
		n.legs.sets()[set].add(a, legSetLimits[set])
		n.written.legs[set].add(a, legSetLimits[set])
	}
}

// Kinds of held rows.
const (
	heldRemote byte = iota
	heldClient
	numHeldKinds
)

// writeHeld reports which rows have come to wait, have become more, or wait no longer.
func (w *written) writeHeld(b *Batch, name []byte, h *heldRows) {
	if len(h.remotes)+len(h.clients) == 0 {
		if len(w.remotes)+len(w.clients) > 0 {
			b.deletePrefix(heldBucket, name)
		}
		w.remotes, w.clients = nil, nil
		return
	}
	w.remotes = writeHeldRows(b, name, w.remotes, h.remotes, encodeRemoteKey)
	w.clients = writeHeldRows(b, name, w.clients, h.clients, encodeClientKey)
}

func writeHeldRows[K comparable](b *Batch, name []byte, known map[K]uint64, rows map[K]Counts, encode func([]byte, K) []byte) map[K]uint64 {
	for key := range known {
		if _, ok := rows[key]; !ok {
			b.delete(heldBucket, encode(name, key))
			delete(known, key)
		}
	}
	if known == nil && len(rows) > 0 {
		known = make(map[K]uint64, len(rows))
	}
	for key, counts := range rows {
		if last, ok := known[key]; ok && last == counts.Records {
			continue
		}
		var value encoder
		value.counts(counts)
		b.put(heldBucket, encode(name, key), value.b)
		known[key] = counts.Records
	}
	return known
}

func encodeRemoteKey(name []byte, key remoteKey) []byte {
	e := encoder{b: bytes.Clone(name)}
	e.byte(heldRemote)
	e.uint(uint64(key.shape))
	e.addr(key.remote)
	e.text(key.service)
	return e.b
}

func encodeClientKey(name []byte, key clientKey) []byte {
	e := encoder{b: bytes.Clone(name)}
	e.byte(heldClient)
	e.uint(uint64(key.shape))
	e.addr(key.client)
	return e.b
}

// restoreHeld takes a row that waits.
func (a *Aggregator) restoreHeld(n *netInterface, k, v *decoder) {
	kind := k.enum(numHeldKinds)
	shape := k.uint()
	if shape > 1<<16-1 {
		k.failf("shape %d out of range", shape)
	}
	address, counts := k.addr(), v.counts()
	h := &n.held
	if kind == heldRemote {
		key := remoteKey{address, classifier.Shape(shape), k.text()}
		h.addRemote(key, counts)
		h.counts.add(counts)
		if n.written.remotes == nil {
			n.written.remotes = make(map[remoteKey]uint64)
		}
		n.written.remotes[key] = counts.Records
	} else {
		key := clientKey{address, classifier.Shape(shape)}
		h.addClient(key, counts)
		if n.written.clients == nil {
			n.written.clients = make(map[clientKey]uint64)
		}
		n.written.clients[key] = counts.Records
	}
	h.keys++
	a.heldKeys++
}
