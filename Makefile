# Everything below works on a fresh machine with Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup up demo test lint docs docs-serve bench chaos wheel lock clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

up: setup  ## embedded Postgres and NATS, the server, a token; Ctrl-C stops all
	$(BIN)/rota up

demo: setup  ## the main job end to end, in under a minute
	$(BIN)/rota demo

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p rota
	$(BIN)/lint-imports

# Without NO_MKDOCS_2_WARNING Material says at each build what its authors plan.
docs: setup  ## the documentation, into site/; nothing is loaded from elsewhere
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

docs-serve: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

bench: setup
	$(BIN)/python -m benchmarks $(ARGS)

MINUTES ?= 5
SEED ?= 1
chaos: setup
	$(BIN)/python -m tests.e2e.nemesis --minutes $(MINUTES) --seed $(SEED) --out chaos-$(SEED)

wheel: setup  ## dist/rota-…-py3-none-any.whl, with the migrations inside
	rm -rf build  # what an earlier build left there would be packed again
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir dist .

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
BROKERS := --extra rabbit --extra redis --extra kafka
lock:  ## the locks anew from pyproject.toml; what is locked stays as it is, unless --upgrade-package is among ARGS
	$(LOCK) pyproject.toml --extra server --extra dev $(ARGS) -o requirements.lock
	$(LOCK) --no-annotate pyproject.toml --extra server $(BROKERS) -c requirements.lock -o deploy/server.lock
	echo 'setuptools>=80' | $(LOCK) --no-annotate - -c requirements.lock -o deploy/build.lock

clean:
	rm -rf $(VENV) build dist site lib/*.egg-info .mypy_cache .ruff_cache .import_linter_cache
