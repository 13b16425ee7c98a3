package topn_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/topn"
)

// A life is a top of one identity, with what a test needs to follow a series through it.
type life struct {
	t   *testing.T
	top *topn.Top[remote, series]
	now time.Time
}

func newLife(t *testing.T) *life {
	config := topn.Config{Identities: 1, SeriesPerIdentity: 2, Hold: 2 * time.Minute, Idle: 24 * time.Hour}
	return &life{t, topn.New[remote, series](config, hashRemote, start), start}
}

// file commits a file in which a remote has some bytes in two series, after a time, and holds what is counted and what is on the page to what is wanted.
func (l *life) file(after time.Duration, who remote, bytes uint64, own bool, page ...remote) {
	l.t.Helper()
	l.now = l.now.Add(after)
	l.top.Begin(l.now)
	for kind := range uint8(2) {
		if got := l.top.Count(who, series{who, kind}, bytes); got != own {
			l.t.Errorf("after %s: remote %d kind %d is counted %t, want %t", l.now.Sub(start), who, kind, got, own)
		}
	}
	l.top.Rank()
	want := make(map[series]bool)
	for _, r := range page {
		want[series{r, 0}], want[series{r, 1}] = true, true
	}
	got := make(map[series]bool)
	for s := range l.top.Series() {
		got[s.Series] = true
	}
	if !maps.Equal(got, want) {
		l.t.Errorf("after %s: the page has %v, want %v", l.now.Sub(start), got, want)
	}
}

// TestLife follows two remotes through promotion, demotion, return, and the end. Both series of a remote appear together, at the end of the file that promotes it.
func TestLife(t *testing.T) {
	l := newLife(t)
	l.file(0, 1, 1000, false, 1)
	l.file(2*time.Minute-1, 1, 1000, false, 1) // Held.
	l.file(1, 1, 1000, true, 1)                // Counts.
	l.file(time.Minute, 2, 2000, false, 1)     // Twice as much is not enough to replace a steady one.
	l.file(5*time.Minute, 2, 90_000, false, 1, 2)
	l.file(time.Minute, 1, 1000, false, 1, 2) // Demoted: stands still.
	l.file(time.Minute, 2, 1000, true, 1, 2)
	l.file(time.Minute, 1, 5_000_000, false, 1, 2) // Comes back,
	l.file(time.Minute, 1, 1000, true, 1, 2)       // and counts at once, since it never left.
	l.file(24*time.Hour-time.Minute-1, 1, 1000, true, 1, 2)
	l.file(1, 1, 1000, true, 1) // The other has been demoted for a day.
	l.file(time.Minute, 2, 1e12, false, 1)
	l.file(time.Minute, 2, 1e12, false, 1, 2) // It may come back when every scrape has seen that it was gone, and is held again.
	l.file(2*time.Minute-1, 2, 1e12, false, 1, 2)
	l.file(1, 2, 1e12, true, 1, 2)
}

