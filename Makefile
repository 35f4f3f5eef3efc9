# One command from a clone to a running stack (`make run`), one to tested (`make test`). Needs Python >= 3.11, make, git.

MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.NOTPARALLEL:

PY := .venv/bin/python
READY := .venv/.ready
ARGS ?=
export PYTHON

.PHONY: help run test test-unit test-integration demo env bench fuzz faults kills planted lint format generate clean lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

$(READY): requirements/dev.txt pyproject.toml infra/setup.sh
	@sh infra/setup.sh

# One simple command, so that make runs it without a shell in between: a SIGTERM to make reaches the stack itself.
run: $(READY) ## start everything on this machine: PostgreSQL, Kafka, the services; Ctrl-C stops it
	@$(PY) -m infra.local run

test: $(READY) ## all tests, on a real PostgreSQL and Kafka of their own (ARGS="-k name" for some of them)
	@$(PY) -m pytest $(ARGS)

test-unit: $(READY) ## the tests that need no server
	@$(PY) -m pytest tests/unit $(ARGS)

test-integration: $(READY) ## all the others
	@$(PY) -m pytest --ignore=tests/unit $(ARGS)

demo: $(READY) ## import a git history into the running stack (ARGS="..." goes to the example)
	@values=$$($(PY) -m infra.local env) && eval "$$values" && exec $(PY) -m examples.git_history import $(ARGS)

env: $(READY) ## print how to reach the running stack, as export lines: eval "$(make env)"
	@$(PY) -m infra.local env

bench: $(READY) ## measure, on servers of their own
	@$(PY) -m tests.benchmarks $(ARGS)

fuzz: $(READY) ## send odd requests to a service of its own (ARGS="--service crud --requests 100000 --seed 2")
	@$(PY) -m tests.fuzz $(ARGS)

faults: $(READY) ## kill consumers 200 times under load, poison their events; some six minutes (ARGS="--kills 20 --seed 2")
	@$(PY) -m tests.faults $(ARGS)

kills: $(READY) ## kill the entity view 100 times while it works, hold it against the log; some six minutes
	@KILLS=100 $(PY) -m pytest tests/integration/test_view_killed.py $(ARGS)

planted: $(READY) ## plant bugs into a copy of the consumer runtime: do the tests find them? (ARGS="-k view")
	@$(PY) -m tests.planted $(ARGS)

lint: $(READY) ## style, format, types, directions of import, sizes of files and functions
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-logo
	@$(PY) -m tests.lint_sizes

format: $(READY) ## bring the code into its format, mend what can be mended by itself
	@$(PY) -m ruff check --fix
	@$(PY) -m ruff format

generate: $(READY) ## write the contracts that come from the code: schemas/openapi-*.json
	@$(PY) -m eventstore_svc.describe > schemas/openapi-eventstore.json
	@$(PY) -m offsets_svc.describe > schemas/openapi-offsets.json
	@$(PY) -m crud_svc.describe > schemas/openapi-crud.json

clean: ## delete the stopped stack's data (.eskit) and all caches; .venv stays
	@if [ -x $(PY) ]; then $(PY) -m infra.local clean; fi
	@rm -rf .eskit .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
	@find . -path ./.venv -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

LOCK = uv pip compile --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate \
       --custom-compile-command "make lock"

lock: ## pin the newest allowed versions anew, with hashes (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	@$(LOCK) pyproject.toml -o requirements/runtime.txt
	@$(LOCK) pyproject.toml --group dev -o requirements/dev.txt
	@$(LOCK) --group build -o requirements/build.txt
