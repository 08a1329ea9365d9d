# Everything that one does with the project. A machine needs Python 3.11 or later and make.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
BIN = .venv/bin
# PostgreSQL and Redis of the machine at hand; `make test-services TEST_DATABASE_URL=… TEST_BROKER_URL=…` for others.
TEST_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/postgres
TEST_BROKER_URL ?= redis://127.0.0.1:6379/0

.PHONY: run setup setup-dev test test-services chaos chaos-smoke lint bench

run: setup  ## The portal with its demo, on http://127.0.0.1:8000/
	@exec $(BIN)/python manage.py portal --host $(HOST) --port $(PORT)

setup: .venv/.installed  ## .venv with everything pinned

setup-dev: .venv/.installed-dev

.venv/.installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

test: setup-dev  ## The suite on SQLite
	$(BIN)/pytest -n auto

test-services: setup-dev  ## All that touches a database, on PostgreSQL and Redis, with real worker processes
	DATABASE_URL=$(TEST_DATABASE_URL) CELERY_BROKER_URL=$(TEST_BROKER_URL) $(BIN)/pytest -n auto --database-only

chaos: setup-dev  ## What holds when processes are killed, Redis is away and clocks are wrong: a quarter of an hour
	DATABASE_URL=$(TEST_DATABASE_URL) $(BIN)/python -m tests.chaos

chaos-smoke: setup-dev  ## The same with a few of each
	DATABASE_URL=$(TEST_DATABASE_URL) $(BIN)/python -m tests.chaos --smoke

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: setup-dev  ## Ratios of speed, each within one run
	$(BIN)/python tests/bench_business_time.py
	DATABASE_URL=$(TEST_DATABASE_URL) $(BIN)/python tests/bench_evaluate.py
	DATABASE_URL=$(TEST_DATABASE_URL) $(BIN)/python tests/bench_tick.py
	DATABASE_URL=$(TEST_DATABASE_URL) $(BIN)/python tests/bench_worklist.py
	DATABASE_URL=$(TEST_DATABASE_URL) $(BIN)/python tests/bench_scorecards.py
