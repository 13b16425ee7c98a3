package topn

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// What it takes to be promoted. The margins apply to rates and were chosen on the traces of the tests.
const (
	// A challenger takes the place of an incumbent whose weight its slow rate exceeds by this much.
	slowMargin = 1.6
	// The bytes of a single file are enough if they are so many more.
	riseMargin = 8
	// They need exceed those of an incumbent that has faded only by so much.
	fadedMargin = 1.3
	// An incumbent has faded when its fast rate falls below this part of its slow one: when it is missing from one file of 5 minutes.
	fadedPart = 0.55
	// A challenger that has fallen silent, below this part of what it challenges, is not promoted for its past.
	alivePart = 0.4
	// Identities with a smaller share of all bytes are not worth a series, even if there is room for them.
	promotedShare = 1e-5
	// Promoted ones whose share falls below this lose their series.
	retainedShare = promotedShare / 4
	// Series are remembered of identities with this part of what they would have to beat.
	watchedPart = 1.0 / 16
)

// weight is the rate by which identities are compared: the slow one, and that of a newcomer while the slow one does not know it yet.
func (r rate) weight() float64 { return max(r.slow, r.fast/2) }

// A rival is a challenger or an incumbent at the end of a file.
type rival struct {
	slot   int32
	member int32 // member is 1 more than the member's number, or 0.
	rate   rate
}

// strongest orders rivals by weight, the heaviest first.
func strongest(a, b rival) int {
	return cmp.Or(cmp.Compare(b.rate.weight(), a.rate.weight()), cmp.Compare(a.slot, b.slot))
}

// A contest holds the rivals of one Rank. Its memory is kept for the next one. Incumbents are sorted so that the weakest is last.
type contest struct {
	steady, faded, challengers []rival
	weakest                    float64 // weakest is the least weight of an incumbent.
	units                      rate    // units are the scaled volumes of one byte a second.
}

// Begin starts a file, or a group of files that are committed together: it moves the time, which never goes back.
func (t *Top[K, S]) Begin(now time.Time) {
	if fast, slow, renewed := t.clock.advance(now.UnixNano()); renewed {
		t.total.fast *= fast
		t.total.slow *= slow
		t.sketch.shrink(fast, slow)
	}
}

// Rank ends a file: it decides which identities are promoted until the next Rank. It returns the series that have appeared on the page since the last one, at 0, and then
// those that have left it, whose values the caller may forget. The slices are valid until the next Count.
func (t *Top[K, S]) Rank() (appeared, left []S) {
	t.left = t.left[:0]
	t.contest.units = t.clock.units()
	t.forget()
	t.findIncumbents()
	t.promote()
	t.expire()
	t.trim()
	t.watch.reset(t.watchedFrom())
	appeared, t.appeared = t.appeared, t.appeared[:0]
	return appeared, t.left
}

func (t *Top[K, S]) rival(slot int) rival {
	c := &t.sketch.counters[slot]
	return rival{int32(slot), c.member, rate{c.proven() / t.contest.units.fast, c.slow / t.contest.units.slow}}
}

// worth says whether a counter has a share of all bytes by either volume.
func (t *Top[K, S]) worth(c *counter[K], share float64) bool {
	return c.proven() >= share*t.total.fast || c.slow >= share*t.total.slow
}

// findIncumbents sorts the promoted members into steady and faded ones. Those that are not worth it are demoted, and the weakest beyond the bound.
func (t *Top[K, S]) findIncumbents() {
	c := &t.contest
	c.steady, c.faded = c.steady[:0], c.faded[:0]
	for i := range t.members {
		if t.members[i].state != promoted {
			continue
		}
		slot := int(t.members[i].slot)
		switch r := t.rival(slot); {
		case !t.worth(&t.sketch.counters[slot], retainedShare):
			t.enter(i, demoted)
		case r.rate.fast < fadedPart*r.rate.slow:
			c.faded = append(c.faded, r)
		default:
			c.steady = append(c.steady, r)
		}
	}
	slices.SortFunc(c.steady, strongest)
	slices.SortFunc(c.faded, strongest)
	for t.states[promoted] > t.config.Identities {
		t.demote(c.weaker())
	}
	c.weakest = min(weightOfLast(c.steady), weightOfLast(c.faded))
}

