# frankenphp-ws. `make help` lists the targets.
#
# What is slow and does not change with this tree – the PHP build, Go's and Cargo's downloads – is kept outside it:
# $FWS_CACHE, by default ~/.cache/frankenphp-ws.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BUILD := $(CURDIR)/build
PREFIX ?= /usr/local
PORT ?= 8080
# A folder of examples/.
EXAMPLE ?= chat
# A folder of your own with a Caddyfile, to be run instead.
DIR ?=
# The root of a relocated install; the pkg-config file names PREFIX all the same.
DESTDIR ?=
LIB := $(BUILD)/lib/libfws.a
PC := $(BUILD)/lib/pkgconfig/fws.pc
FRANKENPHP := $(BUILD)/frankenphp
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find crates -name '*.rs' -o -name Cargo.toml -o -name cbindgen.toml)
GO_SOURCES := $(shell find go-bridge caddy-module -name '*.go' -o -name '*.c' -o -name '*.h' -o -name go.mod -o -name go.sum)
# What Go and cgo need to know; see tools/env.sh.
ENV := . tools/env.sh &&

.PHONY: help run echo build lib header generate install xcaddy test test-rust test-abi test-generated test-tools test-licences test-php \
	test-frameworks test-go test-e2e test-xcaddy test-autobahn test-fuzz test-bench autobahn fuzz lint bench bench-cluster bench-pusher slow-clients herd fmt clean \
	setup which-php

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Set up what is missing, build, and start EXAMPLE (chat) on http://localhost:$PORT (8080), or your folder DIR
	@tools/run.sh $(EXAMPLE) $(if $(DIR),"$(DIR)")

echo: build ## The same with the echo example: /core without PHP, /php with it
	@tools/run.sh echo

setup:
	@tools/setup.sh build

# Once in a run of make, before the tests that use PHP.
which-php: setup
	@echo "tests run on $$(tools/php.sh --version)"

build: setup $(FRANKENPHP) ## Build build/frankenphp and build/lib/libfws.a

lib: $(LIB) ## Build the Rust core only: build/lib/libfws.a, its header and pkg-config file

$(LIB): $(RUST_SOURCES) tools/archive.sh
	@tools/archive.sh

$(BUILD)/lib/watcher: caddy-module/go.mod tools/watcher.sh
	@tools/watcher.sh

$(FRANKENPHP): $(LIB) $(BUILD)/lib/watcher $(GO_SOURCES) tools/env.sh tools/frankenphp.sh
	@tools/frankenphp.sh

header: ## Write include/fws.h from crates/ffi
	FWS_WRITE_HEADER=1 cargo test -q -p fws-ffi --test header

generate: build ## Make the generated part of the PHP extension again
	caddy-module/phpext/generate.sh

install: $(LIB) ## Install library, header and pkg-config file below PREFIX (/usr/local)
	install -d "$(DESTDIR)$(PREFIX)/lib/pkgconfig" "$(DESTDIR)$(PREFIX)/include"
	install -m 644 $(LIB) "$(DESTDIR)$(PREFIX)/lib/libfws.a"
	install -m 644 include/fws.h "$(DESTDIR)$(PREFIX)/include/fws.h"
	sed 's#^prefix=.*#prefix=$(PREFIX)#; s#^includedir=.*#includedir=$${prefix}/include#' $(PC) >"$(DESTDIR)$(PREFIX)/lib/pkgconfig/fws.pc"

xcaddy: setup $(LIB) $(BUILD)/lib/watcher ## Build build/xcaddy-frankenphp the way the README tells users to
	@tools/xcaddy.sh

test: test-tools test-rust test-fuzz test-abi test-generated test-licences test-php test-frameworks test-go test-e2e test-bench test-autobahn test-xcaddy ## Run every test
	@echo "every test passed on $$(tools/php.sh --version)"

test-rust: setup ## Unit and integration tests of the core, and of the benchmark's load generator
	@tools/setup.sh redis
	cargo test --workspace
	CARGO_TARGET_DIR=$(BUILD)/bench/target cargo test --locked --manifest-path tests/bench/load/Cargo.toml

test-abi: $(LIB) ## C programs against the header and the library
	@tests/c-abi/run.sh

test-go: which-php build ## Tests of the Go bridge, the Caddy module and the PHP extension
	$(ENV) cd go-bridge && go vet ./... && go test -race ./...
	$(ENV) export CGO_CFLAGS="$$CGO_CFLAGS -Werror" && cd caddy-module && go vet ./... && go test -timeout 10m ./...

test-tools: ## The set-up scripts, on machines that the tests make up; what make lint says of long files
	@tests/tools/run.sh
	cd tools && go test -count=1 length-lint.go length-lint_test.go

