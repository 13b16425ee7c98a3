# `make demo` and `make test` need Go alone. `make help` lists the targets.

GO             ?= go
DIST           ?= dist
FUZZTIME       ?= 30s
BENCHCOUNT     ?= 1
BENCH          ?= .
BENCHFLAGS     ?=
CHAOS          ?= 5m
SEED           ?= $(shell date +%s)
FILES          ?= 20000
IMAGE          ?= vpcflow_exporter
CROSS          ?= linux/arm64 darwin/arm64
ISAL_ARCH      ?= $(shell $(GO) env GOARCH)

GOLANGCI_LINT_VERSION ?= 2.15.0
TOOLS          := $(or $(GOBIN),$(CURDIR)/bin)
GOLANGCI_LINT  := $(TOOLS)/golangci-lint

# What the binary says of itself. The date is that of the commit, so that the
# same commit gives the same binary wherever it is built.
VERSION        ?= $(or $(patsubst v%,%,$(shell git describe --tags --dirty 2>/dev/null)),0.0.0-dev)
REVISION       ?= $(or $(shell git rev-parse HEAD 2>/dev/null),unknown)
BRANCH         ?= $(or $(shell git symbolic-ref --short -q HEAD 2>/dev/null),unknown)
BUILD_DATE     ?= $(or $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null),unknown)

VERSION_PACKAGE := github.com/prometheus/common/version
LDFLAGS := -s -w \
	-X $(VERSION_PACKAGE).Version=$(VERSION) \
	-X $(VERSION_PACKAGE).Revision=$(REVISION) \
	-X $(VERSION_PACKAGE).Branch=$(BRANCH) \
	-X $(VERSION_PACKAGE).BuildDate=$(BUILD_DATE)
# Go's own stamp would add nothing, and fails where git refuses to answer.
GO_BUILD_FLAGS := -buildvcs=false -trimpath
GO_BUILD := $(GO) build $(GO_BUILD_FLAGS) -ldflags '$(LDFLAGS)'

# With ISA-L the binary is linked statically, C library included.
ISAL       := $(CURDIR)/bin/isal-$(ISAL_ARCH)
ISAL_CC    := $(if $(filter arm64,$(ISAL_ARCH)),aarch64,x86_64)-linux-gnu-gcc
ISAL_BUILD := CGO_ENABLED=1 GOOS=linux GOARCH=$(ISAL_ARCH) CC=$(ISAL_CC) CGO_CFLAGS='-O2 -I$(ISAL)/include' CGO_LDFLAGS='-L$(ISAL)/lib' \
	$(GO) build $(GO_BUILD_FLAGS) -tags isal,netgo,osusergo -ldflags '$(LDFLAGS) -extldflags -static'

# Reads `go test -v`, shows the lines of packages and the output of tests that
# failed, and ends with the counts. A package that fails without naming a test
# (it does not build, it panics, it runs out of time) counts as one failure.
# The last line of the input is "exit status of go test: N", which becomes the
# exit status.
define TEST_SUMMARY
function verdict() {
	if (index($$0, "PASS:")) { passed++; delete output[$$3]; return }
	if (index($$0, "SKIP:")) { skipped++; delete output[$$3]; return }
	failed++; failures++
	print; printf "%s", output[$$3]; delete output[$$3]
}
function flush_output(name) {
	for (name in output) printf "%s", output[name]
	split("", output); split("", ran); current = ""
}
/^exit status of go test: / { status = $$NF; next }
/^ *--- (PASS|FAIL|SKIP): / { verdict(); current = $$3; next }
/^=== (RUN|CONT|NAME) / { current = $$3; next }
/^=== PAUSE / { next }
/^(ok  |\?   )\t/ { print; split("", output); failures = 0; current = ""; next }
/^FAIL\t/ {
	flush_output(); print
	if (!failures) failed++
	failures = 0; next
}
/^(PASS|FAIL|exit status [0-9]+)$$/ { next }
/^testing: warning: no tests to run$$/ { next }
{ output[current] = output[current] $$0 "\n" }
END {
	flush_output()
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit status ? status : failed > 0
}
endef
export TEST_SUMMARY

.DEFAULT_GOAL := all

.PHONY: help
help: ## Lists the targets.
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: all
all: lint test build ## Lints, tests and builds.

.PHONY: build
build: ## Builds ./vpcflow_exporter.
	@echo ">> building vpcflow_exporter $(VERSION)"
	@CGO_ENABLED=0 $(GO_BUILD) -o vpcflow_exporter ./cmd/vpcflow_exporter

.PHONY: build-isal
build-isal: $(ISAL)/lib/libisal.a ## Builds ./vpcflow_exporter with ISA-L (Debian, root or sudo; ISAL_ARCH=amd64 or arm64).
	@echo ">> building vpcflow_exporter $(VERSION) with ISA-L for $(ISAL_ARCH)"
	@$(ISAL_BUILD) -o vpcflow_exporter ./cmd/vpcflow_exporter
	@cp "$(ISAL)/LICENSE.isa-l" .
	@echo ">> LICENSE.isa-l goes with the binary wherever it goes"

$(ISAL)/lib/libisal.a:
	@echo ">> building ISA-L into $(ISAL)"
	@collector/flowlog/gunzip/isal.sh "$(ISAL)" $(ISAL_ARCH)

.PHONY: demo
demo: build ## Runs against a simulated AWS; metrics on http://localhost:9779/.
	@echo ">> running the demo, stop it with Ctrl-C"
	@./vpcflow_exporter --demo

