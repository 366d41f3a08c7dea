# `make demo` and `make test` work from a bare checkout: they need python3 (3.11 or newer) and make, nothing else.

.DEFAULT_GOAL := help
.PHONY: help demo test integration soak check format format-check lint types docs docs-check bench lock build deploy undeploy clean
.DELETE_ON_ERROR:

bin := .venv/bin
stamp := .venv/.installed
sources := src tests tools hatch_build.py $(wildcard bench)

help: ## say what can be made
	@grep -E '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 14

demo: $(stamp) ## generate traffic of a simulated VPC, enrich it and show what is in it
	@$(bin)/vpcflow demo --to demo

test: $(stamp) ## run the fast tests
	@$(bin)/python -m pytest -n auto --dist loadfile

integration: $(stamp) .venv-emulator/.installed .venv-sam/.installed .venv-checkov/.installed .opensearch/.installed ## run the tests that build, start processes, or need Java, an emulator or network namespaces
	@tools/lab_tools.sh
	@$(bin)/python -m pytest -m integration

soak: $(stamp) .opensearch/.installed .elasticsearch/.installed .iceberg/.installed ## run the long proofs
	@$(bin)/python -m pytest -m soak
	@HYPOTHESIS_PROFILE=soak $(bin)/python -m pytest tests/test_parse_properties.py

check: format-check lint types test integration docs-check ## all that must be well before a push

format: $(stamp) ## lay out the code
	@$(bin)/ruff format $(sources)
	@$(bin)/ruff check --fix-only --quiet $(sources)

format-check: $(stamp)
	@$(bin)/ruff format --check $(sources)

lint: $(stamp)
	@$(bin)/ruff check $(sources)

types: $(stamp)
	@$(bin)/mypy

docs: $(stamp) ## write docs/reference/ from the code
	@$(bin)/python tools/generate_docs.py

docs-check: $(stamp)
	@$(bin)/python tools/generate_docs.py --check

bench: $(stamp) ## measure; see bench/RESULTS.md
	@$(bin)/python -m bench

build: $(stamp) .venv-sam/.installed ## build what is deployed, into deploy/.aws-sam; SAM="--parameter-overrides Architecture=x86_64"
	@cd deploy && SAM_CLI_TELEMETRY=0 ../.venv-sam/bin/sam build $(SAM)

deploy: build ## deploy it to AWS; STACK=name, SAM="--parameter-overrides Ingest=ingestor Destination=opensearch"
	@cd deploy && SAM_CLI_TELEMETRY=0 ../.venv-sam/bin/sam deploy $(if $(STACK),--stack-name $(STACK)) $(SAM)

undeploy: $(stamp) ## delete a stack and say what is kept; STACK=name, PURGE=yes removes that too
	@$(bin)/python tools/undeploy.py $(STACK) $(if $(PURGE),--purge)

lock: $(stamp) ## write requirements/*.txt anew
	@tools/lock.sh

$(stamp): requirements/dev.txt pyproject.toml tools/setup.sh hatch_build.py $(wildcard src/vpcflow/native/*.[ch])
	@tools/setup.sh

# A program as jars: its version, and so that of all it needs, is in the pom.xml.
.opensearch/.installed .elasticsearch/.installed .iceberg/.installed: .%/.installed: tests/%/pom.xml
	@echo "setup: copying $* into .$* (once)"
	@rm -rf .$*
	@mvn --quiet --batch-mode --file tests/$*/pom.xml \
	    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory="$(CURDIR)/.$*"
	@touch $@

.venv-%/.installed: requirements/%.txt tools/environment.sh | $(stamp)
	@tools/environment.sh $*

clean: ## remove what was made, the demo's files too
	rm -rf .venv .venv-* .opensearch .elasticsearch .iceberg build dist demo deploy/.aws-sam bench/data .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
