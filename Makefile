# Two commands for a fresh machine:  make demo   make test
# Each makes its own virtual environment in .venv and installs what it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test integrations test-slow test-cluster test-lowest notebooks compile-cuda gpu-check lint types docs-check docs docs-serve format bench dist clean-install clean

demo: $(VENV)/installed
	$(BIN)/fastw2v demo

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto

# Install the packages whose tests `make test` otherwise skips.
integrations: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,integrations]'

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow -n auto

# Nodes of a Ray cluster on this machine are killed while it trains, which takes two to three minutes.
test-cluster: integrations
	$(BIN)/python -c 'import ray'
	$(BIN)/python -m pytest -m slow tests/distributed/test_lost_nodes.py tests/distributed/test_ray_nodes.py

# With the lowest versions that pyproject.toml allows. Deprecation warnings of those old versions are ignored.
test-lowest:
	$(PYTHON) -m venv .venv-lowest
	sed -n 's/^ *"\([a-z0-9-]*\)>=\([0-9.]*\).*/\1==\2/p' pyproject.toml > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -c .venv-lowest/constraints.txt -e '.[dev]'
	.venv-lowest/bin/python -m pytest -n auto -W ignore::DeprecationWarning

# Run the notebooks and update their outputs. ptb.train.txt is downloaded unless FASTW2V_DATA names its folder.
notebooks: integrations
	$(BIN)/python -m tests.notebooks

# Compile the CUDA source for every architecture with NVIDIA's compiler from PyPI, which needs no GPU, and run the PTX
# in the emulator.
compile-cuda: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[gpu-dev]'
	$(BIN)/python -m pytest tests/engines/test_gpu*.py tests/test_row_kernels.py -k every_architecture -m 'slow or not slow'
	$(BIN)/python -m pytest tests/engines/test_gpu*.py -k ptx

# On a machine with a GPU: no network, no virtual environment; PYTHON has CuPy, pytest and the library's dependencies.
gpu-check:
	$(PYTHON) -m benchmarks.gpu_check

# The quick set takes seven minutes; python -m benchmarks --help lists the other options.
bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks --quick

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/rumdl check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

# Markdown style, links and names in the pages, examples in docstrings, and the scripts in examples/.
docs-check: $(VENV)/installed-dev
	$(BIN)/rumdl check .
	$(BIN)/python -m pytest tests/test_docs.py tests/test_examples.py

# Build the documentation site in build/docs. A warning of Sphinx, such as a broken link, is an error.
docs: $(VENV)/installed-docs
	rm -rf build/docs
	$(BIN)/python -m sphinx --builder html --fail-on-warning --fresh-env --quiet \
	  --conf-dir docs/_sphinx --doctree-dir build/doctrees . build/docs
	$(BIN)/python docs/_sphinx/check_site.py build/docs

docs-serve: docs
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/docs 8000

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/rumdl fmt .

# Build the wheel and the source distribution. Check their contents, their metadata, and that builds are reproducible.
dist: $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[release]'
	$(BIN)/python -m release.check_dist

# Install the wheel of `make dist` in fresh environments of PYTHON and run the examples of the README.
clean-install:
	$(PYTHON) release/clean_install.py dist/*.whl --extras
	$(PYTHON) release/clean_install.py dist/*.whl --lowest

clean:
	rm -rf $(VENV) .venv-lowest dist build

# Nothing is left in .venv if it cannot be made, because later calls would take it for complete.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; found = sys.version_info[:2]; found >= (3, 11) or sys.exit("Python %d.%d was found, but \
	fastw2v needs 3.11 or later: run make $(or $(MAKECMDGOALS),demo) PYTHON=python3.11" % found)'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	@echo 'installing fastw2v and its dependencies, about a minute'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo 'installing fastw2v and the development tools, a minute or more'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-bench: pyproject.toml | $(VENV)/bin/python
	@echo 'installing fastw2v and the packages of the benchmarks, a minute or more'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-docs: pyproject.toml | $(VENV)/bin/python
	@echo 'installing fastw2v and the packages of the documentation site, a minute or more'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@ $(VENV)/installed