.PHONY: test
test: ## Runs all tests and counts them.
	@echo ">> running tests"
	@{ $(GO) test -v ./...; echo "exit status of go test: $$?"; } | awk "$$TEST_SUMMARY"

.PHONY: race
race: ## Runs all tests with the race detector (needs a C compiler).
	@echo ">> running tests with the race detector"
	@CGO_ENABLED=1 $(GO) test -race ./...

.PHONY: bench
bench: ## Runs the benchmarks; BENCH=regexp, BENCHCOUNT=6 for benchstat.
	@echo ">> running benchmarks"
	@$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(BENCHCOUNT) ./...

.PHONY: bench-peers
bench-peers: ## Measures beside other readers (docs/performance.md); BENCHFLAGS for ./bench.
	@echo ">> measuring beside other readers"
	@$(GO) run ./bench $(BENCHFLAGS)

# Little time to make inputs smaller: for binary ones it is all that FUZZTIME gives.
.PHONY: pgo
pgo: ## Measures where the time of reading files goes, which guides the compiler from then on.
	@echo ">> profiling"
	@$(GO) test -trimpath -run '^$$' -bench 'BenchmarkFile/' -benchtime 3s -cpuprofile "$(CURDIR)/cmd/vpcflow_exporter/default.pgo" -o /dev/null ./collector/aggregator

.PHONY: prices
prices: ## Takes list prices from FILE, a JSON file of AWS's bulk price list, and shows what changes.
	@$(GO) run ./pricing/update pricing/rates.csv '$(FILE)'

.PHONY: fuzz
fuzz: ## Runs each fuzz target for FUZZTIME.
	@echo ">> fuzzing each target for $(FUZZTIME)"
	@packages=$$($(GO) list ./...) || exit 1; \
	for package in $$packages; do \
		targets=$$($(GO) test -list '^Fuzz' $$package) || exit 1; \
		for target in $$targets; do \
			case $$target in Fuzz*) ;; *) continue ;; esac; \
			echo ">> $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$package || exit 1; \
		done; \
	done

# Runs a test of the built program for as long as it takes. The report goes to
# stdout, all else to stderr.
define LONG_TEST
	@$(MAKE) --no-print-directory build >&2
	@echo ">> running $(1) with seed $(SEED)" >&2; report=$$(mktemp) || exit 1; status=0; \
	$(GO) test ./cmd/vpcflow_exporter -count=1 -timeout 0 -run '$(1)' -chaos.binary="$(CURDIR)/vpcflow_exporter" \
		-chaos.seed=$(SEED) -chaos.output="$$report" $(2) >&2 || status=$$?; \
	cat "$$report"; rm -f "$$report"; exit $$status
endef

.PHONY: chaos
chaos: ## Kills the exporter under faults of S3 and SQS for CHAOS, from SEED on.
	$(call LONG_TEST,^TestChaos$$/^durable$$,-chaos.duration=$(CHAOS))

.PHONY: fleet
fleet: ## Kills replicas that claim files, under faults, for CHAOS, from SEED on.
	$(call LONG_TEST,^TestFleet$$/^claims$$,-chaos.duration=$(CHAOS))

.PHONY: soak
soak: ## Has one process read FILES files, and samples what it needs.
	$(call LONG_TEST,^TestSoak$$,-soak.files=$(FILES))

.PHONY: lint
lint: golangci-lint ## Runs golangci-lint.
	@echo ">> linting"
	@"$(GOLANGCI_LINT)" run

.PHONY: fmt
fmt: golangci-lint ## Formats the code.
	@echo ">> formatting"
	@"$(GOLANGCI_LINT)" fmt

.PHONY: golangci-lint
golangci-lint:
	@if [ "$$("$(GOLANGCI_LINT)" version --short 2>/dev/null)" != "$(GOLANGCI_LINT_VERSION)" ]; then \
		echo ">> installing golangci-lint $(GOLANGCI_LINT_VERSION) into $(TOOLS)"; \
		GOBIN="$(TOOLS)" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_LINT_VERSION); \
	fi

.PHONY: check-metrics
check-metrics: ## Checks the demo's metrics page with promtool.
	@.ci/run metrics

.PHONY: conformance
conformance: ## Runs the daemon against moto, ElasticMQ and versitygw, and installs these.
	@.ci/conformance

.PHONY: tidy-check
tidy-check: ## Checks that go.mod and go.sum are tidy.
	@echo ">> checking go.mod and go.sum"
	@$(GO) mod tidy -diff

.PHONY: cross
cross: ## Builds for other platforms into DIST.
	@for platform in $(CROSS); do \
		os=$${platform%/*}; arch=$${platform#*/}; \
		output="$(DIST)/vpcflow_exporter-$(VERSION).$$os-$$arch"; \
		if [ "$$os" = windows ]; then output="$$output.exe"; fi; \
		echo ">> building $$output"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO_BUILD) -o "$$output" ./cmd/vpcflow_exporter || exit 1; \
	done

.PHONY: docker
docker: ## Builds the container image IMAGE:VERSION, also named IMAGE:latest.
	@echo ">> building the image $(IMAGE):$(VERSION)"
	@docker build \
		--build-arg VERSION=$(VERSION) \
		--build-arg REVISION=$(REVISION) \
		--build-arg BRANCH=$(BRANCH) \
		--build-arg BUILD_DATE=$(BUILD_DATE) \
		--tag $(IMAGE):$(VERSION) --tag $(IMAGE):latest .

.PHONY: clean
clean: ## Removes what was built.
	@echo ">> cleaning"
	@rm -rf vpcflow_exporter LICENSE.isa-l "$(DIST)" "$(CURDIR)/bin" bench/.build
