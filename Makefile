# `make run` trades on paper on the built-in market, `make test` passes the tests: both set up
# everything they need in .venv first. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
PYTEST := .venv/bin/pytest
ARGS ?=
# cython-lint starts pycodestyle by its name
export PATH := $(CURDIR)/.venv/bin:$(PATH)
CORE := bog/_core
C_FILES := $(wildcard $(CORE)/*.h $(CORE)/sign/*.h tests/fuzz/*.[ch] tests/rig/sign_*.c benchmarks/*.c)
CYTHON_FILES := $(wildcard $(CORE)/*.pyx) $(wildcard $(CORE)/*.pxd)

.PHONY: help setup run monitor units rehearse test check lint cover asan ubsan fuzz fuzzsign signall soak soak-day bench bench-compare peers count compare clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: ## .venv with the dependencies and the compiled core
	@tools/setup.sh

run: setup ## paper-trade market 1 on the built-in market; Ctrl-C drains and prints a report
	@.venv/bin/bog-live --market 1 $(ARGS)

monitor: setup ## Prometheus and Alertmanager (Grafana where it is) beside a running bot; Ctrl-C ends them
	@tools/monitor.sh $(ARGS)

units: setup ## the units of deploy/ under a systemd of their own, on paper and live on a bog-exchange; wants root
	@tools/units.sh

test: setup ## every test
	@$(PYTEST) -n 2 --dist loadgroup $(ARGS)

check: lint ## lint, types, stubs against the compiled modules
	@$(PY) -m mypy
	@$(PY) tools/stubs.py

lint: setup ## ruff, cython-lint, clang-format
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/cython-lint $(CYTHON_FILES)
	@.venv/bin/clang-format --dry-run --Werror $(C_FILES)

cover: setup ## line coverage of Python and Cython, nogil lines too (a traced build, slow)
	@tools/variant.sh trace $(ARGS)

asan: setup ## the tests of the core on an AddressSanitizer build
	@tools/variant.sh asan $(ARGS)

ubsan: setup ## the tests of the core on an UndefinedBehaviorSanitizer build
	@tools/variant.sh ubsan $(ARGS)

rehearse: setup ## live trading on an exchange of this machine, ten minutes at most, compared to the micro-USDC
	@.venv/bin/bog-rehearse $(ARGS)

soak: setup ## the fault rows at their full counts; goes on where it was stopped; writes docs/soak.md
	@FAULT_REPEATS=$${FAULT_REPEATS:-full} FAULT_KEEP=var/soak FAULT_TABLE=docs/soak.md \
		$(PYTEST) tests/fault -n 2 --timeout 0 $(ARGS)

soak-day: setup ## a day of the built-in market and a day of a recording, as fast as possible
	@$(PY) -m tests.rig.day $(ARGS)

fuzz: ## ten million damaged and generated frames through the parser, under both sanitizers
	@tools/fuzz.sh $(ARGS)

bench: setup ## every figure of speed: a table, and --json FILE; fails only beyond a baseline of this CPU
	@PYTHONPATH=. $(PY) benchmarks/tick_to_trade.py $(ARGS)

bench-compare: ## two files of `make bench ARGS="--json FILE"`: A=one.json B=other.json
	@PYTHONPATH=. $(PY) benchmarks/compare_runs.py $(A) $(B)

peers: setup ## the same turns in bog, hftbacktest and NautilusTrader, each in its own environment
	@PYTHONPATH=benchmarks $(PY) benchmarks/peers/run.py $(ARGS)

count: setup ## exact instructions a turn, by callgrind
	@$(PY) benchmarks/count.py $(ARGS)

compare: setup ## every strategy on every recording, on two tiers: the table of docs/strategies.md
	@PYTHONPATH=. $(PY) benchmarks/compare.py $(ARGS)

RUNS ?= 10000000
fuzzsign: ## ten million random runs of the signer under sanitizers; fails when it takes over 600 s
	@mkdir -p build && gcc -std=gnu11 -O1 -g -fsanitize=address,undefined \
		-fno-sanitize-recover=all -Wno-unused-function -I$(CORE) -o build/sign_fuzz tests/rig/sign_fuzz.c
	@echo "fuzzsign: $(RUNS) runs, at most 600 s"
	@timeout 600 build/sign_fuzz $(RUNS)

signall: setup ## 10,000 transactions each way against the other implementations of signing
	@BOG_SIGN_FULL=1 $(PYTEST) -n 2 tests/flow/test_signing.py -k "independent or official" $(ARGS)

clean: ## everything that was built; .venv stays
	@rm -rf build dist *.egg-info .mypy_cache .ruff_cache .hypothesis .benchmarks .coverage*
	@find bog -name '*.so' -delete
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
