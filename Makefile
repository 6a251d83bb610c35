# Everything a contributor runs. `make` alone lists the targets.

CARGO ?= cargo
# More flags for `platform dev`, as in: make dev ARGS="--ephemeral --port 8090"
ARGS ?=
# A part of the benchmark: queries, submits or fan-out
BENCH ?=
# Targets of the fuzzer, all when empty, and the seconds for each; SAVE=yes keeps what reaches new code
FUZZ ?=
SECONDS_EACH ?= 60

.DEFAULT_GOAL := help
.PHONY: help setup dev test bench fuzz schemathesis lint fmt build schema crds clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what development needs and is missing here
	@scripts/setup tests

dev: ## Set up, then run the API with its own database and cluster at http://localhost:8080
	@scripts/setup dev
	@$(CARGO) run --locked --quiet -- dev $(ARGS)

test: ## Set up, then run every test; the last line counts them
	@scripts/setup tests
	@scripts/test

bench: ## Measure the release build beside pgbench; takes some minutes (BENCH=queries, submits or fan-out for a part)
	@scripts/setup dev
	@$(CARGO) bench --locked --quiet --bench load -- $(BENCH)

fuzz: ## Let libFuzzer search a minute for each target (FUZZ=quantities for one, SECONDS_EACH=600)
	@scripts/setup fuzz
	@scripts/fuzz $(SECONDS_EACH) $(FUZZ)

schemathesis: ## Ask whatever the schema allows, five minutes as an admin and five as a member
	@scripts/setup dev
	@$(CARGO) build --locked --quiet
	@python=$$(scripts/python) && cd tests/python && SEARCH_SECONDS=$${SEARCH_SECONDS:-300} \
	  PLATFORM_BIN=$$(cd ../.. && realpath "$${CARGO_TARGET_DIR:-target}")/debug/platform \
	  $$python -m pytest -q -s -p no:cacheprovider test_schemathesis.py

lint: ## Check format, lints, docs, dependencies, scripts and the playground
	@scripts/setup lint
	@scripts/lint

fmt: ## Format all code
	@$(CARGO) fmt --all
	@cd playground && npm run --silent format

build: ## Build the production binary: playground in, embedded parts out
	@scripts/setup build
	@$(CARGO) build --locked --release --no-default-features

schema: ## Write schema.graphql from the code
	@$(CARGO) run --locked --quiet -- schema > schema.graphql.new && mv schema.graphql.new schema.graphql

crds: ## Write k8s/crds from the code
	@UPDATE_CRDS=1 $(CARGO) test --locked --quiet --test it crds

clean: ## Remove what was built and the development data
	@$(CARGO) clean
	@rm -rf playground/dist playground/node_modules playground/test-results tests/*/node_modules .platform
