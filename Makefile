PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export JANANI_HOME ?= $(CURDIR)/var/home

# A start takes a second and a half longer where Python may not write its caches (PYTHONDONTWRITEBYTECODE).
COMPILE = $(BIN)/python -m compileall -q $(VENV)/lib src > /dev/null 2>&1 || true

LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: help run test lint chaos bench docs install assets install-dev browser lock messages clean \
  capture-plugin capture-plugin-test

help: ## what each verb does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

run: install assets ## start everything on this machine
	@$(BIN)/janani up $(ARGS)

test: install-dev assets browser ## install what tests need, then run all of them
	@$(BIN)/ruff check . && $(BIN)/ruff format --check -q . && $(BIN)/mypy && $(BIN)/lint-imports
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore tests/capture
	@echo "Not run here, as it installs 330 MB of npm packages: make capture-plugin-test"

lint: install-dev ## style, types and the direction of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

chaos: install-dev assets ## half an hour of faults over 10,000 changes, then look that nothing was lost
	@$(BIN)/python tests/chaos/storm.py $(ARGS)

bench: install assets ## print each speed claim beside its limit or peer
	@for claim in bench/*.py; do $(BIN)/python $$claim; done

docs: install ## rewrite the reference pages made from the code
	@$(BIN)/janani docs

install: $(VENV)/installed
install-dev: $(VENV)/installed-dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Janani needs Python 3.11 or newer: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing (first time only) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(COMPILE)
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(COMPILE)
	@touch $@

assets: install ## build styles, scripts and fonts from npm packages
	@$(BIN)/python assets/build.py

capture-plugin: install ## build the plugin for DHIS2's Capture app: capture-plugin/build/bundle/*.zip
	@$(BIN)/python capture-plugin/build.py

capture-plugin-test: install-dev assets browser capture-plugin ## test the plugin: its own tests, then in a form, in Chromium
	@cd capture-plugin && npm test --silent
	@$(BIN)/pytest tests/capture

browser: install-dev
	@$(BIN)/python tests/journey/browser.py

lock: install-dev ## refresh the lock files (exact versions, hashes, no addresses)
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --group build $(LOCK) -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --group dev $(LOCK) -o requirements-dev.lock

messages: install-dev ## collect translatable strings into the catalogues
	@$(BIN)/python -m janani.kernel.messages
	@$(BIN)/python -m janani.programmes.translations

clean: ## remove what was installed and built (not your data)
	@rm -rf $(VENV) node_modules assets/node_modules src/janani/kernel/static
