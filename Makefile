# `make demo` and `make test` each work alone on a machine with Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One core a worker: tests run side by side, and so do torch's and FAISS' threads. A file stays with
# one worker: what its tests share is made once.
ONE_CORE := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
INSTALL := $(BIN)/python -m pip install --quiet --no-compile -c constraints.txt
# pip compiles on one core, and the tests of all packages too
COMPILE := $(BIN)/python -W ignore -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true
READERS := graphology@0.26.0 graphology-types@0.24.8 graphology-graphml@0.5.2 graphology-gexf@0.13.2

.PHONY: demo test lint bench clean

demo: $(VENV)/.base
	$(BIN)/stratagraph demo --out runs/demo

test: $(VENV)/.dev node_modules
	$(ONE_CORE) $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/stratagraph bench --out runs/bench.json

clean:
	rm -rf $(VENV) runs node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "stratagraph needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e .
	$(COMPILE)
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[dev]'
	$(COMPILE)
	touch $@ $(VENV)/.base

# Gephi Lite's own parsers, for the tests of the exports; those tests are skipped without npm.
node_modules:
	@if command -v npm >/dev/null; then \
	  npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix . $(READERS); \
	else echo "npm not found: tests with graphology are skipped"; fi
