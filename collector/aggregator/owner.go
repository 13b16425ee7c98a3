package aggregator

import "slices"

// A network interface may be covered by several flow logs: a VPC's beside its own, or an old format beside its successor. They log the same traffic, so for
// each window of time one of them owns the interface, and the rows of the others are copies.

const (
	// AWS cuts files by windows of this length, in seconds, by the end of their records; all flow logs alike.
	windowSeconds = 5 * 60
	// A flow log without rows for so many windows has given its interface up.
	silentWindows = 60 * 60 / windowSeconds
	// A better format whose files come so many windows behind the owner's may still be its successor; one further behind may have ended long ago.
	lateWindows = 3
	// So many reigns are remembered.
	maxReigns = 16
)

// A reign is a stretch of windows for which one flow log owns an interface. It lasts until the next one begins, or for an hour after its last rows.
type reign struct {
	flowLogID   string
	columns     int // columns is how many columns of its format are read.
	first, last int64
}

// reigns are an interface's, in the order of time.
type reigns []reign

// owner returns the flow log that owns the window in which rows end (Unix seconds), and makes it the asking one if it is: the first flow log that reports a window owns
// it, and goes on to own the following ones until one with more columns appears or until it has been silent for an hour.
func (r *reigns) owner(flowLogID string, columns int, end int64) string {
	w := end / windowSeconds
	i := r.at(w)
	if i < 0 {
		r.begin(flowLogID, columns, w)
		return flowLogID
	}
	e := &(*r)[i]
	switch {
	case e.flowLogID == flowLogID:
		e.last, e.columns = max(e.last, w), max(e.columns, columns)
		return flowLogID
	case columns > e.columns && w > e.last:
		r.insert(reign{flowLogID, columns, w, w})
		return flowLogID
	case columns > e.columns && i == len(*r)-1 && w+lateWindows >= e.last:
		// What the other has counted in this window stays its; the next one is the better format's.
		r.insert(reign{flowLogID, columns, e.last + 1, e.last + 1})
	}
	return (*r)[i].flowLogID
}

// at returns the index of the reign that a window belongs to, or -1.
func (r *reigns) at(w int64) int {
	for i, e := range slices.Backward(*r) {
		if e.first <= w {
			if w > e.last+silentWindows {
				return -1
			}
			return i
		}
	}
	return -1
}

// begin makes a flow log the owner of a window that has none. Windows may come in any order.
func (r *reigns) begin(flowLogID string, columns int, w int64) {
	i := slices.IndexFunc(*r, func(e reign) bool { return e.first > w })
	if i >= 0 && (*r)[i].flowLogID == flowLogID && (*r)[i].first <= w+silentWindows {
		(*r)[i].first = w
		return
	}
	r.insert(reign{flowLogID, columns, w, w})
}

func (r *reigns) insert(e reign) {
	i, _ := slices.BinarySearchFunc(*r, e.first, func(e reign, first int64) int { return int(e.first - first) })
	*r = slices.Insert(*r, i, e)
	if len(*r) > maxReigns {
		r.shorten()
	}
}

// shorten makes one of the two oldest neighbours of the same flow log, between which it was silent, or else forgets the oldest reign.
func (r *reigns) shorten() {
	for i := range len(*r) - 1 {
		if e, next := &(*r)[i], (*r)[i+1]; e.flowLogID == next.flowLogID {
			e.last, e.columns = next.last, max(e.columns, next.columns)
			*r = slices.Delete(*r, i+1, i+2)
			return
		}
	}
	*r = slices.Delete(*r, 0, 1)
}
