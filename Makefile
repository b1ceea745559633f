# What people type. `make help` lists it; `make check` is what CI runs.
.DEFAULT_GOAL := help
SHELL := /bin/sh

GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod
# sqlc brings a C parser of its own; without cgo it uses a compiled one and builds in a fraction of the time.
SQLC := CGO_ENABLED=0 $(TOOL) sqlc
CONFIG ?= settler.yaml
# Longest time for the tests of one package, race detector on.
TEST_TIMEOUT ?= 15m

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
race: ## run the tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout $(TEST_TIMEOUT) ./...
cover: ## run the tests and write coverage.html
	$(GO) test -timeout $(TEST_TIMEOUT) -coverpkg=./... -coverprofile=cover.out ./...
	$(GO) tool cover -html=cover.out -o coverage.html
	@$(GO) tool cover -func=cover.out | tail -1

.PHONY: bench
bench: ## measure the promised speeds, RUN=name for one
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
generate: ## rewrite generated files: queries, docs/states.md, contract bindings
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
page-check: build ## open the API's page in a browser (needs Chromium)
	.ci/page-check bin/settler
vuln: ## known vulnerabilities in what we import (needs the vulnerability database)
	$(TOOL) govulncheck ./...

.PHONY: judge
judge: build ## run the acceptance script that SETTLER_JUDGE names on SETTLER_FIXTURES
	@if [ -z "$$SETTLER_JUDGE" ]; then echo 'SETTLER_JUDGE names no acceptance script, nothing judged'; \
	else "$$SETTLER_JUDGE" --settler bin/settler "$$SETTLER_FIXTURES/evm"; fi
