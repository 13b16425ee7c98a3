package aggregator

import (
	"iter"
	"strconv"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
)

// A Snapshot is the totals after some commit. It never changes, so any number of scrapes may read it at once; all of its numbers belong together.
type Snapshot struct {
	Started time.Time // Started is when counting began: the created timestamp of what has no series of its own.

	Dispositions      [classifier.NumDispositions]Counts // Dispositions without classifier.Held.
	Held              Counts                             // Held are the rows that wait for a decision.
	CommittedFiles    uint64
	CompressedBytes   uint64
	DecompressedBytes uint64
	DeltaFolds        uint64
	Gateways          []GatewayInfo
	// SourceInfo is what is known of sources on the page. It must not be changed.
	SourceInfo map[SourceCostLabels]Workload

	packets  view[PacketLabels, uint64]
	bytes    view[ByteLabels, uint64]
	nat      view[NATLabels, NATBytes]
	unpriced view[string, uint64]
	flowLogs view[FlowLogLabels, int64]
	places   view[PlaceLabels, int64]
	files    view[Result, uint64]
	errors   view[string, uint64]
	formats  view[FormatLabels, struct{}]
	limited  view[string, uint64]

	destinations     view[DestinationLabels, uint64]
	destinationCosts view[DestinationCostLabels, NATBytes]
	sources          view[SourceLabels, uint64]
	sourceCosts      view[SourceCostLabels, NATBytes]
	pairs            view[PairLabels, uint64]
}

// GatewayInfo is what is known about a NAT gateway.
type GatewayInfo struct {
	AccountID, Region, NATGateway string
	NATGatewayID, Name            string
	VPCID, SubnetID, AZID         string
	Kind, RecognisedBy            string
	FirstSeen, LastSeen           int64 // FirstSeen and LastSeen are Unix seconds, of rows of any kind.
}

// Packets yields vpcflow_packets_total.
func (s *Snapshot) Packets() iter.Seq[Series[PacketLabels, uint64]] { return s.packets.all }

// Bytes yields vpcflow_bytes_total.
func (s *Snapshot) Bytes() iter.Seq[Series[ByteLabels, uint64]] { return s.bytes.all }

// NAT yields vpcflow_nat_bytes_total with its cost.
func (s *Snapshot) NAT() iter.Seq[Series[NATLabels, NATBytes]] { return s.nat.all }

// Destinations yields vpcflow_destination_bytes_total.
func (s *Snapshot) Destinations() iter.Seq[Series[DestinationLabels, uint64]] {
	return s.destinations.all
}

// DestinationCosts yields vpcflow_destination_nat_cost_usd_total.
func (s *Snapshot) DestinationCosts() iter.Seq[Series[DestinationCostLabels, NATBytes]] {
	return s.destinationCosts.all
}

// Sources yields vpcflow_source_nat_bytes_total.
func (s *Snapshot) Sources() iter.Seq[Series[SourceLabels, uint64]] { return s.sources.all }

// SourceCosts yields vpcflow_source_nat_cost_usd_total.
func (s *Snapshot) SourceCosts() iter.Seq[Series[SourceCostLabels, NATBytes]] {
	return s.sourceCosts.all
}

// Pairs yields vpcflow_pair_nat_bytes_total.
func (s *Snapshot) Pairs() iter.Seq[Series[PairLabels, uint64]] { return s.pairs.all }

// Unpriced yields vpcflow_unpriced_bytes_total by region.
func (s *Snapshot) Unpriced() iter.Seq[Series[string, uint64]] { return s.unpriced.all }

// FlowLogs yields the newest record end by flow log, in Unix seconds.
func (s *Snapshot) FlowLogs() iter.Seq[Series[FlowLogLabels, int64]] { return s.flowLogs.all }

// Places yields the newest record end by account and region, in Unix seconds.
func (s *Snapshot) Places() iter.Seq[Series[PlaceLabels, int64]] { return s.places.all }

// Files yields vpcflow_files_total by result.
func (s *Snapshot) Files() iter.Seq[Series[Result, uint64]] { return s.files.all }

