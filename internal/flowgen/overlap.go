package flowgen

import "slices"

// overlap is a flow log that logs again what another one logs.
type overlap struct {
	first, second *FlowLog
	// interfaces are the ids of the interfaces and regional gateways that both log; all of the first where empty.
	interfaces []string
}

// Overlap makes second log again whatever first logs from now on, or only the given interfaces of it, by interface-id or resource-id. Both must have one
// account, region and format. It does not matter which of the two a reader believes, since their rows are the same.
func (r *Recorder) Overlap(first, second *FlowLog, interfaces ...string) {
	r.overlaps = append(r.overlaps, overlap{first, second, interfaces})
}

func (o *overlap) covers(l Logged) bool {
	return l.FlowLog == o.first &&
		(len(o.interfaces) == 0 || slices.Contains(o.interfaces, l.Row.InterfaceID) || slices.Contains(o.interfaces, l.Row.ResourceID))
}

// copy returns the row as the second flow log has it. Rows that never count are what they are in either.
func (o *overlap) copy(l Logged) Logged {
	l.FlowLog = o.second
	if !slices.Contains([]Disposition{Rejected, NoData, SkipData, Malformed}, l.Verdict.Disposition) {
		l.Verdict = Verdict{Disposition: Overlapping}
	}
	return l
}
