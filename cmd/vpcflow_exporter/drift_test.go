package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/exporter-toolkit/web"
)

var (
	descName   = regexp.MustCompile(`fqName: "(vpcflow_[a-z0-9_]+)", help: "([^"]*)"`)
	metricName = regexp.MustCompile(`\bvpcflow_[a-z0-9_]+`)
	metricRow  = regexp.MustCompile("(?m)^\\| `(vpcflow_[a-z0-9_]+)` \\|")
)

// exportedMetrics returns the help texts of all metrics of the daemon by name.
func exportedMetrics(t *testing.T) map[string]string {
	t.Helper()
	config := DefaultConfig()
	config.SQS.QueueURL = "http://127.0.0.1:1/queue"
	config.State.Path = t.TempDir()
	config.Pricing.Refresh = true // Nothing runs, so nobody is asked.
	config.Claim.Bucket = "claims"
	no := false
	f := flags{telemetry: "/metrics", web: &web.FlagConfig{WebListenAddresses: &[]string{}, WebSystemdSocket: &no}}
	a, err := newApp(f, config, aws.Config{}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(a.queue.Close(context.Background()), a.closeState()); err != nil {
			t.Error(err)
		}
	}()
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		a.registry.Describe(descs)
	}()
	metrics := make(map[string]string)
	for d := range descs {
		if m := descName.FindStringSubmatch(d.String()); m != nil {
			metrics[m[1]] = m[2]
		}
	}
	return metrics
}

// TestMetricsAreDocumented holds the reference of metrics against what the daemon exports, in both directions.
func TestMetricsAreDocumented(t *testing.T) {
	exported := exportedMetrics(t)
	reference := readFile(t, "collector/README.md")
	var documented []string
	for _, m := range metricRow.FindAllStringSubmatch(reference, -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(documented)
	if names := slices.Sorted(maps.Keys(exported)); !slices.Equal(names, documented) {
		t.Errorf("collector/README.md has the metrics\n%s\nthe daemon exports\n%s", strings.Join(documented, "\n"), strings.Join(names, "\n"))
	}
}

// TestDocumentsNameExistingMetrics looks for metrics in all documents.
func TestDocumentsNameExistingMetrics(t *testing.T) {
	exported := exportedMetrics(t)
	documents := []string{filepath.Join(repositoryRoot, "collector", "README.md")}
	for _, folder := range []string{".", "docs"} {
		pages, err := filepath.Glob(filepath.Join(repositoryRoot, folder, "*.md"))
		if err != nil || len(pages) == 0 {
			t.Fatalf("got documents %q, %v", pages, err)
		}
		documents = append(documents, pages...)
	}
	for _, document := range documents {
		page, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range metricName.FindAllString(string(page), -1) {
			if name == "vpcflow_exporter" {
				continue
			}
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if exported[strings.TrimSuffix(name, suffix)] != "" {
					name = strings.TrimSuffix(name, suffix)
				}
			}
			if exported[name] == "" {
				t.Errorf("%s names %s, which the daemon does not export", document, name)
			}
		}
	}
}

// TestHelpSaysWhatReplicasDo holds the promise that every help text tells how to add replicas up.
func TestHelpSaysWhatReplicasDo(t *testing.T) {
	for name, help := range exportedMetrics(t) {
		if name != "vpcflow_build_info" && !strings.Contains(help, "eplica") {
			t.Errorf("help of %s does not say what to do with replicas: %q", name, help)
		}
		if !strings.HasSuffix(help, ".") {
			t.Errorf("help of %s is no sentence: %q", name, help)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repositoryRoot, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}
