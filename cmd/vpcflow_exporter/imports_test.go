package main

import (
	"go/parser"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/vpcflow/vpcflow_exporter"

// Libraries by the names that the import table uses. An entry covers the
// packages below it.
var libraries = map[string][]string{
	"aws": {
		"github.com/aws/aws-sdk-go-v2/aws",
		"github.com/aws/aws-sdk-go-v2/config",
		"github.com/aws/aws-sdk-go-v2/credentials",
		"github.com/aws/smithy-go",
	},
	"aws core":     {"github.com/aws/aws-sdk-go-v2/aws", "github.com/aws/smithy-go"},
	"aws pricing":  {"github.com/aws/aws-sdk-go-v2/service/pricing"},
	"aws s3":       {"github.com/aws/aws-sdk-go-v2/service/s3"},
	"aws sqs":      {"github.com/aws/aws-sdk-go-v2/service/sqs"},
	"bbolt":        {"go.etcd.io/bbolt"},
	"client":       {"github.com/prometheus/client_golang"},
	"client model": {"github.com/prometheus/client_model", "github.com/prometheus/common/expfmt"},
	"common":       {"github.com/prometheus/common"},
	"cpu":          {"golang.org/x/sys/cpu"},
	"compress":     {"github.com/klauspost/compress"},
	"codecs":       {"github.com/andybalholm/brotli", "github.com/pierrec/lz4/v4"},
	"exporter":     {"github.com/prometheus/exporter-toolkit", "github.com/alecthomas/kingpin/v2"},
	"gofakes3":     {"github.com/rclone/gofakes3"},
	"lru":          {"github.com/hashicorp/golang-lru/v2"},
	"maxmind":      {"github.com/oschwald/maxminddb-golang/v2"},
	"mmdbwriter":   {"github.com/maxmind/mmdbwriter"},
	"parquet":      {"github.com/parquet-go/parquet-go"},
	"yaml":         {"gopkg.in/yaml.v3"},
}

// importRule says what the files of a package may import besides the standard
// library, and why not more.
type importRule struct {
	own    []string // Packages of this module; "*" is all.
	libs   []string // Keys of libraries; "*" is all.
	cgo    bool     // C, behind a build tag.
	reason string
}

// importRules is the import table of the architecture. Data flows one way: a
// package imports only what stands before it.
var importRules = map[string]importRule{
	"pricing": {
		reason: "prices are pure: a table, its overrides and a snapshot, free of AWS and Prometheus types",
	},
	"pricing/pricelist": {
		own:    []string{"pricing"},
		reason: "products of AWS's price list are parsed without I/O of their own, whether a server or a file has them",
	},
	"pricing/refresh": {
		own:    []string{"internal/backoff", "pricing", "pricing/pricelist"},
		libs:   []string{"aws core", "aws pricing", "client"},
		reason: "asking the Price List API is kept apart from the prices, which know of no server",
	},
	"pricing/update": {
		own:    []string{"pricing", "pricing/pricelist"},
		reason: "the embedded list is made from the same products as a refresh",
	},
	"collector/s3event": {
		reason: "envelopes are parsed without I/O, so that they can be fuzzed",
	},
	"collector/flowlog": {
		own:    []string{"collector/flowlog/gunzip", "collector/flowlog/parquet"},
		libs:   []string{"cpu"},
		reason: "the hot path is pure: bytes in, records out, measured alone; inflating is its packages' business",
	},
	"collector/flowlog/gunzip": {
		libs:   []string{"compress"},
		cgo:    true,
		reason: "gzip's frame is read here once for both inflaters; C stays in this package and behind the tag isal",
	},
	"collector/flowlog/parquet": {
		libs:   []string{"compress", "codecs"},
		reason: "pages are decoded here, because a library that believes the lengths in a hostile file ends the process; only inflating is left to others",
	},
	"collector/topn": {
		reason: "the sketch is pure arithmetic over keys and bytes",
	},
	"collector/queue": {
		own:    []string{"internal/backoff"},
		libs:   []string{"aws core", "aws sqs", "client"},
		reason: "the queue moves messages and knows nothing of S3 or flow logs",
	},
	"collector/objstore": {
		own:    []string{"collector/s3event", "internal/backoff"},
		libs:   []string{"aws core", "aws s3", "client"},
		reason: "a store opens one object as a stream and knows nothing of queues or of what is in it",
	},
	"collector/claim": {
		own:    []string{"collector/objstore", "internal/backoff"},
		libs:   []string{"aws core", "aws s3", "client"},
		reason: "a claim is an object about a file; what is in the file and what becomes of it is the pipeline's business",
	},
	"collector/classifier": {
		own:    []string{"collector/flowlog"},
		reason: "what a record is depends on the record and on what was learned, on nothing outside",
	},
	"collector/aggregator": {
		own:    []string{"collector/classifier", "collector/flowlog", "collector/topn"},
		reason: "the aggregator owns the numbers and knows nothing of Prometheus, files or queues",
	},
	"collector/doctor": {
		own:    []string{"collector/aggregator", "collector/flowlog"},
		reason: "what a format allows is what the aggregator makes of its fields; saying it in words is neither's business, and needs no store",
	},
	"collector/state": {
		own:    []string{"collector/aggregator"},
		libs:   []string{"bbolt", "client"},
		reason: "the durable copy is a copy of the aggregator and of nothing else",
	},
	"collector/enrich": {
		own:    []string{"internal/backoff"},
		libs:   []string{"lru", "maxmind", "client"},
		reason: "names for addresses are asked for once per key, by the pipeline, never from inside a stage",
	},
	"collector/pipeline": {
		own: []string{
			"collector/queue", "collector/s3event", "collector/objstore", "collector/flowlog", "collector/classifier",
			"collector/topn", "collector/aggregator", "collector/claim", "collector/doctor", "collector/state", "collector/enrich", "pricing", "internal/backoff",
		},
		libs:   []string{"client", "lru"},
		reason: "the pipeline drives the stages and leaves AWS to queue and objstore",
	},
	"collector": {
		own:    []string{"collector/aggregator", "collector/classifier", "pricing"},
		libs:   []string{"client"},
		reason: "the collector is the last stage: it turns one snapshot into metrics",
	},
	"collector/explain": {
		own:    []string{"collector/aggregator", "collector/classifier", "collector/flowlog", "collector/s3event"},
		reason: "an explanation is what the exporter itself would do with a line, without queue, store and prices",
	},
	"collector/backfill": {
		own:    []string{"collector/pipeline"},
		libs:   []string{"aws core", "aws s3"},
		reason: "backfill lists files and hands them to the pipeline's own file path, so that both count alike",
	},
	"internal/flowgen": {
		reason: "the generator is the oracle: it must not learn from the code that it checks",
	},
	"internal/flowparquet": {
		libs:   []string{"parquet"},
		reason: "what writes Parquet for tests must share nothing with what reads it",
	},
	"internal/backoff": {
		reason: "how to wait is the same for every server that fails",
	},
	"internal/exposition": {
		libs:   []string{"client model", "common"},
		reason: "pages are read as Prometheus reads them, by its own parser",
	},
	"internal/testlog": {
		reason: "a buffer for what is printed",
	},
	"internal/chaos": {
		own:    []string{"internal/awstest", "internal/exposition", "internal/flowgen"},
		libs:   []string{"aws sqs"},
		reason: "the chaos sees the exporter from outside, as a process, its requests and its pages",
	},
	"internal/demo": {
		own:    []string{"internal/flowgen"},
		libs:   []string{"aws", "aws s3", "aws sqs"},
		reason: "the demo writes to S3 and SQS as AWS does; nothing in the daemon knows of it, nor it of the daemon",
	},
	"internal/awstest": {
		libs:   []string{"aws", "aws s3", "aws sqs", "gofakes3"},
		reason: "the servers stand in for AWS and must not share code with what talks to them",
	},
	"bench": {
		own:    []string{"internal/flowgen"},
		libs:   []string{"compress"},
		reason: "the runner generates files and starts programs; what it measures is in none of its own code",
	},
	"bench/reader": {
		own:    []string{"collector/aggregator", "collector/classifier", "collector/flowlog"},
		libs:   []string{"compress"},
		reason: "the read path is measured as a worker drives it, without queue, store and metrics",
	},
	"bench/obvious": {
		reason: "the obvious program knows nothing of the exporter that it is compared with",
	},
	"internal/conformance": {
		own:    []string{"collector", "collector/aggregator", "collector/classifier", "collector/flowlog", "pricing"},
		libs:   []string{"client"},
		reason: "what holds the daemon against foreign servers runs it from outside, as an operator does; a Prometheus scrapes an aggregator's page, whose clock goes by its scrapes",
	},
	"cmd/vpcflow_exporter": {
		own:    []string{"*"},
		libs:   []string{"*"},
		reason: "the command wires everything",
	},
}

// testLibraries are what test files may import besides their package's own
// libraries. YAML, flags and the web server stay with the command even there.
var testLibraries = []string{"aws", "aws pricing", "aws s3", "aws sqs", "client", "client model", "compress", "gofakes3", "lru", "mmdbwriter", "parquet"}

func TestImports(t *testing.T) {
	_, files := sourceFiles(t, parser.ImportsOnly)
	for _, file := range files {
		rule, listed := importRules[file.dir]
		if !listed {
			t.Errorf("%s: package %s is not in the import table; say there what it may import, and why", file.path, file.dir)
			continue
		}
		for _, spec := range file.syntax.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !importAllowed(file, rule, name) {
				t.Errorf("%s: must not import %s: %s", file.path, name, rule.reason)
			}
		}
	}
}

