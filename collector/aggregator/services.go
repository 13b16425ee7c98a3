package aggregator

import "github.com/vpcflow/vpcflow_exporter/collector/flowlog"

// Services knows the AWS services of addresses, for flow logs that do not name them. It must be immutable, safe for concurrent use and quick: it is asked once for each
// remote of a file, by the worker that has read it, and never for a record.
type Services interface {
	// Service returns the service that an address belongs to, as flow logs write it, or "" if it is none of AWS's.
	Service(remote flowlog.Addr) string
	// Region returns the region of an address of AWS's, or "" if none is known.
	Region(remote flowlog.Addr) string
}

// readTable takes the table as it is now, for the rows of a commit.
func (a *Aggregator) readTable() {
	a.table = nil
	if a.config.Services != nil {
		a.table = a.config.Services()
	}
}

// resolve gives the remotes of rows whose format does not name the remote's service the service that the delta's table knows: it moves each of them to the group of rows with
// that service, so that everything else sees rows like those of a format that does. Nothing is added to
// the delta afterwards: its tables still hold all keys, but not in the places where they are looked for.
func (d *Delta) resolve() {
	if d.table == nil {
		return
	}
	d.flush()
	open := false
	for g := range d.groups {
		open = d.resolveGroup(&d.groups[g]) || open
	}
	if !open {
		return
	}
	for i := range d.remotes.slots {
		if slot := &d.remotes.slots[i]; slot.key != 0 {
			slot.key = d.resolvedKey(slot.key)
		}
	}
	for i := range d.pairs.slots {
		if slot := &d.pairs.slots[i]; slot.remote != 0 {
			slot.remote = d.resolvedKey(slot.remote)
		}
	}
}

// resolveGroup resolves what needs no look-up, and says whether the rows of a group need one each. Whoever is inside is none of AWS's services. Behind a NAT gateway, rows without
// pkt-addresses do not show their remote, so only internal ones are known to have none.
func (d *Delta) resolveGroup(g *group) (open bool) {
	switch {
	case !g.unresolved():
		return false
	case !g.shape.Private():
		return !g.shape.DirectionOpen()
	case hidesRemote(g.shape):
		g.service = serviceOpen
	default:
		g.service = serviceNone
	}
	return false
}

func (g *group) unresolved() bool { return g.service == serviceUnknown || g.service == serviceOpen }

// resolvedKey returns the key of a remote in the group of its service.
func (d *Delta) resolvedKey(key uint64) uint64 {
	g, remote := d.remotes.split(key)
	return key&^(maxGroups<<32) | uint64(d.resolvedGroup(g, remote))<<32
}

// resolvedGroup returns the group of rows that have the service of a remote and else are like those of a group. Where nothing tells which end is the remote, it is the same.
func (d *Delta) resolvedGroup(g uint32, remote flowlog.Addr) uint32 {
	from := &d.groups[g-1]
	if from.service != serviceUnknown || remote.IsZero() || from.shape.Private() || from.shape.DirectionOpen() {
		return g
	}
	service := serviceNone
	if name := d.table.Service(remote); name != "" {
		known, ok := d.byService[name]
		if !ok {
			known = d.newService(name)
		}
		service = known
	}
	to, added := d.groupIDs.id(groupKey(from.iface, from.shape, service))
	if added {
		like := *from
		like.service, like.sum = service, Counts{}
		d.groups = append(d.groups, like)
	}
	return to
}
