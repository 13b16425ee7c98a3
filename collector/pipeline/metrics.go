package pipeline

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	duration, lag prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	factory := promauto.With(reg)
	return &metrics{
		duration: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "vpcflow_file_duration_seconds",
			Help:    "Time from the receipt of a file's message to the commit of the file. Replicas add up.",
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600},
		}),
		lag: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "vpcflow_delivery_lag_seconds",
			Help:    "Time from the end of a file's newest record to the commit of the file: AWS needs about 10 minutes to deliver, the rest is this exporter's. Replicas add up.",
			Buckets: []float64{30, 60, 120, 300, 450, 600, 750, 900, 1200, 1800, 3600, 7200, 14400, 43200},
		}),
	}
}
