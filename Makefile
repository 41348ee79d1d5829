# SPDX-License-Identifier: Apache-2.0
# Front door of the project; `make` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help

RELEASE := .build/release
# Nothing looks up symbols of the executables; without their names in the dynamic table they are 1.5 MB smaller. lld packs
# their relocations, 0.6 MB each, which every process would read when it starts, and keeps data out of executable pages.
# Each process runs its Swift on one thread, so that counting references needs no locked instructions.
SWIFT_RELEASE := swift build -c release --static-swift-stdlib --disable-local-rpath -Xswiftc -use-ld=lld \
    -Xswiftc -Xfrontend -Xswiftc -assume-single-threaded \
    -Xlinker -z -Xlinker now -Xlinker --no-export-dynamic -Xlinker -z -Xlinker pack-relative-relocs
DEB := build/deb
PYTHON := build/venv/bin/python
PYTEST := PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest
BENCH := build/bench

.PHONY: help setup setup-build setup-package build binaries docs deb demo test swift-test debug-binaries stack-test client-test \
        test-systemd soak failover check lint layers bench bench-tools bench-routing fuzz format clean

help: ## list the targets
	@echo "ccr: one local address for every coding agent and SDK"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything that building and testing needs (Debian 12, sudo when not root)
	@scripts/setup

setup-build:
	@scripts/setup build

setup-package:
	@scripts/setup package

build: setup-build binaries ## build the release binaries into .build/release

binaries:
	$(SWIFT_RELEASE)

docs: build ## write manual pages, completions and the JSON Schema into build/docs
	$(RELEASE)/ccr-docs packaging/man build/docs

deb: setup-package ## build the Debian packages into build/deb
	@rm -rf $(DEB) && mkdir -p $(DEB)
	DESTINATION=$(abspath $(DEB)) dpkg-buildpackage -b -us -uc --changes-option=-u$(abspath $(DEB)) \
	    --buildinfo-option=-u$(abspath $(DEB)) --buildinfo-file=$(DEB)/ccr.buildinfo --changes-file=$(DEB)/ccr.changes
	lintian --pedantic --info --fail-on=error,warning,info,pedantic $(DEB)/ccr.changes

demo: build ## start the whole stack, stream one answer in each dialect, stop it
	@scripts/demo

test: swift-test stack-test client-test ## build and run all tests

swift-test: setup
	swift test

# Moved clocks and points to fail at exist in debug builds alone; after swift-test this builds nothing.
debug-binaries: setup-build
	swift build --product ccr-upstream

stack-test: setup build debug-binaries
	CCR=$(abspath $(RELEASE)/ccr) $(PYTEST) Tests/Stack

client-test: setup build
	@CCR=$(abspath $(RELEASE)/ccr) scripts/clients

test-systemd: setup deb ## install the package on a booted Debian 12 and hurt it there (root)
	scripts/systemd-image $(DEB)/ccr_*.deb
	PYTHONPATH=Tests/Stack:Tests/Clients $(PYTEST) -n 0 -s Tests/Systemd

check: lint layers test ## format, layers, tests

lint:
	swift format lint --strict -r Sources Tests Package.swift
	scripts/lint-container

layers:
	scripts/check-layers

soak: setup build ## tokens of a second under 100 requests/s for ten minutes, then 300 kills (SECONDS=N KILLS=N)
	CCR=$(abspath $(RELEASE)/ccr) PYTHONPATH=Tests/Stack:Tests/Clients PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) Tests/Stack/soak.py $(or $(SECONDS),600) $(or $(KILLS),300)

failover: setup build ## what a dead provider of three adds to streams, in milliseconds (STREAMS=N)
	CCR=$(abspath $(RELEASE)/ccr) PYTHONPATH=Tests/Stack:Tests/Clients PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) Tests/Stack/added_latency.py $(or $(STREAMS),1000)

bench: setup build bench-tools bench-routing ## measure against nginx and haproxy (ARGS="--quick", "--only TEST,...")
	$(PYTHON) bench/run_bench.py $(ARGS)

bench-tools: $(BENCH)/loadgen $(BENCH)/mock_upstream $(BENCH)/relay $(BENCH)/handoff

bench-routing: setup-build
	CCR_BENCH=1 $(SWIFT_RELEASE) --product bench-routing

$(BENCH)/%: bench/%.c bench/measure.h
	@mkdir -p $(BENCH)
	gcc -O2 -Wall -o $@ $< -Wl,--as-needed -lcurl

fuzz: setup-build ## fuzz every parser, 60 s each (SECONDS_EACH=N)
	scripts/fuzz $(or $(SECONDS_EACH),60)

format: ## format the Swift sources in place
	swift format -i -r Sources Tests Package.swift

clean: ## remove what was built; the installed test clients stay
	rm -rf .build $(BENCH) $(DEB)
