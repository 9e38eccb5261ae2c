# The commands of this project. `make run` is all that a person needs; CI runs `make lint types test`.
# Everything is installed into .venv, once, and again only when pyproject.toml or constraints.txt change.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PACKAGES := galaxies jobstore models telemetry app worker training galsynth $(wildcard benchmarks)

# What `make run` installs. With an NVIDIA GPU: make run RUN_EXTRAS=api,gpu,local
# torch is not among them: only training needs it, and a plain `pip install torch` brings gigabytes.
RUN_EXTRAS ?= api,worker,local
ALL_EXTRAS := api,worker,otel,s3,local,training,dev
RUN_STAMP := $(VENV)/.run-$(RUN_EXTRAS)
ALL_STAMP := $(VENV)/.all

.PHONY: help run env test test-fast lint format types audit bench release-models up down openapi references constraints clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN_STAMP) ## start the whole service on http://127.0.0.1:8000 (PORT=8001 changes it; ARGS="--workers 1" passes options)
	@exec $(BIN)/galsynth up $(ARGS)

env: $(ALL_STAMP) ## everything that development needs, training included

test: $(ALL_STAMP) ## all tests (ARGS="-k fits" passes options); screenshots of the page come into build/screenshots
	$(BIN)/python -m pytest $(ARGS)

test-fast: $(ALL_STAMP) ## unit tests only, under three minutes
	$(BIN)/python -m pytest -m "not slow and not integration" $(ARGS)

lint: $(ALL_STAMP) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(ALL_STAMP) ## let ruff put right what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(ALL_STAMP) ## mypy, strict
	$(BIN)/mypy $(PACKAGES)

PINS := constraints.txt docker/constraints-gpu.txt
ifdef OSV
audit: $(ALL_STAMP) ## known weaknesses of the pinned versions: ask PyPI, or with OSV=all.zip a copy of the OSV database
	@grep -h == $(PINS) > $(VENV)/pins.txt
	@$(BIN)/python docker/audit.py $(VENV)/pins.txt $(OSV)
else
audit:
	@test -x $(VENV)/audit/bin/pip-audit || { $(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/pip install --quiet pip-audit==2.10.1; }
	@grep -h == $(PINS) > $(VENV)/pins.txt
	@$(VENV)/audit/bin/pip-audit -r $(VENV)/pins.txt --no-deps --disable-pip --strict --progress-spinner off
endif

bench: $(ALL_STAMP) ## the figures of the documentation
	$(BIN)/python -m benchmarks $(ARGS)

release-models: $(ALL_STAMP) ## train and publish every bundled model, on a GPU where there is one (ARGS="--sdss PATH --jwst PATH")
	$(BIN)/python -m training release $(ARGS)

openapi: $(ALL_STAMP) ## write the OpenAPI document to docs/openapi.json
	$(BIN)/python -m app.openapi > docs/openapi.json

references: $(ALL_STAMP) openapi ## write docs/cli.md and docs/api.md from the code
	$(BIN)/python -m docs.references

SECRETS := secrets/redis_password secrets/grafana_password secrets/webhook_secret secrets/metrics_key

up: .env $(SECRETS) ## the service in containers (docker compose), on http://127.0.0.1:8000
	docker compose up --build --wait

down: ## stop the containers; queue, results and models are kept
	docker compose down

.env:
	@install -m 600 docker/env.example .env

# Only their owner enters the folder; the files can be read by all, as containers run as other users. Random once, then kept.
secrets/redis_password secrets/grafana_password secrets/webhook_secret:
	@install -d -m 700 secrets && head -c 24 /dev/urandom | base64 | tr '+/' '-_' > $@ && chmod 444 $@

# What Prometheus calls /metrics with; empty while the API asks for no keys.
secrets/metrics_key:
	@install -d -m 700 secrets && : > $@ && chmod 644 $@

constraints: ## renew constraints.txt from a fresh environment with the newest versions that pyproject.toml admits
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv "$$folder/venv"; \
	"$$folder/venv/bin/pip" --quiet --disable-pip-version-check install -e '.[$(ALL_EXTRAS)]' $(TORCH); \
	{ sed -n '/^#/p' constraints.txt; "$$folder/venv/bin/pip" freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//'; } > "$$folder/new"; \
	cp "$$folder/new" constraints.txt

clean: ## remove the environment and everything that tools left
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "galsynth needs Python 3.11 or newer: install it, or name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(RUN_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing $(RUN_EXTRAS) into $(VENV) (once) …"
	@$(PIP) install -c constraints.txt -e '.[$(RUN_EXTRAS)]'
	@touch $@

$(ALL_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing $(ALL_EXTRAS) into $(VENV) (once; torch is large) …"
	@$(PIP) install -c constraints.txt -e '.[$(ALL_EXTRAS)]'
	@touch $@ $(VENV)/.run-api,worker,local
