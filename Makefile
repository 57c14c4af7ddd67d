# Each target sets up what it needs. Servers need no Makefile: they install requirements/base.txt and run the Procfile.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$$p"; break; }; done)
BIN := .venv/bin
LOCK = cd requirements && ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)
# uv is several times faster; pip is there for where uv can't work, such as behind settings that only pip reads.
INSTALL = $(BIN)/uv pip install --quiet --link-mode=copy --compile-bytecode --python $(BIN)/python
INSTALL_SLOWLY = $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What the caller may set on the command line.
DATA =
PORT =
HOST =
TEST_MODE =
ARGS =
UPGRADE =
WORKERS = auto

.DEFAULT_GOAL := help
.PHONY: help setup up demo test test-reliability test-cluster coverage mutants check format bench lock clean
MAKEFLAGS += --no-print-directory

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/installed ## Install what `make up` needs into .venv (PYTHON=… chooses the interpreter)
	@echo ".venv is ready; next: make up"

up: .venv/installed ## Run everything: engines, web, worker, clock (DATA=folder PORT=8000 HOST=… TEST_MODE=1)
	@$(BIN)/circle up $(if $(DATA),--data "$(DATA)") $(if $(PORT),--port "$(PORT)") $(if $(HOST),--host "$(HOST)") \
		$(if $(TEST_MODE),--test-mode)

demo: .venv/installed ## Fill a running `make up` with an example (DATA=folder)
	@$(BIN)/circle demo $(if $(DATA),--data "$(DATA)")

test: .venv/installed-dev ## Run the fast tests on all cores (WORKERS=0: one after the other; ARGS=… goes to pytest)
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m "not reliability and not cluster" $(ARGS)

test-reliability: .venv/installed-dev ## Run kills, crashes, faults and races on real processes (CIRCLE_RELIABILITY=full: the gates)
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m reliability $(ARGS)

test-cluster: .venv/installed-dev ## Kill each part of a cluster in network namespaces under load (as root, with HAProxy and PgBouncer)
	@$(BIN)/python -m pytest -q -m cluster $(ARGS) tests/cluster

coverage: .venv/installed-dev ## Measure which lines the fast tests execute, in the processes that they start, too; at least 95 %
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m "not reliability and not cluster" \
		--cov --cov-report=term-missing:skip-covered --cov-fail-under=95 $(ARGS)

mutants: .venv/installed-dev ## Tell how many changes of the code the tests notice (ARGS="policy", ARGS="billing --list" …)
	@$(BIN)/python -c "import mutmut" 2>/dev/null || $(INSTALL) "mutmut==3.8.1"
	@$(BIN)/python -m bench.mutants $(ARGS)

check: .venv/installed-dev ## Format, lint, types, layers, API document, migrations
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/bandit --quiet -ll --configfile pyproject.toml --recursive circle workers
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo >.venv/lint-imports.log 2>&1 || { cat .venv/lint-imports.log; exit 1; }
	@$(BIN)/circle openapi --check
	@$(BIN)/circle settings --check
	@$(BIN)/circle db check
	@$(BIN)/circle db sql >.venv/migrations.sql && $(BIN)/squawk .venv/migrations.sql
	@echo "check: all is well"

format: .venv/installed-dev ## Format the code and repair what ruff can
	@$(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format --quiet .

bench: .venv/installed ## List the measurements, or run one (ARGS="feed")
	@$(BIN)/python -m bench $(ARGS)

lock: .venv/bootstrapped ## Refresh the locked versions after a change of requirements/*.in (UPGRADE=1: newest)
	@$(LOCK) setup.in -o setup.txt
	@$(LOCK) base.in -o base.txt
	@$(LOCK) embedded.in -c base.txt -o embedded.txt
	@$(LOCK) dev.in -c base.txt -c embedded.txt -o dev.txt

clean: ## Remove the environment, caches and test data; .data/up stays
	@if [ -x $(BIN)/python ] && [ -d .data ]; then \
		find .data -mindepth 1 -maxdepth 1 -type d ! -name up -exec $(BIN)/python -m circle.embedded {} +; fi
	@if [ -d .data ]; then find .data -mindepth 1 -maxdepth 1 ! -name up -exec rm -rf {} +; fi
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov build *.egg-info

.venv/bootstrapped: requirements/setup.txt
	@if [ -z "$(PYTHON)" ]; then echo "make: no Python 3.11 or newer found; install one, or say PYTHON=/path/to/python" >&2; exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) does not run, or is older than Python 3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: $(PYTHON) can't make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv with $$("$(PYTHON)" --version) ..."
	@"$(PYTHON)" -m venv --clear .venv
	@$(INSTALL_SLOWLY) --require-hashes -r requirements/setup.txt
	@touch $@

.venv/installed: .venv/bootstrapped requirements/base.txt requirements/embedded.txt pyproject.toml
	@for install in "$(INSTALL)" "$(INSTALL_SLOWLY)"; do \
		$$install --require-hashes -r requirements/base.txt -r requirements/embedded.txt && ok=1 && break; done; test "$$ok"
	@$(INSTALL_SLOWLY) --no-deps --no-build-isolation --no-index -e .
	@$(BIN)/python -m compileall -q -j 0 circle workers  # also where the shell forbids Python to keep bytecode
	@touch $@

.venv/installed-dev: .venv/installed requirements/dev.txt
	@for install in "$(INSTALL)" "$(INSTALL_SLOWLY)"; do \
		$$install --require-hashes -r requirements/dev.txt && ok=1 && break; done; test "$$ok"
	@touch $@
