package aggregator

import (
	"maps"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// sourceNames knows what clients of NAT gateways are called.
type sourceNames struct {
	known     map[clientOf]namedClient // known are the clients of the commit in progress.
	described map[source]Workload      // described are the workloads of sources that may be on the page.
}

// A clientOf is an address as the client of one gateway.
type clientOf struct {
	gateway *netInterface
	address flowlog.Addr
}

type namedClient struct {
	end      End
	workload Workload
}

// source returns what a client of a gateway is counted as: by the first kind of the configured order that it has.
func (a *Aggregator) source(n *netInterface, client flowlog.Addr) namedClient {
	key := clientOf{n, client}
	if known, ok := a.sources.known[key]; ok {
		return known
	}
	c := namedClient{end: End{Address: client}}
	// A client's view is of its own interface, whose workload is there under its address too.
	c.workload, _ = a.workload(n.attributes.vpcID, n.place(), client)
	network := ""
	if a.config.Network != nil {
		network = a.config.Network(client)
	}
	// The address is not made into text for each client.
	const bare = "-"
	if name := sourceKey(a.config.Top.SourceKey, c.workload, network, bare); name != bare {
		c.end = End{Name: name}
	}
	if a.sources.known == nil {
		a.sources.known = make(map[clientOf]namedClient)
	}
	a.sources.known[key] = c
	return c
}

// describe remembers the workload of a source that may be on the page. Of one with a name it is what all clients of that name have in common.
func (s *sourceNames) describe(id source, w Workload) {
	if before, ok := s.described[id]; ok && id.end.Name != "" {
		w = before.common(w)
	}
	if s.described == nil {
		s.described = make(map[source]Workload)
	}
	s.described[id] = w
}

// texts are the fields of a workload.
func (w *Workload) texts() []*string {
	return []*string{
		&w.InterfaceID, &w.InstanceID, &w.SubnetID, &w.AZID, &w.AccountID, &w.ECSCluster, &w.ECSService, &w.ASGTag, &w.ASGTag2, &w.InstanceTag, &w.InstanceTag2,
		&w.InterfaceTag, &w.InterfaceTag2,
	}
}

// common returns what two workloads have in common.
func (w Workload) common(other Workload) Workload {
	theirs := other.texts()
	for i, text := range w.texts() {
		if *text != *theirs[i] {
			*text = ""
		}
	}
	return w
}

// maxUnshown is how many descriptions of sources are kept that are on no page.
const maxUnshown = 10_000

// sourceInfo returns the workloads of the sources on the page, as far as they are known, and forgets others that are too many.
func (a *Aggregator) sourceInfo() map[SourceCostLabels]Workload {
	described := a.sources.described
	shown := make(map[SourceCostLabels]Workload)
	show := func(id source) {
		if w, ok := described[id]; ok {
			shown[SourceCostLabels{id.gateway, id.end}] = w
		}
	}
	for identity := range a.tops.sources.Identities() {
		show(identity.Key)
	}
	for identity := range a.tops.pairs.Identities() {
		show(source{identity.Key.gateway, identity.Key.source})
	}
	if len(described) > len(shown)+maxUnshown {
		maps.DeleteFunc(described, func(id source, _ Workload) bool {
			_, ok := shown[SourceCostLabels{id.gateway, id.end}]
			return !ok
		})
	}
	return shown
}
