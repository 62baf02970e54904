# Two commands do all the set-up on a machine that has Python 3.11 or newer and make:
#   make run    the main job, on the sample invoices, through the local sandbox provider
#               (make run-pdf: the same for a folder of PDFs, scans, mail and office files)
#   make test   everything that CI runs
#   make examples, make dist, make docs: the examples run; wheel and sdist; the docs as a site in build/site
#   make extras each extra in an environment of its own, and the tests that need one (a quarter of an hour)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run run-pdf test check extras examples dist docs bench soak mutants clean

$(VENV)/installed: pyproject.toml constraints.txt
	@echo "Installing pipeline and the packages it needs (pyproject.toml, about 300 MB) into ./$(VENV): a minute or two, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing the providers' SDKs and the tools of the tests (about 1 GB) into ./$(VENV): some minutes, once."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,ray,dev]'
	touch $@

run: $(VENV)/installed
	$(BIN)/pipeline run jobs/invoices.toml

$(VENV)/installed-documents: $(VENV)/installed
	@echo "Installing what reads PDFs (9 MB) into ./$(VENV), once."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[documents]'
	touch $@

run-pdf: $(VENV)/installed-documents
	$(BIN)/pipeline run jobs/invoices_pdf.toml

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports

# Byte code is kept, also where the environment says otherwise: without it each process of the tests compiles all anew.
# One process more than there are cores: half of the tests wait, for a server or a process. Not for a disk where memory
# has room for their files (half a gigabyte), which are kept where a test has failed.
MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 3000000 { print $$6 }')
test: check
	folder=$$(mktemp -d $(or $(MEMORY),/tmp)/tXXXXXX) && \
	PYTHONDONTWRITEBYTECODE= TMPDIR=$$folder $(BIN)/pytest -q --basetemp=$$folder/b \
		-n $$($(BIN)/python -c "import os; print(os.cpu_count() + 1)") --dist worksteal && rm -rf $$folder

extras:
	$(PYTHON) benchmarks/extras.py

# In .venv, or in another environment: make examples EXAMPLES=/path/to/python
EXAMPLES ?= $(BIN)/python
examples: $(VENV)/installed-dev
	$(EXAMPLES) -m pytest -q -rs -p no:cacheprovider -W default examples/test_examples.py

dist: $(VENV)/installed
	rm -rf build dist
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt build
	$(BIN)/python -m build --outdir dist .

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --config-file docs/site/mkdocs.yml

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/bench.py

soak: $(VENV)/installed-dev
	$(BIN)/python benchmarks/soak.py --rows 60000 --kills 200 --between 0.9 1.6
	$(BIN)/python benchmarks/soak.py --rows 30000 --kills 60 --between 1.2 2.5 --workers 3
	$(BIN)/python benchmarks/soak.py --on ray --rows 30000 --kills 100 --between 2 7
	$(BIN)/python benchmarks/soak.py --batches 300
	$(BIN)/python benchmarks/soak.py --deadlines 200
	$(BIN)/python benchmarks/caps.py --seeds 1000
	$(BIN)/python benchmarks/caps.py --machine-lost --seeds 200
	$(BIN)/python benchmarks/caps.py --machine-lost --seeds 200 --on ray

mutants: $(VENV)/installed-dev
	$(BIN)/python benchmarks/mutants.py --sample 150 --seed 1

clean:
	rm -rf $(VENV) out build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
