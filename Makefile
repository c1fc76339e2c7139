# The same commands for people and CI. Needs Python 3.11+ and make.
.PHONY: start test install check api-types bench bench-ingest bench-search bench-peers bench-big-trace \
	bench-growth bench-delete bench-live bench-ui bench-client bench-sdk bench-fuzz bench-overload bench-fuzz-filters

# The system's own Python where it has one: it is built with profile-guided optimisation. What version
# managers build mostly is not, and takes a fifth longer to ingest.
BASE_PYTHON ?= $(firstword $(wildcard /usr/bin/python3.11) python3)
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

BENCH = cd bench && ../$(PYTHON)
SIZE ?= 10000
ARGS ?=

bench: install  ## everything that is measured, written into docs/reference/benchmarks.md; hours
	@failed=0; for part in "ingest.py" "search.py --traces 10000" "search.py --traces 100000" \
		"search.py --traces 1000000" "peers.py --traces 10000" "big_trace.py" "growth.py" \
		"delete.py" "live.py" "client.py"; do \
		(set -x; $(BENCH) $$part --write $(ARGS)) || failed=1; done; exit $$failed

bench-ingest: install  ## traces a second, durable: ours, MLflow, Phoenix, the machine's limits
	$(BENCH) ingest.py $(ARGS)

bench-search: install  ## how long answers take over SIZE traces
	$(BENCH) search.py --traces $(SIZE) $(ARGS)

bench-peers: install  ## the same questions to ours, MLflow and Phoenix over SIZE traces
	$(BENCH) peers.py --traces $(SIZE) $(ARGS)

bench-big-trace: install  ## a trace of 50,000 spans, in and opened
	$(BENCH) big_trace.py $(ARGS)

bench-growth: install  ## the ingest rate at a million stored beside the empty store's
	$(BENCH) growth.py $(ARGS)

bench-delete: install  ## acknowledgements while 100,000 traces are deleted
	$(BENCH) delete.py $(ARGS)

bench-live: install  ## how soon a trace reaches a reader and a live subscriber
	$(BENCH) live.py $(ARGS)

bench-ui: install  ## how soon a person sees rows, completions and charts over SIZE traces
	$(BENCH) ui.py --traces $(SIZE) $(ARGS)

bench-client: install  ## the stock client of MLflow against its own server and ours
	$(BENCH) client.py $(ARGS)

bench-sdk: install  ## what tracing costs in the user's process
	$(BENCH) sdk.py

bench-fuzz: install  ## 100,000 mutated OTLP requests: no 5xx, flat memory, all read back
	$(BENCH) fuzz_otlp.py

bench-fuzz-filters: install  ## 20,000 generated filters: every answer that of a brute-force twin
	$(BENCH) fuzz_filters.py

bench-overload: install  ## ten times too much for a minute, then calm
	$(BENCH) overload.py

$(VENV)/installed: requirements.lock pyproject.toml ui/package-lock.json $(shell find ui/src -type f)
	test -x $(PYTHON) || $(BASE_PYTHON) -m venv $(VENV) || python3 -m venv --clear $(VENV)
	$(PYTHON) -m pip install --quiet --require-hashes -r requirements.lock
	$(PYTHON) -m pip install --quiet --no-deps --no-build-isolation -e .
	$(PYTHON) hatch_build.py ci --no-audit --no-fund
	$(PYTHON) hatch_build.py run build
	touch $@
