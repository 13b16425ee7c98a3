package aggregator

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/topn"
)

// Buckets of who is among the largest. What they were given is among the series.
const (
	topDestinationsBucket = "top_destinations"
	topSourcesBucket      = "top_sources"
	topPairsBucket        = "top_pairs"
)

// maxTopCounters is how many counters of a sketch a commit writes besides those that it has to: some 15 KiB. A file of many remotes touches all of them, and what a crash takes back
// of a sketch is only how large somebody was in the last files.
const maxTopCounters = 200

var (
	destinationCodecs = topn.Codecs[destination, destinationLine]{
		Identity: codecOf(putDestination, takeDestination), Series: codecOf(putDestinationLine, takeDestinationLine),
	}
	sourceCodecs = topn.Codecs[source, sourceLine]{
		Identity: codecOf(putSource, takeSource), Series: codecOf(putSourceLine, takeSourceLine),
	}
	pairCodecs = topn.Codecs[pair, PairLabels]{
		Identity: codecOf(putPair, takePair), Series: codecOf(putPairLabels, takePairLabels),
	}
)

func codecOf[T any](put func(*encoder, T), take func(*decoder) T) topn.Codec[T] {
	return topn.Codec[T]{
		Append: func(b []byte, v T) []byte {
			e := encoder{b}
			put(&e, v)
			return e.b
		},
		Parse: func(b []byte) (T, error) {
			d := decoder{b: b}
			v := take(&d)
			return v, d.end()
		},
	}
}

// changes reports what has changed since the last call. Headers are hashes of the headers as they were written last.
func (t *tops) changes(b *Batch, headers *[3]uint64) {
	writeTop(b, topDestinationsBucket, t.destinations, destinationCodecs, &headers[0])
	writeTop(b, topSourcesBucket, t.sources, sourceCodecs, &headers[1])
	writeTop(b, topPairsBucket, t.pairs, pairCodecs, &headers[2])
}

func writeTop[K, S comparable](b *Batch, bucket string, t *topn.Top[K, S], codecs topn.Codecs[K, S], header *uint64) {
	first := true
	for key, value := range t.Changed(codecs, maxTopCounters) {
		key, value = slices.Clone(key), slices.Clone(value)
		switch {
		case first:
			writeRecord(b, bucket, key, value, header)
		case len(value) == 0:
			b.delete(bucket, key)
		default:
			b.put(bucket, key, value)
		}
		first = false
	}
}

// A keptRecord is a record that is read when all are there.
type keptRecord struct {
	key, value []byte
}

// topRecords are the records of buckets that are read as a whole.
type topRecords map[string][]keptRecord

func (r topRecords) keep(bucket string, key, value []byte) {
	r[bucket] = append(r[bucket], keptRecord{slices.Clone(key), slices.Clone(value)})
}

// sorted yields the records of a bucket in the order of their keys.
func (r topRecords) sorted(bucket string) func(func(key, value []byte) bool) {
	records := r[bucket]
	slices.SortFunc(records, func(a, b keptRecord) int { return bytes.Compare(a.key, b.key) })
	return func(yield func(key, value []byte) bool) {
		for _, k := range records {
			if !yield(k.key, k.value) {
				return
			}
		}
	}
}

// header returns the hash of a bucket's first record.
func (r topRecords) header(bucket string) uint64 {
	for _, k := range r[bucket] {
		if len(k.key) == 1 {
			return hashRecord(k.value)
		}
	}
	return 0
}

// restore replaces what a journal has records of.
func (t *tops) restore(c TopConfig, records topRecords) error {
	return errors.Join(
		readTop(&t.destinations, topDestinationsBucket, c.destinations(), destination.hash, destinationCodecs, records),
		readTop(&t.sources, topSourcesBucket, c.sources(), source.hash, sourceCodecs, records),
		readTop(&t.pairs, topPairsBucket, c.pairs(), pair.hash, pairCodecs, records),
	)
}

func readTop[K, S comparable](t **topn.Top[K, S], bucket string, c topn.Config, hash func(K) uint64, codecs topn.Codecs[K, S], records topRecords) error {
	if len(records[bucket]) == 0 {
		return nil
	}
	read, err := topn.Load(c, hash, codecs, records.sorted(bucket))
	if err != nil {
		return fmt.Errorf("decode %q: %w", bucket, err)
	}
	*t = read
	return nil
}

