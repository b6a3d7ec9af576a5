# Needs Go, git and make; a C compiler too, for the race detector. `make help` lists the targets.

GO        ?= go
BINARY    := aliyun_vulscan_exporter
CACHE     := $(CURDIR)/.cache
LINT      := $(CACHE)/golangci-lint-2.15.0/golangci-lint
FUZZTIME  ?= 60s
SOAK      ?= 30m
BENCH     ?= .
BENCHTIME ?= 1s
MODULES   := . grafana e2e

VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
REVISION  := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BRANCH    := $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown)
INFO      := github.com/prometheus/common/version
LDFLAGS   := -s -w -X $(INFO).Version=$(VERSION) -X $(INFO).Revision=$(REVISION) -X $(INFO).Branch=$(BRANCH)

ifdef GOARCH
export GOARCH
endif

# The race detector needs cgo. Without a compiler the tests still run, and say so.
COMPILER  := $(shell command -v "$$($(GO) env CC)" 2>/dev/null)
ifneq ($(COMPILER),)
RACE      := -race
else
RACE      :=
endif

.PHONY: build test race-check lint fmt soak bench demo cover fuzz promtool rules dashboards dashboards-pictures e2e packages release image clean help

build: ## The static binary.
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BINARY) .

test: race-check ## All tests: 3 to 6 minutes on two cores.
	@echo "make test takes 3 to 6 minutes on two cores, of which the first build is one or two; a package alone: $(GO) test ./config"
	$(GO) test $(RACE) -p 4 ./... # four packages at once: many of their tests wait for processes

race-check:
ifeq ($(RACE),)
	@echo "WARNING: no C compiler found: the tests run WITHOUT the race detector. Install gcc to have it." >&2
endif

lint: $(LINT) ## Static checks: a minute; the first time, three more to build the linter.
	@set -e; for module in $(MODULES); do echo "lint $$module"; \
	  (cd $$module && $(LINT) run --config $(CURDIR)/.golangci.yml ./... && $(LINT) fmt --config $(CURDIR)/.golangci.yml --diff ./...); done

fmt: $(LINT) ## Formats the code.
	$(LINT) fmt ./...

$(LINT):
	GOBIN=$(dir $@) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

soak: build ## A long life with faults, reloads and scrapes: SOAK is how long.
	SOAK=$(SOAK) EXPORTER=$(CURDIR)/$(BINARY) $(GO) test -tags soak -count 1 -timeout 0 -run '^TestSoak$$' -v ./internal/processtest

bench: ## All benchmarks: ten minutes, on a machine that does nothing else.
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem -p 1 -timeout 60m ./...

demo: ## The exporter against an embedded Security Center.
	$(GO) run . --demo

cover: ## Test coverage by function.
	$(GO) test -coverprofile=coverage.out -coverpkg=./... ./...
	$(GO) tool cover -func=coverage.out

fuzz: ## Every fuzz target for FUZZTIME.
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$pkg; \
	  done; done

promtool: build ## What a real promtool and a real Prometheus think of the metrics.
	.ci/prometheus ./$(BINARY)

rules: ## Alert and recording rules: checked and tested by a real promtool.
	.ci/rules

dashboards: ## Writes the dashboards anew, and looks at them closely.
	cd grafana && $(GO) run . && $(GO) test -count=1 ./...

e2e: ## With real Prometheus servers, Alertmanager and VictoriaMetrics, which it gets.
	.ci/e2e

packages: build ## deb and rpm, into dist/. For another machine: make packages GOARCH=arm64
	mkdir -p dist
	deploy/packages/build ./$(BINARY) dist

release: ## Everything that a release consists of, for all platforms, into dist/release/.
	GOOS= GOARCH= $(GO) run ./deploy/release

image: ## The container image.
	docker build -f deploy/docker/Dockerfile --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) -t $(BINARY) .

clean: ## Removes what was built, and the tools in .cache.
	rm -rf $(BINARY) dist coverage.out $(CACHE)

help: ## This list.
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r target text; do printf '%-20s%s\n' "$$target" "$$text"; done

dashboards-pictures: ## The dashboards drawn in a browser from real Prometheus servers, into .cache/pictures.
	.ci/pictures
