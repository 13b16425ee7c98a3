package aggregator

import (
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// Remedies knows what would take traffic with an AWS service in the same region off a NAT gateway. It must be safe for concurrent use and quick.
type Remedies interface {
	// Remedy returns the remedy, as a label, and the price that each GB would cost less, for a gateway of an account and region with a price; ok is false if nothing is known to be
	// cheaper for certain.
	Remedy(account, region, awsService string, nat Price) (remedy string, saving Price, ok bool)
}

// AvoidableLabels are the labels of vpcflow_avoidable_cost_usd_total.
type AvoidableLabels struct {
	Region, Remedy, AWSService string
}

// findRemedy notes what would make forwarded rows cheaper, if their remote is in the gateway's region.
func (a *Aggregator) findRemedy(p *posting) {
	if a.config.Remedies == nil || !p.priced || p.limited {
		return
	}
	if remedy, saving, ok := a.config.Remedies.Remedy(p.bytes.AccountID, p.bytes.Region, p.bytes.AWSService, p.price); ok {
		p.remedy, p.saving = remedy, saving
	}
}

// countAvoidable counts what a remedy would have saved on rows with a remote. Where a remote is, only a table of AWS's addresses tells: without one, or outside of it, nothing is
// claimed.
func (a *Aggregator) countAvoidable(p *posting, remote flowlog.Addr, bytes uint64, now time.Time) {
	if p.remedy == "" || a.table == nil || remote.IsZero() || a.table.Region(remote) != p.bytes.Region {
		return
	}
	labels := AvoidableLabels{p.bytes.Region, p.remedy, p.bytes.AWSService}
	saved, _ := admit(&a.totals, &a.totals.avoidable, "vpcflow_avoidable_cost_usd_total", labels, AvoidableLabels{otherLabel, p.remedy, otherLabel}, now)
	saved.add(bytes, p.saving, true)
}
