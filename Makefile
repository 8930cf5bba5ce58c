# A fresh machine needs Python >= 3.11 and make; everything else is installed here, into .venv.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# What the tests need besides Python, as program:Debian-package.
PROGRAMS := dbus-daemon:dbus pg_ctlcluster:postgresql mosquitto:mosquitto chromium:chromium

.PHONY: help demo test check bench faults system clean

help: ## Show this.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

demo: $(VENV)/.sim ## A virtual massage gun: scan, pair, run sciatica-relief 60 times faster, and what the simulator saw.
	@$(BIN)/percuss demo

test: $(VENV)/.dev system ## Every test, with the coverage gate.
	@$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term --cov-fail-under=90 $(ARGS)

check: $(VENV)/.dev ## ruff, mypy, import contracts, profiles and routines.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/percuss profiles check
	$(BIN)/percuss routines check

bench: $(VENV)/.dev ## Benchmarks, as ratios to the raw library in the same run.
	@$(BIN)/python -m tests.benchmarks $(ARGS)

faults: $(VENV)/.dev ## A thousand seeded fault scenarios, then 400 sessions killed and 80 frozen at random moments.
	@$(BIN)/python -m tests.faults $(ARGS)
	@$(BIN)/python -m tests.system.left_running

system:
	@PATH=$$PATH:/usr/sbin:/sbin; missing=; for pair in $(PROGRAMS); do command -v $${pair%%:*} >/dev/null 2>&1 || missing="$$missing $${pair##*:}"; done; \
	[ -z "$$missing" ] && exit 0; \
	if ! command -v apt-get >/dev/null 2>&1; then echo "MISSING:$$missing. Install them: without, some tests are skipped and others fail." >&2; exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as_root=; elif sudo -n true 2>/dev/null; then as_root=sudo; \
	else echo "MISSING:$$missing. As root: apt-get install$$missing. Without, some tests are skipped and others fail." >&2; exit 0; fi; \
	echo "installing$$missing"; $$as_root apt-get update -qq && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing || \
	echo "NOT INSTALLED:$$missing. Without, some tests are skipped and others fail." >&2

clean: ## Remove what was built.
	rm -rf $(VENV) dist build .coverage* .*_cache .hypothesis

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "percuss needs Python 3.11 or newer; none was found. Say which: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(PYTHON) -m venv $(VENV) || { echo "This Python cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.sim: pyproject.toml | $(BIN)/python
	@echo "installing percuss into $(VENV) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[sim]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "installing percuss and its tools into $(VENV) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.sim
