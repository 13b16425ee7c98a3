package aggregator

import (
	"maps"
	"slices"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// settle counts the rows of an interface that can be classified and holds the others.
func (a *Aggregator) settle(n *netInterface) {
	a.touch(n)
	facts := a.facts(n)
	h := &n.held
	h.counts = Counts{}
	a.verdicts.begin()
	now := a.now()
	folded := make(map[remoteKey]Counts)
	for key, counts := range h.remotes {
		keyFacts := withKey(facts, n, key)
		class := classifier.Classify(keyFacts, key.shape)
		switch {
		case class.Disposition != classifier.Held:
			if classifier.WaitedFor(keyFacts, key.shape) {
				n.leftOpen = max(n.leftOpen, h.span.last)
			}
			a.count(n, key, class, counts, now)
			delete(h.remotes, key)
		case foldable(key) && a.classes == nil:
			sum := folded[unnamed(key)]
			sum.add(counts)
			folded[unnamed(key)] = sum
			delete(h.remotes, key)
			h.counts.add(counts)
			a.verdicts.of(n, key.shape).apart = true
		default:
			h.counts.add(counts)
			a.verdicts.of(n, key.shape).apart = true
		}
	}
	a.countSources(n, now)
	a.verdicts.end()
	for key, counts := range folded {
		h.addRemote(key, counts)
	}
	h.under = facts
	a.hold(n)
}

// count counts rows of one key.
func (a *Aggregator) count(n *netInterface, key remoteKey, class classifier.Class, c Counts, now time.Time) {
	if class.Path == classifier.PathUnseenMiddlebox {
		a.unseen = true
		a.found(FindingUnseenMiddlebox, n, "", "")
	}
	if a.classes != nil {
		a.classes[classKey{n.name, key.remote, key.shape}] = n.explained(class)
	}
	a.totals.dispositions[class.Disposition].add(c)
	v := a.verdicts.of(n, key.shape)
	v.decide(class)
	if class.Disposition != classifier.Counted {
		return
	}
	p := a.totals.count(n, key, class, c, a.prices, now)
	a.findRemedy(&p)
	a.attribute(n, key, class, &p, c.Bytes, now)
	v.add(key, p, c.Bytes)
}

// foldable says whether held rows may lose their remote: it was evidence only, and where they are counted at last, it is among the others.
func foldable(key remoteKey) bool {
	return key.shape.OneEndPrivate() && !key.shape.InnerLeg()
}

func unnamed(key remoteKey) remoteKey {
	key.remote = flowlog.Addr{}
	return key
}

// withKey adds to the facts what they say about one key. All rows of an interface carry its own address, so of an untranslated row one end is it. A NAT gateway
// has several, but clients send to the primary one only.
func withKey(f classifier.Facts, n *netInterface, key remoteKey) classifier.Facts {
	f.RemoteOwn, f.OwnKnown = n.isOwn(key.remote)
	f.ClientOwn = f.OwnKnown && !f.RemoteOwn && !key.shape.Translated() && (n.legs.primary || !n.role.IsNAT())
	f.RemoteSeen = n.legs.bare.has(key.remote) || n.legs.shown.has(key.remote) || len(n.legs.hidden) >= maxPrivateEnds
	return f
}

// hold keeps what is left of an interface's rows waiting, or forgets the tables if nothing is.
func (a *Aggregator) hold(n *netInterface) {
	h := &n.held
	if len(h.remotes) == 0 {
		h.remotes, h.clients, h.span, h.waiting = nil, nil, span{}, false
		delete(a.waiting, n)
	} else if !h.waiting {
		h.waiting, h.since = true, a.clock(n.place())
		a.waiting[n] = struct{}{}
	}
	keys := len(h.remotes) + len(h.clients)
	a.heldKeys += keys - h.keys
	h.keys = keys
}

// settleWaiting counts what others have taught enough about, releases what has waited too long, and holds the bound on memory.
func (a *Aggregator) settleWaiting() {
	a.endWaits(func(n *netInterface) bool { return a.clock(n.place()) >= n.held.since+holdSeconds })
	for n := range a.waiting {
		if a.facts(n) != n.held.under {
			a.settle(n)
		}
	}
	a.boundHeld()
}

// boundHeld holds the bound on the keys of held rows: it releases the interfaces with most of them. It makes some room too, since to look for them takes as long as
// there are interfaces that wait.
func (a *Aggregator) boundHeld() {
	if a.heldKeys <= a.config.HeldKeys {
		return
	}
	largest := slices.SortedFunc(maps.Keys(a.waiting), func(m, n *netInterface) int { return n.held.keys - m.held.keys })
	for _, n := range largest {
		if a.heldKeys <= a.config.HeldKeys-a.config.HeldKeys/10 {
			return
		}
		a.release(n)
	}
}

// endWaits releases the interfaces whose wait is over. What only the end of a wait tells about one of them may concern the others, and comes first.
func (a *Aggregator) endWaits(over func(*netInterface) bool) {
	for n := range a.waiting {
		if over(n) && n.forwardsThroughSecondary() {
			n.sightings.public.both = true
			a.learn(n)
		}
	}
	for n := range a.waiting {
		if over(n) {
			a.release(n)
		}
	}
}

// release ends the wait of an interface's rows. What a gateway still waits for is a single remote, and the next one waits anew.
func (a *Aggregator) release(n *netInterface) {
	n.released = true
	a.settle(n)
	if n.role.IsNAT() {
		n.released = false
	} else if !n.observes() {
		n.sightings = sightings{}
	}
}

// Finish ends all waits, as at the end of a range of files that is read as a whole.
func (a *Aggregator) Finish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tops.begin(a.now())
	a.endWaits(func(*netInterface) bool { return true })
	// An error is that of the journal, which Err and Failed tell.
	_ = a.persist(nil)
}
