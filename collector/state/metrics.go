package state

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	duration prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, size func() int64) *metrics {
	factory := promauto.With(reg)
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "vpcflow_state_size_bytes",
		Help: "Size of the state file. It does not shrink; what was freed in it is used again. Replicas add up.",
	}, func() float64 { return float64(size()) })
	return &metrics{
		duration: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "vpcflow_state_commit_duration_seconds",
			Help:    "Time to make a group of files durable in the state file, up to the end of its fsync. Replicas add up.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
		}),
	}
}