// TestImportTable holds the table itself to its promise: it has no cycle, names
// only what it knows, and gives reasons.
func TestImportTable(t *testing.T) {
	for dir, rule := range importRules {
		if rule.reason == "" {
			t.Errorf("%s has no reason", dir)
		}
		for _, own := range rule.own {
			if _, ok := importRules[own]; !ok && own != "*" {
				t.Errorf("%s may import %s, which is not in the table", dir, own)
			}
		}
		for _, library := range rule.libs {
			if _, ok := libraries[library]; !ok && library != "*" {
				t.Errorf("%s may import %s, which is not a library", dir, library)
			}
		}
		if below(dir)[dir] {
			t.Errorf("%s is below itself", dir)
		}
	}
}

// TestImportAllowed tries rules on imports, so that a walk that allows
// everything does not pass for a clean tree.
func TestImportAllowed(t *testing.T) {
	const own = modulePath + "/"
	cases := []struct {
		file, imported string
		want           bool
	}{
		{"collector/flowlog/decoder.go", "bytes", true},
		{"collector/flowlog/decoder.go", "github.com/klauspost/compress/gzip", false},
		{"collector/flowlog/gunzip/flate.go", "github.com/klauspost/compress/flate", true},
		{"collector/flowlog/gunzip/flate.go", "github.com/klauspost/compressed", false},
		{"collector/flowlog/gunzip/isal.go", "C", true},
		{"collector/flowlog/gunzip/isal_test.go", "C", false},
		{"collector/flowlog/decoder.go", "github.com/prometheus/client_golang/prometheus", false},
		{"collector/flowlog/decoder.go", "github.com/parquet-go/parquet-go", false},
		{"collector/flowlog/decoder_test.go", "github.com/parquet-go/parquet-go", true},
		{"collector/flowlog/decoder.go", "C", false},
		{"collector/flowlog/decoder.go", "testing", false},
		{"collector/flowlog/decoder_test.go", "testing", true},
		{"collector/flowlog/decoder_test.go", own + "collector/flowlog", true},
		{"collector/flowlog/decoder_test.go", own + "internal/flowgen", true},
		{"collector/flowlog/decoder_test.go", own + "collector/classifier", false},
		{"collector/classifier/classifier.go", own + "collector/flowlog", true},
		{"collector/classifier/classifier.go", own + "collector/aggregator", false},
		{"collector/aggregator/delta.go", own + "collector/queue", false},
		{"collector/aggregator/delta_test.go", own + "collector/flowlog", true},
		{"collector/aggregator/delta.go", own + "internal/flowgen", false},
		{"collector/objstore/s3.go", "github.com/aws/aws-sdk-go-v2/service/s3/types", true},
		{"collector/objstore/s3.go", "github.com/aws/aws-sdk-go-v2/service/sqs", false},
		{"collector/queue/config.go", "gopkg.in/yaml.v3", false},
		{"collector/queue/config_test.go", "gopkg.in/yaml.v3", false},
		{"internal/flowgen/flowgen_test.go", own + "collector/flowlog", false},
		{"internal/demo/demo_test.go", own + "internal/awstest", true},
		{"internal/awstest/sqs.go", own + "collector/queue", false},
		{"cmd/vpcflow_exporter/config.go", "gopkg.in/yaml.v3", true},
		{"cmd/vpcflow_exporter/config.go", "github.com/stretchr/testify/assert", false},
		{"cmd/vpcflow_exporter/config_test.go", "github.com/stretchr/testify/assert", false},
		{"cmd/vpcflow_exporter/app.go", own + "internal/demo", true},
		{"cmd/vpcflow_exporter/app.go", "testing", false},
	}
	for _, c := range cases {
		file := sourceFile{path: c.file, dir: path.Dir(c.file), test: strings.HasSuffix(c.file, "_test.go")}
		if got := importAllowed(file, importRules[file.dir], c.imported); got != c.want {
			t.Errorf("%s importing %s: got allowed %t, want %t", c.file, c.imported, got, c.want)
		}
	}
}

