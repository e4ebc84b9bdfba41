# Everything a person needs, each target doing its own set-up: demo check bench deb install vm.

PREFIX ?= /usr
DESTDIR ?=
CARGO ?= cargo
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/wendy
DENY := $(CACHE)/tools/bin/cargo-deny

.PHONY: all build setup demo check bench deb install vm clean

all: build

build:
	$(CARGO) build --release --locked --bins

setup:
	packaging/setup

# cargo-deny is not in Debian 12: built once, kept in the cache.
$(DENY):
	$(CARGO) install --locked --root $(CACHE)/tools cargo-deny

# The main job on the bare machine: no emulator, no stick.
demo: setup build
	stage=$$(mktemp -d) && trap 'rm -rf "$$stage"' EXIT && \
		$(MAKE) --no-print-directory install DESTDIR="$$stage" && tests/demo/run "$$stage"

# Everything that decides whether a change is good, real boots included.
check: setup $(DENY) build
	DENY=$(DENY) tests/check

# Beside cp, rsync, tar and udisksd, in one run; keeps the tables as docs/BENCH.md.
bench: setup build
	tests/bench

deb: setup build
	packaging/build-deb dist

# A stock live system with wendy inside and an empty stick, on this terminal.
vm: deb
	$(CARGO) run --quiet --locked -p wendy-tests --bin try -- dist/*.deb

# Installs what `make build` built.
install:
	packaging/install "$(DESTDIR)" "$(PREFIX)"

clean:
	$(CARGO) clean
	rm -rf dist