// FileErrors yields vpcflow_file_errors_total by reason.
func (s *Snapshot) FileErrors() iter.Seq[Series[string, uint64]] { return s.errors.all }

// Formats yields vpcflow_format_info.
func (s *Snapshot) Formats() iter.Seq[Series[FormatLabels, struct{}]] { return s.formats.all }

// Limited yields vpcflow_series_limited_total by metric.
func (s *Snapshot) Limited() iter.Seq[Series[string, uint64]] { return s.limited.all }

// Snapshot returns the totals as of the last commit. It takes no lock.
func (a *Aggregator) Snapshot() *Snapshot { return a.snapshot.Load() }

// publish makes the totals visible to scrapes.
func (a *Aggregator) publish() {
	t := &a.totals
	s := &Snapshot{
		Started:        t.started,
		Dispositions:   t.dispositions,
		CommittedFiles: t.committed, CompressedBytes: t.compressed, DecompressedBytes: t.inflated, DeltaFolds: t.foldings,
		packets: t.packets.snapshot(), bytes: t.bytes.snapshot(), nat: t.nat.snapshot(), unpriced: t.unpriced.snapshot(),
		flowLogs: t.flowLogs.snapshot(), places: t.places.snapshot(), files: t.files.snapshot(), errors: t.errors.snapshot(),
		formats: t.formats.snapshot(), limited: t.limited.snapshot(),
		destinations: t.destinations.snapshot(), destinationCosts: t.destinationCosts.snapshot(),
		sources: t.sources.snapshot(), sourceCosts: t.sourceCosts.snapshot(), pairs: t.pairs.snapshot(),
	}
	for n := range a.waiting {
		s.Held.add(n.held.counts)
	}
	s.Gateways = a.gatewayInfos()
	s.SourceInfo = a.sourceInfo()
	a.snapshot.Store(s)
	a.publishWatch()
}

// gatewayInfos describes the NAT gateways, one for each label set: gateways that the logs give no id of their own are one. More than limits.series allow
// are not described; what they forward is counted all the same.
func (a *Aggregator) gatewayInfos() []GatewayInfo {
	type labels struct{ account, region, gateway string }
	known := make(map[labels]int, len(a.gateways))
	var infos []GatewayInfo
	for _, n := range a.gateways {
		g := n.info()
		key := labels{g.AccountID, g.Region, g.NATGateway}
		i, ok := known[key]
		if !ok {
			if seriesPerGateway*len(infos)+a.totals.len() < a.totals.limit {
				known[key] = len(infos)
				infos = append(infos, g)
			}
			continue
		}
		first, last := min(infos[i].FirstSeen, g.FirstSeen), max(infos[i].LastSeen, g.LastSeen)
		if g.VPCID < infos[i].VPCID {
			infos[i] = g
		}
		infos[i].FirstSeen, infos[i].LastSeen = first, last
	}
	return infos
}

// seriesPerGateway are the info metric and the two timestamps.
const seriesPerGateway = 3

// info describes a NAT gateway.
func (n *netInterface) info() GatewayInfo {
	g := GatewayInfo{
		AccountID: n.name.account, Region: n.name.region, NATGateway: n.label(),
		VPCID: infoLabel(n.attributes.vpcID), SubnetID: infoLabel(n.attributes.subnetID), AZID: infoLabel(n.attributes.azID),
		Kind: n.kind(), RecognisedBy: n.recognisedBy, FirstSeen: n.life.first, LastSeen: n.life.last,
	}
	switch {
	case n.gateway != nil:
		g.NATGatewayID, g.Name = n.gateway.ID, n.gateway.Name
	case n.role == classifier.RoleRegionalNAT && g.NATGateway != unknownLabel:
		g.NATGatewayID = g.NATGateway
	}
	return g
}

func (n *netInterface) kind() string {
	switch {
	case n.role == classifier.RoleRegionalNAT:
		return "regional"
	case n.role == classifier.RoleNATInstance:
		return "instance"
	case !n.legs.public && n.legs.private:
		return "private"
	default:
		return "zonal"
	}
}

func versionLabel(v int) string { return strconv.Itoa(v) }
