# Everything a developer or CI runs. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules

PYTHON ?= python3
PORT ?= 8080
GRPC_PORT ?= 50051
DATA_DIR ?= ./var
SEED ?=

VENV := .venv
BIN := $(VENV)/bin
DESCRIPTOR := gen/descriptor/reelgate.binpb
RELEASED := proto/released.binpb
SOURCES := src scripts tests

# Every version is pinned there, the build backend's too.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

# --- set up ---------------------------------------------------------------------------------------------------------

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit("Reelgate needs Python 3.11 or later") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runs: $(VENV)/.made pyproject.toml gen/python/pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --editable gen/python --editable .
	@touch $@

$(VENV)/.simulates: $(VENV)/.runs
	$(BIN)/pip install --quiet --editable gen/python --editable '.[simulators]'
	@touch $@

$(VENV)/.develops: $(VENV)/.runs
	$(BIN)/pip install --quiet --editable gen/python --editable '.[dev]'
	@touch $@

.PHONY: setup
setup: $(VENV)/.develops ## Install everything a developer needs into .venv

# --- run ------------------------------------------------------------------------------------------------------------

.PHONY: run
run: $(VENV)/.runs ## Run the whole product: server, Envoy, local renderer, development accounts
	@exec $(BIN)/reelgate up --die-with-parent --port '$(PORT)' --grpc-port '$(GRPC_PORT)' --data-dir '$(DATA_DIR)'

.PHONY: run-simulated
run-simulated: $(VENV)/.simulates ## The same with simulated providers in place of the real ones; uses no key
	@exec $(BIN)/reelgate up --simulate --die-with-parent \
	  --port '$(PORT)' --grpc-port '$(GRPC_PORT)' --data-dir '$(DATA_DIR)'

# --- test -----------------------------------------------------------------------------------------------------------

.PHONY: test
test: $(VENV)/.develops ## Run all tests
	$(BIN)/pytest

.PHONY: test-store
test-store: $(VENV)/.develops ## Run the store's contract over every adapter
	$(BIN)/pytest tests/contract/test_stores.py tests/adapters

.PHONY: test-envoy
test-envoy: $(VENV)/.develops ## Run the golden cases through a real Envoy
	$(BIN)/pytest tests/envoy

.PHONY: simulate
simulate: $(VENV)/.develops ## Run the simulation; SEED=7 runs one seed
	SEED='$(SEED)' $(BIN)/pytest tests/simulation

.PHONY: coverage
coverage: $(VENV)/.develops ## Measure what must be covered completely: the domain and the conversions
	$(BIN)/pytest tests/domain tests/api --quiet --cov=reelgate_server.domain --cov=reelgate_server.api.convert \
	  --cov-report=term-missing:skip-covered --cov-fail-under=100

# --- check ----------------------------------------------------------------------------------------------------------

.PHONY: fmt
fmt: $(VENV)/.develops ## Format the code and the contract
	$(BIN)/ruff check --quiet --fix-only $(SOURCES)
	$(BIN)/ruff format --quiet $(SOURCES)
	$(BIN)/buf format --write proto --path proto/reelgate

.PHONY: lint
lint: $(VENV)/.develops ## Check format and style
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/yamllint --strict envoy proto
	$(BIN)/buf format --diff --exit-code proto --path proto/reelgate
	$(BIN)/buf lint proto

.PHONY: types
types: $(VENV)/.develops ## Check the types
	$(BIN)/mypy

.PHONY: layers
layers: $(VENV)/.develops ## Check that imports point down
	$(BIN)/lint-imports

.PHONY: gen
gen: $(VENV)/.develops ## Generate code and the descriptor set from the contract, and the README's diagram from the table
	$(BIN)/buf generate --template proto/buf.gen.yaml
	$(BIN)/buf build proto --as-file-descriptor-set --exclude-source-info --output $(DESCRIPTOR)
	$(BIN)/python scripts/draw_lifecycle.py README.md

.PHONY: check-gen
check-gen: gen ## Refuse generated files that are stale
	@git diff --exit-code --stat -- gen README.md && test -z "$$(git status --porcelain -- gen)" || { \
	  echo 'Generated files are stale: run `make gen` and commit what it changes in gen/ and README.md.' >&2; exit 1; }

.PHONY: breaking
breaking: $(VENV)/.develops ## Refuse changes that break clients of the released contract
	@mkdir -p build
	$(BIN)/buf build proto --output build/contract.binpb
	$(BIN)/buf breaking build/contract.binpb --against $(RELEASED)

.PHONY: release-contract
release-contract: $(VENV)/.develops ## Make the present contract the released one; part of a release, never of a change
	$(BIN)/buf build proto --exclude-source-info --output $(RELEASED)

.PHONY: check-envoy
check-envoy: $(VENV)/.develops ## Let Envoy validate its configuration
	$(BIN)/envoy --mode validate --config-path envoy/envoy.yaml --log-level error

.PHONY: check
check: lint types layers check-gen breaking check-envoy coverage test ## Everything CI runs, cheapest first
