package topn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"
)

// A Codec writes values as bytes and reads them back. Append appends the encoding of a value; Parse reads one that is all of its input, and fails on any other.
// Equal values have equal encodings.
type Codec[T any] struct {
	Append func([]byte, T) []byte
	Parse  func([]byte) (T, error)
}

// A Codecs has the encodings of identities and series.
type Codecs[K, S comparable] struct {
	Identity Codec[K]
	Series   Codec[S]
}

// ErrState is the error of records that are not what All and Changed yield.
var ErrState = errors.New("not a state of a top")

// The first byte of a record's key. The others are a number, big-endian, so that a store which sorts its keys yields records in the order in which Load needs them.
const (
	headerRecord  = 'a' // Without a number.
	counterRecord = 'c'
	memberRecord  = 'm'
)

const (
	stateVersion = 1
	// Load takes no more members than the largest configuration has.
	maxMembers = 3 * 10_000
)

// All yields the whole state as records for a store that keeps the last value of each key; an empty value deletes its key. It may be called between Rank and the
// next Begin, when nothing of a file is pending. Keys and values are valid until the next record.
func (t *Top[K, S]) All(codecs Codecs[K, S]) iter.Seq2[[]byte, []byte] {
	t.nextBucket = 0
	return t.records(codecs, true, math.MaxInt)
}

// Changed is All for what has changed since the last All or Changed, which were read to their ends, in no order. Of the counters it yields those that members need, and
// about as many others as the limit says; the rest waits for the next call. From records that lack them Load makes a Top that exposes and counts the same, and
// ranks by volumes of a few files before.
func (t *Top[K, S]) Changed(codecs Codecs[K, S], limit int) iter.Seq2[[]byte, []byte] {
	return t.records(codecs, false, limit)
}

func (t *Top[K, S]) records(codecs Codecs[K, S], all bool, limit int) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		if !yield([]byte{headerRecord}, t.appendHeader(nil)) {
			return
		}
		if !t.yieldCounters(codecs.Identity, all, limit, yield) {
			return
		}
		var key, value []byte
		for number, altered := range t.altered {
			if !altered && !all {
				continue
			}
			t.altered[number] = false
			key, value = appendKey(key[:0], memberRecord, number), appendMember(value[:0], &t.members[number], codecs.Series)
			if !yield(key, value) {
				return
			}
		}
	}
}

// yieldCounters goes by buckets: only as a whole are they consistent, because a key has one counter in its bucket, and not always the same.
func (t *Top[K, S]) yieldCounters(codec Codec[K], all bool, limit int, yield func(key, value []byte) bool) bool {
	s := &t.sketch
	written, first := 0, t.nextBucket
	var key, value []byte
	for i := range s.due {
		b := (first + i) % len(s.due)
		if !s.due[b] && written >= limit {
			continue
		}
		optional := !s.due[b]
		s.due[b] = false
		for slot := b * ways; slot < (b+1)*ways; slot++ {
			empty := s.tags[slot] == 0
			if !s.touched[slot] && (empty || !all) {
				continue
			}
			s.touched[slot] = false
			key, value = appendKey(key[:0], counterRecord, slot), value[:0]
			if !empty {
				value = appendCounter(value, &s.counters[slot], codec)
			}
			if !yield(key, value) {
				return false
			}
			if optional {
				written++
				t.nextBucket = (b + 1) % len(s.due)
			}
		}
	}
	return true
}

func appendKey(b []byte, kind byte, number int) []byte {
	return binary.BigEndian.AppendUint32(append(b, kind), uint32(number))
}

func appendFloat(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(b, math.Float64bits(f))
}

func appendInt(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) }

func (t *Top[K, S]) appendHeader(b []byte) []byte {
	b = append(b, stateVersion)
	b = binary.BigEndian.AppendUint64(b, t.config.Seed)
	b = appendInt(b, int64(len(t.sketch.counters)))
	b = appendInt(b, t.clock.now)
	b = appendInt(b, t.clock.epoch)
	b = appendFloat(b, t.total.fast)
	b = appendFloat(b, t.total.slow)
	return appendFloat(b, t.watch.above)
}

func appendCounter[K comparable](b []byte, c *counter[K], codec Codec[K]) []byte {
	b = appendFloat(b, c.fast)
	b = appendFloat(b, c.inherited)
	b = appendFloat(b, c.slow)
	return codec.Append(b, c.key)
}

// appendMember appends nothing for a free member.
func appendMember[S comparable](b []byte, m *member[S], codec Codec[S]) []byte {
	if m.state == free {
		return b
	}
	b = append(b, byte(m.state))
	b = appendInt(b, m.since)
	b = binary.BigEndian.AppendUint32(b, uint32(m.slot))
	for _, l := range m.lines {
		b = appendInt(b, l.created)
		b = appendInt(b, l.from)
		at := len(b)
		b = codec.Append(append(b, 0, 0, 0, 0), l.series)
		binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	}
	return b
}

// Load returns the Top whose records, in the order of their keys, are given. With the configuration that it had before, it decides as if nothing had happened; with
// another one as after Reconfigure. The seed is that of the records. An error wraps ErrState.
func Load[K, S comparable](config Config, hash func(K) uint64, codecs Codecs[K, S], records iter.Seq2[[]byte, []byte]) (*Top[K, S], error) {
	l := loader[K, S]{config: config, hash: hash, codecs: codecs, series: make(map[S]struct{})}
	for key, value := range records {
		if err := l.record(key, value); err != nil {
			return nil, fmt.Errorf("load record %q: %w", key, err)
		}
	}
	if l.top == nil {
		return nil, fmt.Errorf("load records: %w: no header", ErrState)
	}
	l.finish()
	return l.top, nil
}

// Resume says that the page was away until now, as after a restart: nobody has scraped it meanwhile. The time that it was away counts neither for holds nor for what
// disappears, and nothing decays. The next Begin may be later.
func (t *Top[K, S]) Resume(now time.Time) {
	away := now.UnixNano() - t.clock.now
	if away <= 0 {
		return
	}
	t.clock.now += away
	t.clock.epoch += away
	for i := range t.members {
		m := &t.members[i]
		m.since += away
		for j := range m.lines {
			if l := &m.lines[j]; l.from > t.clock.now-away {
				l.from += away
			}
		}
		t.altered[i] = true
	}
}
