package chaos

import (
	"maps"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// A Report is what a run has done and found. Counts are of all rounds.
type Report struct {
	Seed    uint64  `json:"seed"`
	Rounds  int     `json:"rounds"`
	Seconds float64 `json:"duration_seconds"`
	Durable bool    `json:"durable_state"`

	// Files are those that must count, Messages those that told of them, once or more often, and of others.
	Files       int `json:"files"`
	Messages    int `json:"messages"`
	DeadLetters int `json:"dead_letters"`

	Kills map[Point]int `json:"kills"`
	// Terms are restarts by SIGTERM.
	Terms  int            `json:"terms"`
	Faults map[string]int `json:"faults"`
	// Scrapes have been compared with the one before: no counter may fall, whatever was killed between them.
	Scrapes int `json:"scrapes"`

	Ledger Sums `json:"ledger"`
	Totals Sums `json:"totals"`
	// Series is the number of series of the ledger, each of which was compared.
	Series int  `json:"series_compared"`
	Equal  bool `json:"totals_equal_ledger"`
}

// Sums are a ledger without its labels, and what the files add up to.
type Sums struct {
	Files         uint64                         `json:"files"`
	InflatedBytes uint64                         `json:"inflated_bytes"`
	Bytes         uint64                         `json:"bytes"`
	NATBytes      uint64                         `json:"nat_bytes"`
	Packets       uint64                         `json:"packets"`
	Records       map[flowgen.Disposition]uint64 `json:"records"`
}

func newReport(c Config) Report {
	return Report{
		Seed: c.Seed, Durable: c.Durable, Kills: map[Point]int{}, Faults: map[string]int{},
		Ledger: Sums{Records: map[flowgen.Disposition]uint64{}}, Totals: Sums{Records: map[flowgen.Disposition]uint64{}},
	}
}

// add enters what a round has done, which is over.
func (r *Report) add(o *round) {
	r.Rounds++
	r.Files += len(o.load.files)
	r.Messages += o.load.sent
	r.DeadLetters += len(o.load.bad)
	r.Terms += o.terms
	r.Scrapes += o.scrapes
	for p, n := range o.killer.counts() {
		r.Kills[p] += n
	}
	for kind, n := range o.weather.counts() {
		r.Faults[kind] += n
	}
	r.Ledger.add(o.load.want)
	r.Totals.add(o.last)
	r.Series += o.load.want.series()
}

func (r *Report) allKills() (n int) {
	for v := range maps.Values(r.Kills) {
		n += v
	}
	return n
}

func (r *Report) allFaults() (n int) {
	for v := range maps.Values(r.Faults) {
		n += v
	}
	return n
}

func (s *Sums) add(t totals) {
	s.Files += t.processed
	s.InflatedBytes += t.inflated
	for _, n := range t.ledger.Bytes {
		s.Bytes += n
	}
	for _, n := range t.ledger.Packets {
		s.Packets += n
	}
	s.NATBytes += t.ledger.TotalNATBytes()
	for d, n := range t.ledger.Records {
		s.Records[d] += n
	}
}
