# Everything one does with this repository. `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SECONDS ?= 60
WORKERS ?= 2
STAMP := $(VENV)/.installed
LOCK := requirements-dev.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-transformers-4 test-toolkit test-encoder fuzz check package tables bench lock clean

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

test: setup ## Run every test, WORKERS=2 files at a time
	$(BIN)/python -m benchmarks.peers toolkit  # tests/parity compares with it; pip is not to run on a test's time
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

test-transformers-4: setup ## Run the model server's tests on transformers 4.51
	$(BIN)/python -m tests.other_transformers 4.51.3

test-encoder: setup ## Judge a real sentence encoder of 90 MB, packed by every tool that is here
	$(BIN)/python -m tests.real_encoder

fuzz: setup ## Fuzz the door's readers, each SECONDS=60 of processor time
	@$(BIN)/python -m pip install --quiet --only-binary :all: 'atheris>=3,<4' || echo "atheris has no wheel for this machine: random changes, not guided by coverage" >&2
	@for each in tar safetensors pickles toml; do $(BIN)/python -m tests.fuzz.fuzz_door_$$each --seconds $(SECONDS) || exit 1; done

test-toolkit: setup ## Compare with the Hugging Face container's own stack: its toolkit, and its server (needs Java)
	$(BIN)/python -m benchmarks.peers toolkit
	$(BIN)/python -m pytest tests/parity tests/parity/mms_suite.py

check: setup ## Lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

package: setup ## Make the Lambda bundle and its template in build/package
	$(BIN)/tarmac package --out build/package

tables: setup ## Ask the SageMaker SDK and transformers anew for the tables that plans are made from
	$(BIN)/python -m tarmac.tables.images
	$(BIN)/python -m tarmac.tables.architectures
	$(BIN)/python -m tarmac.tables.dimensions

bench: setup ## Measure, each thing against a named peer; quickly with SIZE=100, in part with ONLY="door packing"
	@$(BIN)/python -m benchmarks.suite $(if $(SIZE),--size $(SIZE)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only $(ONLY))

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
