# Everything a developer does with Hooke. 'make' alone lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
TORCH := $(VENV)/.torch-installed
PROTOC_VENV := .venv-protos
PROTOC_STAMP := $(PROTOC_VENV)/.installed
PROTOS := $(wildcard protos/hooke/v1/*.proto)

# NumPy starts a thread for each core in every process otherwise; Hooke scales by processes.
export OMP_NUM_THREADS ?= 1

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(DEV) ## Create .venv with what development needs, without PyTorch

.PHONY: demo
demo: $(RUNTIME) ## Evaluate simulated micrographs through the whole stack and show the report's path
	@$(BIN)/python -m deploy.stack run --home .hooke/demo -- hooke evaluate demo --new --out .hooke/demo/report

.PHONY: up
up: $(RUNTIME) ## Start gateway, classical and evaluator, and leave them running; PROFILES="sam cloud" adds models
	@$(BIN)/python -m deploy.stack up $(addprefix --profile=,$(PROFILES))

.PHONY: down
down: $(RUNTIME) ## Stop what 'make up' started
	@$(BIN)/python -m deploy.stack down

.PHONY: images
images: $(RUNTIME) ## Build the container images and say how large they are; IMAGES="gateway classical" builds those
	@$(BIN)/python -m deploy.images $(IMAGES)

.PHONY: test
test: $(TORCH) ## Run every test; installs PyTorch first, several gigabytes
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

.PHONY: test-fast
test-fast: $(DEV) ## Run the unit and property tests that are not marked slow: a minute on two cores
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m "not slow and not e2e and not torch" tests/unit tests/property

.PHONY: lint
lint: $(DEV) ## Check style, types, direction of imports, topology and generated documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.stack check
	$(BIN)/python -m docs.generate --check

.PHONY: protos
protos: $(PROTOC_STAMP) ## Generate the stubs in hooke/v1 from protos/
	rm -f hooke/v1/*_pb2*.py hooke/v1/*_pb2*.pyi
	$(call generate,.)

.PHONY: protos-check
protos-check: $(PROTOC_STAMP) $(DEV) ## Check that stubs are fresh and the wire keeps its promises
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(call generate,"$$fresh"); \
	diff -r -q -x __init__.py -x __pycache__ "$$fresh/hooke/v1" hooke/v1 \
		|| { echo "These stubs are stale. Run 'make protos'."; exit 1; }
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	@release=$$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true); \
	if [ -z "$$release" ]; then echo "buf breaking: no release to compare with yet"; \
	else echo "buf breaking against $$release"; $(BIN)/buf breaking --against ".git#tag=$$release"; fi

.PHONY: pins
pins: $(TORCH) ## Write the versions that are installed now into constraints/base.txt
	@{ echo "# Exact versions of everything that 'make setup' and 'make test' install; a constraints file for pip (-c)."; \
	echo "# Written on Linux: what only Linux needs (nvidia-*, triton) stands here too, and disturbs nobody."; \
	$(BIN)/python -m pip freeze --all --exclude pip --exclude-editable; } > constraints/base.txt
	@touch $(RUNTIME) $(DEV) $(TORCH)

.PHONY: bench
bench: $(TORCH) ## Measure speed as ratios, side by side in one run
	@$(BIN)/python -m benchmarks

# $(call generate,FOLDER) writes the stubs to FOLDER/hooke/v1.
generate = $(PROTOC_VENV)/bin/python -m grpc_tools.protoc -I protos --python_out=$(1) --pyi_out=$(1) $(PROTOS) \
	&& $(PROTOC_VENV)/bin/python -m grpc_tools.protoc -I protos --grpc_python_out=$(1) \
		$(filter %_service.proto,$(PROTOS))

# Python files are compiled when first imported, which halves the time.
install = $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check \
	--constraint constraints/base.txt --editable

$(RUNTIME): pyproject.toml constraints/base.txt | $(BIN)/python
	@echo "Installing what the services need into $(VENV) ..."
	@$(install) '.[classical,gateway,evaluator]'
	@touch $@

$(DEV): pyproject.toml constraints/base.txt | $(BIN)/python
	@echo "Installing what development needs into $(VENV) ..."
	@$(install) '.[dev]'
	@touch $(RUNTIME) $@

$(TORCH): pyproject.toml constraints/base.txt | $(BIN)/python
	@echo "Installing PyTorch and the models that run on it into $(VENV): about 3 GB to download, 6 GB on disk ..."
	@$(install) '.[dev-torch]'
	@touch $(RUNTIME) $(DEV) $@

$(PROTOC_STAMP): constraints/protos.txt
	@$(call venv,$(PROTOC_VENV))
	@$(PROTOC_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(BIN)/python:
	@$(call venv,$(VENV))

# $(call venv,FOLDER) creates a virtual environment, or says what to do.
venv = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Hooke needs Python 3.11 or later; '$(PYTHON)' is not. Name another: make PYTHON=python3.12 ..."; \
		exit 1; }; \
	$(PYTHON) -m venv $(1) || { echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
