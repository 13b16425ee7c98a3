package main

import (
	"net/netip"

	"github.com/vpcflow/vpcflow_exporter/collector"
	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/enrich"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// services returns AWS's address ranges as they are now, for flow logs that do not name services; nil if they are not loaded.
func (a *app) services() aggregator.Services {
	ranges := a.enricher.Ranges()
	if ranges == nil {
		return nil
	}
	return rangesServices{ranges}
}

// rangesServices are AWS's address ranges as the aggregator asks for them.
type rangesServices struct{ ranges *enrich.Ranges }

func (s rangesServices) Service(remote flowlog.Addr) string {
	service, _, _ := s.ranges.Lookup(remote.Hi, remote.Lo)
	return service
}

// names are the enricher's answers as the collector shows them.
type names struct{ enricher *enrich.Enricher }

func (n names) Lookup(addr netip.Addr) (collector.Info, bool) {
	info, final := n.enricher.Lookup(addr)
	return collector.Info{ASN: info.ASN, ASName: info.ASName, Country: info.Country, AWSRegion: info.AWSRegion, Network: info.Network}, final
}

func (n names) Network(addr netip.Addr) string {
	a := flowlog.AddrFrom(addr)
	name, _ := n.enricher.Networks().Lookup(a.Hi, a.Lo)
	return name
}

// network returns the operator's name for the network of an address.
func (a *app) network(addr flowlog.Addr) string {
	name, _ := a.enricher.Networks().Lookup(addr.Hi, addr.Lo)
	return name
}
