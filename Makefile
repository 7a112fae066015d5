# visnav: needs git, make and Python >= 3.11; everything else goes into .venv, with the versions in constraints.txt.
PYTHON ?= python3
# Another package index for torch, for example PyTorch's CPU index: see "Install" in README.md.
TORCH_INDEX ?=
# Further arguments for the command that a target runs: make demo ARGS=--quick
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PACKAGES := visnav.envs visnav.perception visnav.agents visnav.experiments

.PHONY: help demo test test-slow lint types parity benchmark clean

help:
	@echo 'make demo       train PPO on DoorKey-8x8 from pixels, evaluate it on unseen layouts, show a rollout'
	@echo 'make test       the tests (make test-slow: the long ones)'
	@echo 'make lint       ruff'
	@echo 'make types      mypy, against an installed wheel'
	@echo 'make parity     every twin against the original package, in full'
	@echo 'make benchmark  frames per second, beside the other packages'
	@echo 'make clean      remove .venv and everything built (runs/ stays)'
	@echo 'variables: PYTHON=python3.12  TORCH_INDEX=<a package index for torch>  ARGS="…"'

demo: $(VENV)/installed-train
	$(BIN)/python -m visnav.experiments.demo $(ARGS)

# Two processes: most tests use one core. A file's tests stay together, as they share what is compiled.
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not slow' $(ARGS)

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

# mypy does not see through the editable install, so it is given an installed wheel.
types: $(VENV)/installed-dev
	rm -rf build
	$(BIN)/python -m pip install --quiet --no-deps --target build/types .
	MYPYPATH=build/types $(BIN)/python -m mypy $(addprefix -p ,$(PACKAGES))

parity: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m 'slow and peer' tests/envs $(ARGS)

benchmark: $(VENV)/installed-all
	$(BIN)/python -m visnav.experiments.benchmark $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

# One stamp an extra; a stamp older than the files that name the dependencies is made again.
# An extra that holds another one stamps that too.
HOLDS_dev := train
HOLDS_all := train dev
$(VENV)/installed-%: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'Installing visnav[$*] into $(VENV): some hundred MB, a few minutes, once.'
	$(BIN)/python -m pip install $(if $(CI),--quiet) $(if $(TORCH_INDEX),--extra-index-url '$(TORCH_INDEX)') \
		--constraint constraints.txt --editable '.[$*]'
	$(if $(filter dev all,$*),$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt stardist)
	@touch $@ $(HOLDS_$*:%=$(VENV)/installed-%)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "visnav needs Python 3.11 or later; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment (on Debian and Ubuntu: apt install python3-venv)." >&2; \
		exit 1; }
