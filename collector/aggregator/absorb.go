package aggregator

import (
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
)

// absorb brings a delta's interfaces up to date and gives them its rows. It returns the interfaces, and where the rows of each group have gone.
func (a *Aggregator) absorb(file File, d *Delta) (touched map[*netInterface]struct{}, parts []part, plans []groupPlan) {
	d.flush()
	touched = make(map[*netInterface]struct{}, len(d.interfaces))
	parts = make([]part, len(d.interfaces))
	for i := range d.interfaces {
		in := &d.interfaces[i]
		n := a.interfaceNamed(file, in.name)
		in.last = a.recordEnd(file, in.last)
		in.believe()
		n.absorb(in)
		n.takeNames(in, &d.texts)
		n.waitAnew(in.last)
		a.tick(n.place(), in.last)
		a.totals.seen(n.place(), file.FlowLogID, in.last, a.now())
		parts[i] = part{netInterface: n, overlaps: a.overlaps(n, file, in)}
		if n.observes() {
			parts[i].shown = new(sightings)
			parts[i].shown.public.bare.merge(&in.bare)
		}
		if !parts[i].overlaps {
			n.held.span.add(span{in.first, in.last})
		}
		touched[n] = struct{}{}
		a.findPublicInterface(n, d.networks)
	}
	plans = a.absorbRemotes(d, parts)
	for row := range d.clients.all {
		group := d.clientGroups[row.group-1]
		p := parts[group.iface]
		if !row.address.IsZero() && p.isOwnEnd(group.shape) {
			p.addresses.add(row.address)
			if p.houses(group.shape) {
				p.addResident(row.address, d.interfaces[group.iface].last)
			}
		}
		if !p.overlaps {
			p.held.addClient(clientKey{row.address, group.shape}, *row.counts)
		}
	}
	return touched, parts, plans
}

// A part is what a file has of one interface.
type part struct {
	*netInterface
	overlaps bool       // overlaps: another flow log owns the interface at that time.
	shown    *sightings // shown is what the file shows of remotes, nil if that is no evidence.
}

// groupPlan is what is done with the rows of a group.
type groupPlan struct {
	// shown is what the file shows of the remotes of these rows and others like them, nil if that is no evidence, and known what all files have shown.
	shown, known *sighting
	sight        classifier.Sight
	keyed        bool   // keyed: the rows keep their remotes.
	sum          Counts // sum is over the rows that do not.
}

// absorbRemotes gives the interfaces their rows. Those of an overlapping flow log are no more than evidence.
func (a *Aggregator) absorbRemotes(d *Delta, parts []part) []groupPlan {
	plans := make([]groupPlan, len(d.groups))
	for g := range plans {
		plans[g] = parts[d.groups[g].iface].plan(d.groups[g].shape, a.classes != nil)
		plans[g].sum = d.groups[g].sum
	}
	for row := range d.remotes.all {
		plan := &plans[row.group-1]
		if plan.shown != nil && !row.address.IsZero() {
			plan.shown.add(plan.sight, row.address)
		}
		if plan.keyed {
			group := &d.groups[row.group-1]
			parts[group.iface].held.addRemote(remoteKey{row.address, group.shape, d.services[group.service]}, *row.counts)
		} else {
			plan.sum.add(*row.counts)
		}
	}
	for g, group := range d.groups {
		p := parts[group.iface]
		switch {
		case plans[g].sum == Counts{}:
		case p.overlaps:
			a.totals.dispositions[classifier.OverlappingFlowLog].add(plans[g].sum)
		default:
			p.held.addRemote(remoteKey{shape: group.shape, service: d.services[group.service]}, plans[g].sum)
		}
	}
	learnSightings(d, parts, plans)
	return plans
}

// plan says what to do with rows of a shape; they may be told to keep their remotes though nothing depends on them, but for an explanation.
func (p part) plan(s classifier.Shape, keep bool) groupPlan {
	plan := groupPlan{keyed: !p.overlaps && (keep || p.keepsRemotes(s))}
	if p.shown != nil && p.proves(s) {
		plan.sight, plan.shown, plan.known = s.Sight(), p.shown.of(s), p.sightings.of(s)
	}
	return plan
}

// learnSightings adds what the file has shown of remotes to what is known. It looks for a remote that was shown both ways among all of the file, whose samples may have dropped it:
// against those of the file alone first, so that what a file proves does not depend on the ones before it.
func learnSightings(d *Delta, parts []part, plans []groupPlan) {
	hidden := false
	for _, p := range parts {
		if p.shown != nil {
			p.sightings.merge(p.shown)
			hidden = hidden || p.sightings.hide()
		}
	}
	if !hidden {
		return
	}
	for row := range d.remotes.all {
		if plan := &plans[row.group-1]; plan.shown != nil && !plan.known.both && !row.address.IsZero() {
			plan.known.both = plan.shown.has(plan.sight, row.address) || plan.known.has(plan.sight, row.address)
		}
	}
}

// overlaps says whether another flow log owns an interface at the time of a file's rows. A file that does not name its flow log, and rows that do not name
// their interface, cannot be told from others.
func (a *Aggregator) overlaps(n *netInterface, file File, in *deltaInterface) bool {
	flowLogID := file.FlowLogID
	if flowLogID == "" || in.rows == 0 || n.nameless() {
		return false
	}
	owner := n.reigns.owner(flowLogID, in.columns, in.last)
	if owner == flowLogID {
		return false
	}
	if a.copies != nil {
		a.copies[copyKey{file.Identity, n.name}] = struct{}{}
	}
	a.found(FindingOverlap, n, flowLogID, idLabel(owner))
	return true
}

// recordEnd returns the newest end of an interface's records as far as it can be believed: never later than a little ahead of now. What cannot be, and a format
// without end, leave the time in the file's name, or now.
func (a *Aggregator) recordEnd(file File, end int64) int64 {
	now := a.now().Unix()
	switch {
	case end > 0 && end <= now+aheadSeconds:
		return end
	case !file.Time.IsZero():
		return min(file.Time.Unix(), now)
	default:
		return now
	}
}

// interfaceNamed finds an interface; what its records do not say of account and region the file's name does.
func (a *Aggregator) interfaceNamed(file File, name interfaceName) *netInterface {
	account, ok := accountLabel(name.account)
	if !ok {
		account, _ = accountLabel(file.AccountID)
	}
	if file.Region != "" {
		name.region = file.Region
	}
	name.account, name.region = account, idLabel(name.region)
	n, ok := a.interfaces[name]
	if !ok {
		// What is summed for all interfaces beyond the limit can never be decided.
		n = &netInterface{name: name, gateway: a.configured(name), released: name.id == otherLabel}
		a.interfaces[name] = n
	}
	return n
}

// configured returns the configuration's entry for an interface.
func (a *Aggregator) configured(name interfaceName) *Gateway {
	for i := range a.config.NATGateways {
		g := &a.config.NATGateways[i]
		if g.ENI == name.id || g.ID == name.id {
			return g
		}
	}
	return nil
}

// tick moves the clock of a place. One beyond the limit follows the others.
func (a *Aggregator) tick(p place, end int64) {
	if clock, known := a.clocks[p]; known || len(a.clocks) < maxClocks {
		a.clocks[p] = max(clock, end)
		if a.unwritten != nil && a.clocks[p] != clock {
			a.unwritten.clocks[p] = struct{}{}
		}
	}
	a.newest = max(a.newest, end)
}

// clock returns the record time of a place. One that has fallen silent must not keep its rows waiting for ever.
func (a *Aggregator) clock(p place) int64 { return max(a.clocks[p], a.newest-silentSeconds) }
