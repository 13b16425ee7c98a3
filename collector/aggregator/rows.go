package aggregator

import "github.com/vpcflow/vpcflow_exporter/collector/classifier"

// countRows gives the rows of a file that the totals have without their remotes, because their class does not depend on them, to these remotes, and forwarded rows to
// their pairs.
func (a *Aggregator) countRows(d *Delta, parts []part, plans []groupPlan) {
	now := a.now()
	groups := a.attributions(d, parts, plans)
	for row := range d.remotes.all {
		if p := groups[row.group-1].remotes; p != nil {
			a.countDestination(p, row.address, row.counts.Bytes, now)
		}
	}
	for i := range d.pairs.slots {
		slot := &d.pairs.slots[i]
		if slot.remote == 0 {
			continue
		}
		group, remote := d.remotes.split(slot.remote)
		if p := groups[group-1].pairs; p != nil {
			_, client := d.clients.split(slot.client)
			a.countPair(parts[d.groups[group-1].iface].netInterface, p, client, remote, slot.bytes, now)
		}
	}
}

// An attribution says where the rows of a group were counted, as far as they are still to be given to their remotes and pairs.
type attribution struct {
	remotes, pairs *posting
}

// shapeAt is a shape at an interface.
type shapeAt struct {
	netInterface *netInterface
	shape        classifier.Shape
}

func (a *Aggregator) attributions(d *Delta, parts []part, plans []groupPlan) []attribution {
	verdicts := make(map[shapeAt][]*verdict, len(a.verdicts.all))
	for i := range a.verdicts.all {
		v := &a.verdicts.all[i]
		at := shapeAt{v.netInterface, v.shape}
		verdicts[at] = append(verdicts[at], v)
	}
	groups := make([]attribution, len(d.groups))
	for g := range groups {
		group := &d.groups[g]
		p := parts[group.iface]
		if p.overlaps {
			continue
		}
		on := verdicts[shapeAt{p.netInterface, group.shape}]
		service := d.services[group.service]
		if !plans[g].keyed {
			groups[g].remotes = postingOf(on, service, true)
			if q := groups[g].remotes; q != nil && !namesRemote(p.role, group.shape, q.bytes.Direction) {
				groups[g].remotes = nil
			}
		}
		if group.pairs {
			groups[g].pairs = pairPosting(on, service, p.role, group.shape)
		}
	}
	return groups
}

// postingOf returns the only posting of the rows of a service that are to be given to somebody, those without remotes alone if nameless, or nil.
func postingOf(verdicts []*verdict, service string, nameless bool) *posting {
	var found *posting
	for _, v := range verdicts {
		for i := range v.counted {
			c := &v.counted[i]
			switch {
			case c.service != service, nameless && !c.nameless:
			case c.posting.limited, found != nil && *found != c.posting:
				return nil
			default:
				found = &c.posting
			}
		}
	}
	return found
}

// pairPosting returns the posting of forwarded rows, if all rows of their shape have one class, and name client and remote.
func pairPosting(verdicts []*verdict, service string, role classifier.Role, s classifier.Shape) *posting {
	for _, v := range verdicts {
		if v.apart || v.class != verdicts[0].class {
			return nil
		}
	}
	p := postingOf(verdicts, service, false)
	if p == nil || p.gateway == "" || !namesRemote(role, s, p.bytes.Direction) {
		return nil
	}
	return p
}
