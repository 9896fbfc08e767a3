# Everything a person does with a checkout. `make` alone lists it.
# Needs git, make and Python >= 3.11; each target installs what it needs, inside the checkout.

# Set on the command line only: a PORT or NAME that happens to be in the environment means nothing here.
# PYTHON is python3, or the newest other Python for which every locked package has a wheel.
PYTHON = $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null \
	&& echo $$python && exit; done; echo python3)
DATA =
SERVE = 1
PORT =
TORCH =
NAME =
JOBS = 2
ARGS =
SET = dev

BIN := .venv/bin
INSTALL = @$(PYTHON) tools/install.py $(if $(TORCH),--torch $(TORCH))
COMPILE = "$$uv" pip compile --universal --generate-hashes --no-header --no-emit-index-url --quiet $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all test-spark test-peers check format reference bench lock clean

help:  ## List the targets
	@echo 'usage: make TARGET [VARIABLE=value ...]'
	@echo
	@sed -nE 's/^([a-z-]+):  ## (.*)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-12s %s\n", $$1, $$2}'
	@echo
	@echo '  TORCH=cpu with any target keeps the download small on a machine without an NVIDIA GPU.'

install:  ## Only install, into .venv [SET=serve, demo, dev or spark]
	$(INSTALL) $(SET)

demo:  ## Real purchases to a home page in the browser [DATA=name-or-file SERVE=0 PORT=n]
	$(INSTALL) demo
	@$(BIN)/endcap demo $(if $(DATA),--data '$(DATA)') $(if $(filter 0 no false,$(SERVE)),--no-serve) $(if $(PORT),--port $(PORT)) $(ARGS)

test:  ## All but slow tests, under 5 minutes; those of the page need a Chromium [ARGS='-k word']
	$(INSTALL) dev
	@$(BIN)/pytest -n $(JOBS) -m 'not slow and not gpu and not spark and not peers' $(ARGS)

test-all:  ## Every test; a missing browser or server is a failure, not a skip
	$(INSTALL) dev
	@ENDCAP_REQUIRE_SERVICES=1 $(BIN)/pytest -n $(JOBS) -m 'not gpu and not spark and not peers' $(ARGS)

test-spark:  ## The tests on a real Apache Spark; needs Java 17 [ARGS='-k word']
	$(INSTALL) spark
	@ENDCAP_REQUIRE_SERVICES=1 $(BIN)/pytest -m spark $(ARGS)

test-peers:  ## Metrics against RecTools, ranx and RecPack, in .peers [ARGS='-k word']
	$(INSTALL) dev
	$(INSTALL) peers
	@ENDCAP_REQUIRE_SERVICES=1 $(BIN)/pytest -m peers $(ARGS)

check:  ## Lint, format, types and import contracts, as CI does
	$(INSTALL) dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format:  ## Format the code and mend what the linter can
	$(INSTALL) dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference:  ## Write docs/reference, endcap.example.toml and the tables of results anew
	$(INSTALL) dev
	@$(BIN)/python tools/reference.py
	@$(BIN)/python tools/tables.py

bench:  ## Run a benchmark and keep its numbers [NAME=... QUICK=1]
	$(INSTALL) dev
	$(if $(filter models.speed models.temporal,$(NAME)),$(INSTALL) rivals)
	@$(BIN)/python -m benchmarks $(NAME)

lock:  ## Resolve requirements/*.txt anew [UPGRADE=1 for the newest versions]
	@set -e; uv=$$($(PYTHON) tools/install.py uv); set -x; \
	$(COMPILE) pyproject.toml --extra demo --extra text --extra tracking --extra spark --group dev -o requirements/spark.txt; \
	$(COMPILE) pyproject.toml --extra demo --extra text --extra tracking --group dev -c requirements/spark.txt -o requirements/dev.txt; \
	$(COMPILE) pyproject.toml --extra demo --group build -c requirements/dev.txt -o requirements/demo.txt; \
	$(COMPILE) pyproject.toml --group build -c requirements/dev.txt -o requirements/serve.txt; \
	printf 'ranx\nrectools\nscikit-learn\n' | $(COMPILE) - --python-version 3.11 -o requirements/peers.txt; \
	echo recpack | $(COMPILE) - --python-version 3.11 --no-deps >> requirements/peers.txt; \
	echo 'rectools[lightfm,torch]' | $(COMPILE) - --python-version 3.11 -c requirements/peers.txt -o requirements/rivals.txt; \
	echo uv | $(COMPILE) - --no-annotate -o requirements/uv.txt

clean:  ## Remove what make installed and what tools cached; your data in var/ stays
	rm -rf .venv .peers .rivals .uv dist .coverage .*_cache .hypothesis
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