test-licences: build ## All that the binary and the archive link may be passed on under our licence
	cd tests/licences && go vet ./... && go test -count=1 ./...

test-generated: build ## What is generated and committed is what would be generated now
	caddy-module/phpext/generate.sh --check

test-php: which-php ## Syntax of all PHP files, unit tests of the Composer package, the snippets of the documentation
	@tools/php-lint.sh
	@tools/php-test.sh

test-frameworks: which-php build ## The packages for Laravel and Symfony, against the real frameworks and under the real binary
	@FWS_FRANKENPHP=$(FRANKENPHP) tools/frameworks-test.sh

test-e2e: which-php build ## The real binary with real PHP, real clients and a real browser; all of it over TLS as well
	@tools/setup.sh e2e
	$(ENV) cd tests/e2e && go vet ./... && FWS_FRANKENPHP=$(FRANKENPHP) go test -count=1 -timeout 20m ./...
	$(ENV) cd tests/e2e && FWS_FRANKENPHP=$(FRANKENPHP) FWS_E2E_TRANSPORT=tls go test -short -count=1 -timeout 20m ./...

test-autobahn: build ## The Autobahn test suite, all but its long cases (SKIP_AUTOBAHN=1 leaves it out)
	@tests/autobahn/run.sh sample

test-fuzz: setup ## The fuzz targets on their committed corpus, and on variations of it
	@tools/fuzz.sh replay

autobahn: build ## The whole Autobahn test suite against the server and the standalone example
	@tests/autobahn/run.sh all

fuzz: setup ## Fuzz each target for FUZZ_SECONDS (60), or only TARGET
	@tools/fuzz.sh

test-xcaddy: xcaddy ## The binary that xcaddy built has the module
	@tools/xcaddy.sh check

lint: setup $(LIB) $(BUILD)/lib/watcher ## Formatters and static checks
	@go run tools/length-lint.go
	cargo fmt --check
	cargo fmt --check --manifest-path tests/bench/load/Cargo.toml
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --workspace --all-targets -- -D warnings
	CARGO_TARGET_DIR=$(BUILD)/bench/target cargo clippy --locked --manifest-path tests/bench/load/Cargo.toml --all-targets -- -D warnings
	CARGO_TARGET_DIR=$(BUILD)/fuzz/target cargo clippy --locked --manifest-path fuzz/Cargo.toml --all-targets -- -D warnings
	@tools/shell-lint.sh
	@tools/static-lint.sh
	@unformatted=$$(gofmt -l go-bridge caddy-module tests tools); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }

fmt: ## Format all sources
	cargo fmt
	cargo fmt --manifest-path tests/bench/load/Cargo.toml
	cargo fmt --manifest-path fuzz/Cargo.toml
	gofmt -w go-bridge caddy-module tests tools
	git ls-files '*.c' '*.h' | grep -vE '_arginfo\.h$$|^include/fws\.h$$|^caddy-module/phpext/websocket\.[ch]$$' | xargs clang-format -i

bench: build ## Measure CPU per message and memory per connection beside a peer
	$(ENV) tests/bench/run.sh

bench-cluster: build ## Measure several servers on one Redis beside Centrifugo
	$(ENV) tests/bench/cluster.sh

bench-pusher: build ## Measure the Pusher protocol beside a server on Node's ws and beside Centrifugo
	$(ENV) tests/bench/pusher.sh

test-bench: which-php build ## The benchmarks of a cluster and of the Pusher protocol, small and short: every message reaches every subscriber once
	$(ENV) FRANKENPHP=$(FRANKENPHP) tests/bench/cluster.sh smoke
	$(ENV) FRANKENPHP=$(FRANKENPHP) tests/bench/pusher.sh smoke

# subscribers, bytes a second to each, bytes of a message, seconds
SLOW_CLIENTS ?= 1000,1048576,16384,5

slow-clients: build ## Measure what subscribers notice of others that stop reading, under each policy
	@tools/setup.sh e2e
	$(ENV) cd tests/e2e && FWS_SLOW_CLIENTS=$(SLOW_CLIENTS) FWS_FRANKENPHP=$(FRANKENPHP) \
		go test -count=1 -timeout 10m -v -run TestHalfOfTheSubscribersStopReading . | grep -E 'subscribers,|^(ok|FAIL|---)'

# clients, milliseconds of the script that authorises them, threads of PHP for pages
HERD ?= 5000,20,4

herd: build ## Measure how long a herd of clients needs until PHP has let all of them in
	@tools/setup.sh e2e
	$(ENV) cd tests/e2e && FWS_HERD=$(HERD) FWS_FRANKENPHP=$(FRANKENPHP) \
		go test -count=1 -timeout 10m -v -run TestAHerdOfClients . | grep -E 'herd:|^(ok|FAIL|---)'

clean: ## Remove build/ and target/
	rm -rf build target
