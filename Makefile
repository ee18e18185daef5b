# make demo    set up, teach the tiny VLM a new kind of scene, measure it, ask it a question
# make test    set up, run the tests, one process for each core
# make test-fast   the same without the slow tests, for the inner loop
# make check   set up, lint, format check, types
# make lowest  try the lowest versions of all dependencies, in an environment of their own
VENV ?= .venv
# The first Python of 3.11 or later on the path; PYTHON=... takes another one.
PYTHON ?= $(firstword $(foreach name,python3 python3.11 python3.12 python3.13 python3.14 python,\
	$(if $(shell $(name) -c 'import sys; print(1 if sys.version_info >= (3, 11) else "")' 2>/dev/null),$(name))))
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Files of tests stay together, since their fixtures train models; slow ones begin (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder
OFFLINE := HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 TOKENIZERS_PARALLELISM=false

.PHONY: demo test test-fast check lowest format clean

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: there is no Python of 3.11 or later on the path" >&2; \
		echo "  try:     install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(STAMP)
	$(OFFLINE) PATH="$(abspath $(BIN)):$$PATH" bash benchmarks/demo.sh

test: $(STAMP)
	$(OFFLINE) $(PYTEST)

test-fast: $(STAMP)
	$(OFFLINE) $(PYTEST) -m "not slow"

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lowest: $(STAMP)
	$(OFFLINE) $(BIN)/python benchmarks/lowest_versions.py

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs build *.egg-info
