# make install · make run · make quick · make test · make check · make coverage · make fuzz · make docs · make bench · make profile · make voice · make networks · make libopus · make soak · make container · make wheels · make test-arm · make test-musl · make test-armv7 · make deb · make test-deb · make release · make clean
#
# Everything is installed on first use: Debian packages (as root or with sudo), then a virtual environment in .venv.

PYTHON ?= python3
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin

PLUGINS := $(sort $(wildcard plugins/*))
DISTRIBUTIONS := core core/kits/testing codecs/dvi4 codecs/opus codecs/spandsp $(PLUGINS)
PACKAGING := $(wildcard $(foreach d,$(DISTRIBUTIONS),$(d)/pyproject.toml $(d)/setup.py $(d)/build_*.py $(d)/*.c))

# Callers of other WebRTC stacks, for the tests
NPM := tests/interop/callers/npm
JAVASCRIPT := plugins/web/javascript
PION := tests/interop/callers/pion/main.go
GO := GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$(abspath $(VENV))/go go

REAL := browser or interop or realtime
ENGINES := $(addprefix tests/,wire sdp ice turn dtls rtp sctp peer)
QUICK := $(BIN)/python -m pytest -q --hypothesis-profile=quick -m "not ($(REAL) or slow)" $(if $(SLOWEST),-p tools.slowest_files)
# Each half of them takes as long as the other
ONE_HALF := $(ENGINES) codecs plugins tests/cli tests/client
APART := tests/browser tests/interop
CORES := $(shell nproc)
LANES := $(shell expr 2 '*' $(CORES))
CLOCK = tests/browser tests/cli/test_new_installed.py tests/isolation \
	tests/interop $(shell grep -rlE --include="test_*.py" "mark\.(browser|interop|realtime)" tests codecs plugins)
# Whose wheels are made
MACHINES ?= x86_64 aarch64 x86_64-musl aarch64-musl
# Percent of the engines' branches, counted alone
BRANCHES := 97

MINUTES ?= 25
CALLS ?= 5000
SECONDS ?= 5
FAULTS ?= 100

# Compiled once, whatever the environment says: each process of the tests, and each that they start, would do it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install run quick test without-a-clock by-the-clock check coverage fuzz docs bench profile voice networks libopus soak container wheels test-arm test-musl test-armv7 deb test-deb release rehearse clean

install: $(VENV)/.installed

run: $(VENV)/.installed
	@tools/install-speech $(BIN)/pip $(VENV)/.speech
	@GLOTTIS_SERVER__PORT=$(PORT) exec $(BIN)/glottis serve --config demo.toml

# Two halves, each of which collects no more than its own, and tries a fifth of the examples of each property.
# With the files that take longest: make quick SLOWEST=1
quick: $(VENV)/.installed-for-quick-tests
	@$(QUICK) $(ONE_HALF) & half=$$!; \
	$(QUICK) tests $(addprefix --ignore=,$(ONE_HALF) $(APART)); other=$$?; \
	wait $$half && exit $$other

# What browsers and other stacks need is installed while the tests run that need neither.
test: $(VENV)/.system
	@$(MAKE) --no-print-directory $(VENV)/.callers & callers=$$!; \
	$(MAKE) --no-print-directory without-a-clock; others=$$?; \
	wait $$callers && exit $$others
	@$(MAKE) --no-print-directory by-the-clock

# The quick tests of the engines are run once, where they are counted; but all examples where they are not, for each step
# takes three times as long there.
without-a-clock: $(VENV)/.installed-for-quick-tests
	@$(MAKE) --no-print-directory coverage & coverage=$$!; \
	$(BIN)/python -m pytest -n $(CORES) -q -m "not ($(REAL)) and (slow or examples or not engine)" $(addprefix --ignore=,$(APART)); others=$$?; \
	wait $$coverage && exit $$others

# What goes by the clock on the wall, in lanes side by side: it waits most of the time. A lane that is free takes what
# comes next, so what takes longest comes first.
by-the-clock: $(VENV)/.installed-for-tests
	@$(BIN)/python -m pytest -n $(LANES) --dist=loadscope --no-loadscope-reorder -p tools.lanes -q -m "($(REAL)) and not networks" $(CLOCK)

check: $(VENV)/.installed-for-quick-tests
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

coverage: $(VENV)/.installed-for-quick-tests
	@mkdir -p build
	$(BIN)/coverage run -m pytest -q -p tools.counted_calls --hypothesis-profile=quick -m "not ($(REAL) or slow)" $(ENGINES)
	$(BIN)/coverage json -q --fail-under=0 -o build/coverage.json && $(BIN)/coverage report
	$(BIN)/python tools/check_branches.py build/coverage.json $(BRANCHES)

# Ten times the examples of each property that the tests try
fuzz: $(VENV)/.installed-for-quick-tests
	$(BIN)/python -m pytest -n $(CORES) -q --hypothesis-profile=long -m "examples and not ($(REAL))"

docs: $(VENV)/.installed-for-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# Other options: make bench BENCH=--quick, or "--full --json build/bench.json"
bench: $(VENV)/.installed-for-quick-tests
	$(BIN)/python -m benchmarks $(BENCH)

profile: $(VENV)/.installed-for-quick-tests $(VENV)/.installed-for-profile
	$(BIN)/python -m benchmarks profile $(PROFILE)

# Some of it, and beside other stacks: make voice VOICE="--only=10 --beside"
voice: $(VENV)/.installed-for-voice $(if $(findstring --beside,$(VOICE)),$(VENV)/.callers)
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.voice $(VOICE)

# The tables of docs/networks.md, as root. Some rows: make networks ROWS="page relay"
networks: $(VENV)/.installed-for-tests
	@PYTHONPATH=tests $(BIN)/python -m support.network_table $(ROWS)

# Deep redundancy by a newer libopus, which is built for it in a minute
libopus: $(VENV)/.installed-for-quick-tests
	@OPUS_LIBRARY=$$($(BIN)/python -m tools.libopus) && export OPUS_LIBRARY && \
	$(BIN)/python -m pytest -q codecs/opus/tests/with_dred.py

# Shorter: make soak MINUTES=2 CALLS=200 FAULTS=1
soak: $(VENV)/.installed-for-tests
	PYTHONPATH=tests $(BIN)/python -m benchmarks.soak --minutes=$(MINUTES) --calls=$(CALLS) --seconds=$(SECONDS) --faults=$(FAULTS)

# The image of docs/deploy, built and tried, as root, and the manifest held against the schemas of Kubernetes
container: $(VENV)/.installed-for-container
	@$(BIN)/python -m tools.check_manifest
	@tools/install-system-packages container
	@$(BIN)/python -m tools.try_container

# Wheels with the libraries of the codecs inside, in dist/, as root. For this kind of machine alone: make wheels MACHINES=x86_64
wheels: $(VENV)/.installed
	@tools/install-system-packages wheels
	@$(BIN)/python -m tools.wheels $(MACHINES)

# The same, and each tried without a compiler, on an emulated machine where it is not of this kind, also by Chromium. Debian has no Python on musl.
test-arm: $(VENV)/.installed-for-quick-tests wheels
	@command -v chromium-headless-shell >/dev/null || tools/install-system-packages test
	@PYTHONPATH=tests $(BIN)/python -m tools.try_wheels $(filter-out %-musl,$(MACHINES))

# The wheels for musl, called by Alpine's Python, over HTTP and HTTPS
test-musl: MACHINES := $(filter %-musl,$(MACHINES))
test-musl: $(VENV)/.installed-for-quick-tests wheels
	@PYTHONPATH=tests $(BIN)/python -m tools.try_musl $(MACHINES:%-musl=%)

# From source, for there are no wheels: half an hour under emulation
test-armv7: $(VENV)/.installed
	@tools/install-system-packages wheels
	@$(BIN)/python -m tools.try_source armv7l

# Debian packages of the wheels, in dist/
deb: wheels
	@$(BIN)/python -m tools.deb $(filter-out %-musl,$(MACHINES))

# The same, and each installed, called, removed and purged in a fresh Debian
test-deb: deb
	@tools/install-system-packages deb
	@$(BIN)/python -m tools.try_deb $(filter-out %-musl,$(MACHINES))

release: $(VENV)/.installed-for-release
	$(BIN)/python tools/release.py

rehearse: $(VENV)/.installed-for-release
	$(BIN)/python tools/release.py --rehearse

clean:
	rm -rf $(VENV) $(addsuffix /node_modules,$(NPM) $(JAVASCRIPT)) $(JAVASCRIPT)/build build dist

# Before all others, for they would keep each other from the lists of Debian's packages.
$(VENV)/.system: tools/install-system-packages
	@PYTHON=$(PYTHON) tools/install-system-packages run
	@mkdir -p $(VENV) && touch $@

$(VENV)/.installed: $(VENV)/.system $(PACKAGING)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --upgrade pip "setuptools>=77,<85" "cffi>=1.17,<3"
	@$(BIN)/pip install -qq --no-build-isolation $(addprefix -e ./,$(DISTRIBUTIONS))
	@touch $@

$(VENV)/.installed-for-quick-tests: $(VENV)/.installed pyproject.toml
	@$(BIN)/pip install -qq --group test
	@touch $@

$(VENV)/.installed-for-container $(VENV)/.installed-for-docs $(VENV)/.installed-for-profile $(VENV)/.installed-for-release: $(VENV)/.installed-for-%: $(VENV)/.installed pyproject.toml
	@$(BIN)/pip install -qq --group $*
	@touch $@

$(VENV)/.installed-for-voice: $(VENV)/.installed-for-quick-tests
	@tools/install-system-packages voice
	@touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed-for-quick-tests $(VENV)/.callers
	@$(BIN)/pip install -qq --group services
	@touch $@

# Node's modules come to their place at once, for tests look through the folders around them meanwhile.
$(VENV)/.callers: $(VENV)/.system $(addsuffix /package-lock.json,$(NPM) $(JAVASCRIPT)) $(PION)
	@tools/install-system-packages test
	@set -e; for folder in $(NPM) $(JAVASCRIPT); do \
		rm -rf $(VENV)/npm; mkdir -p $(VENV)/npm/before $(BIN); cp $$folder/package*.json $(VENV)/npm; \
		(cd $(VENV)/npm && npm ci >/dev/null); \
		test ! -e $$folder/node_modules || mv $$folder/node_modules $(VENV)/npm/before; \
		mv $(VENV)/npm/node_modules $$folder; \
	done
	@$(GO) build -o $(BIN)/pion-caller $(PION)
	@touch $@