func weightOfLast(rivals []rival) float64 {
	if len(rivals) == 0 {
		return math.Inf(1)
	}
	return rivals[len(rivals)-1].rate.weight()
}

// weaker returns the list that ends with the weakest incumbent.
func (c *contest) weaker() *[]rival {
	if weightOfLast(c.faded) < weightOfLast(c.steady) {
		return &c.faded
	}
	return &c.steady
}

// demote demotes the last of a list.
func (t *Top[K, S]) demote(list *[]rival) {
	last := len(*list) - 1
	t.enter(int((*list)[last].member-1), demoted)
	*list = (*list)[:last]
}

// promote lets the challengers, the heaviest first, have what places are free, and then those of incumbents that they beat.
func (t *Top[K, S]) promote() {
	t.findChallengers()
	for _, r := range t.contest.challengers {
		if r.member != 0 && t.members[r.member-1].state != demoted {
			continue // It has just made room for a heavier one.
		}
		var loser *[]rival
		if t.states[promoted] >= t.config.Identities {
			if loser = t.contest.loser(r); loser == nil {
				continue
			}
		}
		if r.member == 0 && !t.hasRoom() {
			continue
		}
		if loser != nil {
			t.demote(loser)
		}
		t.admit(r)
	}
}

// findChallengers collects who may be promoted, the heaviest first.
func (t *Top[K, S]) findChallengers() {
	c := &t.contest
	c.challengers = c.challengers[:0]
	room := t.states[promoted] < t.config.Identities
	from := alivePart * c.weakest * c.units.fast
	if room {
		from = promotedShare * t.total.fast
	}
	for slot, volume := range t.sketch.order {
		if volume < from || volume <= 0 || !t.eligible(&t.sketch.counters[slot]) {
			continue
		}
		if r := t.rival(slot); room || c.loser(r) != nil {
			c.challengers = append(c.challengers, r)
		}
	}
	slices.SortFunc(c.challengers, strongest)
}

// eligible says whether a key is not promoted but is worth it. Most are not.
func (t *Top[K, S]) eligible(c *counter[K]) bool {
	return t.worth(c, promotedShare) && (c.member == 0 || t.members[c.member-1].state == demoted)
}

// loser returns the list that ends with the weakest incumbent that the challenger beats, or nil.
func (c *contest) loser(r rival) *[]rival {
	var found *[]rival
	if w := weightOfLast(c.steady); r.beats(w, riseMargin) {
		found = &c.steady
	}
	if w := weightOfLast(c.faded); r.beats(w, fadedMargin) && (found == nil || w < weightOfLast(c.steady)) {
		found = &c.faded
	}
	return found
}

// beats says whether a challenger beats an incumbent of that weight.
func (r rival) beats(weight, fastMargin float64) bool {
	return r.rate.slow > slowMargin*weight && r.rate.fast > alivePart*weight || r.rate.fast > fastMargin*weight
}

// admit promotes a challenger. Series that it still has on the page count on at once, the ones that the file brought appear.
func (t *Top[K, S]) admit(r rival) {
	number := int(r.member) - 1
	if number < 0 {
		number = t.recruit(int(r.slot))
	} else {
		t.enter(number, promoted)
	}
	t.watch.of(int(r.slot), t.sketch.counters[r.slot].key, func(series S) {
		if !slices.ContainsFunc(t.members[number].lines, func(l line[S]) bool { return l.series == series }) {
			t.appear(number, series)
		}
	})
}

// watchedFrom is the fast volume from which an identity may soon be promoted.
func (t *Top[K, S]) watchedFrom() float64 {
	if t.states[promoted] < t.config.Identities || math.IsInf(t.contest.weakest, 1) {
		return promotedShare * t.total.fast
	}
	return watchedPart * t.contest.weakest * t.contest.units.fast
}
