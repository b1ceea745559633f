# What people type. `make help` lists it; `make check` is what CI runs.
.DEFAULT_GOAL := help
SHELL := /bin/sh

GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod
# sqlc brings a C parser of its own; without cgo it uses a compiled one and builds in a fraction of the time.
SQLC := CGO_ENABLED=0 $(TOOL) sqlc
CONFIG ?= settler.yaml
# Longest time for the tests of one package, race detector on.
TEST_TIMEOUT ?= 25m

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/settler, static
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/settler ./cmd/settler

.PHONY: dev run
dev: ## play one order on real parts, then stay up
	$(GO) run ./cmd/settler dev
run: ## serve with CONFIG=settler.yaml
	$(GO) run ./cmd/settler serve --config $(CONFIG)

.PHONY: up
up: ## start Postgres and settler in containers
	docker compose up --build --wait

.PHONY: migrate
migrate: ## bring the database of CONFIG=settler.yaml to the newest schema
	$(GO) run ./cmd/settler migrate up --config $(CONFIG)

.PHONY: test race cover
test: ## run the tests
	$(GO) test -timeout $(TEST_TIMEOUT) ./...
# What would find nothing with the race detector, and take minutes: mutations and the walk through all states are pure
# computation, what crashes is a program of its own, faults and reorganisations are tables of many cases whose code other
# tests run as well.
UNRACED := ^Test(Mutations|EveryPaymentThatCanComeToBe.*|Crash.*|OrchestratorFaults|Reorganisations)$$
# Most tests wait for a good part of their time, so more of them run at once than there are processors; packages run one after the
# other, since several have a chain's node of their own, which takes a processor.
race: ## run the tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -skip '$(UNRACED)' -p 1 -parallel 4 -timeout $(TEST_TIMEOUT) ./...
	$(GO) test -run '$(UNRACED)' -p 1 -parallel 4 -timeout $(TEST_TIMEOUT) ./cmd/settler ./jobs ./settlement/internal/states ./verify/evm ./verify/solana
cover: ## run the tests and write coverage.html
	$(GO) test -timeout $(TEST_TIMEOUT) -coverpkg=./... -coverprofile=cover.out ./...
	$(GO) tool cover -html=cover.out -o coverage.html
	@$(GO) tool cover -func=cover.out | tail -1

.PHONY: crash
crash: ## kill the program at every point by which money moves, not only at those that leave most behind
	SETTLER_CRASH_POINTS=all $(GO) test -count=1 -timeout 60m -run '^TestCrash' ./cmd/settler

.PHONY: mutations
mutations: ## change a million single fields of recorded payments (needs SETTLER_FIXTURES)
	SETTLER_MUTATIONS=1000000 $(GO) test -count=1 -timeout 60m -run '^TestMutations$$' -v ./verify/evm ./verify/solana

FUZZTIME ?= 1m
.PHONY: fuzz
fuzz: ## let every fuzz test look for FUZZTIME=1m for input that breaks it
	@grep -r --include='*_test.go' '^func Fuzz' . | sed 's/^\(.*\)\/[^/]*:func \(Fuzz[A-Za-z0-9]*\).*/\1 \2/' | while read -r package name; do \
	$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null || exit 1; done

.PHONY: properties
properties: ## ten thousand random lives of vaults against their model
	$(GO) test -count=1 -timeout 60m -run '^TestVaultsKeepTheirTerms$$' ./contracts -rapid.checks=10000

.PHONY: bench
bench: ## measure the promised speeds, RUN=name for one; RUN=pages takes minutes
	$(GO) run ./internal/bench $(if $(RUN),-run $(RUN))

.PHONY: fmt fmt-check vet lint
fmt: ## format the Go files
	$(TOOL) golangci-lint fmt ./...
fmt-check: ## show what fmt would change
	$(TOOL) golangci-lint fmt --diff ./...
vet: ## go vet, also of what only crash tests build
	$(GO) vet ./...
	$(GO) vet -tags crashtest ./internal/crash ./jobs ./cmd/settler
