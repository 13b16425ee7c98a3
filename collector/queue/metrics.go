package queue

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	received, extensions       prometheus.Counter
	deleted, returned, invalid prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	factory := promauto.With(reg)
	messages := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "vpcflow_messages_total",
		Help: "SQS messages by how they ended here: deleted from the queue, returned to it, or invalid and left to its redrive policy. Replicas add up.",
	}, []string{"result"})
	return &metrics{
		received: factory.NewCounter(prometheus.CounterOpts{
			Name: "vpcflow_messages_received_total",
			Help: "SQS messages received, each receive of the same message counted. Replicas add up.",
		}),
		extensions: factory.NewCounter(prometheus.CounterOpts{
			Name: "vpcflow_message_extensions_total",
			Help: "Times that a message was hidden from other consumers for longer because the work on it was not done. Replicas add up.",
		}),
		deleted:  messages.WithLabelValues("deleted"),
		returned: messages.WithLabelValues("returned"),
		invalid:  messages.WithLabelValues("invalid"),
	}
}
