# Every target sets up what it needs: a fresh Debian machine with Python 3.11, Go and gcc is enough.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
NODES ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# mysqlclient is built against libmariadb; the database tests start mariadbd (the -core package has no service), and
# workers whose clock is wrong (faketime).
DEBIAN_PACKAGES := libmariadb-dev pkg-config mariadb-server-core mariadb-client-core faketime
LOCALKUBE := PYTHONPATH=tests $(BIN)/python -m localkube
PYTEST := $(BIN)/python -m pytest
SBOM_DIR ?= dist/sbom
AUDIT_EXCEPTIONS ?= requirements/audit-exceptions.txt
PIP_AUDIT ?= $(BIN)/pip-audit
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

.PHONY: help
help: ## Show what each target does.
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 18

.PHONY: venv
venv: $(INSTALLED) ## Make .venv with every dependency at its locked version.

$(INSTALLED): requirements/dev.txt pyproject.toml
	@missing=$$(for name in $(DEBIAN_PACKAGES); do \
	    dpkg-query -W -f '$${Status}' $$name 2>/dev/null | grep -q 'ok installed' || echo $$name; done); \
	if [ -n "$$missing" ]; then \
	    echo "Installing Debian packages:" $$missing; \
	    sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	    $$sudo apt-get -o DPkg::Lock::Timeout=600 -qq update; \
	    DEBIAN_FRONTEND=noninteractive $$sudo apt-get -o DPkg::Lock::Timeout=600 -qq install -y \
	        --no-install-recommends $$missing >/dev/null; \
	fi
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: check
check: venv ## Lint, types and layers: ruff, mypy --strict, import-linter.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests manifests
	$(BIN)/lint-imports

.PHONY: test
test: check test-unit test-database test-cluster ## Run everything: checks, then each layer of tests.

.PHONY: test-unit
test-unit: venv ## Tests without any service, in seconds.
	$(PYTEST) tests/unit

.PHONY: test-database
test-database: venv ## Tests against a real MariaDB that they start themselves.
	$(PYTEST) tests/database

.PHONY: test-cluster
test-cluster: venv ## Tests on a real Kubernetes, brought up when none is there.
	$(PYTEST) tests/cluster

.PHONY: soak
soak: venv ## Faults that take long or disturb the whole cluster (API server, etcd); not part of test.
	$(PYTEST) tests/soak

.PHONY: cluster
cluster: venv ## Start a real Kubernetes on this machine (NODES=3 for three nodes).
	$(LOCALKUBE) up $(if $(NODES),--nodes $(NODES))

.PHONY: cluster-down
cluster-down: venv ## Delete that cluster, and nothing else.
	$(LOCALKUBE) down

.PHONY: images
images: venv ## Build the images and load them into the cluster.
	$(LOCALKUBE) images

.PHONY: demo
demo: venv ## The main job end to end: cluster, images, database, Helm, REST calls, results.
	PYTHONPATH=tests $(BIN)/python -m demo

.PHONY: manifests
manifests: venv ## Write CRDs, rendered chart and OpenAPI document anew from their sources.
	$(LOCALKUBE) tools
	eval "$$($(LOCALKUBE) env)" && $(BIN)/python manifests/generate.py
	$(BIN)/python -m labeltask_gateway.write_openapi api/openapi.json

.PHONY: sbom
sbom: venv ## Write a CycloneDX bill of the Python packages of each image to dist/sbom.
	mkdir -p $(SBOM_DIR)
	for pair in labeltask=control labeltask-worker=worker; do \
	    $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	        --output-file $(SBOM_DIR)/$${pair%=*}.cdx.json requirements/$${pair#*=}.txt; \
	done

.PHONY: audit
audit: venv ## Ask PyPI whether a locked package has a known vulnerability that is not excepted.
	today=$$(date +%F); \
	excepted=$$(awk -v today="$$today" '/^[^#]/ { \
	    if ($$2 !~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]$$/ || NF < 3) wrong = wrong "\n  not ID YYYY-MM-DD why: " $$0; \
	    else if ($$2 < today) wrong = wrong "\n  over: " $$0; \
	    print "--ignore-vuln", $$1 \
	  } END { if (wrong) { print "$(AUDIT_EXCEPTIONS):" wrong > "/dev/stderr"; exit 1 } }' $(AUDIT_EXCEPTIONS)); \
	for lock in control worker; do \
	    $(PIP_AUDIT) --requirement requirements/$$lock.txt --disable-pip --require-hashes --strict $$excepted; \
	done

.PHONY: lock
lock: venv ## Resolve the dependencies anew and write the lock files with their hashes.
	$(UV_COMPILE) --extra worker -o requirements/worker.txt pyproject.toml
	$(UV_COMPILE) --extra gateway --extra operator -c requirements/worker.txt -o requirements/control.txt pyproject.toml
	$(UV_COMPILE) --all-extras -c requirements/worker.txt -c requirements/control.txt -o requirements/dev.txt pyproject.toml
	echo hatchling | $(UV_COMPILE) -c requirements/dev.txt -o requirements/build.txt -
