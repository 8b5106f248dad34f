# Every target works on a clean clone with Go, make and bash; tools are built on first use (see CONTRIBUTING.md).
BIN     := bin/mooring
TOOLS   := .cache/bin
FUZZTIME ?= 10s
BENCH   ?= .
BASE    ?= HEAD
RACELESS = -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false
VERSION ?= $(shell sed -n 's/^var version = "\(.*\)"$$/\1/p' cmd/mooring/main.go)
DIST    ?= dist/$(VERSION)

# The Snowflake driver carries a native library, which nothing here uses.
export GOFLAGS := $(strip $(GOFLAGS) -tags=minicore_disabled)

.PHONY: build test race lint interop fuzz bench microbench compare demo serve mongo browser release release-check clean
.DEFAULT_GOAL := build

build:
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o $(BIN) ./cmd/mooring

test:
	go test ./...

# SQLite, which is C in the clothes of Go, is left uninstrumented: that took most of the time and says nothing about us. So is
# test/e2e, which drives the static binary. RACEFLAGS=-short is for fewer seeds and smaller scales.
race:
	CGO_ENABLED=1 go test -race $(RACELESS) -count=1 -timeout 20m $(RACEFLAGS) $$(go list ./... | grep -v '/test/e2e$$')

demo:
	go run ./cmd/mooring demo

serve:
	go run ./cmd/mooring serve

lint:
	tools/install golangci-lint
	$(TOOLS)/golangci-lint run --allow-parallel-runners ./...

# Software that is not ours. A folder that pins Python packages has a Python of its own, which MOORING_TEST_<FOLDER>_PYTHON names.
PYTHONS = $(patsubst test/interop/%/requirements.txt,%,$(wildcard test/interop/*/requirements.txt))
interop: export MOORING_TEST_VERSITYGW = $(CURDIR)/$(TOOLS)/versitygw
interop: export MOORING_TEST_RCLONE = $(CURDIR)/$(TOOLS)/rclone
interop:
	tools/python $(PYTHONS:%=test/interop/%)
	tools/install versitygw rclone
	$(foreach p,$(PYTHONS),MOORING_TEST_$(shell echo $p | tr a-z A-Z)_PYTHON=$(CURDIR)/.cache/python/$p/bin/python) \
	go test -count=1 -tags interop,minicore_disabled ./test/interop/...

fuzz:
	tools/fuzz $(FUZZTIME)

# Beside s5cmd and rclone, in one run of half an hour; writes docs/benchmarks.md. WITHOUT=rclone goes without one of them.
bench:
	tools/install versitygw $(filter-out $(WITHOUT),s5cmd rclone)
	go build -o $(TOOLS)/bench ./test/bench
	$(TOOLS)/bench -o docs/benchmarks.md -without '$(WITHOUT)' $(BENCHFLAGS)

microbench:
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

# What has changed since a commit, by turns: make compare BASE=HEAD~10 BENCH='Reads|Sums'
compare:
	tools/compare '$(BASE)' '$(BENCH)'

# Static binaries with their bills of materials and SHA256SUMS, in DIST, which must be empty.
release:
	tools/release/build $(VERSION) $(DIST)
	tools/release/vulnerabilities

# The same bytes from two checkouts with empty caches; some minutes, so that CI does not wait for it.
release-check:
	tools/release/check $(VERSION)

# The store on MongoDB: on a server of tools/mongoserver that the tests kill, or on the one that MONGODB_URI names.
mongo: export MOORING_TEST_MONGODB_URI = $(MONGODB_URI)
mongo: export MOORING_TEST_MONGOSERVER = $(CURDIR)/$(TOOLS)/mongoserver
mongo:
	$(if $(MONGODB_URI),,tools/install mongoserver)
	go test -count=1 -timeout 20m -tags mongo,minicore_disabled ./internal/store/mongo
	go test -count=1 -timeout 20m -tags mongo,minicore_disabled -run '^(TestCluster|TestMongo.*)$$' ./test/chaos ./test/e2e

# The dashboard in the distribution's Chromium, and that alone: nothing is fetched from anywhere else. BROWSER names some of the
# tests (BROWSER=sync); SCREENSHOTS=1 renews docs/screenshots.
browser:
	path=$$(tools/browser) && MOORING_TEST_CHROMIUM=$$path MOORING_TEST_BROWSER=$(BROWSER) MOORING_TEST_SCREENSHOTS=$(SCREENSHOTS) \
	CGO_ENABLED=0 go test -count=1 -v -timeout 20m -tags browser,minicore_disabled ./test/browser

clean:
	rm -rf bin dist .cache test/browser/node_modules
