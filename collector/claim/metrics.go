package claim

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	own, foreign, done prometheus.Counter
	errors             *prometheus.CounterVec
	unfinished         prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	factory := promauto.With(reg)
	claims := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "vpcflow_claims_total",
		Help: "Attempts to claim a file by whose it was then: own, this replica's to count; foreign, claimed by another replica that has not finished it; done, counted already. Replicas add up.",
	}, []string{"result"})
	errors := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "vpcflow_claim_errors_total",
		Help: "Requests about claims that S3 did not answer in several attempts, or refused. Replicas add up.",
	}, []string{"operation"})
	for _, operation := range []string{"put", "get", "finish", "list"} {
		errors.WithLabelValues(operation)
	}
	return &metrics{
		own: claims.WithLabelValues("own"), foreign: claims.WithLabelValues("foreign"), done: claims.WithLabelValues("done"), errors: errors,
		unfinished: factory.NewGauge(prometheus.GaugeOpts{
			Name: "vpcflow_claims_unfinished",
			Help: "Files that this replica has claimed, or perhaps has, and not finished; it tries again by itself, and no other replica counts them. Replicas add up.",
		}),
	}
}

func (m *metrics) count(c Claim) {
	switch c.Standing {
	case Own:
		m.own.Inc()
	case Foreign:
		m.foreign.Inc()
	case Done:
		m.done.Inc()
	case Unclaimed:
	}
}

// SetUnfinished exposes how many files are claimed and not finished, as far as their owner knows.
func (c *Claims) SetUnfinished(files int) { c.metrics.unfinished.Set(float64(files)) }
