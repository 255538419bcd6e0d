# make setup   .venv with everything that the other commands need
# make demo    the whole loop on examples/customer-service: raw CSV to a deployed, improved model
# make test    the fast tests;  make test-all  also the slow and destructive ones
# make check   ruff, mypy --strict, the import contract, the house rules and the docs
# make docs    the documentation site, in site/
# make bench   every benchmark, with its figures

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The CPU build where the machine offers one. For CUDA: make setup TORCH="torch==2.13.0 --index-url URL-of-your-CUDA-build"
TORCH ?= torch==2.13.0
PYTEST_WORKERS ?= 2

.PHONY: setup demo test test-all check docs bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Modelmint needs Python 3.11 or newer: make setup PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[starter,postgres,documents,media,docs,dev]"
	@touch $@

demo: setup
	@$(BIN)/python examples/customer-service/demo.py

test: setup
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile -m "not slow and not destructive and not postgres"

test-all: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_house.py
	$(BIN)/python tools/check_docs.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: setup
	@for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) site build .mypy_cache .ruff_cache .pytest_cache