// checkTops says whether the series that are on the page are those that have values.
func (a *Aggregator) checkTops() error {
	t := &a.totals
	destinations, destinationCosts := shown(a.tops.destinations, &t.destinations, &t.destinationCosts, destinationLine.labels)
	sources, sourceCosts := shown(a.tops.sources, &t.sources, &t.sourceCosts, sourceLine.labels)
	pairs := 0
	for s := range a.tops.pairs.Series() {
		if t.pairs.has(s.Series) {
			pairs++
		}
	}
	return errors.Join(
		checkNamed("destination_bytes", &t.destinations, func(l DestinationLabels) End { return l.Destination }, destinations),
		checkNamed("destination_costs", &t.destinationCosts, func(l DestinationCostLabels) End { return l.Destination }, destinationCosts),
		checkNamed("source_bytes", &t.sources, func(l SourceLabels) End { return l.Source }, sources),
		checkNamed("source_costs", &t.sourceCosts, func(l SourceCostLabels) End { return l.Source }, sourceCosts),
		checkNamed("pair_bytes", &t.pairs, func(l PairLabels) End { return l.Source }, pairs),
	)
}

// shown counts the series of a top that have values.
func shown[K, L, B, C comparable](top *topn.Top[K, L], bytes *table[B, uint64], costs *table[C, NATBytes], labels func(L) (B, C, bool)) (ofBytes, ofCosts int) {
	for s := range top.Series() {
		switch b, c, cost := labels(s.Series); {
		case cost && costs.has(c):
			ofCosts++
		case !cost && bytes.has(b):
			ofBytes++
		}
	}
	return ofBytes, ofCosts
}

func checkNamed[K comparable, V any](bucket string, t *table[K, V], end func(K) End, want int) error {
	named := 0
	for _, key := range t.keys {
		if end(key) != (End{}) {
			named++
		}
	}
	if named != want {
		return fmt.Errorf("decode %q: %d series have values, %d are known", bucket, named, want)
	}
	return nil
}

func putEnd(e *encoder, end End) {
	e.addr(end.Address)
	e.text(end.Name)
}

func takeEnd(d *decoder) End { return End{d.addr(), d.text()} }

func putDestination(e *encoder, v destination) {
	e.text(v.region)
	putEnd(e, v.end)
}

func takeDestination(d *decoder) destination { return destination{d.text(), takeEnd(d)} }

func putSource(e *encoder, v source) {
	e.text(v.gateway)
	putEnd(e, v.end)
}

func takeSource(d *decoder) source { return source{d.text(), takeEnd(d)} }

func putPair(e *encoder, v pair) {
	e.text(v.gateway)
	putEnd(e, v.source)
	putEnd(e, v.destination)
}

func takePair(d *decoder) pair { return pair{d.text(), takeEnd(d), takeEnd(d)} }

func putDestinationLabels(e *encoder, l DestinationLabels) {
	e.text(l.Region)
	e.byte(byte(l.Direction))
	e.byte(byte(l.Path))
	e.text(l.AWSService)
	putEnd(e, l.Destination)
}

func takeDestinationLabels(d *decoder) DestinationLabels {
	return DestinationLabels{d.text(), takeDirection(d), takePath(d), d.text(), takeEnd(d)}
}

func takePath(d *decoder) classifier.Path {
	return classifier.Path(d.enum(byte(classifier.PathUnseenMiddlebox) + 1))
}

func putDestinationCostLabels(e *encoder, l DestinationCostLabels) {
	e.text(l.Region)
	putEnd(e, l.Destination)
}

func takeDestinationCostLabels(d *decoder) DestinationCostLabels {
	return DestinationCostLabels{d.text(), takeEnd(d)}
}

func putDestinationLine(e *encoder, l destinationLine) {
	e.flags(l.cost)
	putDestinationLabels(e, l.DestinationLabels)
}

func takeDestinationLine(d *decoder) destinationLine {
	var l destinationLine
	d.flags(&l.cost)
	l.DestinationLabels = takeDestinationLabels(d)
	return l
}

func putSourceLabels(e *encoder, l SourceLabels) {
	e.text(l.NATGateway)
	e.byte(byte(l.Direction))
	putEnd(e, l.Source)
}

func takeSourceLabels(d *decoder) SourceLabels {
	return SourceLabels{d.text(), takeDirection(d), takeEnd(d)}
}

func putSourceCostLabels(e *encoder, l SourceCostLabels) {
	e.text(l.NATGateway)
	putEnd(e, l.Source)
}

func takeSourceCostLabels(d *decoder) SourceCostLabels { return SourceCostLabels{d.text(), takeEnd(d)} }

func putSourceLine(e *encoder, l sourceLine) {
	e.flags(l.cost)
	putSourceLabels(e, l.SourceLabels)
}

func takeSourceLine(d *decoder) sourceLine {
	var l sourceLine
	d.flags(&l.cost)
	l.SourceLabels = takeSourceLabels(d)
	return l
}

func putPairLabels(e *encoder, l PairLabels) {
	e.text(l.NATGateway)
	e.byte(byte(l.Direction))
	putEnd(e, l.Source)
	putEnd(e, l.Destination)
}

func takePairLabels(d *decoder) PairLabels {
	return PairLabels{d.text(), takeDirection(d), takeEnd(d), takeEnd(d)}
}
