package aggregator

import (
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
)

// A verdict is what rows of a shape at an interface have been counted as by one settling.
type verdict struct {
	netInterface *netInterface
	shape        classifier.Shape
	class        classifier.Class
	decided      bool // decided: some rows do not wait.
	// apart: not all rows are of one class, so that only those who know a row's remote know its class.
	apart    bool
	counted  []countedRows
	ofClient uint64 // ofClient are the bytes of the clients that may be sources.
}

// countedRows are the rows of a verdict that were counted under one posting.
type countedRows struct {
	service  string // service is that of their key.
	posting  posting
	nameless bool // nameless: their key has no remote.
	bytes    uint64
}

func (v *verdict) decide(class classifier.Class) {
	v.apart = v.apart || v.decided && (class.Disposition != v.class.Disposition || class.Direction != v.class.Direction || class.Path != v.class.Path)
	v.class, v.decided = class, true
}

// add notes that rows of a key were counted. Those of one key are counted once.
func (v *verdict) add(key remoteKey, p posting, bytes uint64) {
	for i := range v.counted {
		if c := &v.counted[i]; c.service == key.service && c.nameless == key.remote.IsZero() && c.posting == p {
			c.bytes += bytes
			return
		}
	}
	v.counted = append(v.counted, countedRows{key.service, p, key.remote.IsZero(), bytes})
}

// verdicts are those of one commit, in the order in which they were given.
type verdicts struct {
	all   []verdict
	first int // first is where the ones of the settling in progress begin.
	keep  bool
}

// begin starts a settling.
func (v *verdicts) begin() {
	v.first = len(v.all)
}

// of returns the verdict on a shape in the settling in progress.
func (v *verdicts) of(n *netInterface, s classifier.Shape) *verdict {
	if found := v.find(s); found != nil {
		return found
	}
	if len(v.all) < cap(v.all) {
		// The memory of an earlier one.
		v.all = v.all[:len(v.all)+1]
		last := &v.all[len(v.all)-1]
		*last = verdict{netInterface: n, shape: s, counted: last.counted[:0]}
		return last
	}
	v.all = append(v.all, verdict{netInterface: n, shape: s})
	return &v.all[len(v.all)-1]
}

func (v *verdicts) find(s classifier.Shape) *verdict {
	current := v.all[v.first:]
	for i := range current {
		if current[i].shape == s {
			return &current[i]
		}
	}
	return nil
}

// end ends a settling. What nobody will ask for is forgotten.
func (v *verdicts) end() {
	if !v.keep {
		v.all = v.all[:v.first]
	}
}

// clear forgets all verdicts, and keeps those of the commit that begins.
func (v *verdicts) clear(keep bool) {
	v.all, v.keep = v.all[:0], keep
}

// forwarded returns the posting of all rows that a NAT gateway forwarded in a direction, and their bytes, if there is only one gateway and price.
func (v *verdict) forwarded(d classifier.Direction) (p *posting, bytes uint64, ok bool) {
	for i := range v.counted {
		c := &v.counted[i]
		if c.posting.gateway == "" || c.posting.bytes.Direction != d {
			continue
		}
		if c.posting.limited || p != nil && (c.posting.gateway != p.gateway || c.posting.price != p.price || c.posting.priced != p.priced) {
			return nil, 0, false
		}
		p = &c.posting
		bytes = sum(bytes, c.bytes)
	}
	return p, bytes, p != nil
}
