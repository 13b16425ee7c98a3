package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/claim"
	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
	"github.com/vpcflow/vpcflow_exporter/collector/queue"
	"github.com/vpcflow/vpcflow_exporter/collector/state"
	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// BenchmarkClaims has 8 workers read files from an S3 that takes 20 ms to answer, with and without claims, into a durable state.
func BenchmarkClaims(b *testing.B) {
	for _, lines := range []int{10, 10_000, 100_000} {
		text := []byte("account-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes start end action log-status\n")
		for i := range lines {
			text = fmt.Appendf(text, "123456789012 eni-0a 10.0.%d.%d 10.0.0.220 10.0.1.5 203.0.%d.%d 1500 1773480300 1773480359 ACCEPT OK\n", i>>8&3, i&255, i>>8&63, i&255)
		}
		body := flowgen.Gzip(text)
		for _, claims := range []bool{false, true} {
			b.Run(fmt.Sprintf("records=%d/claims=%t", lines, claims), func(b *testing.B) { benchmarkClaims(b, body, claims) })
		}
	}
}

func benchmarkClaims(b *testing.B, body []byte, claims bool) {
	cloud, err := awstest.NewCloud(awstest.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer cloud.Close() //nolint:errcheck // The benchmark is over.
	for _, bucket := range []string{"logs", "claims"} {
		if err := cloud.CreateBucket(b.Context(), bucket); err != nil {
			b.Fatal(err)
		}
	}
	url, err := cloud.CreateQueue("flow-logs", nil)
	if err != nil {
		b.Fatal(err)
	}
	for n := range b.N {
		if _, err := cloud.Deliver(b.Context(), url, "logs", fmt.Sprintf("%d.log.gz", n), body); err != nil {
			b.Fatal(err)
		}
	}
	cloud.S3.SetHook(func(awstest.S3Request) awstest.S3Fault {
		return func(w http.ResponseWriter, r *http.Request, proper http.Handler) {
			time.Sleep(20 * time.Millisecond) // It is the latency that is measured.
			proper.ServeHTTP(w, r)
		}
	})
	p, closeState := claimingPipeline(b, cloud, url, claims)
	defer closeState()
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	ended := make(chan struct{})
	b.ResetTimer()
	go func() {
		p.Run(ctx)
		close(ended)
	}()
	for p.aggregator.Snapshot().CommittedFiles < uint64(b.N) {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "files/s")
	stop()
	<-ended
}

// claimingPipeline is a pipeline with 8 workers and a durable state.
func claimingPipeline(b *testing.B, cloud *awstest.Cloud, url string, claims bool) (p *Pipeline, closeState func()) {
	logger, registry := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	s, err := state.Open(b.TempDir(), registry)
	if err != nil {
		b.Fatal(err)
	}
	prices, err := pricing.New(pricing.Default(), pricing.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	a, err := aggregator.Open(aggregator.DefaultConfig(), NewPricer(pricing.NewBook(prices), logger), time.Now, s)
	if err != nil {
		b.Fatal(err)
	}
	client := cloud.S3Client()
	config := DefaultConfig()
	config.Workers = 8
	q := queue.New(queue.Config{URL: url, VisibilityTimeout: time.Minute}, cloud.SQSClient(), logger, registry)
	p = New(config, q, objstore.NewS3(func(string) objstore.API { return client }, logger, objstore.DefaultConfig()), a, logger, registry, time.Now)
	if claims {
		owner, err := s.Owner()
		if err != nil {
			b.Fatal(err)
		}
		p.SetClaims(claim.New(claim.Config{Bucket: "claims", Owner: owner}, func(string) claim.API { return client }, logger, registry))
	}
	return p, func() {
		_ = q.Close(context.Background())
		_ = s.Close()
	}
}