lint: ## linters and the arrows between packages
	$(TOOL) golangci-lint run ./...

.PHONY: generate generate-check
generate: ## rewrite generated files: queries, docs/states.md, contract bindings, the dashboard's pages
	$(SQLC) generate --file store/sqlc.yaml
	$(GO) generate ./...
# A developer's tree may be dirty, so the tree before is compared with the tree after, not with the last commit.
generate-check: ## fail when a generated file is stale (it is rewritten)
	@before=$$( (git status --porcelain; git diff) | git hash-object --stdin); \
	$(MAKE) --no-print-directory generate; \
	after=$$( (git status --porcelain; git diff) | git hash-object --stdin); \
	if [ "$$before" != "$$after" ]; then git status --short; echo 'generated files were stale; look at them and commit'; exit 1; fi

.PHONY: tidy-check
tidy-check: ## fail when go.mod or go.sum is not tidy
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff

.PHONY: check
check: fmt-check vet lint generate-check tidy-check race ## everything CI demands; needs Go and a C compiler

.PHONY: contracts-check page-check vuln
contracts-check: ## compile the Solidity sources and compare (needs Node and its packages)
	@cd contracts && cp combined.json combined.json.before && trap 'rm -f combined.json.before' EXIT && \
	npm install --no-package-lock --ignore-scripts --no-audit --no-fund --silent && npm run --silent build && \
	if cmp combined.json.before combined.json; then echo 'combined.json is what the sources give'; \
	else echo 'combined.json was stale; it is rewritten, commit it and make generate'; exit 1; fi
page-check: build ## open the API's page and the dashboard in a browser (needs Chromium)
	GO=$(GO) .ci/page-check bin/settler
vuln: ## known vulnerabilities in what we import (needs the vulnerability database)
	$(TOOL) govulncheck ./...

# The vendor's SDK in a virtual environment of its own; another version is another directory.
VENDOR_SDK := peaq-os-sdk[x402]==0.12.1
VENDOR_ENV := bin/vendor-0.12.1

$(VENDOR_ENV)/bin/python:
	python3 -m venv $(VENDOR_ENV).new
	$(VENDOR_ENV).new/bin/python -m pip install --quiet --disable-pip-version-check '$(VENDOR_SDK)' || { rm -rf $(VENDOR_ENV).new; exit 1; }
	mv $(VENDOR_ENV).new $(VENDOR_ENV)

.PHONY: vendor-env vendor-check
vendor-env: $(VENDOR_ENV)/bin/python ## install the vendor's SDK (needs Python 3.10 and PyPI)
vendor-check: build vendor-env ## drive the sandbox with the vendor's SDK
	$(GO) run ./internal/vendorcheck -settler bin/settler -python $(VENDOR_ENV)/bin/python

# A real remote signer: the binary that the npm package ships.
ANVIL := bin/anvil-1.7.1

$(ANVIL):
	npm install --prefix $(ANVIL).new --no-package-lock --ignore-scripts --no-audit --no-fund --silent @foundry-rs/anvil@1.7.1
	mv $(ANVIL).new $(ANVIL)

.PHONY: signer-check
signer-check: $(ANVIL) ## ask a real remote signer for signatures (needs Node and npm)
	@anvil=$$(ls $(CURDIR)/$(ANVIL)/node_modules/@foundry-rs/anvil-*/bin/anvil) && \
	SETTLER_ANVIL=$$anvil $(GO) test -count=1 -v -run '^TestRemoteWithAnvil$$' ./escrow/evm | tee -a /dev/stderr | grep -q '^--- PASS: TestRemoteWithAnvil'

.PHONY: judge
judge: build ## run the acceptance script that SETTLER_JUDGE names on SETTLER_FIXTURES
	@if [ -z "$$SETTLER_JUDGE" ]; then echo 'SETTLER_JUDGE names no acceptance script, nothing judged'; \
	else "$$SETTLER_JUDGE" --settler bin/settler "$$SETTLER_FIXTURES/evm" "$$SETTLER_FIXTURES/solana"; fi
