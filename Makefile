# Ordermesh. `make help` lists everything.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Passed to `ordermesh up`, for instance `make embedded ARGS=--ephemeral`.
ARGS ?=
# All that `make up` may have started, whichever profile it was.
COMPOSE := docker compose --profile full --profile tools
# The schema linter, run by npx where there is Node.js.
BUF := npx --yes @bufbuild/buf@1.75.0

.PHONY: help
help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: up
up: ## Brings everything up: containers where Docker runs, else `make embedded`; LITE=1
	@if docker info >/dev/null 2>&1; then deploy/up.sh $(if $(LITE),--lite); \
	else $(MAKE) --no-print-directory embedded; fi

.PHONY: embedded
embedded: ## Runs everything in one process, embedded broker and SQLite; ARGS=--ephemeral
	cargo build -p ordermesh
	@exec target/debug/ordermesh up $(ARGS)

.PHONY: ps
ps: ## Shows the containers: state, health, ports
	@$(COMPOSE) ps --all --format 'table {{.Name}}\t{{.Status}}\t{{.Ports}}'

.PHONY: logs
logs: ## Follows the containers' logs; s=payments for one service's
	@$(COMPOSE) logs --follow --tail 100 $(s)

.PHONY: stop
stop: ## Ends the containers, keeps their data; `make up` goes on with it
	$(COMPOSE) down --remove-orphans

.PHONY: down
down: ## Ends the containers and removes their data, too
	$(COMPOSE) down --remove-orphans --volumes

.PHONY: ordermesh
ordermesh: ## Runs an operator's command in the stack: make ordermesh A='dlq list'
	@$(COMPOSE) run --rm --quiet-pull tools $(A)

.PHONY: order
order: ## Places the example order at the running system, over REST
	@curl -sS -i -X POST 127.0.0.1:3000/order -H 'content-type: application/json' -d @order.json; echo

.PHONY: build
build: ## Builds everything, tests included
	cargo build --workspace --all-targets

.PHONY: test
test: ## Runs all tests; with Java and Maven also those on real Kafka and PostgreSQL
	cargo build --workspace --bins
	cargo test --workspace --no-fail-fast

.PHONY: faults
faults: ## Kills, freezes and cuts off everything, in full; 75 minutes. ROWS=1,9 for some
	cargo build --workspace --bins
	FAULTS=full FAULTS_JSON=$(CURDIR)/target/faults.json cargo test -p e2e --test faults -- --nocapture

.PHONY: faults-short
faults-short: ## The short form of the same, as `make test` runs it; minutes
	cargo build --workspace --bins
	cargo test -p e2e --test faults -- --nocapture

.PHONY: faults-mutants
faults-mutants: ## Shows that the suite notices three mistakes made on purpose
	cargo build --workspace --bins
	FAULT_MISTAKE=early-offsets ROWS=1 cargo test -p e2e --test faults -- --nocapture
	FAULT_MISTAKE=forgotten-ids ROWS=2 cargo test -p e2e --test faults -- --nocapture
	FAULT_MISTAKE=fresh-keys ROWS=2 cargo test -p e2e --test faults -- --nocapture

# What is measured, built as it runs in production.
MEASURED := gateway payments history notifier analytics ordermesh bench

.PHONY: bench-build
bench-build:
	cargo build --release $(addprefix -p ,$(MEASURED))

.PHONY: bench
bench: bench-build ## Measures ours beside its peers, in ratios; 90 minutes and more. FIGURES=doors RESUME=1
	$(if $(RESUME),,rm -rf target/bench)
	target/release/bench --resume target/bench --json target/bench.json --plots docs/performance $(FIGURES)

.PHONY: bench-quick
bench-quick: bench-build ## The ratios that a change could spoil, in 3 minutes; fails when one is far off
	target/release/bench --quick --json target/bench.json $(FIGURES)

.PHONY: bench-parts
bench-parts: ## Times what every order passes, and counts its allocations; a minute
	cargo bench -p bench --bench parts

# In seconds.
TIME ?= 10
.PHONY: profile
profile: ## Shows where a running service spends its CPU time; needs perf. S=payments TIME=20
	@id=$$(pgrep -nx $(or $(S),$(error say which service: make profile S=payments))) || \
	  { echo 'error: no $(S) runs on this machine' >&2; exit 1; }; \
	mkdir -p target && cd target && \
	perf record --quiet -F 499 --call-graph dwarf,16384 -p $$id -o perf.data -- sleep $(TIME) && \
	perf report --stdio --no-children -g none --percent-limit 0.5 -i perf.data 2>/dev/null | grep -v '^$$'; \
	echo 'target/perf.data has the call graphs: perf report -i target/perf.data'

