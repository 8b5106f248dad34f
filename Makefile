# Every target works on a clean clone with Go, make and bash; tools are built on first use (see CONTRIBUTING.md).
BIN     := bin/mooring
TOOLS   := .cache/bin
FUZZTIME ?= 10s
BENCH   ?= .
VERSITYGW ?= $(CURDIR)/$(TOOLS)/versitygw
SDKPYTHON ?= $(CURDIR)/.cache/python/sdk/bin/python
RCLONE  ?= $(CURDIR)/$(TOOLS)/rclone
GDRIVEPYTHON ?= $(CURDIR)/.cache/python/gdrive/bin/python
GRAPHPYTHON ?= $(CURDIR)/.cache/python/msgraph/bin/python
FAKESNOWPYTHON ?= $(CURDIR)/.cache/python/snowflake/bin/python

# The Snowflake driver carries a native library, which nothing here uses.
export GOFLAGS := $(strip $(GOFLAGS) -tags=minicore_disabled)

.PHONY: build test race lint interop fuzz bench microbench demo serve mongo browser clean
.DEFAULT_GOAL := build

build:
	CGO_ENABLED=0 go build -trimpath -o $(BIN) ./cmd/mooring

test:
	go test ./...

race:
	CGO_ENABLED=1 go test -race ./...

demo:
	go run ./cmd/mooring demo

serve:
	go run ./cmd/mooring serve

lint:
	tools/install golangci-lint
	$(TOOLS)/golangci-lint run --allow-parallel-runners ./...

# A real S3 server and the official SDK: neither is ours.
interop: export MOORING_TEST_RCLONE = $(RCLONE)
interop: export MOORING_TEST_GDRIVE_PYTHON = $(GDRIVEPYTHON)
interop: export MOORING_TEST_GRAPH_PYTHON = $(GRAPHPYTHON)
interop: export MOORING_TEST_FAKESNOW_PYTHON = $(FAKESNOWPYTHON)
interop:
	tools/install rclone
	tools/python test/interop/gdrive
	tools/python test/interop/msgraph
	tools/python test/interop/snowflake
	tools/install versitygw
	tools/python test/interop/sdk
	MOORING_TEST_VERSITYGW=$(VERSITYGW) MOORING_TEST_PYTHON=$(SDKPYTHON) go test -count=1 -tags interop,minicore_disabled ./test/interop/...

fuzz:
	tools/fuzz $(FUZZTIME)

# Beside s5cmd and rclone, in one run; writes docs/benchmarks.md.
bench:
	tools/install versitygw s5cmd rclone
	go run ./test/bench -o docs/benchmarks.md $(BENCHFLAGS)

microbench:
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

mongo:
	@echo 'make mongo: the tests against MongoDB have not landed yet' >&2; exit 1

browser:
	@echo 'make browser: the dashboard tests in a browser have not landed yet' >&2; exit 1

clean:
	rm -rf bin .cache
