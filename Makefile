# One door to everything: `make help` lists the targets.
#
# The virtual environment is made on first use and again only when pyproject.toml
# changes. A stamp is written after pip has succeeded, so an interrupted install
# is repeated. Nothing here runs in parallel: one environment, one pip.
#
#   PYTHON=python3.12   the Python (3.11 or newer) that makes .venv
#   TESTERS=3           how many processes run the tests: one more than two cores, as many tests wait for children
#   ARGS="-k lease"     passed on to the program behind demo, test, bench, bench-local, bench-store, bench-net, bench-sync, judges, soak, chaos

VENV := .venv
# Absolute: a test may change the working directory.
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CANDIDATES = $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python
NEWER = python3.14 python3.13 python3.12 $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.1[2-9]*/bin/python)
SOAK_ROUNDS ?= 20
SOAK_CALLS ?= 100000
SOAK_FAULTS ?= 100
JOBS ?= 20000
TESTERS ?= 3

# Without compiled modules each of the thousand programs that the tests start compiles all of lightwork anew,
# and each tester all of the tests: half as much work again. Images of containers set it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check fmt bench bench-local bench-store bench-net bench-sync docs judges soak chaos clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.lightwork ## run the main job on real input: the quickest look
	@$(BIN)/lightwork demo $(ARGS)

test: $(VENV)/.test ## run every test, in random order, warnings as errors
	@$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal $(ARGS)

check: $(VENV)/.check ## lint, check formatting and types; changes nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

fmt: $(VENV)/.check ## format the code and repair what the linter can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.lightwork ## measure; every figure of the manual comes from here
	@set -e; for script in bench/bench_*.py; do $(BIN)/python "$$script" $(ARGS); done

bench-local: $(VENV)/.peers ## measure local calls beside all peers, in turns
	@$(BIN)/python bench/bench_local.py $(ARGS)

bench-store: $(VENV)/.peers-store ## measure durable jobs on three databases beside all peers, in turns
	@$(BIN)/python bench/bench_store.py $(ARGS)

bench-net: $(VENV)/.test ## measure stores behind a server beside the same used directly, in turns
	@$(BIN)/python bench/bench_net.py $(ARGS)

bench-sync: $(VENV)/.peers-sync ## measure locks and queues between processes beside multiprocessing's, faster-fifo and Dask's
	@$(BIN)/python bench/bench_sync.py $(ARGS)

docs: $(VENV)/.lightwork ## redraw the generated parts of docs/design.md
	@$(BIN)/python docs/build.py

judges: $(VENV)/.judges $(VENV)/.test ## let the tests of loky, pebble, dask and others judge lightwork (ARGS="loky")
	@$(BIN)/python tests/judges/run.py $(ARGS)
	@$(if $(ARGS),,LIGHTWORK_JUDGES=all $(BIN)/python -m pytest tests/cpython/test_judge_multiprocessing.py tests/cpython/test_judge_sync.py)

soak: $(VENV)/.test ## kill children amid SOAK_CALLS calls (100000), check histories with SOAK_FAULTS faults (100), repeat the chaos tests SOAK_ROUNDS times (20)
	@LIGHTWORK_FUZZ_CALLS=$(SOAK_CALLS) $(BIN)/python -m pytest -s tests/pool/process/test_process_fuzz.py
	@LIGHTWORK_HISTORY_FAULTS=$(SOAK_FAULTS) $(BIN)/python -m pytest -s tests/sync/histories
	@set -e; round=0; while [ $$round -lt $(SOAK_ROUNDS) ]; do round=$$((round + 1)); \
	    echo "soak: round $$round of $(SOAK_ROUNDS)"; \
	    $(BIN)/python -m pytest -m chaos $(ARGS); done

chaos: $(VENV)/.test ## submit JOBS jobs (20000) to each database amid faults, die at every statement
	@LIGHTWORK_CHAOS_JOBS=$(JOBS) LIGHTWORK_CHAOS_EVERY=1 $(BIN)/python -m pytest -s -o faulthandler_timeout=0 \
	    tests/chaos $(ARGS)

clean: ## remove .venv, caches and build output; never a database
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests bench docs -name __pycache__ -type d -prune -exec rm -rf {} +

# A Python that runs, is new enough and can make environments (Debian parts ensurepip off).
$(VENV)/.made:
	@seen=; for python in $(CANDIDATES); do \
	    "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	        2>/dev/null || { seen="$$seen $$python"; continue; }; \
	    echo "making $(VENV) with $$python ($$("$$python" --version))$${seen:+; not usable:$$seen}"; \
	    "$$python" -m venv $(VENV) && touch $@; exit; \
	done; \
	echo "make: lightwork needs Python 3.11 or newer with the venv module; tried:$$seen." >&2; \
	echo "make: install one (Debian, Ubuntu: also python3-venv) or name it: make PYTHON=/path/to/python" >&2; \
	exit 1

$(VENV)/.lightwork: pyproject.toml | $(VENV)/.made
	@echo "installing lightwork into $(VENV)"
	@$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.pip: $(VENV)/.lightwork
	@# Dependency groups need pip 25.1.
	@$(BIN)/python -c 'import pip, sys; sys.exit([*map(int, pip.__version__.split(".")[:2])] < [25, 1])' \
	    || $(PIP) install --quiet --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.test: $(VENV)/.pip
	@echo "installing what the tests need"
	@$(PIP) install --quiet --group test
	@$(BIN)/python tests/cpython/make_judge.py $(VENV)/judge
	@touch $@

$(VENV)/.check: $(VENV)/.test
	@echo "installing what the checks need"
	@$(PIP) install --quiet --group check
	@touch $@

$(VENV)/.judges: $(VENV)/.pip
	@echo "installing those who judge"
	@$(PIP) install --quiet --group judges
	@touch $@

$(VENV)/.peers: $(VENV)/.pip
	@echo "installing the peers of the benchmarks"
	@$(PIP) install --quiet --group peers
	@touch $@

$(VENV)/.peers-store: $(VENV)/.pip
	@echo "installing the peers of the durable benchmark"
	@$(PIP) install --quiet --group peers-store
	@# One of them needs a newer Python than lightwork does: it is left out where there is none.
	@made=; for python in $(BIN)/python $(NEWER); do \
	    "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || continue; \
	    "$$python" -m venv $(VENV)/oban && $(PIP) --python $(VENV)/oban install --quiet --group peers-oban && made=1 && break; \
	done; [ -n "$$made" ] || echo "Oban takes no part: it needs Python 3.12 or newer"
	@touch $@

$(VENV)/.peers-sync: $(VENV)/.pip
	@echo "installing the peers of the benchmark of locks and queues"
	@$(PIP) install --quiet --group peers-sync
	@touch $@
