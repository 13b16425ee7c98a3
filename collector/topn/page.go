package topn

import "slices"

// A state is where a member is in its life: promoted, demoted, perhaps promoted again, in the end gone.
type state uint8

const (
	free     state = iota // The place of a member that nobody has.
	promoted              // Its series count.
	demoted               // Its series stand still on the page.
	gone                  // Its series have left the page. It may not come back before every scrape has seen that.
	numStates
)

// A member is an identity that is, or just was, on the page.
type member[S comparable] struct {
	slot  int32 // slot is its counter, pinned.
	state state
	since int64
	lines []line[S] // lines are its series on the page.
}

func (m *member[S]) onPage() bool { return m.state == promoted || m.state == demoted }

// A line is a series on the page. It counts from the time from, while its member is promoted.
type line[S comparable] struct {
	series        S
	created, from int64
}

// enter moves a member to another state.
func (t *Top[K, S]) enter(number int, to state) {
	m := &t.members[number]
	t.states[m.state]--
	t.states[to]++
	m.state, m.since = to, t.clock.now
	t.altered[number] = true
}

// recruit makes a member of a slot. The caller has made sure that there is room.
func (t *Top[K, S]) recruit(slot int) int {
	number := 0
	for number < len(t.members) && t.members[number].state != free {
		number++
	}
	if number == len(t.members) {
		t.members = append(t.members, member[S]{})
		t.altered = append(t.altered, false)
		t.states[free]++
	}
	t.members[number].slot = int32(slot)
	t.sketch.pin(slot, number)
	t.enter(number, promoted)
	return number
}

// leave takes a demoted member's series off the page.
func (t *Top[K, S]) leave(number int) {
	m := &t.members[number]
	for _, l := range m.lines {
		t.left = append(t.left, l.series)
	}
	clear(m.lines)
	m.lines = m.lines[:0]
	t.enter(number, gone)
}

// expire takes off the page what has been demoted for long enough.
func (t *Top[K, S]) expire() {
	idle := int64(max(t.config.Idle, t.config.Hold))
	for i := range t.members {
		if m := &t.members[i]; m.state == demoted && t.clock.now-m.since >= idle {
			t.leave(i)
		}
	}
}

// forget gives up the places of members whose absence every scrape has seen.
func (t *Top[K, S]) forget() {
	for i := range t.members {
		if m := &t.members[i]; m.state == gone && t.clock.now-m.since >= int64(t.config.Hold) {
			t.sketch.unpin(int(m.slot))
			t.enter(i, free)
		}
	}
}

// pageLimit bounds the identities on the page, memberLimit these and those that have just left it.
func (t *Top[K, S]) pageLimit() int   { return 2 * t.config.Identities }
func (t *Top[K, S]) memberLimit() int { return 3 * t.config.Identities }

// hasRoom says whether a new identity may come onto the page, if need be in the place of one that was demoted long ago.
func (t *Top[K, S]) hasRoom() bool {
	page := t.states[promoted] + t.states[demoted]
	return page+t.states[gone] < t.memberLimit() && (page < t.pageLimit() || t.makeRoom())
}

// makeRoom takes the member that has been demoted longest off the page, if every scrape has seen its last value.
func (t *Top[K, S]) makeRoom() bool {
	oldest := -1
	for i := range t.members {
		m := &t.members[i]
		if m.state == demoted && t.clock.now-m.since >= int64(t.config.Hold) && (oldest < 0 || m.since < t.members[oldest].since) {
			oldest = i
		}
	}
	if oldest < 0 {
		return false
	}
	t.leave(oldest)
	return true
}

// trim holds the bound on the page after it was lowered.
func (t *Top[K, S]) trim() {
	for t.states[promoted]+t.states[demoted] > t.pageLimit() {
		if !t.makeRoom() {
			return
		}
	}
}

// A watch remembers the series of identities that may be promoted at the end of the file, so that all of them appear together. It is empty between files.
type watch[K, S comparable] struct {
	above   float64 // above is the proven fast volume, scaled, from which an identity is watched.
	heads   []int32 // heads are the newest entries of slots, by 1 more than their index.
	entries []watched[K, S]
}

type watched[K, S comparable] struct {
	slot, next int32
	key        K
	series     S
}

// maxWatched bounds the entries: some 2 for each counter of the smallest sketch.
const maxWatched = 2 * minCounters

func newWatch[K, S comparable](slots int) watch[K, S] {
	return watch[K, S]{heads: make([]int32, slots)}
}

// add remembers a series of the key in a slot, at most so many for a key.
func (w *watch[K, S]) add(slot int, key K, series S, limit int) {
	head, n := w.heads[slot], 0
	if head != 0 && w.entries[head-1].key != key {
		head = 0 // Another key had the slot before.
	}
	for at := head; at != 0; at = w.entries[at-1].next {
		if n++; n >= limit || w.entries[at-1].series == series {
			return
		}
	}
	w.entries = append(w.entries, watched[K, S]{int32(slot), head, key, series})
	w.heads[slot] = int32(len(w.entries))
}

// full says whether the watch has to raise its bar before it takes more.
func (w *watch[K, S]) full() bool { return len(w.entries) >= maxWatched }

// raise drops what is below a bar, which proven tells of a slot.
func (w *watch[K, S]) raise(bar float64, limit int, proven func(slot int, key K) float64) {
	kept := slices.Clone(w.entries)
	w.reset(bar)
	for _, e := range kept {
		if proven(int(e.slot), e.key) >= bar {
			w.add(int(e.slot), e.key, e.series, limit)
		}
	}
}

// of yields what is remembered for the key in a slot, the newest first.
func (w *watch[K, S]) of(slot int, key K, yield func(S)) {
	for at := w.heads[slot]; at != 0; at = w.entries[at-1].next {
		if w.entries[at-1].key != key {
			return
		}
		yield(w.entries[at-1].series)
	}
}

func (w *watch[K, S]) reset(above float64) {
	for i := range w.entries {
		w.heads[w.entries[i].slot] = 0
	}
	clear(w.entries)
	w.entries = w.entries[:0]
	w.above = above
}
