# Needs python3 (3.11 or later) with venv, and make. Everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
ASSIGNMENTS := $(notdir $(patsubst %/,%,$(sort $(wildcard source/*/))))
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test test-all bench check-links lab notebooks docs lint wheel clean

demo: .venv/ready
	$(BIN)/python -m autograder.authoring.sample_class demo
	cd demo && ../$(BIN)/autograder release
	cd demo && ../$(BIN)/autograder grade $(ASSIGNMENTS)
	cd demo && ../$(BIN)/autograder report
	@echo "The course with its classes is in demo/; open demo/report/index.html."

# one thread a process: with two, processes side by side on two cores wait for each other; and a
# third process works while the others wait for a kernel, a clock or a disk
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder \
	    -m "not slow"

test-all: lint .venv/docs
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# the figures of docs/results.md, in about 20 minutes; leave the machine alone meanwhile
bench: .venv/ready
	$(BIN)/python -m bench

# which sources of the data answer, how fast, and whether they have the right files
check-links: .venv/ready
	$(BIN)/python -m data_scripts --links

lab: .venv/ready
	$(BIN)/jupyter lab --ServerApp.root_dir=. $(if $(filter 0,$(shell id -u)),--allow-root)

# .py -> .ipynb -> student version, then the test that all three agree
notebooks: .venv/ready
	$(BIN)/autograder sync
	$(BIN)/autograder release
	$(BIN)/python -m pytest tests/test_notebooks.py -k "same_notebook or student_version"

# the documentation as a site, to be read with or without a server: site/index.html
docs: .venv/docs
	$(BIN)/python -m website

# style, types, and that data flows one way
lint: .venv/ready
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/ty check --quiet autograder data_scripts
	$(BIN)/lint-imports --no-cache --no-logo

# the package of the course: dist/ gets a wheel and a source distribution
wheel: .venv/ready
	$(BIN)/autograder wheel

clean:
	rm -rf .venv demo dist build site

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "make: $(PYTHON) is older than Python 3.11; run make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || \
	    { echo "make: $(PYTHON) has no venv; on Debian: apt-get install python3-venv"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[instructor,dev]'
	touch $@

.venv/docs: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[docs]'
	touch $@
