package aggregator

import (
	"sync"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
)

// FindingKind says what a Finding is about.
type FindingKind uint8

// The kinds of findings.
const (
	// FindingGateway: an interface was recognised as a NAT gateway. Detail is the rule.
	FindingGateway FindingKind = iota
	// FindingPublicInterface: the own IPv4 address of an interface is a public one, so the traffic of its network counts as if it were the internet's. Detail
	// is the address.
	FindingPublicInterface
	// FindingOverlap: two flow logs cover one interface. Detail is the flow log that owns it, FlowLogID the other.
	FindingOverlap
	// FindingUnseenMiddlebox: clients of an account and region are behind a middlebox whose rows are not logged.
	FindingUnseenMiddlebox
	// FindingForgottenFiles: more files were committed than are remembered, so that the oldest are not known any more, should they be delivered again.
	FindingForgottenFiles
)

// A Finding is something about the logs that an operator should know once. Its texts are safe as labels.
type Finding struct {
	Kind              FindingKind
	AccountID, Region string
	Interface         string // Interface is a network interface's or a regional NAT gateway's id, the first one of many.
	FlowLogID         string
	Detail            string
}

// findings collects what has not been told yet. It is safe for concurrent use.
type findings struct {
	mu      sync.Mutex
	told    map[Finding]struct{}
	pending []Finding
}

// maxFindings bounds what is remembered as told; a log that brings more says the same over and over.
const maxFindings = 10_000

// add collects a finding unless it has been told. Kinds that concern many interfaces are told for the first one.
func (f *findings) add(finding Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := finding
	if key.Kind == FindingOverlap || key.Kind == FindingUnseenMiddlebox {
		key.Interface = ""
	}
	if _, told := f.told[key]; told || len(f.told) >= maxFindings {
		return
	}
	if f.told == nil {
		f.told = make(map[Finding]struct{})
	}
	f.told[key] = struct{}{}
	f.pending = append(f.pending, finding)
}

// TakeFindings returns what was found since the last call; each finding comes once.
func (a *Aggregator) TakeFindings() []Finding {
	f := &a.findings
	f.mu.Lock()
	defer f.mu.Unlock()
	pending := f.pending
	f.pending = nil
	return pending
}

func (a *Aggregator) found(kind FindingKind, n *netInterface, flowLogID, detail string) {
	a.findings.add(Finding{
		Kind: kind, AccountID: n.name.account, Region: n.name.region, Interface: n.label(), FlowLogID: idLabel(flowLogID), Detail: detail,
	})
}

// findPublicInterface reports an interface whose own IPv4 address is public: internal_cidrs lacks its network.
func (a *Aggregator) findPublicInterface(n *netInterface, networks *classifier.Networks) {
	if own, ok := n.own.v4.address(); ok && !n.publicOwn && !n.role.IsNAT() && !networks.Private(own) {
		n.publicOwn = true
		a.found(FindingPublicInterface, n, "", own.String())
	}
}
