# Every job that CI or a developer runs, one line each. `make help` lists them.
# Needs: root or sudo on Debian 12 (packages are installed by tests/setup/install.sh).
.PHONY: help setup build demo test test-vm fuzz bench lint docs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## say what is missing on this machine, then install it
	tests/setup/install.sh

build: ## build all programs
	cargo build --release --locked

demo: ## from an OS image to a netbooted, installed, provisioned machine
	examples/demo/run.sh

test: ## unit, golden, property, loop-device and VM tests
	tests/run.sh

test-vm: ## the larger matrix of firmware, media and faults in VMs
	COREOS_METAL_VM=full tests/run.sh --package tests --test vm

fuzz: ## search for inputs that break a parser, a minute each
	tests/fuzz.sh

bench: ## measure against the peers, interleaved, on this machine
	tests/bench.sh

lint: ## formatting, clippy, shellcheck
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	git ls-files '*.sh' .ci/run | xargs shellcheck

docs: ## regenerate the generated pages of docs/
	docs/gen.sh
