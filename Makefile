# Two commands matter: `make demo` and `make test`. Each makes .venv if it is missing.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.lascaux-installed
# A process a core, each with a stretch of files, so that what a file prepares is prepared once; the idle one takes over.
WORKERS := -n auto --dist worksteal

.PHONY: demo test fast bench install
.DEFAULT_GOAL := help

.PHONY: help
help:
	@echo "make demo   two agents learn to draw; a report under out/demo"
	@echo "make test   lint, format, types, every test"
	@echo "make fast   the same without the slow tests"
	@echo "make bench  the measurements behind the figures of the docs"

install: $(STAMP)

# Anew when the requirements change. The stamp lies inside .venv, so that removing the one removes the other.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(BIN)/python >/dev/null || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lascaux needs Python 3.11 or newer: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (a few minutes, once) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	@$(BIN)/lascaux run demo --out out/demo --resume
	@echo "The report: out/demo/report.html"

test: $(STAMP)
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m pytest -q $(WORKERS)

fast: $(STAMP)
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m pytest -q $(WORKERS) -m "not slow"

# One after the other: two at once would measure each other. The demo's figure wants a finished demo, and measures nothing.
bench: $(STAMP)
	@for script in $(filter-out benchmarks/_% benchmarks/demo_figure.py,$(wildcard benchmarks/*.py)); do echo "$$script"; $(BIN)/python "$$script" || exit 1; done
