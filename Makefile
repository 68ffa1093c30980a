# Two commands do all the set-up on a machine that has Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export DO_NOT_TRACK = 1
export PREFECT_SERVER_ANALYTICS_ENABLED = false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS = 180
# Without bytecode every process compiles Prefect's server anew, and its start-up runs into the timeout.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-browser test-real check cover bench prove clean

demo: $(READY)
	$(BIN)/syncline demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not real and not browser"

test-browser: $(READY)
	$(BIN)/python -m pytest -m browser tests/deployed

test-real: $(READY)
	$(BIN)/python -m pytest -m real tests/real

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

cover: $(READY)
	$(BIN)/python -m coverage run -m pytest -q tests/kernel --deselect tests/kernel/test_mutants.py
	$(BIN)/python -m coverage report

bench: $(READY)
	$(BIN)/python -m benchmarks.run

MINUTES ?= 10
prove: $(READY)
	$(BIN)/python -m tests.prove --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

# uv installs in seconds; where it cannot be had, pip does the same more slowly.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit('Syncline needs Python 3.11 or newer, found ' + sys.version.split()[0] if sys.version_info < (3, 11) else 0)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv || true
	if $(BIN)/python -m uv --version >/dev/null 2>&1; then \
	  UV_COMPILE_BYTECODE=1 VIRTUAL_ENV=.venv $(BIN)/python -m uv pip install --quiet --require-hashes -r requirements.lock && \
	  VIRTUAL_ENV=.venv $(BIN)/python -m uv pip install --quiet --no-deps -e . ; \
	else false; fi || { \
	  $(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --no-deps -e . ; }
	touch $(READY)

clean:
	rm -rf .venv .cache demo