// TestVolumeDecides offers a full file of small identities before the large ones: what comes first does not matter.
func TestVolumeDecides(t *testing.T) {
	config := topn.DefaultConfig()
	config.Identities = 10
	top := topn.New[remote, series](config, hashRemote, start)
	for r := range remote(50_000) {
		top.Count(1000+r, series{remote: r}, 1000)
	}
	for r := range remote(20) {
		top.Count(r, series{remote: r}, 10_000+uint64(r))
	}
	top.Rank()
	var got []remote
	for i := range top.Identities() {
		got = append(got, i.Key)
	}
	slices.Sort(got)
	if want := []remote{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFloodWithinFile counts heavier keys than the sketch has counters in one file: what is on the page keeps its counter, and counts on.
func TestFloodWithinFile(t *testing.T) {
	l := newLife(t)
	l.file(0, 1, 10, false, 1)
	l.file(2*time.Minute, 1, 10, true, 1)
	for r := range remote(100_000) {
		if l.top.Count(1000+r, series{remote: 1000 + r}, 1000) {
			t.Fatalf("remote %d counts", r)
		}
	}
	if !l.top.Count(1, series{1, 0}, 10) {
		t.Error("the remote on the page lost its counter")
	}
}

// TestResume restarts in the middle of a hold. No scrape has seen the series while the process was away, so the hold goes on where it was.
func TestResume(t *testing.T) {
	l := newLife(t)
	l.file(0, 1, 1000, false, 1)
	l.file(time.Minute, 1, 1000, false, 1)
	durable := make(store)
	durable.write(l.top.All(codecs))
	top, err := topn.Load(topn.Config{Identities: 1, SeriesPerIdentity: 2, Hold: 2 * time.Minute, Idle: time.Hour}, hashRemote, codecs, durable.all)
	if err != nil {
		t.Fatal(err)
	}
	l.top = top
	l.now = l.now.Add(time.Hour)
	top.Resume(l.now)
	l.file(time.Minute-1, 1, 1000, false, 1)
	l.file(1, 1, 1000, true, 1)
	for s := range top.Series() {
		if !s.Created.Equal(start) {
			t.Errorf("%v was created at %s, want %s", s.Series, s.Created, start)
		}
	}
}

// TestReconfigure changes the bounds of a running top, and of one that is loaded: what is too much goes, what was counted stays where it is.
func TestReconfigure(t *testing.T) {
	config := topn.Config{Identities: 20, SeriesPerIdentity: 2, Hold: time.Minute, Idle: time.Hour}
	l := ledger{top: topn.New[remote, series](config, hashRemote, start), values: make(map[series]uint64)}
	var rows []row
	for r := range remote(400) {
		rows = append(rows, row{series{r, 0}, 1000 + uint64(r)})
	}
	before := l.scrape()
	now := start
	for _, identities := range []int{20, 5, 0, 300, 10} {
		config.Identities = identities
		l.top.Reconfigure(config)
		for range 4 {
			now = now.Add(time.Minute)
			l.commit(now, rows)
			p := l.scrape()
			p.compare(t, before)
			before = p
		}
		checkBounds(t, l.top, config)
		durable := make(store)
		durable.write(l.top.All(codecs))
		config.Identities = 200
		top, err := topn.Load(config, hashRemote, codecs, durable.all)
		if err != nil {
			t.Fatal(err)
		}
		want, got := slices.Collect(l.top.Series()), slices.Collect(top.Series())
		if !slices.Equal(got, want) {
			t.Errorf("%d identities: loaded %v, want %v", identities, got, want)
		}
		if identities == 300 && len(want) != 300 {
			t.Errorf("%d series are on the page, want 300", len(want))
		}
	}
}

// savedState is a state with members of all kinds, as one byte string: key length, key, value length, value, and so on.
func savedState() []byte {
	l := ledger{top: topn.New[remote, series](topn.Config{Identities: 2, SeriesPerIdentity: 2, Hold: time.Minute, Idle: time.Minute}, hashRemote, start), values: make(map[series]uint64)}
	for n := range 6 {
		who := remote(n)
		l.commit(start.Add(time.Duration(n)*time.Minute), []row{{series{who, 0}, 10 << (4 * n)}, {series{who, 1}, 5}})
	}
	var b []byte
	for key, value := range l.top.All(codecs) {
		b = append(append(b, byte(len(key))), key...)
		b = append(append(b, byte(len(value))), value...)
	}
	return b
}

// cut takes a string with its length in front off.
func cut(b []byte) (taken, rest []byte) {
	if len(b) == 0 {
		return nil, nil
	}
	n := min(int(b[0]), len(b)-1)
	return b[1 : 1+n], b[1+n:]
}

func recordsOf(data []byte) func(func(key, value []byte) bool) {
	return func(yield func(key, value []byte) bool) {
		for len(data) > 0 {
			var key, value []byte
			key, data = cut(data)
			value, data = cut(data)
			if !yield(key, value) {
				return
			}
		}
	}
}

// FuzzLoad feeds records to Load. What it takes it writes back the same, goes on counting from, and keeps within the bounds once series may leave.
func FuzzLoad(f *testing.F) {
	saved := savedState()
	f.Add(saved)
	f.Add(saved[:len(saved)/2])
	f.Add([]byte{1, 'a', 0})
	config := topn.Config{Identities: 2, SeriesPerIdentity: 2, Hold: time.Minute, Idle: time.Minute}
	f.Fuzz(func(t *testing.T, data []byte) {
		top, err := topn.Load(config, hashRemote, codecs, recordsOf(data))
		if err != nil {
			if !errors.Is(err, topn.ErrState) {
				t.Fatalf("got %v, want ErrState", err)
			}
			return
		}
		first, second := make(store), make(store)
		first.write(top.All(codecs))
		again, err := topn.Load(config, hashRemote, codecs, first.all)
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		second.write(again.All(codecs))
		if !maps.Equal(first, second) {
			t.Fatal("what was written is read differently")
		}
		l := ledger{top: top, values: make(map[series]uint64)}
		for n := range 4 {
			l.commit(start.Add(time.Duration(n)*time.Hour), []row{{series{1, 0}, 1 << 40}, {series{remote(n), 1}, 1 << 50}})
		}
		l.top.Begin(time.Unix(1<<33-1, 0))
		l.top.Rank()
	})
}

// TestLoadRefuses damages a state in one place at a time.
func TestLoadRefuses(t *testing.T) {
	config := topn.Config{Identities: 2, SeriesPerIdentity: 2, Hold: time.Minute, Idle: time.Minute}
	saved := savedState()
	good := make(store)
	good.write(recordsOf(saved))
	if top, err := topn.Load(config, hashRemote, codecs, good.all); err != nil || len(slices.Collect(top.Series())) == 0 {
		t.Fatalf("the undamaged state: %v", err)
	}
	counter, member := firstOf(good, 'c'), firstOf(good, 'm')
	cases := []struct {
		name       string
		key, value string
	}{
		{"version", "a", "\x02" + good["a"][1:]},
		{"header too short", "a", good["a"][:8]},
		{"header too long", "a", good["a"] + "x"},
		{"counters no power of two", "a", good["a"][:16] + "\x01" + good["a"][17:]},
		{"clock before its epoch", "a", good["a"][:17] + "\x00" + good["a"][18:]},
		{"unknown kind", "b\x00\x00\x00\x00", "x"},
		{"counter out of range", "c\xff\xff\xff\xff", good[counter]},
		{"counter in another bucket", "c\x00\x00\x00\x01", good[counter]},
		{"counter too short", counter, good[counter][:20]},
		{"counter without a key", counter, good[counter][:24]},
		{"negative volume", counter, "\xff" + good[counter][1:]},
		{"error above the volume", counter, good[counter][:8] + "\x7f" + good[counter][9:]},
		{"member out of range", "m\xff\xff\xff\xff", good[member]},
		{"member's counter taken", "m\x00\x00\x00\x40", good[member]},
		{"member of unknown state", member, "\x09" + good[member][1:]},
		{"member of the future", member, good[member][:1] + "\x1f" + good[member][2:]},
		{"series cut short", member, good[member][:len(good[member])-1]},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			damaged := maps.Clone(good)
			damaged[c.key] = c.value
			if _, err := topn.Load(config, hashRemote, codecs, damaged.all); !errors.Is(err, topn.ErrState) {
				t.Errorf("got %v, want ErrState", err)
			}
		})
	}
	delete(good, "a")
	if _, err := topn.Load(config, hashRemote, codecs, good.all); !errors.Is(err, topn.ErrState) {
		t.Errorf("without a header: got %v, want ErrState", err)
	}
	if _, err := topn.Load(config, hashRemote, codecs, recordsOf(nil)); !errors.Is(err, topn.ErrState) {
		t.Errorf("without records: got %v, want ErrState", err)
	}
}

// firstOf returns the first key of a kind whose record is not empty.
func firstOf(s store, kind byte) string {
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if bytes.HasPrefix([]byte(key), []byte{kind}) && len(s[key]) > 30 {
			return key
		}
	}
	return ""
}
