package enrich

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	cacheHit, cacheMiss, evicted     prometheus.Counter
	networks, ipRanges, mmdb, ipinfo sourceMetrics
}

// sourceMetrics count what a source has answered. An error is also a file that could not be read.
type sourceMetrics struct{ hit, miss, failed prometheus.Counter }

func newMetrics(reg prometheus.Registerer) *metrics {
	lookups := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "vpcflow_enrichment_lookups_total",
		Help: "Look-ups of names for addresses by source (cache, networks, ip_ranges, mmdb, ipinfo) and result: hit, miss, error (the source could not be read or asked), " +
			"or evicted from the cache. Replicas add up.",
	}, []string{"source", "result"})
	source := func(name string) sourceMetrics {
		return sourceMetrics{
			hit: lookups.WithLabelValues(name, "hit"), miss: lookups.WithLabelValues(name, "miss"), failed: lookups.WithLabelValues(name, "error"),
		}
	}
	return &metrics{
		cacheHit:  lookups.WithLabelValues("cache", "hit"),
		cacheMiss: lookups.WithLabelValues("cache", "miss"),
		evicted:   lookups.WithLabelValues("cache", "evicted"),
		networks:  source("networks"),
		ipRanges:  source("ip_ranges"),
		mmdb:      source("mmdb"),
		ipinfo:    source("ipinfo"),
	}
}

func (s *sourceMetrics) count(found bool, err error) {
	switch {
	case err != nil:
		s.failed.Inc()
	case found:
		s.hit.Inc()
	default:
		s.miss.Inc()
	}
}
