# make encode INPUT=film.mp4 OUTPUT=film.webm    encodes a video (no INPUT: a sample clip)
# make test                                      runs every test
# make cloud                                     the stack on an emulator of AWS, to try uploads
#
# Each target sets up what it needs, and only the parts that are out of date.
#
# For GNU make 3.81 too, which is Apple's: every line of a recipe has a shell of its own, which goes
# on after an error unless the line says `set -e`. tests/infra/test_makefile.py holds it to that.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt
# CMake and ninja come from the environment's own pinned packages. With `make -j`, ninja would look
# for a job server that is closed to it, and report that as an error.
TOOLS_FIRST := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" MAKEFLAGS=

NATIVE_FILES := $(shell find codec/native -type f ! -name '*.pyc')
NATIVE_TEST_FILES := $(wildcard tests/native/*.cc tests/native/*.h)
CXX_FILES := $(filter %.cc %.h,$(NATIVE_FILES)) $(NATIVE_TEST_FILES)

# zig keeps its built C++ library under HOME, which an empty environment lacks.
ifeq ($(HOME),)
export ZIG_GLOBAL_CACHE_DIR := $(CURDIR)/build/zig-cache
endif

# Passed on to `excamera encode` and to pytest.
OPTIONS ?=
PYTEST_ARGS ?=

.PHONY: docs help encode test test-fast cloud synth wheel wheels emulator lint format types layers native-tests \
  sanitized clang cross bench bench-quality bench-speed bench-figure bench-tools bench-cloud \
  bench-messages bench-workers bench-scale bench-start bench-long bench-plain bench-targets \
  bench-reports clean

help:
	@sed -n '1,3s/^# \{0,1\}//p' Makefile
	@echo 'make synth | wheel | wheels | test-fast | lint | format | docs | sanitized | clang | cross | clean'
	@echo 'make bench | bench-cloud | bench-messages | bench-workers | bench-scale | bench-start'
	@echo 'make bench-long | bench-plain | bench-targets | bench-reports'

# --- set-up ------------------------------------------------------------------

$(VENV)/pyvenv.cfg:
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    exec "$$python" -m venv $(VENV); \
	  fi; \
	done; \
	echo 'Python 3.11 or newer is needed.' >&2; \
	exit 1

$(VENV)/.tools: constraints.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@$(PIP_INSTALL) pip
	@$(PIP_INSTALL) --group build
	@for compiler in $${CXX:-} c++ g++ clang++ none; do \
	  if command -v "$$compiler" >/dev/null; then break; fi; \
	done; \
	if [ "$$compiler" = none ]; then \
	  echo 'No C++ compiler here: using the one in the package ziglang.'; \
	  $(PIP_INSTALL) ziglang; \
	fi
	@touch $@

# One folder for the installed library, the wheel's, and the test programs.
NATIVE_BUILD := -C build-dir=build/native-tests -C cmake.define.EXCAMERA_NATIVE_TESTS=ON
$(VENV)/.installed: $(NATIVE_FILES) $(VENV)/.tools
	@echo 'Building the codec and installing the package into $(VENV)'
	@$(PIP_INSTALL) --no-build-isolation --editable . $(NATIVE_BUILD)
	@touch $@

$(VENV)/.dev: constraints.txt pyproject.toml $(VENV)/.tools
	@echo 'Installing what develops and tests it into $(VENV)'
	@$(PIP_INSTALL) --group dev
	@touch $@

# --- the two commands --------------------------------------------------------

# Names of files reach the shell as they are, with `$` and spaces.
override INPUT := $(value INPUT)
override OUTPUT := $(value OUTPUT)
export INPUT OUTPUT
encode: $(VENV)/.installed
	@set -e; \
	if [ -z "$$INPUT" ]; then \
	  mkdir -p sample; \
	  INPUT=sample/sample.mp4; \
	  OUTPUT="$${OUTPUT:-sample/sample.webm}"; \
	  $(VENV)/bin/excamera sample --overwrite "$$INPUT"; \
	  set -- --overwrite; \
	fi; \
	OUTPUT="$${OUTPUT:-$${INPUT%.*}.webm}"; \
	$(VENV)/bin/excamera encode "$$@" $(OPTIONS) "$$INPUT" "$$OUTPUT"; \
	if [ "$$INPUT" = sample/sample.mp4 ]; then \
	  echo; \
	  $(VENV)/bin/excamera compare "$$INPUT" "$$OUTPUT"; \
	fi

# In the order of collection: tests/aws comes first, whose files are few and long. A third of their
# time they wait, so there is one more process than CI has CPUs.
TEST_PROCESSES ?= 3
test: $(VENV)/.installed $(VENV)/.dev native-tests emulator
	@# Tests begin hundreds of programs, each in half the time if its modules are compiled.
	@$(PY) -m compileall -q codec emulator excamera functions layers mu stacks tests
	$(PY) -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# For developers, at every change.
test-fast: $(VENV)/.installed $(VENV)/.dev
	$(PY) -m pytest --numprocesses auto -m 'not slow and not aws' $(PYTEST_ARGS)

# --- the stack -----------------------------------------------------------------

$(VENV)/.stack: constraints.txt pyproject.toml $(VENV)/.tools
	@echo 'Installing the CDK into $(VENV)'
	@$(PIP_INSTALL) --group stack
	@touch $@

# Writes cdk.out, as `cdk synth` does; the first time it also builds the layers.
synth: $(VENV)/.installed $(VENV)/.stack
	@$(PY) app.py
	@echo 'cdk.out holds the stack as it would be deployed; docs/deploy.md goes on from here.'

# What users install: a wheel from which they can deploy, with the codec for both of Lambda's
# processors. For them, `pip install 'excamera[aws]'` replaces everything here.
WHEELS := dist
PREBUILT := build/prebuilt
wheel: $(VENV)/.installed $(VENV)/.stack
	@$(PY) -m layers.prebuilt $(PREBUILT)
	@$(TOOLS_FIRST) $(PY) -m pip wheel --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation --wheel-dir $(WHEELS) . $(NATIVE_BUILD) \
	  -C wheel.force-include.$(PREBUILT)=excamera/_deploy/prebuilt
	@echo 'The wheel is in $(WHEELS).'

# One for each platform that PyAV has wheels for, all made here: Linux with glibc and musl, macOS.
wheels: $(VENV)/.release
	@rm -rf build/wheel
	@$(MAKE) --no-print-directory wheel WHEELS=build/wheel
	@$(PY) -m layers.release build/wheel/*.whl $(WHEELS)

$(VENV)/.release: constraints.txt pyproject.toml $(VENV)/.tools
	@$(PIP_INSTALL) --group release
	@touch $@

# AWS on loopback. Its two servers need different versions of the same packages.
EMULATOR := build/emulator
emulator: $(EMULATOR)/ministack/.installed $(EMULATOR)/states/.installed

$(EMULATOR)/%/.installed: emulator/%.txt $(VENV)/pyvenv.cfg
	@echo 'Installing the emulator into $(@D)'
	@rm -rf $(@D)
	@$(PY) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

cloud: $(VENV)/.installed $(VENV)/.dev emulator
	@exec $(PY) -m emulator.excamera

# --- checks ------------------------------------------------------------------

lint: types layers
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/clang-format --dry-run -Werror $(CXX_FILES)

format: $(VENV)/.dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/clang-format -i $(CXX_FILES)

types: $(VENV)/.installed $(VENV)/.dev
	$(VENV)/bin/mypy

layers: $(VENV)/.installed $(VENV)/.dev
	$(VENV)/bin/lint-imports

# --- test programs -------------------------------------------------------------

# One command of a shell: $(call native_build,<folder under build/>,<CMake settings>)
NATIVE_CMAKE = cmake -G Ninja -S codec/native -DEXCAMERA_NATIVE_TESTS=ON \
  -DPython_EXECUTABLE="$(CURDIR)/$(PY)"
native_build = { mkdir -p build; export $(TOOLS_FIRST); \
  $(NATIVE_CMAKE) -B build/$(1) $(2) >build/$(1).log || { cat build/$(1).log; exit 1; }; \
  grep -h '^This compiler' build/$(1).log || true; \
  cmake --build build/$(1) --target native_tests; }

# Of the installed library's own objects.
native-tests: build/native-tests/.stamp
build/native-tests/.stamp: $(NATIVE_TEST_FILES) $(VENV)/.installed
	@$(TOOLS_FIRST) cmake --build build/native-tests --target native_tests
	@touch $@

# The same programs under AddressSanitizer and UBSan; `make test` then runs both.
SANITIZED := -DEXCAMERA_WERROR=ON -DEXCAMERA_SANITIZE=address,undefined
sanitized: build/native-sanitized/.stamp
build/native-sanitized/.stamp: $(NATIVE_FILES) $(NATIVE_TEST_FILES) $(VENV)/.tools
	@$(call native_build,native-sanitized,$(SANITIZED))
	@touch $@

# All of it by the oldest clang that can, or the oldest one here. Unoptimised: only errors and
# warnings count. Only clang has MemorySanitizer, too, which finds reads of what nobody has written.
CLANGS := clang++-14 clang++-15 clang++-16 clang++-17 clang++-18 clang++-19 clang++
UNOPTIMISED := -DCMAKE_BUILD_TYPE=Debug -DEXCAMERA_WERROR=ON
MEMORY := -DEXCAMERA_WERROR=ON -DEXCAMERA_SANITIZE=memory
clang:
	@for compiler in $(CLANGS) none; do \
	  if command -v "$$compiler" >/dev/null; then break; fi; \
	done; \
	if [ "$$compiler" = none ]; then \
	  echo 'No clang here (Debian: clang-14): the codec was not built with it.'; \
	  exit 0; \
	fi; \
	set -e; \
	echo "Building the codec with $$compiler"; \
	$(call native_build,$$compiler,-DCMAKE_CXX_COMPILER="$$compiler" $(UNOPTIMISED)); \
	$(call native_build,native-memory,-DCMAKE_CXX_COMPILER="$$compiler" $(MEMORY))

# The test programs for aarch64, under qemu with Debian's aarch64 C library. They are for the same
# target as the layer for Lambda: zig compiles its C++ library once for both.
ZIG_TOOLCHAIN := -DCMAKE_TOOLCHAIN_FILE="$(CURDIR)/codec/native/cmake/zig.cmake"
CROSS := aarch64-linux-gnu.2.28
QEMU_LD_PREFIX ?= /usr/aarch64-linux-gnu
CROSS_PROGRAMS := $(patsubst tests/native/%.cc,%,$(filter %.cc,$(NATIVE_TEST_FILES)))
cross: build/cross-$(CROSS)/.stamp
	@set -e; \
	if command -v qemu-aarch64 >/dev/null && [ -d "$(QEMU_LD_PREFIX)" ]; then \
	  for program in $(CROSS_PROGRAMS); do \
	    qemu-aarch64 -L "$(QEMU_LD_PREFIX)" "build/cross-$(CROSS)/$$program"; \
	  done; \
	else \
	  echo 'No qemu-aarch64 or no aarch64 C library here: the aarch64 build was not run.'; \
	fi

$(VENV)/.zig: constraints.txt $(VENV)/.tools
	@$(PIP_INSTALL) ziglang
	@touch $@

build/cross-%/.stamp: $(NATIVE_FILES) $(NATIVE_TEST_FILES) $(VENV)/.zig
	@$(call native_build,cross-$*,$(ZIG_TOOLCHAIN) -DEXCAMERA_ZIG_TARGET=$*)
	@touch $@

# --- pages ---------------------------------------------------------------------

# Writes the tables that pages take from the code.
docs: $(VENV)/.installed $(VENV)/.dev
	@$(PY) -m docs.tables
	@$(PY) -m docs.reach

# -----------------------------------------------------------------------------

bench: bench-quality bench-speed bench-figure

bench-quality: $(VENV)/.installed bench-tools
	$(PY) -m benchmarks.quality.rate_distortion $(OPTIONS)
	$(PY) -m benchmarks.quality.offsets $(OPTIONS)
	$(PY) -m benchmarks.quality.structures

bench-speed: $(VENV)/.installed bench-tools
	$(TOOLS_FIRST) $(PY) -m benchmarks.speed $(OPTIONS)

# From the results of both.
bench-figure: $(VENV)/.installed $(VENV)/.bench
	$(PY) -m benchmarks.quality.rate_distortion --render
	$(PY) -m benchmarks.quality.figure

$(VENV)/.bench: constraints.txt pyproject.toml $(VENV)/.tools
	@$(PIP_INSTALL) --group bench
	@touch $@

# libvpx's own programs, which are the codec's peers, and valgrind, which counts instructions.
bench-tools:
	@for tool in vpxenc vpxdec valgrind; do \
	  if ! command -v $$tool >/dev/null; then \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	      apt-get update -qq && apt-get install -y -qq vpx-tools valgrind && break; \
	    fi; \
	    echo "No $$tool here (Debian: vpx-tools, valgrind): the pages will say what is missing."; \
	  fi; \
	done

bench-cloud: $(VENV)/.installed $(VENV)/.dev emulator
	$(PY) -m benchmarks.cloud $(OPTIONS)

# Leaves out Redis where there is no server (Debian: redis-server).
bench-messages: $(VENV)/.installed $(VENV)/.dev emulator
	$(PY) -m benchmarks.messages $(OPTIONS)

# Simulated, but for what is compared with jobs on the emulator.
bench-scale: $(VENV)/.installed $(VENV)/.dev $(VENV)/.bench emulator
	$(PY) -m benchmarks.cloud_scale $(OPTIONS)

# Lithops in an environment of its own: it has many dependencies.
build/lithops/.installed: benchmarks/workers/lithops.txt $(VENV)/pyvenv.cfg
	@echo 'Installing Lithops into $(@D)'
	@rm -rf $(@D)
	@$(PY) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

# How functions begin: sizes and imports.
bench-start: $(VENV)/.installed $(VENV)/.dev
	$(PY) -m benchmarks.start $(OPTIONS)

# Sound, index and plan of long films.
bench-long: $(VENV)/.installed
	$(PY) -m benchmarks.long $(OPTIONS)

# How near results come to a rate, size or quality.
bench-targets: $(VENV)/.installed
	$(PY) -m benchmarks.targets $(OPTIONS)

# The encoders of VP9, AV1 and H.264 at each step of effort, for estimates.
bench-plain: $(VENV)/.installed
	$(PY) -m benchmarks.speed.plain $(OPTIONS)

# What a report's look at a film takes.
bench-reports: $(VENV)/.installed
	$(PY) -m benchmarks.speed.reports $(OPTIONS)

bench-workers: $(VENV)/.installed build/lithops/.installed
	$(PY) -m benchmarks.workers $(OPTIONS)

clean:
	rm -rf $(VENV) build sample codec/_native .mypy_cache .ruff_cache .pytest_cache \
	  .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
