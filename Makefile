# Each target does its own set-up; nothing needs root, a GPU, a key, or a network beyond the package index.
PYTHON ?= python3.11
# uv where it is to be had; INSTALLER=pip does without.
INSTALLER ?= uv
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check check-lint check-types check-tests ui lint setup

demo: $(READY)  ## the whole pipeline on the bundled sample site
	$(BIN)/acronis-pipeline demo

test: check-lint check-types  ## lint, types and the whole test suite
	$(BIN)/pytest -n 2 --dist loadfile

check: $(READY)  ## the same without tests that need servers, models or a browser, all at once: within a minute
	$(MAKE) --no-print-directory --keep-going -j3 check-lint check-types check-tests

check-lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-types: $(READY)
	$(BIN)/basedpyright

check-tests: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile -m "not server and not model and not browser and not slow"

ui: $(READY)  ## Dagster (with daemon) and MLflow on the same data
	$(BIN)/acronis-pipeline ui

lint: $(READY)  ## mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(READY)

$(READY): pyproject.toml constraints.txt .ci/setup.py
	$(PYTHON) .ci/setup.py $(VENV) --installer $(INSTALLER)
	touch $(READY)
