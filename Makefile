# The commands for contributors. `make` without a target lists them.

CARGO ?= cargo
# Additional flags for `platform dev`, for example: make dev ARGS="--ephemeral --port 8090"
ARGS ?=
# The part of the benchmark to run: queries, submits or fan-out
BENCH ?=
# Fuzz targets (all if empty), and the seconds for each; SAVE=yes saves the inputs that reach new code
FUZZ ?=
SECONDS_EACH ?= 60

.DEFAULT_GOAL := help
.PHONY: help setup dev test bench bench-log-ins bench-enumeration bench-lists bench-claims bench-files fuzz schemathesis lint fmt build schema crds clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing for development
	@scripts/setup tests

dev: ## Install what is missing, then run the API with its own database and cluster at http://localhost:8080
	@scripts/setup dev
	@$(CARGO) run --locked --quiet -- dev $(ARGS)

test: ## Install what is missing, then run all tests; the last line is the summary
	@scripts/setup tests
	@scripts/test

bench: ## Benchmark the release build and pgbench; takes a few minutes (BENCH=queries, submits or fan-out for a part)
	@scripts/setup dev
	@$(CARGO) bench --locked --quiet --bench load -- $(BENCH)

bench-log-ins: ## Benchmark queries while 50 people log in at once (release build)
	@scripts/setup dev
	@$(CARGO) build --locked --release --quiet
	@python3 benches/scale/logins.py storm

bench-enumeration: ## Compare the times of failed log-ins of known and unknown usernames (release build)
	@scripts/setup dev
	@$(CARGO) build --locked --release --quiet
	@python3 benches/scale/logins.py enumeration

bench-lists: ## Benchmark page 1 and page 1000 of every list in the database with 100,000 people (needs psql)
	@scripts/setup dev
	@$(CARGO) build --locked --release --quiet
	@python3 benches/scale/lists.py

bench-claims: ## Benchmark the watch's list of 10,000 storage claims beside a bare list (release build)
	@scripts/setup dev
	@$(CARGO) build --locked --release --quiet
	@python3 benches/scale/relist.py

bench-files: ## Benchmark a download of 2 GB: memory, and CPU beside kubectl port-forward (needs KUBEBUILDER_ASSETS, dufs and go)
	@scripts/setup dev
	@$(CARGO) build --locked --release --quiet
	@python3 benches/files/files.py memory
	@python3 benches/files/files.py cpu

fuzz: ## Run each fuzz target for a minute (FUZZ=quantities for a single one, SECONDS_EACH=600)
	@scripts/setup fuzz
	@scripts/fuzz $(SECONDS_EACH) $(FUZZ)

schemathesis: ## Send operations generated from the schema, five minutes each as an admin and as a member
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

build: ## Build the production binary, with the playground and without the embedded database and cluster
	@scripts/setup build
	@$(CARGO) build --locked --release --no-default-features

schema: ## Regenerate schema.graphql
	@$(CARGO) run --locked --quiet -- schema > schema.graphql.new && mv schema.graphql.new schema.graphql

crds: ## Regenerate k8s/crds
	@UPDATE_CRDS=1 $(CARGO) test --locked --quiet --test it crds

clean: ## Remove build output and development data
	@$(CARGO) clean
	@rm -rf playground/dist playground/node_modules playground/test-results examples/web/dist examples/node_modules tests/*/node_modules .platform
