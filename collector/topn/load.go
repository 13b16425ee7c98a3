package topn

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A loader makes a Top of records. Counters come before members.
type loader[K, S comparable] struct {
	config Config
	hash   func(K) uint64
	codecs Codecs[K, S]
	top    *Top[K, S]
	series map[S]struct{} // series are all on the page.
}

func (l *loader[K, S]) record(key, value []byte) error {
	if len(key) == 1 && key[0] == headerRecord && l.top == nil {
		return l.header(value)
	}
	if len(key) != 5 || l.top == nil {
		return fmt.Errorf("%w: unexpected key", ErrState)
	}
	number := binary.BigEndian.Uint32(key[1:])
	switch {
	case key[0] == counterRecord && number < uint32(len(l.top.sketch.tags)):
		return l.counter(int(number), value)
	case key[0] == memberRecord && number < maxMembers:
		return l.member(int(number), value)
	default:
		return fmt.Errorf("%w: unexpected key", ErrState)
	}
}

// A reader cuts fields off a record. Past its end it returns zeros and remembers that.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.short, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Volumes stay below this: 2^64 bytes at the largest scale, and many times that.
const maxVolume = 1e200

// volume reads a volume; one that is none counts as too short.
func (r *reader) volume() float64 {
	f := math.Float64frombits(r.uint64())
	if !(f >= 0 && f <= maxVolume) {
		r.short = true
		return 0
	}
	return f
}

// time reads nanoseconds. Differences of what it returns do not overflow.
func (r *reader) time() int64 {
	n := int64(r.uint64())
	if n < 0 || n > math.MaxInt64/4 {
		r.short = true
		return 0
	}
	return n
}

func (l *loader[K, S]) header(value []byte) error {
	r := reader{rest: value}
	version, seed, size := r.byte(), r.uint64(), r.uint64()
	now, epoch := r.time(), r.time()
	fast, slow, above := r.volume(), r.volume(), math.Float64frombits(r.uint64())
	switch {
	case version != stateVersion:
		return fmt.Errorf("%w: version %d", ErrState, version)
	case r.short || len(r.rest) > 0 || epoch > now || !(above >= 0):
		return fmt.Errorf("%w: header", ErrState)
	case size < minCounters || size > maxCounters || size&(size-1) != 0:
		return fmt.Errorf("%w: %d counters", ErrState, size)
	}
	l.config.Seed = seed
	l.top = newTop[K, S](l.config, l.hash, epoch, int(size))
	if _, _, renewed := l.top.clock.advance(now); renewed { // A live clock would have started a new epoch.
		return fmt.Errorf("%w: spent clock", ErrState)
	}
	l.top.total.fast, l.top.total.slow, l.top.watch.above = fast, slow, above
	return nil
}

func (l *loader[K, S]) counter(slot int, value []byte) error {
	if len(value) == 0 {
		return nil
	}
	r := reader{rest: value}
	c := counter[K]{fast: r.volume(), inherited: r.volume(), slow: r.volume()}
	s := &l.top.sketch
	if r.short || s.tags[slot] != 0 || c.inherited > c.fast {
		return fmt.Errorf("%w: counter", ErrState)
	}
	key, err := l.codecs.Identity.Parse(r.rest)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	c.key = key
	hash := l.top.hashOf(key)
	if slot/ways != s.base(hash)/ways || s.find(hash, key) != noSlot {
		return fmt.Errorf("%w: counter in a wrong place", ErrState)
	}
	s.put(slot, hash, c)
	return nil
}

func (l *loader[K, S]) member(number int, value []byte) error {
	t := l.top
	if len(value) == 0 {
		return nil
	}
	for len(t.members) <= number {
		t.members = append(t.members, member[S]{})
		t.altered = append(t.altered, true)
		t.states[free]++
	}
	m := &t.members[number]
	r := reader{rest: value}
	read := member[S]{state: state(r.byte()), since: r.time(), slot: int32(r.uint32())}
	if r.short || m.state != free || read.state == free || read.state >= numStates || read.since > t.clock.now {
		return fmt.Errorf("%w: member", ErrState)
	}
	slots := uint32(len(t.sketch.tags))
	if slot := uint32(read.slot); slot >= slots || t.sketch.tags[slot] == 0 || t.sketch.counters[slot].member != 0 {
		return fmt.Errorf("%w: member without a counter", ErrState)
	}
	for len(r.rest) > 0 {
		added := line[S]{created: r.time(), from: r.time()}
		series, err := l.codecs.Series.Parse(r.take(int(r.uint32())))
		if _, twice := l.series[series]; r.short || twice || err != nil {
			return fmt.Errorf("%w: series", ErrState)
		}
		l.series[series] = struct{}{}
		added.series = series
		read.lines = append(read.lines, added)
	}
	if read.state == gone && len(read.lines) > 0 {
		return fmt.Errorf("%w: series of a member that is gone", ErrState)
	}
	t.states[free]--
	t.states[read.state]++
	*m = read
	t.sketch.pin(int(read.slot), number)
	return nil
}

// finish marks the Top as stored, and fits it to the configuration.
func (l *loader[K, S]) finish() {
	clear(l.top.sketch.touched)
	clear(l.top.sketch.due)
	clear(l.top.altered)
	l.top.grow()
}