# What distributions call Chromium.
CHROMIUM = $(firstword $(foreach name,chromium chromium-browser google-chrome,$(shell command -v $(name))))

.PHONY: screenshots
screenshots: ## Takes the README's pictures of the running system; needs Node.js and Chromium
	cd e2e/browser && npm ci --no-audit --no-fund && \
	  PICTURES=$(CURDIR)/docs/images node run.mjs screenshots http://localhost:3000 $(CHROMIUM)

.PHONY: lint
lint: lint-rust lint-proto lint-deps lint-deploy ## Checks format, lints, schemas, licences, deploy/

.PHONY: lint-rust
lint-rust: ## rustfmt and clippy, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

.PHONY: lint-proto
lint-proto: ## buf lint, and buf breaking against the committed baseline
	@if command -v npx >/dev/null; then \
	  echo '$(BUF) lint'; $(BUF) lint; \
	  echo '$(BUF) breaking'; $(BUF) breaking --against proto/baseline.binpb; \
	elif [ -n "$${CI:-}" ]; then echo 'error: CI needs Node.js for buf' >&2; exit 1; \
	else echo 'skipped: buf needs Node.js (npx)'; fi

.PHONY: lint-deps
lint-deps: ## cargo deny: licences, sources, bans; no network needed
	@if command -v cargo-deny >/dev/null; then \
	  cargo deny --offline check licenses bans sources; \
	else echo 'skipped: cargo deny is not installed (cargo install cargo-deny)'; fi

.PHONY: lint-deploy
lint-deploy: ## Checks deploy/: alarms and their tests, Kubernetes, Compose, scripts
	bash -n deploy/up.sh deploy/standin/build.sh
	@if command -v promtool >/dev/null; then \
	  promtool check config deploy/prometheus/prometheus.yml; \
	  promtool test rules deploy/prometheus/rules_test.yml; \
	elif [ -n "$${CI:-}" ]; then echo 'error: CI needs promtool (Prometheus)' >&2; exit 1; \
	else echo 'skipped: promtool is not installed (it comes with Prometheus)'; fi
	@if command -v kustomize >/dev/null && command -v kubernetes-validate >/dev/null; then \
	  mkdir -p target; \
	  for overlay in production small; do \
	    kustomize build deploy/kubernetes/overlays/$$overlay >target/$$overlay.yaml; \
	    kubernetes-validate --strict --no-warn --quiet target/$$overlay.yaml; \
	    echo "kubernetes: $$overlay is valid"; \
	  done; \
	elif [ -n "$${CI:-}" ]; then echo 'error: CI needs kustomize and kubernetes-validate' >&2; exit 1; \
	else echo 'skipped: kustomize (Go) and kubernetes-validate (PyPI) are not installed'; fi
	@if docker compose version >/dev/null 2>&1; then docker compose --profile full config --quiet; \
	else echo 'skipped: docker compose is not installed'; fi

.PHONY: sbom
sbom: ## Writes what each binary is made of, as CycloneDX JSON beside its Cargo.toml
	@command -v cargo-cyclonedx >/dev/null || \
	  { echo 'error: cargo install cargo-cyclonedx, then again' >&2; exit 1; }
	cargo cyclonedx --format json --describe binaries --all-features
	@ls */*_bin.cdx.json

.PHONY: standin
standin: ## Builds stand-ins for the images of others, where no registry can be reached
	deploy/standin/build.sh

.PHONY: standin-clean
standin-clean: ## Removes them
	deploy/standin/build.sh --remove

.PHONY: proto-baseline
proto-baseline: ## Takes the schemas as they are for the baseline; after a release only
	$(BUF) build -o proto/baseline.binpb

.PHONY: docs
docs: ## Writes the settings into docs/configuration.md
	WRITE_DOCS=1 cargo test -p ordermesh --test configuration

.PHONY: fmt
fmt: ## Formats the code
	cargo fmt --all

.PHONY: clean
clean: ## Removes build results and fetched test parts; keeps ./data
	cargo clean
	rm -rf .cache
