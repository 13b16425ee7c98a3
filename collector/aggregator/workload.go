package aggregator

import (
	"maps"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// A Workload is what is known about the client of a NAT gateway at an address, from the rows of its own interface. What is missing is "", and all texts are safe
// as label values.
type Workload struct {
	InterfaceID, InstanceID, SubnetID, AZID string
	// AccountID is the interface's account if that is not the gateway's, as in a VPC that accounts share.
	AccountID string
	// ECSCluster and the names below are the interface's, and so that of its own address only: an address behind it, as a pod's, is something else.
	ECSCluster, ECSService      string
	ASGTag, ASGTag2             string
	InstanceTag, InstanceTag2   string
	InterfaceTag, InterfaceTag2 string
}

// workloads is the index of the interfaces by the addresses at which they are, by scope: VPC, or place where a format has no vpc-id. It holds nothing that the
// interfaces do not hold, so it is not written; what it says of an address is checked against the interface. Addresses take 35 to 55 bytes each, those
// behind an interface with what it remembers of them 65 to 90.
type workloads struct {
	scopes map[workloadScope]map[flowlog.Addr]*netInterface
	len    int
}

// workloadScope is a VPC, whoever owns the interfaces in it, or the place of interfaces whose VPC is not known.
type workloadScope struct {
	place place
	vpc   string
}

func scopeOf(p place, vpc string) workloadScope {
	if vpc != "" {
		return workloadScope{vpc: vpc}
	}
	return workloadScope{place: p}
}

func (n *netInterface) scope() workloadScope { return scopeOf(n.place(), n.attributes.vpcID) }

const (
	// The bound on the index. A workload beyond it is known by its address.
	maxWorkloads = 1_000_000
	// So many VPCs are looked through for a gateway whose own is not known.
	maxSearchedScopes = 64

	// An address is at the interface that has shown it last. Files come late, though, and packets pass through interfaces of others, so the one whose own address it
	// is beats others for some seconds, the more so if it is an instance or a task.
	ownLead         = 15 * 60
	ownWorkloadLead = 30 * 60
)

// tenure is how good the claim of an interface to an address is.
type tenure struct {
	score int64
	own   bool
}

// tenure returns the claim to an address, and false if the interface does not claim it. A regional NAT gateway has no private address, and the private ends of
// rows of other middleboxes are their clients.
func (n *netInterface) tenure(a flowlog.Addr) (tenure, bool) {
	if a.IsZero() || n.nameless() || n.passesOthers() {
		return tenure{}, false
	}
	if n.hasOwn(a) {
		lead := int64(ownLead)
		if n.isWorkload() {
			lead = ownWorkloadLead
		}
		return tenure{n.life.last + lead, true}, true
	}
	at, ok := n.residents[a]
	return tenure{at, n.own.mayBe(a)}, ok
}

// hasOwn says whether an address is known to be the interface's own.
func (n *netInterface) hasOwn(a flowlog.Addr) bool {
	if n.role.IsNAT() && n.legs.own.has(a) {
		return true
	}
	own, known := n.own.of(a).address()
	return known && own == a && (!n.role.IsNAT() || a.Is4())
}

// passesOthers says whether the interface is known to be one whose rows name others only.
func (n *netInterface) passesOthers() bool {
	switch n.evidence.interfaceType {
	case flowlog.InterfaceTransitGateway, flowlog.InterfaceVPCEndpoint, flowlog.InterfaceNetworkLoadBalancer:
		return true
	default:
		return n.role == classifier.RoleRegionalNAT
	}
}

// claimed yields the addresses that the interface may claim.
func (n *netInterface) claimed(yield func(flowlog.Addr) bool) {
	for _, c := range [...]*candidates{&n.own.v4, &n.own.v6} {
		if a, known := c.address(); known && !yield(a) {
			return
		}
	}
	if n.role.IsNAT() {
		for a := range n.legs.own {
			if !yield(a) {
				return
			}
		}
	}
	for a := range n.residents {
		if !yield(a) {
			return
		}
	}
}

// settleWorkload brings the index up to date after rows of an interface. Whose claim is best does not depend on the order of files: claims are compared by time. An
// interface forgets the addresses behind it that it does not get or keep, so that all interfaces together remember no more than the index holds.
func (a *Aggregator) settleWorkload(n *netInterface) {
	w, scope := &a.workloads, n.scope()
	for address := range n.claimed {
		if n.hasOwn(address) {
			delete(n.residents, address)
		}
		claim, ok := n.tenure(address)
		holder, held := w.scopes[scope][address]
		switch {
		case ok && holder == n:
		case ok && !held && w.len < maxWorkloads:
			w.put(scope, address, n)
		case ok && held && holder.loses(scope, address, claim, n):
			w.scopes[scope][address] = n
			if holder.scope() == scope {
				delete(holder.residents, address)
				a.touch(holder)
			}
		default:
			delete(n.residents, address)
		}
	}
}

func (w *workloads) put(scope workloadScope, a flowlog.Addr, n *netInterface) {
	if w.scopes == nil {
		w.scopes = make(map[workloadScope]map[flowlog.Addr]*netInterface)
	}
	at := w.scopes[scope]
	if at == nil {
		at = make(map[flowlog.Addr]*netInterface)
		w.scopes[scope] = at
	}
	at[a] = n
	w.len++
}

// loses says whether another interface's claim to an address is better.
func (n *netInterface) loses(scope workloadScope, a flowlog.Addr, claim tenure, other *netInterface) bool {
	own, ok := n.tenure(a)
	switch {
	case !ok || n.scope() != scope || n.forgotten:
		return true
	case own.score != claim.score:
		return own.score < claim.score
	default:
		return compareNames(other.name, n.name) < 0
	}
}

// find returns who has the best claim to an address in a scope.
func (w *workloads) find(scope workloadScope, a flowlog.Addr) (n *netInterface, own, ok bool) {
	n, ok = w.scopes[scope][a]
	if !ok || n.forgotten || n.scope() != scope {
		return nil, false, false
	}
	claim, ok := n.tenure(a)
	return n, claim.own, ok
}

// search looks for an address in the VPCs of a place, for a gateway whose own VPC is not known. Two that have it are none.
func (w *workloads) search(p place, a flowlog.Addr) (found *netInterface, own, ok bool) {
	if len(w.scopes) > maxSearchedScopes {
		return nil, false, false
	}
	for scope := range w.scopes {
		n, isOwn, claimed := w.find(scope, a)
		if !claimed || scope.vpc == "" || n.place() != p {
			continue
		}
		if ok {
			return nil, false, false
		}
		found, own, ok = n, isOwn, true
	}
	return found, own, ok
}

// prune drops what no interface claims any more.
func (w *workloads) prune() {
	for scope, at := range w.scopes {
		before := len(at)
		maps.DeleteFunc(at, func(a flowlog.Addr, _ *netInterface) bool {
			_, _, ok := w.find(scope, a)
			return !ok
		})
		w.len -= before - len(at)
		if len(at) == 0 {
			delete(w.scopes, scope)
		}
	}
}

// workload returns what is at a private address that a NAT gateway has named as its client, given the gateway's VPC ("" where its format has none) and its place.
// A client whose own interface is not logged, or not yet, is not known. The aggregator must be locked.
func (a *Aggregator) workload(vpc string, p place, address flowlog.Addr) (Workload, bool) {
	w := &a.workloads
	n, own, ok := w.find(scopeOf(p, vpc), address)
	switch {
	case ok:
	case vpc != "":
		// The format of the client's flow log may have no vpc-id.
		n, own, ok = w.find(scopeOf(p, ""), address)
	default:
		n, own, ok = w.search(p, address)
	}
	if !ok {
		return Workload{}, false
	}
	return n.workload(p, own), true
}

// workload describes an address at the interface, its own or another one.
func (n *netInterface) workload(p place, own bool) Workload {
	w := Workload{
		InterfaceID: infoLabel(n.name.id), InstanceID: infoLabel(n.attributes.instanceID), SubnetID: infoLabel(n.attributes.subnetID),
		AZID: infoLabel(n.attributes.azID),
	}
	if n.name.account != p.account {
		w.AccountID = n.name.account
	}
	if own {
		w.ECSCluster, w.ECSService = n.called(flowlog.NameECSCluster), n.called(flowlog.NameECSService)
		w.ASGTag, w.ASGTag2 = n.called(flowlog.NameASGTag), n.called(flowlog.NameASGTag2)
		w.InstanceTag, w.InstanceTag2 = n.called(flowlog.NameInstanceTag), n.called(flowlog.NameInstanceTag2)
		w.InterfaceTag, w.InterfaceTag2 = n.called(flowlog.NameInterfaceTag), n.called(flowlog.NameInterfaceTag2)
	}
	return w
}
