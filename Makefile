# Everything a person needs: `make run` and `make test`. Python 3.11+ and make are all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes

.PHONY: help run test check bench soak tour train eval sheet audit format lock clean
.DEFAULT_GOAL := run

help: ## what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name words; do \
		printf '  make %-8s %s\n' "$$name" "$$words"; done

run: $(VENV)/.sandbox ## start everything; prints one address
	@exec $(BIN)/python -m sandbox

test: $(VENV)/.dev ## the tests
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev ## what CI runs: formatter, linter, types, import direction, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.dev ## measures; one table, and build/bench.json
	$(BIN)/python -m sandbox.bench $(ARGS)

soak: $(VENV)/.dev ## 500 people chat at once for five minutes
	$(BIN)/python -m sandbox.soak $(ARGS)

tour: $(VENV)/.dev ## take the screenshots of docs/tour.md and operations.md anew (needs Chromium)
	TOUR=docs $(BIN)/python -m pytest -n 0 tests/journeys/test_tour.py tests/journeys/test_operator_page.py

train: $(VENV)/.dev ## make the detectors' weights anew from triggers/detection/data
	$(BIN)/python -m triggers train detectors
	$(BIN)/python -m triggers train policy

eval: $(VENV)/.dev ## how good the detectors are, by cross-validation
	$(BIN)/python -m triggers eval --cross-validate $(ARGS)

sheet: $(VENV)/.dev ## play the scripted dialogue: docs/dialogue.md and docs/dialogue.png
	$(BIN)/python -m sandbox.contact_sheet

audit: ## known holes in the locked versions (asks PyPI)
	@$(PYTHON) -m venv build/audit && build/audit/bin/python -m pip install --quiet pip-audit
	build/audit/bin/pip-audit --disable-pip -r requirements/production.txt

format: $(VENV)/.dev ## put every file into the one form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.dev ## compile the lock files again from pyproject.toml
	$(BIN)/python requirements/compile.py

clean: ## remove what was built, the virtual environment and the local data
	rm -rf $(VENV) .data build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.base:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vitte needs Python 3.11 or newer; name one with make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.sandbox: requirements/sandbox.txt | $(VENV)/.base
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements/sandbox.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.sandbox
	@echo "Installing the development tools into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@