// importAllowed reports whether a file may import a package. Test files may also
// import all that is below their package, the test servers and generators, and
// the test libraries.
func importAllowed(file sourceFile, rule importRule, imported string) bool {
	if own, ok := strings.CutPrefix(imported, modulePath+"/"); ok {
		return ownAllowed(file, rule, own)
	}
	if imported == "C" {
		return rule.cgo && !file.test
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		linked := imported != "testing" && !strings.HasPrefix(imported, "testing/")
		return linked || file.test
	}
	allowed := rule.libs
	if file.test {
		allowed = slices.Concat(allowed, testLibraries)
	}
	if slices.Contains(allowed, "*") {
		allowed = slices.Collect(maps.Keys(libraries))
	}
	for _, library := range allowed {
		for _, prefix := range libraries[library] {
			if imported == prefix || strings.HasPrefix(imported, prefix+"/") {
				return true
			}
		}
	}
	return false
}

func ownAllowed(file sourceFile, rule importRule, own string) bool {
	switch {
	case slices.Contains(rule.own, "*"), slices.Contains(rule.own, own):
		return true
	case !file.test:
		return false
	default:
		return own == file.dir || strings.HasPrefix(own, "internal/") || below(file.dir)[own]
	}
}

// below collects what a package may import directly or through others.
func below(dir string) map[string]bool {
	found := make(map[string]bool)
	var visit func(dir string)
	visit = func(dir string) {
		for _, own := range importRules[dir].own {
			if !found[own] {
				found[own] = true
				visit(own)
			}
		}
	}
	visit(dir)
	return found
}
