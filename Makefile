# Each target does its own set-up; nothing needs root, a GPU, a key, or a network beyond the package index.
PYTHON ?= python3.11
# uv where it is to be had; INSTALLER=pip does without.
INSTALLER ?= uv
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test ui lint setup clean-demo

demo: $(READY)  ## the whole pipeline on the bundled sample site
	$(BIN)/acronis-pipeline demo

test: $(READY)  ## lint, types and the test suite
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/pytest -n 2 --dist loadfile

ui: $(READY)  ## Dagster (with daemon) and MLflow on the same data
	$(BIN)/acronis-pipeline ui

lint: $(READY)  ## mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(READY)

$(READY): pyproject.toml constraints.txt .ci/setup.py
	$(PYTHON) .ci/setup.py $(VENV) --installer $(INSTALLER)
	touch $(READY)
