# `make demo` runs the whole chain on this machine, `make test` the tests; both make their own
# environment in .venv. `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
KERNELS := $(VENV)/.kernels
RESULTS ?= results/demo
# CPU builds of torch for machines without an NVIDIA driver: no gigabytes of CUDA.
TORCH := torch==2.13.0
# Torch's CUDA builds bring the one they need; on CPUs its interpreter runs the kernels' tests.
TRITON := triton==3.7.1
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Those that need no hardware of their own; watching, decode and nvml_calls need a GPU, dcgm_cost
# NVIDIA's bindings.
BENCHMARKS ?= merge launch watcher_cost watcher_kill links slurm
# Two more workers than cores, for much of what the tests do is wait; a file is one worker's, so
# that its browser or ranks are made once, Slurm's files are three lanes, each with one cluster,
# and the longest come first (tests/conftest.py).
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 8 ? n + 2 : 8)))
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
# What needs seconds of its own, or another program: tests/README.md.
FAST := not gpu and not dcgm and not slow and not vllm and not ranks and not watcher and not kernels and not grids and not reports
# A folder named by an outer shell must not reach the tests.
unexport PYTHONPATH
# Containers often set it: each of the tests' many processes would compile the project anew, a third
# of what a short command costs.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env demo test collected test-fast check lint format reference bench cluster cluster-down constraints clean

help:
	@echo "make demo         a real grid on this machine, merged, sealed, audited, reported"
	@echo "make test         the tests"
	@echo "make test-fast    those without process groups, Slurm, browser or watchers"
	@echo "make check        ruff format, ruff, mypy --strict, the tests"
	@echo "make lint         the same without the tests"
	@echo "make format       let ruff format"
	@echo "make reference    write docs/configuration.md from conf/, docs/audit.md from the checks"
	@echo "make cluster      a development Slurm on this machine (slurm/README.md)"
	@echo "make bench        the benchmarks, by hand"
	@echo "make constraints  write the environment's versions to constraints.txt"
	@echo "make clean        remove the environment and the demo's results"

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else \
	  "joulegrid: `PYTHON` must be Python 3.11 or newer, but $(PYTHON) is %d.%d instead" % v[:2])'
	@echo "making the environment in $(VENV) (once; minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null; then \
	  $(PIP) "$(TORCH)+cpu" 2>/dev/null || $(PIP) --index-url $(TORCH_CPU_INDEX) "$(TORCH)+cpu"; \
	else $(PIP) "$(TORCH)"; fi
	@$(PIP) --editable '.[all,dev]'
	@touch $@

$(KERNELS): $(STAMP)
	@command -v nvidia-smi >/dev/null || $(PIP) "$(TRITON)"
	@touch $@

demo: $(STAMP)
	@$(BIN)/python -m launcher -m experiment=demo results=$(RESULTS) allow_dirty=true
	@$(BIN)/python -m analysis $(RESULTS) >/dev/null
	@$(BIN)/python -m analysis.audit $(RESULTS)
	@$(BIN)/python -m analysis $(RESULTS)

test: $(KERNELS)
	@$(PYTEST)

# Every worker collects all tests: what one compiles beforehand, none compiles.
collected: $(KERNELS)
	@said=$$($(BIN)/python -m pytest --collect-only -qq 2>&1) || { echo "$$said"; exit 1; }

test-fast: $(STAMP)
	@$(PYTEST) -m '$(FAST)' --ignore tests/system

lint: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy slurm/devcluster/*.py
	@$(BIN)/mypy slurm/power/broker.py

check: lint test

format: $(STAMP)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

reference: $(STAMP)
	@$(BIN)/python -m launcher.config.reference > docs/.configuration.md
	@mv docs/.configuration.md docs/configuration.md
	@$(BIN)/python -m analysis.audit.reference

cluster: $(STAMP)
	@$(BIN)/python slurm/devcluster up $(or $(NODES),4) $(or $(GPUS),8)

cluster-down: $(STAMP)
	@$(BIN)/python slurm/devcluster down --purge

bench: $(STAMP)
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m tests.benchmarks.$$name; done

constraints: $(STAMP)
	@{ echo '# Every version that `make` installs. Regenerate: make constraints'; \
	  $(BIN)/python -m pip freeze --all --exclude-editable | sed 's/^\(torch==[0-9.]*\)+.*/\1/' \
	    | grep -v -E '^(pip|triton)=='; } > constraints.txt

clean:
	rm -rf $(VENV) $(RESULTS)
