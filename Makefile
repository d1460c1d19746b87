# make run · make test · make bench · make check · make clean
#
# Everything is installed on first use: Debian packages (as root or with sudo), then a virtual environment in .venv.

PYTHON ?= python3
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin

PLUGINS := $(sort $(wildcard plugins/*))
DISTRIBUTIONS := core codecs/opus codecs/spandsp $(PLUGINS)
PACKAGING := $(wildcard $(foreach d,$(DISTRIBUTIONS),$(d)/pyproject.toml $(d)/setup.py $(d)/*/_build*.py))

# Callers of other WebRTC stacks, for the tests
NPM := tests/interop/callers/npm
PION := tests/interop/callers/pion/main.go
GO := GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$(abspath $(VENV))/go go

.PHONY: run test bench check clean

run: $(VENV)/.installed
	@GLOTTIS_SERVER__PORT=$(PORT) exec $(BIN)/glottis serve --config demo.toml

test: $(VENV)/.installed-for-tests
	$(BIN)/python -m pytest

bench: $(VENV)/.installed-for-tests
	$(BIN)/python -m benchmarks

check: $(VENV)/.installed-for-tests
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(NPM)/node_modules

$(VENV)/.installed: $(PACKAGING) tools/install-system-packages
	@PYTHON=$(PYTHON) tools/install-system-packages run
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --upgrade pip "setuptools>=77" "cffi>=1.16"
	@$(BIN)/pip install -qq --no-build-isolation $(addprefix -e ./,$(DISTRIBUTIONS))
	@touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed pyproject.toml $(NPM)/package.json $(NPM)/package-lock.json $(PION)
	@tools/install-system-packages test
	@$(BIN)/pip install -qq --group test
	@cd $(NPM) && npm ci >/dev/null
	@$(GO) build -o $(BIN)/pion-caller $(PION)
	@touch $@
