package aggregator

import (
	"slices"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/topn"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// FuzzRecord restores one record of foreign bytes: it is refused, or written again as the same bytes.
func FuzzRecord(f *testing.F) {
	for i := range uint64(4) {
		s := flowgen.Random(i, flowgen.Options{})
		r, journal := newRun(s), newMemoryJournal()
		var err error
		if r.a, err = Open(r.config, euroPrice{}, r.clock, journal); err != nil {
			f.Fatal(err)
		}
		seen := make(map[string]int)
		for _, file := range slices.Concat(s.Leading, s.Files) {
			if err := r.commit(file); err != nil {
				f.Fatal(err)
			}
			f.Add(topDestinationsBucket, []byte(nil), destinationCodecs.Series.Append(nil, destinationLine{cost: true}))
			for k, v := range journal.records {
				if seen[k.bucket]++; seen[k.bucket] <= 3 {
					f.Add(k.bucket, []byte(k.key), []byte(v))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, bucket string, key, value []byte) {
		a := New(DefaultConfig(), euroPrice{}, time.Now)
		a.empty()
		a.track()
		stores := make(map[string]tableStore)
		for _, s := range a.totals.stores() {
			stores[s.bucket()] = s
		}
		if ok, same := recodeTop(bucket, value); ok {
			if !same {
				t.Errorf("%x in %q is written differently", value, bucket)
			}
			return
		}
		if a.restore(stores, a.duplicates, make(topRecords), bucket, key, value) != nil {
			return
		}
		if got, ok := dump(a)[journalKey{bucket, string(key)}]; !ok || got != string(value) {
			t.Errorf("got %x, %t, want %x for %q in %q", got, ok, value, key, bucket)
		}
	})
}

// recodeTop reads the labels of a top, of whose records package topn knows the rest, and writes them again.
func recodeTop(bucket string, value []byte) (ok, same bool) {
	switch bucket {
	case topDestinationsBucket:
		return true, recode(destinationCodecs.Identity, value) && recode(destinationCodecs.Series, value)
	case topSourcesBucket:
		return true, recode(sourceCodecs.Identity, value) && recode(sourceCodecs.Series, value)
	case topPairsBucket:
		return true, recode(pairCodecs.Identity, value) && recode(pairCodecs.Series, value)
	default:
		return false, false
	}
}

func recode[T any](c topn.Codec[T], value []byte) bool {
	v, err := c.Parse(value)
	return err != nil || string(c.Append(nil, v)) == string(value)
}
