# Everything a person needs, each target doing its own set-up: demo check bench bench-home
# suites-home deb install vm.

PREFIX ?= /usr
DESTDIR ?=
CARGO ?= cargo
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/wendy
TOOLS := $(addprefix $(CACHE)/tools/bin/,cargo-deny fsx pjdfstest)

.PHONY: all build setup demo check bench bench-home suites-home deb install vm clean

all: build

build:
	$(CARGO) build --release --locked --bins

setup:
	packaging/setup

# What checks the dependencies and the portable home is not in Debian 12: built once, kept in the
# cache. What runs for seconds is not worth the minutes of optimising it.
$(CACHE)/tools/bin/cargo-deny: PROFILE := --debug
$(TOOLS):
	$(CARGO) install --locked $(PROFILE) --root $(CACHE)/tools $(@F)

# The main job on the bare machine: no emulator, no stick.
demo: setup build
	stage=$$(mktemp -d) && trap 'rm -rf "$$stage"' EXIT && \
		$(MAKE) --no-print-directory install DESTDIR="$$stage" && tests/demo/run "$$stage"

# Everything that decides whether a change is good, real boots included.
check: setup $(TOOLS) build
	PATH="$(CACHE)/tools/bin:$$PATH" tests/check

# Beside cp, rsync, tar and udisksd, in one run; keeps the tables as docs/BENCH.md.
bench: setup build
	tests/bench

# A portable home beside ext4 and posixovl, in one run; keeps the table as docs/HOME-BENCH.md.
bench-home: setup build
	tests/bench-home

# A portable home under test suites of others, and for long under its own: hours, not part of check.
suites-home: setup $(addprefix $(CACHE)/tools/bin/,fsx pjdfstest) build
	tests/suites-home $(SUITES)

deb: setup build
	packaging/build-deb dist

# A stock live system with wendy inside and an empty stick, on this terminal.
vm: deb
	$(CARGO) run --quiet --locked -p wendy-tests --bin try -- dist/*.deb

# Installs what is built; without it that is done first.
install: $(if $(wildcard target/release/wendyd),,setup build)
	packaging/install "$(DESTDIR)" "$(PREFIX)"

clean:
	$(CARGO) clean
	rm -rf dist
