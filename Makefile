# Everything from a fresh machine with Python 3.11 or newer, its venv module and make.

VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
DATA    ?=
WORKERS ?= 2

# A shell test, not $(shell): the search runs only when the environment is made.
FIND_PYTHON = for name in "$(PYTHON)" python3.11 python3; do \
	if [ -n "$$name" ] && "$$name" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then found="$$name"; break; fi; done; \
	if [ -z "$$found" ]; then echo "error: Python 3.11 or newer with its venv module is needed" >&2; \
	echo "  next      install it, or name it: make setup PYTHON=/path/to/python" >&2; exit 2; fi

.PHONY: help setup check test test-long test-slurm demo clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## Make the environment .venv from requirements.lock

# The mark is taken away first and set last: an interrupted set-up is done again from the start.
$(READY): requirements.lock pyproject.toml
	@rm -f $(READY)
	@$(FIND_PYTHON); echo "making $(VENV) with $$found"; "$$found" -m venv --clear $(VENV)
	@echo "installing the packages of requirements.lock; this takes some minutes"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(READY)
	@echo "done; the program is $(BIN)/cxrkit"

check: $(READY) ## Static checks: ruff, mypy, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(READY) check ## Checks, then all tests (WORKERS=2 processes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

test-long: $(READY) ## Every way to interrupt and resume a training; half an hour
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) -m long

test-slurm: $(READY) ## Real SLURM jobs, stopped and requeued; needs root and apt
	OMP_NUM_THREADS=1 PYTHON=$(BIN)/python tests/slurm/run_slurm_tests.sh

demo: $(READY) ## The whole pipeline on synthetic films; DATA=folder takes real ones
	$(BIN)/cxrkit demo --output_dir demo_output $(if $(DATA),--data "$(DATA)")

clean: ## Remove the environment, caches and the demo's output; never data, runs or results
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build demo_output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
