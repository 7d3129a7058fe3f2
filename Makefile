# Two things that people run: `make demo` (a cluster on hosts that it starts itself) and `make test`. `make help` lists the rest.
# What is built lies outside the tree and outlives it: in ~/.cache/terraform-provider-k8s, or where K8S_LAB_CACHE says.

cache := $(or $(K8S_LAB_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/terraform-provider-k8s)
export CARGO_TARGET_DIR ?= $(cache)/target
# The lab needs root; everything else is built by whoever calls.
as_root := $(if $(filter 0,$(shell id -u)),,sudo env PATH="$(PATH)" HOME="$(HOME)" K8S_LAB_CACHE="$(cache)" CARGO_TARGET_DIR="$(CARGO_TARGET_DIR)")
lab := acceptance-tests/lab

.PHONY: help demo demo-down test quick acceptance cut-offs lint docs chaos upgrade conformance cloud-controller bench bench-plan bench-aws fuzz-approver setup lab-build provider checkout

help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

demo: lab-build provider ## a highly available cluster on five hosts that it starts itself, out of examples/quickstart
	$(as_root) $(lab)/demo.sh up $(CARGO_TARGET_DIR)/debug/terraform-provider-k8s

demo-down: ## destroys the demo's cluster and removes its hosts
	$(as_root) $(lab)/demo.sh down

test: quick acceptance ## everything that must hold

quick: setup lint ## format, lints and the tests that need no hosts
	cargo test --quiet --no-fail-fast

acceptance: lab-build provider ## the promises, with real engines, hosts and Kubernetes
	cargo test --quiet --package acceptance-tests --no-run
	$(as_root) acceptance-tests/run.sh

cut-offs: checkout ## every operation fails, is stopped and is killed at every single call, in memory: 3 minutes; `make test` takes the faults in turn
	CUT_OFFS=all cargo test --quiet --package provider --lib lifecycle::cut_off

chaos: lab-build provider ## changes of a cluster while hosts, networks and programs fail: 45 minutes, or MINUTES; SEED repeats a run
	cargo test --quiet --package acceptance-tests --no-run
	$(as_root) LAB_KILLS=8 LAB_MINUTES=$(or $(MINUTES),45) $(if $(SEED),LAB_SEED=$(SEED)) cargo test --quiet --package acceptance-tests --test interrupted

upgrade: lab-build ## this version takes over a cluster that the provider of the commit FROM has made, while its pods serve
	acceptance-tests/upgrade.sh "$(FROM)" "$(cache)/provider-before"
	$(MAKE) provider
	cargo test --quiet --package acceptance-tests --no-run
	$(as_root) PROVIDER_BEFORE="$(cache)/provider-before" cargo test --quiet --package acceptance-tests --test upgraded

conformance: lab-build provider ## Kubernetes' own conformance tests on the quick start: FOCUS (all), PROCS (4), CLUSTER (quickstart, ipv6-first or add-on-network)
	$(as_root) CLUSTER="$(or $(CLUSTER),quickstart)" FOCUS='$(FOCUS)' PROCS="$(or $(PROCS),4)" acceptance-tests/conformance.sh $(CARGO_TARGET_DIR)/debug/terraform-provider-k8s

cloud-controller: lab-build provider ## the lab's hosts as instances of an emulator of AWS, initialised by the real cloud controller manager: 4 minutes, and 4 to build it once
	$(as_root) $(lab)/mirror/build.sh cloud-controller
	cargo test --quiet --package acceptance-tests --no-run
	$(as_root) LAB_CLOUD=1 cargo test --quiet --package acceptance-tests --test cloud_controller

lint: checkout
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- --deny warnings
	shellcheck --external-sources $(lab)/lab $(lab)/*.sh $(lab)/*/*.sh acceptance-tests/*.sh .ci/run

docs: checkout ## writes the pages of the registry into docs/
	-UPDATE=1 cargo test --quiet --package provider --test docs # rewrites and fails once
	cargo test --quiet --package provider --test docs

bench: lab-build checkout ## the numbers: start, memory, certificates, apply to Ready, empty plan
	cargo build --quiet --release --package terraform-provider-k8s
	$(as_root) acceptance-tests/bench.sh $(CARGO_TARGET_DIR)/release/terraform-provider-k8s

bench-plan: checkout ## plans of 5 to 1000 simulated machines: seconds, lines, bytes of state, memory
	BENCH_PLAN_HOSTS="$(or $(HOSTS),5 50 300 1000)" cargo test --quiet --release --package provider --lib lifecycle::sizes::many_hosts -- --nocapture

bench-aws: provider ## a network on AWS beside Ansible and kops, on an emulator: calls, time, memory; with the development build
	cargo build --quiet --package acceptance-tests --bin acceptance-aws-proxy
	acceptance-tests/bench-aws.sh $(CARGO_TARGET_DIR)/debug/terraform-provider-k8s $(CARGO_TARGET_DIR)/debug/acceptance-aws-proxy

fuzz-approver: checkout ## mutated certificate requests, as the approver and as the signer read them: REQUESTS (10000), SEED (random)
	FUZZ_REQUESTS=$(or $(REQUESTS),10000) FUZZ_SEED=$(or $(SEED),$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')) cargo test --quiet --package acceptance-tests --test certificate_requests nothing

setup: ## installs missing Debian packages
	acceptance-tests/setup.sh

lab-build:
	@mkdir -p $(CARGO_TARGET_DIR) # the caller's own, in a folder that may become root's
	$(as_root) $(lab)/lab build

# Cargo goes by the times of files below the checkout: what another checkout left in the same target folder is not this one's.
checkout:
	@mkdir -p $(CARGO_TARGET_DIR)
	@[ "$$(cat $(CARGO_TARGET_DIR)/checkout 2>/dev/null)" = "$(CURDIR)" ] || { find . -name '*.rs' -exec touch {} + && echo "$(CURDIR)" >$(CARGO_TARGET_DIR)/checkout; }

provider: checkout
	cargo build --quiet --package terraform-provider-k8s
