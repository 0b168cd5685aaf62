# Every target brings what it needs: on a fresh machine the first one takes minutes, and says what it does.
.DEFAULT_GOAL := help
.PHONY: help install format lint generate verify demo demo-down test test-unit test-chart test-operation test-e2e bench bench-scale images image-gpu cluster-up cluster-down requirements sbom audit clean
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

BIN := .venv/bin
CLUSTER := PYTHONPATH=tests $(BIN)/python -m cluster
PYTEST := $(BIN)/pytest -q --durations=10
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
export UV_SYSTEM_CERTS := 1

help:  ## show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

install: .venv/installed  ## make the virtual environment, from hashed requirements

.venv/installed: requirements/installer.txt requirements/dev.txt pyproject.toml
	@python3 -c 'import ensurepip' 2>/dev/null || apt-get install -y -q python3-venv
	python3 -m venv .venv
	$(BIN)/python -m pip install -q --require-hashes -r requirements/installer.txt
	$(BIN)/uv pip install -q --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@

format: install  ## format the code
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: install  ## style, types, import contracts, size budget
	$(BIN)/ruff format --check . && $(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/budget.py

generate: install  ## write what is generated: the CRD and the reference pages
	$(BIN)/python -m kronos_operator.crd > charts/kronos/crds/kronosdeployments.yaml
	$(BIN)/python docs/generate.py

verify: install  ## fail when a generated file is not current
	$(BIN)/python -m kronos_operator.crd | diff -u charts/kronos/crds/kronosdeployments.yaml - || (echo "run: make generate" >&2; exit 1)
	$(BIN)/python docs/generate.py --check

demo: install  ## cluster, images, chart, a KronosDeployment, and forecasts through its Ingress
	@$(CLUSTER) demo

demo-down: cluster-down  ## remove everything that the demo made

test: test-unit test-chart test-e2e test-operation  ## all tests

test-unit: install  ## model, server, operator: no cluster needed
	$(PYTEST) tests/model tests/server tests/operator

test-chart: install  ## the chart and compose.yaml, with real Helm
	$(PYTEST) tests/chart tests/compose

test-e2e: install  ## the images, and a real Kubernetes: brought up here, or yours with KRONOS_USE_CLUSTER=1
	$(PYTEST) tests/images tests/e2e

test-operation: install  ## the operator as processes, on a control plane of its own: takeover, trouble, restarts
	$(PYTEST) tests/operation

bench: install  ## compare speeds in one run, as ratios
	$(BIN)/python -m benchmarks.model

bench-scale: install  ## the operator with 500 KronosDeployments: cold start, edits, memory, idleness (13 minutes)
	$(BIN)/python -m benchmarks.scale

images: install  ## build the images of the operator, the server and the demo's weights
	@$(CLUSTER) images

image-gpu: install  ## build the CUDA image of the server
	@$(CLUSTER) images server-gpu

cluster-up: install  ## bring up the local Kubernetes
	@$(CLUSTER) up

cluster-down: install  ## remove its processes, mounts, namespaces and interfaces
	@$(CLUSTER) down

# The programs' packages are those for the Python of the images, whichever runs here.
build/audit/installed: requirements/audit.txt requirements/operator.txt requirements/server.txt
	for folder in audit operator server; do $(BIN)/uv venv -q --clear build/audit/$$folder || exit 1; done
	$(BIN)/uv pip install -q --python build/audit/audit --require-hashes -r requirements/audit.txt
	for program in operator server; do \
	  $(BIN)/uv pip install -q --python-version 3.13 --target build/audit/$$program/lib/python3.*/site-packages \
	    --require-hashes -r requirements/$$program.txt || exit 1; \
	done
	@touch $@

sbom: install build/audit/installed  ## write what the programs are made of to build/sbom (CycloneDX)
	mkdir -p build/sbom
	for program in operator server; do \
	  build/audit/audit/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml \
	    --output-file build/sbom/kronos-$$program.cdx.json build/audit/$$program || exit 1; \
	done

audit: install build/audit/installed  ## look for known vulnerabilities; fails where the advisories cannot be had
	build/audit/audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/operator.txt -r requirements/server.txt

requirements: install  ## pin the dependencies of pyproject.toml anew, with hashes
	for extra in dev server operator audit; do $(COMPILE) --extra $$extra pyproject.toml -o requirements/$$extra.txt; done
	echo uv | $(COMPILE) -c requirements/dev.txt - -o requirements/installer.txt

clean: cluster-down  ## remove the cluster, the virtual environment and build output; the cache stays
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache .pytest-kind
