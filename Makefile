.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
AIRFLOW_VENV := .venv-airflow
AIRFLOW_READY := $(AIRFLOW_VENV)/.ready
PREVIEW_READY := dashboards/preview/.ready
MEMBERS := operator devcluster images demo dags/lint dashboards
PYTHON_SOURCES := operator/src devcluster/src images/src demo/src dags/lint/src dashboards/src tools bench manifests
AIRFLOW_SOURCES := dags/lib/src dags/airflow_usecases
# A worker goes through one folder after the other, so that the servers of a folder can end with it
SPREAD := -n 2 --no-loadscope-reorder
COMPILE := uv pip compile -q --python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-header --no-annotate

.PHONY: help
help: ## Show this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  \033[1m%-19s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock tools/setup.sh $(MEMBERS:%=%/pyproject.toml)
	@tools/setup.sh $(MEMBERS)
	@touch $@

$(AIRFLOW_READY): $(READY) tests/dags/requirements.lock tools/setup-airflow.sh dags/lib/pyproject.toml
	@tools/setup-airflow.sh
	@touch $@

$(PREVIEW_READY): dashboards/preview/package-lock.json dashboards/preview/setup.sh
	@dashboards/preview/setup.sh
	@touch $@

.PHONY: setup
setup: $(READY) $(AIRFLOW_READY) $(PREVIEW_READY) ## Make the environments that the targets below need, in the clone

.PHONY: fmt
fmt: setup ## Format Python and Go
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .
	gofmt -w devcluster/go images/git-sync-standin

.PHONY: lint
lint: setup ## Check style, types, layers, charts, YAML, Go and shell; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PYTHON_SOURCES)
	$(BIN)/mypy --python-executable $(AIRFLOW_VENV)/bin/python $(AIRFLOW_SOURCES)
	$(BIN)/dag-lint dags --tenant manifests/tenants/base
	$(BIN)/dag-lint demo/repositories
	$(BIN)/lint-imports
	$(BIN)/yamllint -s .
	@test -z "$$(gofmt -l devcluster/go images/git-sync-standin)" || { echo "run 'make fmt': gofmt differs"; exit 1; }
	cd images/git-sync-standin/src && go vet ./...
	@if command -v shellcheck >/dev/null; then git ls-files '*.sh' .ci/run | xargs shellcheck; else echo "no shellcheck on PATH: shell scripts are not checked"; fi
	$$($(BIN)/devcluster tool helm) lint --strict charts/tenant-operator
	$$($(BIN)/devcluster tool helm) lint --strict charts/airflow-tenant --values tests/charts/lint-values.yaml

.PHONY: test
# Bytecode is kept, also where a container's environment forbids it: the tests start thousands of Pythons
test: export PYTHONDONTWRITEBYTECODE =
test: lint ## All tests that need no node: units, charts, the operator on a real API server, every DAG on a real Airflow
	$(BIN)/pytest $(SPREAD) --dist loadfile -m "not e2e"
	$(AIRFLOW_VENV)/bin/python -m pytest $(SPREAD) --dist loadgroup tests/dags

.PHONY: e2e
e2e: $(READY) ## End to end on a real node: operator, Airflow pods, Git, network policies, Argo CD
	$(BIN)/pytest tests/devcluster tests/e2e -m e2e
	$(BIN)/pytest tests/manifests tests/gitops -m "e2e and not slow"

.PHONY: e2e-full
e2e-full: $(READY) ## `e2e`, and everything that real Argo CD and Flux do with manifests/, ten minutes of rest included
	$(BIN)/pytest tests/devcluster tests/e2e -m e2e
	$(BIN)/pytest tests/manifests tests/gitops/test_argocd*.py -m e2e
	$(BIN)/pytest tests/gitops/test_flux*.py -m e2e

.PHONY: demo
demo: $(READY) ## Two teams' Airflows from nothing to a successful DAG run
	$(BIN)/demo up

.PHONY: demo-down
demo-down: $(READY) ## Remove what `make demo` started
	$(BIN)/demo down

.PHONY: record
record: setup ## Renew the recording that the dashboards' tests use: real Airflows for a quarter of an hour
	$(BIN)/python -m tests.dashboards.recording.record

.PHONY: dashboards-preview
dashboards-preview: setup ## Draw every dashboard from the recording to docs/images/dashboards
	$(BIN)/python -m tenant_dashboards.preview

.PHONY: validate
validate: $(READY) ## Check manifests/: every overlay, every tenant, the platform's policies [ARGS="--registry registry.example.com/"]
	@$(BIN)/python -m tools.manifests.validate $(ARGS)

.PHONY: new-tenant
new-tenant: $(READY) ## Write the files of a new tenant: NAME=orders TEAM=shop ARGS="--slack '#orders'"
	@[ -n "$$NAME" ] && [ -n "$$TEAM" ] || { echo "usage: make new-tenant NAME=orders TEAM=shop ARGS=\"--slack '#orders'\"" >&2; exit 2; }
	@$(BIN)/python -m tools.manifests.new_tenant "$$NAME" --team="$$TEAM" $(ARGS)

.PHONY: manifests-diff
manifests-diff: $(READY) ## What a change of manifests/ does to every cluster: BASE=origin/main
	@$(BIN)/python -m tools.manifests.diff $(or $(BASE),origin/main)

.PHONY: release-check
release-check: $(READY) ## Everything of a release that needs no registry: versions, notes, charts, bills of materials, provenance, in dist/
	$(BIN)/python -m tools.release build --no-images

.PHONY: docs
docs: $(READY) ## Build the documentation's site to build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: generate
generate: setup ## Write the generated files: CRD, operator's manifests, Argo CD's settings, READMEs, dashboards, DAG index, lint rules
	$(BIN)/python -m tenant_dashboards
	$(BIN)/python -m tenant_dashboards.registry
	$(BIN)/python -m tenant_operator.api.crd > operator/crd/airflowtenants.airflowtenants.io.yaml
	cp operator/crd/airflowtenants.airflowtenants.io.yaml charts/tenant-operator/files/crd.yaml
	$(BIN)/python charts/generate_readme.py
	$(BIN)/python -m tools.manifests.operator
	$(BIN)/python manifests/argocd/generate.py
	$(BIN)/python -m tools.manifests.tenant_files
	$(BIN)/python -m dag_lint.docs
	$(AIRFLOW_VENV)/bin/python -m tools.dag_index

.PHONY: check
check: generate test ## `test`, and no generated file differs from what is committed
	git diff --exit-code

.PHONY: rows
rows: $(READY) ## Catalogue rows that no passing test covers
	$(BIN)/python tools/rows.py

.PHONY: bench
bench: $(READY) ## Measure API calls and CPU of the operator; results go to bench/README.md by hand
	$(BIN)/python -m bench.operator_calls

.PHONY: lock
lock: ## Resolve dependencies: of the members, of the Airflow image and of the tests of the DAG library
	uv lock
	uv export -q --all-packages --no-emit-workspace --format requirements-txt --no-header -o requirements.lock
	$(COMPILE) images/airflow/requirements.in -o images/airflow/requirements.lock
	$(COMPILE) tests/dags/requirements.in -c images/airflow/requirements.lock -o tests/dags/requirements.lock
	$(COMPILE) tests/dags/services/mlflow-requirements.in -o tests/dags/services/mlflow-requirements.lock

.PHONY: clean
clean: ## Remove what the targets made inside the clone; caches outside stay
	rm -rf build dist $(VENV) $(AIRFLOW_VENV) $(PREVIEW_READY) dashboards/preview/node_modules dashboards/preview/dist .rows .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
