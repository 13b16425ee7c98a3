package collector

import (
	"net/netip"
	"strings"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
)

// Info is what is known of an address besides its numbers. An empty field is not known.
type Info struct {
	ASN, ASName string // The autonomous system, as AS15169, and its organisation.
	Country     string // Two letters, ISO 3166-1 alpha-2.
	AWSRegion   string // As AWS writes it.
	Network     string // The operator's name for the network.
}

// Names knows what addresses are called. It must be safe for concurrent use and quick, since a scrape asks it for every address that has series of its own.
type Names interface {
	// Lookup returns what is known of an address, and whether that is all that will be. An answer that is final may be replaced by another final one, never be taken back.
	Lookup(addr netip.Addr) (info Info, final bool)
	// Network returns the operator's name for the network of an address, "" if there is none. It is known at once.
	Network(addr netip.Addr) string
}

// SourceNetwork returns the label network of a source: the operator's name for the network that the address is in, "" for a source that is no address.
func SourceNetwork(names Names, source aggregator.End) string {
	if source.Address.IsZero() {
		return ""
	}
	return printable(names.Network(source.Address.Netip()))
}

func (c *Collector) describeInfo() {
	c.destinationInfo = c.gauge("destination_info",
		"What is known of a destination that has series of its own: autonomous system, country, AWS region, network name. Appears once the answer is final, found or not. Always 1; take the maximum over replicas.",
		"destination", "asn", "as_name", "country", "aws_region", "network")
}

// collectInfo describes each destination of the page once, whatever series it has, so that no join finds two. One whose answer is not final yet is left out, since
// another answer would be another series.
func (c *Collector) collectInfo(e emitter, s *aggregator.Snapshot) {
	if c.names == nil {
		return
	}
	described := make(map[string]struct{})
	describe := func(destination aggregator.End) {
		label := destination.Label()
		if _, ok := described[label]; ok {
			return
		}
		described[label] = struct{}{}
		var info Info
		if !destination.Address.IsZero() {
			var final bool
			if info, final = c.names.Lookup(destination.Address.Netip()); !final {
				return
			}
		}
		e.gauge(c.destinationInfo, 1, label, printable(info.ASN), printable(info.ASName), printable(info.Country), printable(info.AWSRegion), printable(info.Network))
	}
	for m := range s.Destinations() {
		describe(m.Labels.Destination)
	}
	for m := range s.DestinationCosts() {
		describe(m.Labels.Destination)
	}
	for m := range s.Pairs() {
		describe(m.Labels.Destination)
	}
}

// printable makes foreign text a label value that no page is refused for.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029 {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(text, "_"))
}
