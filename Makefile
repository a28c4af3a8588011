# The commands of this repository; CI calls the same names (.ci/run). `make help` lists them.

PYTHON ?= /usr/bin/python3
VENV   := .venv
BIN    := $(VENV)/bin
STATE  := .state
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PYTEST := $(BIN)/python -m pytest -q
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev first-app test check kernel integration conformance test-pythons test-vm-smoke test-vm soak fuzz bench lock dist clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

setup: $(STATE)/apt $(STATE)/venv ## Debian packages and the virtual environment
setup-dev: setup $(STATE)/apt-test $(STATE)/venv-dev ## the same with what tests and checks need

$(STATE)/apt: packages/apt.txt
	@mkdir -p $(STATE)
	scripts/apt-install $<
	@touch $@

$(STATE)/apt-test: packages/apt-test.txt
	@mkdir -p $(STATE)
	scripts/apt-install $<
	@touch $@

$(STATE)/venv: requirements.lock pyproject.toml
	@mkdir -p $(STATE)
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@# By the owner of the clone: folders that a later sudo made here could not be removed by them.
	@$(BIN)/python -m compileall -q src
	@touch $@

$(STATE)/venv-dev: requirements-dev.lock $(STATE)/venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

$(STATE)/docker-compose: packages/docker-compose.txt $(STATE)/venv
	scripts/docker-compose $@

$(STATE)/fuzz-site: packages/fuzz.txt $(STATE)/venv
	rm -rf $@
	$(BIN)/pip install --quiet --require-hashes --target $@ --requirement $<
	@touch $@

first-app: setup ## your first container: http://localhost:8080/
	@$(SUDO) scripts/first-app

check: setup-dev ## format, lint, types, import contracts, unit and property tests
	$(BIN)/ruff format --check --quiet src tests bench
	$(BIN)/ruff check --quiet src tests bench
	$(BIN)/lint-imports --no-cache >$(STATE)/contracts.txt || { cat $(STATE)/contracts.txt; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pyright
	$(PYTEST) tests/unit tests/property

test: check kernel integration conformance test-vm-smoke ## everything that CI runs

kernel: setup-dev ## tests against the real kernel, as root
	$(SUDO) env CI=$(CI) $(PYTEST) tests/kernel

integration: setup-dev $(STATE)/docker-compose ## tests of a real daemon on a socket of its own, as root
	$(SUDO) env CI=$(CI) $(PYTEST) tests/integration

conformance: setup-dev $(STATE)/docker-compose ## the specifications' own requirements, and docker compose's answers
	$(SUDO) env CI=$(CI) $(PYTEST) tests/conformance

test-pythons: setup-dev ## the unit tier on each Python from 3.11 to 3.13 that is found
	scripts/test-pythons

test-vm-smoke: setup-dev ## the main job in a virtual machine with Debian's kernel and pure cgroup v2
	$(BIN)/python -m tests.vm.smoke

fuzz: setup-dev $(STATE)/fuzz-site ## coverage-guided runs of every reader of strangers' bytes, FUZZ_S=20 seconds each
	PYTHONPATH=$(STATE)/fuzz-site $(BIN)/python -m tests.fuzz --seconds $(or $(FUZZ_S),20)

test-vm: setup-dev ## the runtime and cgroups in a machine with pure v2 and in one with pure v1; under ten minutes
	$(BIN)/python -m tests.vm.layouts

soak: setup-dev ## faults by the clock (docs/faults.md): kills, limits, crowds, cycles; SCALE=17 for the whole counts
	$(SUDO) $(BIN)/python -m tests.soak --scale $(or $(SCALE),1)

bench: setup-dev $(STATE)/docker-compose ## figures, as ratios to dockerd and others in the same run
	$(SUDO) $(BIN)/python -m bench

lock: setup-dev ## new versions of the dependencies, within pyproject.toml's bounds
	scripts/lock

dist: setup-dev ## the wheel (pure Python) and the source archive, in dist/
	$(BIN)/python -m build --no-isolation --outdir dist .

clean: ## removes what these commands made inside the checkout
	rm -rf $(VENV) .venv-3.* $(STATE) dist build bench/out .hypothesis .ruff_cache
