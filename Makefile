# The same commands for people and CI. Needs Python 3.11+ and make.
.PHONY: start test install check api-types bench-ingest bench-sdk bench-fuzz bench-overload

VENV := .venv
PYTHON := $(VENV)/bin/python

start: install  ## run the server with its UI on http://127.0.0.1:5050, and the demo
	$(PYTHON) -m tracelake server --demo

test: check  ## everything CI runs
	$(PYTHON) -m pytest

install: $(VENV)/installed  ## make the environment and build the UI

check: install  ## style, types, walls
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright
	$(VENV)/bin/lint-imports
	$(PYTHON) hatch_build.py run check

api-types: install  ## the API's description, and the UI's types from it
	$(PYTHON) -m tracelake.server.describe > ui/openapi.json
	$(PYTHON) hatch_build.py run api-types

bench-ingest: install  ## traces a second, durable, beside the raw disk
	cd bench && ../$(PYTHON) ingest.py

bench-sdk: install  ## what tracing costs in the user's process
	cd bench && ../$(PYTHON) sdk.py

bench-fuzz: install  ## 100,000 mutated OTLP requests: no 5xx, flat memory, all read back
	cd bench && ../$(PYTHON) fuzz_otlp.py

bench-overload: install  ## ten times too much for a minute, then calm
	cd bench && ../$(PYTHON) overload.py

$(VENV)/installed: requirements.lock pyproject.toml ui/package-lock.json $(shell find ui/src -type f)
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --require-hashes -r requirements.lock
	$(PYTHON) -m pip install --quiet --no-deps --no-build-isolation -e .
	$(PYTHON) hatch_build.py ci --no-audit --no-fund
	$(PYTHON) hatch_build.py run build
	touch $@
