# Bare `make` lists the targets.
.DEFAULT_GOAL := help

GO        ?= go
BIN       := bin
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null | sed 's/^v//')
COMMIT    ?= $(shell git rev-parse --short HEAD 2>/dev/null)
LDFLAGS   := -s -w -X github.com/natsd/natsd/cmd.linkedCommit=$(COMMIT)
# A number of inputs, not a time: when a time is up, go test now and then calls that a failure.
FUZZTIME  ?= 20000x
BENCHTIME ?= 20ms
SOAK      ?= 10m
SEEDS     ?= 20000
BASE      ?= HEAD~1
PARTITION ?= 20s

# The race detector needs a C compiler; without one the tests run without it.
RACE := $(shell command -v $${CC:-cc} >/dev/null 2>&1 && echo -race)

.PHONY: pgo bench-gate bench-peers help build test race lint cross vuln oracle sim fuzz bench e2e soak chaos cover golden generate clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build ./natsd
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o natsd .

test: ## run the tests, with the race detector where a C compiler is at hand
	@if [ -z "$(RACE)" ]; then echo "note: no C compiler, running without the race detector"; fi
	$(GO) test $(RACE) ./...

race: ## run the tests with the race detector, several times
	$(GO) test -race -count=3 ./...

lint: $(BIN)/golangci-lint ## vet, check the format and run the linters
	$(GO) vet ./...
	$(GO) vet -tags e2e,chaos ./...
	$(BIN)/golangci-lint run ./...

cross: ## vet and build for the other systems that there are packages for
	@set -e; for target in linux/arm64 linux/arm darwin/arm64 windows/amd64 freebsd/amd64; do \
		echo "== $$target"; \
		GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 $(GO) vet ./...; \
		GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 $(GO) build -pgo=off -o /dev/null .; \
	done

vuln: $(BIN)/govulncheck ## look for known vulnerabilities in what is used; needs the database of vuln.go.dev, or GOVULNDB
	$(BIN)/govulncheck ./...

$(BIN)/govulncheck: tools/go.mod
	cd tools && $(GO) build -o ../$(BIN)/govulncheck golang.org/x/vuln/cmd/govulncheck

oracle: ## compare permissions with their oracle on 5 million random tuples
	$(GO) test ./internal/permission -run TestOracle -rules 20000 -count=1 -v

sim: ## simulate SEEDS (20000) clusters with faults
	$(GO) test ./pkg/cluster -run TestSimulation -seeds $(SEEDS) -count=1 -v -timeout 1h

$(BIN)/golangci-lint: tools/go.mod
	cd tools && $(GO) build -o ../$(BIN)/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint

fuzz: ## run every fuzz target for FUZZTIME (20000x: so many inputs)
	@set -e; for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; \
		done; \
	done

bench: ## run every benchmark for BENCHTIME (20ms)
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) -benchmem ./...

pgo: ## write default.pgo, by which natsd is optimised, from a mix of loads
	./tools/pgo

bench-gate: ## compare instructions per message with those of BASE (HEAD~1); needs valgrind
	./tools/bench-gate $(BASE)

bench-peers: ## measure natsd, nats-server and redis-server side by side, for docs/performance.md
	./tools/bench-peers

e2e: ## test a built natsd with real clients and peers; installs what is missing
	./e2e/run

soak: ## run random clients against a built natsd for SOAK (10m)
	SOAK=$(SOAK) ./e2e/run soak

chaos: ## kill, stop and part real servers in network namespaces; needs root; PARTITION (20s)
	PARTITION=$(PARTITION) ./e2e/run chaos

cover: ## write coverage.out and print what is covered
	$(GO) test -coverprofile=coverage.out ./...
	$(GO) tool cover -func=coverage.out | tail -n 1

golden: ## rewrite the golden files; review the difference like code
	$(GO) test ./cmd -update

generate: ## rewrite completions/ from the command tree, and the documents about keys from the schema
	$(GO) run ./internal/tools/gendocs
	@mkdir -p completions
	$(GO) run . man docs/man
	$(GO) run . completion bash > completions/natsd.bash
	$(GO) run . completion zsh > completions/_natsd
	$(GO) run . completion fish > completions/natsd.fish
	$(GO) run . completion powershell > completions/natsd.ps1

.PHONY: packages packages-linux

clean: ## remove what was built
	rm -rf $(BIN) natsd coverage.out

packages: $(BIN)/goreleaser ## build the packages of all systems into dist/, and publish nothing
	$(BIN)/goreleaser check
	$(BIN)/goreleaser release --snapshot --clean --skip=sbom,publish

packages-linux: $(BIN)/goreleaser ## the same for this kind of Linux only, and try the Debian package; needs root
	$(BIN)/goreleaser check
	@mkdir -p .package
	sed 's/goos: \[.*/goos: [linux]/; s/goarch: \[.*/goarch: [$(shell $(GO) env GOARCH)]/' .goreleaser.yml > .package/linux.yml
	$(BIN)/goreleaser release --snapshot --clean --skip=sbom,publish,archive -f .package/linux.yml
	./e2e/package dist/*.deb
	./e2e/systemd dist/*.deb

$(BIN)/goreleaser: tools/release/go.mod
	cd tools/release && $(GO) build -o ../../$(BIN)/goreleaser github.com/goreleaser/goreleaser/v2
