package aggregator

import (
	"cmp"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// An Explanation is what one record was taken for.
type Explanation struct {
	Class     classifier.Class
	Interface string // Interface is the id of the interface or regional NAT gateway, "unknown" without one.
	// Gateway and RecognisedBy are set if the interface is a NAT gateway.
	Gateway, RecognisedBy string
	// Client and Remote are the ends as the class sees them; zero for rows without traffic.
	Client, Remote flowlog.Addr
	Service        string
}

// classKey is what all rows of one class have in common. Rows that have waited may have lost their remote.
type classKey struct {
	name   interfaceName
	remote flowlog.Addr
	shape  classifier.Shape
}

// explainedClass is a class and the gateway that the interface was at the time.
type explainedClass struct {
	class                 classifier.Class
	gateway, recognisedBy string
}

func (n *netInterface) explained(class classifier.Class) explainedClass {
	if !n.role.IsNAT() {
		return explainedClass{class: class}
	}
	return explainedClass{class, n.label(), n.recognisedBy}
}

// Explain says what a record of a committed file was taken for. It means something only with Config.Explain, and after Finish, when nothing waits any more.
func (a *Aggregator) Explain(file File, networks *classifier.Networks, r *flowlog.Record) Explanation {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := NewDelta(networks, 1)
	n := a.interfaceNamed(file, d.interfaces[d.interfaceOf(r)].name)
	now := n.explained(classifier.Class{})
	e := Explanation{Interface: n.label(), Gateway: now.gateway, RecognisedBy: now.recognisedBy}
	switch r.Status {
	case flowlog.StatusNoData:
		e.Class = classifier.Class{Disposition: classifier.NoData, Rule: classifier.RuleNoTraffic}
		return e
	case flowlog.StatusSkipData:
		e.Class = classifier.Class{Disposition: classifier.SkipData, Rule: classifier.RuleLost}
		return e
	case flowlog.StatusOK:
	}
	var o classifier.Observation
	networks.Read(r, &o)
	e.Client, e.Remote = o.Ends.Client, o.Ends.Remote
	e.Service = cmp.Or(d.services[d.service(r, &o)], unknownLabel)
	switch {
	case r.Rejected:
		e.Class = classifier.Class{Disposition: classifier.Rejected, Rule: classifier.RuleRejected}
	case a.isCopy(file, n):
		e.Class = classifier.Class{Disposition: classifier.OverlappingFlowLog, Rule: classifier.RuleOverlaps}
	default:
		then, ok := a.classes[classKey{n.name, o.Ends.Remote, o.Shape}]
		if !ok {
			then = a.classes[classKey{n.name, flowlog.Addr{}, o.Shape}]
		}
		e.Class, e.Gateway, e.RecognisedBy = then.class, then.gateway, then.recognisedBy
		e.nameEnds(o.Shape)
	}
	return e
}

// nameEnds corrects the ends of a gateway's legs in a format without pkt-addresses: both name the client and the gateway, and none the remote.
func (e *Explanation) nameEnds(s classifier.Shape) {
	if s.HasPkt() || !s.Private() {
		return
	}
	switch e.Class.Rule { //nolint:exhaustive // All others name their ends rightly.
	case classifier.RuleLegA:
		e.Remote = flowlog.Addr{}
	case classifier.RuleLegD:
		e.Client, e.Remote = e.Remote, flowlog.Addr{}
	}
}

// copyKey is what a file has of one interface.
type copyKey struct {
	identity string
	name     interfaceName
}

// isCopy says whether what a file has of an interface was a copy, because another flow log owned the interface.
func (a *Aggregator) isCopy(file File, n *netInterface) bool {
	_, ok := a.copies[copyKey{file.Identity, n.name}]
	return ok
}
