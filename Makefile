# Everything one does with this repository. `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := requirements-dev.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-transformers-4 check package bench lock clean

help: ## List what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with the pinned dependencies and Tarmac itself

# Runs again only when the lock or the project's own metadata changed.
$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Tarmac needs Python 3.11 or newer; this is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

demo: setup ## See the whole life of a model, in under a minute
	@$(BIN)/tarmac demo

test: setup ## Run every test
	$(BIN)/python -m pytest

test-transformers-4: setup ## Run the model server's tests on transformers 4.51
	$(BIN)/python -m tests.other_transformers 4.51.3

check: setup ## Lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

package: setup ## Make the Lambda bundle and its template in build/package
	$(BIN)/tarmac package --out build/package

bench: setup ## Measure, each thing against a named peer
	@ls benchmarks/*.py >/dev/null 2>&1 || { echo "there are no benchmarks yet" >&2; exit 1; }
	@for each in benchmarks/[a-z]*.py; do echo "== $$each"; $(BIN)/python -m benchmarks.$$(basename $$each .py) $$(test $$each = benchmarks/bundle.py && echo --install-sagemaker) || exit 1; done

lock: ## Pin the newest versions that fit into requirements-dev.txt
	@test -x $(BIN)/pip-compile || { echo "run: make setup" >&2; exit 1; }
	$(BIN)/pip-compile --quiet --upgrade --strip-extras \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --no-header --no-annotate --extra dev --output-file $(LOCK) pyproject.toml
	@# A local version (torch's +cpu) exists on one index only; without it the same pin fits every index.
	@sed -i.old -E 's/^([a-z0-9_.-]+==[^+ ]+)\+[a-z0-9.]+/\1/' $(LOCK) && rm -f $(LOCK).old

clean: ## Remove what was made here: environment, caches, builds
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
