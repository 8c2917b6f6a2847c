# make figures   sets up .venv from the lock, runs the demo analysis, says where to look
# make test      sets up .venv from the lock, runs the tests
# make check     linters, types, formatting
# make docs      builds the documentation site into build/docs
# make lock      renews requirements.lock from pyproject.toml
# make schemas   renews what is generated from the configuration's classes: schemas, and the tables of the documentation

PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: figures test check docs lock schemas clean
.DELETE_ON_ERROR:

figures: $(READY)
	$(BIN)/snakemake --cores $(CORES)

test: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

docs: $(READY)
	$(BIN)/sphinx-build -W --keep-going -q docs build/docs
	@echo "jetlens: the documentation is in build/docs/index.html"

schemas: $(READY)
	$(BIN)/python -m jetlens.config.document
	$(BIN)/python -m jetlens.running.reruns
	$(BIN)/python -m jetlens.expressions.document

lock: $(READY)
	$(BIN)/uv lock --upgrade
	$(BIN)/uv export --quiet --format requirements.txt --no-emit-project --no-header --all-groups --extra slurm \
	    --output-file requirements.lock
	rm uv.lock

clean:
	rm -rf .venv .snakemake

# uv, itself from the lock and checked by its hash, installs the rest several times faster than pip
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	    { echo "jetlens needs Python 3.11 to 3.13; name one with: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	awk '/^uv==/{on=1} on{print} on && !/\\$$/{exit}' requirements.lock > .venv/uv.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	UV_LINK_MODE=copy $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $(READY)
